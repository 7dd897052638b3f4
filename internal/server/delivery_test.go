package server_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/receiver"
	"github.com/fhirfacade/fhirfacade/internal/server"
)

// eventually waits for a condition that another process or goroutine brings
// about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// collector remembers the webhook-ids that it got.
type collector struct {
	http.Handler
	mu  sync.Mutex
	ids []string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if id := r.Header.Get("webhook-id"); id != "" {
		c.mu.Lock()
		c.ids = append(c.ids, id)
		c.mu.Unlock()
	}
	c.Handler.ServeHTTP(w, r)
}

func (c *collector) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.ids...)
}

// A subscription set up, delivered to, replayed, paused and resumed through the
// admin API, and seen in the log and the metrics.
func TestDelivery(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		app, err := receiver.New(receiver.Options{Name: "app", Token: "hello", Out: t.Output(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		seen := &collector{Handler: app}
		hook := httptest.NewServer(seen)
		defer hook.Close()

		r.want(r.send("POST", admin+"/destinations", `{"id":"wrong","name":"App","url":"`+hook.URL+`","verificationToken":"bye"}`), http.StatusCreated, `"verified":false`, "401")
		r.want(r.send("POST", admin+"/destinations", `{"id":"app","name":"App","url":"`+hook.URL+`","verificationToken":"hello"}`), http.StatusCreated, `"verified":true`)
		r.want(r.send("POST", admin+"/subscriptions", `{"id":"s","destination":"app","dataModel":"*","content":"lightweight"}`), http.StatusCreated)
		r.want(r.send("POST", admin+"/subscriptions", `{"destination":"nobody","dataModel":"*","content":"lightweight"}`), http.StatusBadRequest, "destination")
		r.want(r.send("POST", admin+"/subscriptions", `{"destination":"app","dataModell":"*"}`), http.StatusBadRequest, "dataModell")

		r.want(r.send("POST", "/endpoint", string(shipped(t, "Scheduling", "New"))), http.StatusOK)
		eventually(t, "the first delivery", func() bool { return len(seen.got()) == 1 })
		eventually(t, "its record", func() bool {
			v := decoded(t, r.want(r.send("GET", admin+"/transmissions?subscription=s", ""), http.StatusOK))
			return text(at(v, "items", 0, "status")) == "SUCCEEDED"
		})

		r.want(r.send("POST", admin+"/subscriptions/s/pause", ""), http.StatusOK)
		r.want(r.send("POST", "/endpoint", string(shipped(t, "PatientAdmin", "Arrival"))), http.StatusOK)
		eventually(t, "the backlog", func() bool {
			v := decoded(t, r.want(r.send("GET", admin+"/backlog", ""), http.StatusOK))
			return text(at(v, 0, "events")) == "1"
		})
		if n := len(seen.got()); n != 1 {
			t.Errorf("%d deliveries while paused", n-1)
		}
		r.want(r.send("POST", admin+"/subscriptions/s/resume", ""), http.StatusOK)
		eventually(t, "the delivery after the pause", func() bool { return len(seen.got()) == 2 })

		r.want(r.send("POST", admin+"/subscriptions/s/replay", `{"seq":1}`), http.StatusOK, `"from":1`)
		eventually(t, "the replay", func() bool { return len(seen.got()) == 4 })
		if ids := seen.got(); ids[0] != ids[2] || ids[1] != ids[3] || ids[0] == ids[1] {
			t.Errorf("the replay has other ids or another order: %v", ids)
		}
		r.want(r.send("GET", "/metrics", ""), http.StatusOK,
			`fhirfacade_delivery_attempts_total{result="acknowledged",tenant="sandbox/Development"}`, "fhirfacade_backlog_events")
	})
}
