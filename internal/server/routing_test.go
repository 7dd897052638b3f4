package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

// One message to several destinations is one entry of Meta.Logs for each, and
// each gets it; one that names a destination goes there alone.
func TestOneMessageToSeveralDestinations(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		hooks := map[string]*webhook{}
		for _, id := range []string{"a", "b"} {
			hooks[id] = newReceiver(t)
			r.want(r.send("POST", admin+"/destinations", `{"id":"`+id+`","name":"`+id+`","url":"`+hooks[id].URL+`"}`), http.StatusCreated)
			r.want(r.send("POST", admin+"/subscriptions", `{"id":"to-`+id+`","destination":"`+id+`","dataModel":"PatientAdmin","content":"redox"}`), http.StatusCreated)
		}
		// A subscription pairs what belongs to one environment.
		r.want(r.send("POST", "/exchange/sandbox/Staging/subscriptions", `{"destination":"a","dataModel":"PatientAdmin","content":"redox"}`),
			http.StatusBadRequest, "no destination of this environment")

		answer := r.push(admission("NewPatient", "2026-03-01T10:00:00Z", mr("A"), person("A", "")))
		logs, _ := at(answer, "Meta", "Logs").([]any)
		if len(logs) != 2 || text(at(logs, 0, "AttemptID")) == text(at(logs, 1, "AttemptID")) {
			t.Fatalf("Meta.Logs has %v", logs)
		}
		for id, h := range hooks {
			if body := h.next(t); !strings.Contains(body, `"Destinations":[{"ID":"`+id+`"`) {
				t.Errorf("%s got %.300s", id, body)
			}
		}
		to := func(id string) string {
			m := admission("PatientUpdate", "2026-03-02T10:00:00Z", mr("A"), person("B", ""))
			return strings.Replace(m, `"DataModel"`, `"Destinations":[{"ID":"`+id+`"}],"DataModel"`, 1)
		}
		answer = r.push(to("b"))
		if logs, _ := at(answer, "Meta", "Logs").([]any); len(logs) != 1 {
			t.Errorf("Meta.Logs has %v", logs)
		}
		if body := hooks["b"].next(t); !strings.Contains(body, "PatientUpdate") {
			t.Errorf("b got %.300s", body)
		}
	})
}

// Without a sandbox a destination that is not subscribed for the model is
// refused, for messages and for queries.
func TestDestinationsMustBeSubscribed(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), AdminToken: adminToken})
	r.auth = adminToken
	r.want(r.send("POST", "/organizations", `{"id":"clinic","name":"Clinic"}`), http.StatusCreated)
	const base = "/exchange/clinic/Development"
	source := text(at(decoded(t, r.want(r.send("GET", base+"/sources", ""), http.StatusOK)), 0, "id"))
	// Not verified, since nothing listens there.
	r.want(r.send("POST", base+"/destinations", `{"id":"ehr","name":"EHR","url":"https://192.0.2.1/","live":true}`), http.StatusCreated)
	r.want(r.send("POST", base+"/subscriptions", `{"destination":"ehr","dataModel":"Results","content":"redox"}`), http.StatusCreated)
	const names = `"Destinations":[{"ID":"ehr"}],"DataModel"`
	message := strings.Replace(admission("NewPatient", "2026-03-01T10:00:00Z", mr("A"), ""), `"DataModel"`, names, 1)
	const none = `No subscriptions. Meta.Destinations needs to contain a destination from existing subscriptions`
	r.want(r.send("POST", "/endpoint", message, "Redox-Source-Id", source), http.StatusBadRequest, none, `"Module":"Subscriptions"`)
	query := `{"Meta":{` + names + `:"Scheduling","EventType":"Booked"},"StartDateTime":"2026-03-01T00:00:00Z","EndDateTime":"2026-03-31T00:00:00Z"}`
	r.want(r.send("POST", "/query", query, "Redox-Source-Id", source), http.StatusBadRequest, none)
	several := strings.Replace(query, `[{"ID":"ehr"}]`, `[{"ID":"ehr"},{"ID":"other"}]`, 1)
	r.want(r.send("POST", "/query", several, "Redox-Source-Id", source), http.StatusBadRequest, "exactly one destination")
}

// A query to a live system is asked there, at either address, and its answer
// comes back in the data model.
func TestAQueryToALiveSystem(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		r.push(string(shipped(t, "Scheduling", "New")))
		query := `{"Meta":{"DataModel":"Scheduling","EventType":"Booked"},"StartDateTime":"2026-03-01T00:00:00Z","EndDateTime":"2026-03-31T00:00:00Z"}`
		stored := r.want(r.send("POST", "/query", query), http.StatusOK, "LV-APT-90021")

		var status atomic.Int64
		var reply atomic.Value
		status.Store(http.StatusOK)
		reply.Store(strings.ReplaceAll(string(stored.body), "LV-APT-90021", "LIVE-1"))
		questions := make(chan string, 10)
		live := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			b, _ := io.ReadAll(q.Body)
			var c struct{ Challenge string }
			if json.Unmarshal(b, &c) == nil && c.Challenge != "" {
				_, _ = io.WriteString(w, c.Challenge)
				return
			}
			questions <- string(b)
			w.WriteHeader(int(status.Load()))
			_, _ = io.WriteString(w, reply.Load().(string))
		}))
		defer live.Close()
		r.want(r.send("POST", admin+"/destinations", `{"id":"ehr","name":"EHR","url":"`+live.URL+`","live":true,"timeoutSeconds":5}`), http.StatusCreated, `"verified":true`)
		// For events that the other one does not send, so that nothing else is
		// delivered there.
		r.want(r.send("POST", admin+"/subscriptions", `{"destination":"ehr","dataModel":"Scheduling","events":["NoShow"],"content":"redox"}`), http.StatusCreated)

		for _, path := range []string{"/query", "/endpoint"} {
			v := decoded(t, r.want(r.send("POST", path, query), http.StatusOK))
			if text(at(v, "Visits", 0, "VisitNumber")) != "LIVE-1" || text(at(v, "Meta", "EventType")) != "BookedResponse" {
				t.Errorf("%s answers %v", path, v)
			}
			if q := <-questions; !strings.Contains(q, `"Destinations":[{"ID":"ehr","Name":"EHR"}]`) || !strings.Contains(q, `"StartDateTime":"2026-03-01T00:00:00Z"`) {
				t.Errorf("it was asked %s", q)
			}
		}
		for _, c := range []struct {
			rule, text, reply string
			status, want      int
		}{
			{"a status of its own", `"DestinationStatusCode":500`, `{}`, 500, 200},
			{"errors of its own", `"Text":"unknown patient"`, `{"Meta":{"DataModel":"Scheduling","EventType":"Booked","Errors":[{"ID":1,"Text":"unknown patient"}]}}`, 200, 200},
			{"no answer of the model", `"Module":"Destination Response"`, `[]`, 200, 200},
		} {
			status.Store(int64(c.status))
			reply.Store(c.reply)
			if a := r.send("POST", "/query", query); a.status != c.want || !strings.Contains(string(a.body), c.text) {
				t.Errorf("%s: %d %s", c.rule, a.status, a.body)
			}
		}
		live.Close()
		r.want(r.send("POST", "/query", query), http.StatusBadGateway, "Destination could not be reached.")
	})
}
