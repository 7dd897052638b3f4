package notifications

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Whatever happens (receivers that fail, queues that are stopped at any
// moment, an instance whose writes fail from some moment on), every event is
// delivered, none before its predecessor was acknowledged, and an event that
// comes twice has the id that it had.
func TestDelivery_everyEventInOrderOverRestarts(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			restarts(t, rand.New(rand.NewPCG(seed, 7)))
		})
	}
}

func restarts(t *testing.T, random *rand.Rand) {
	const events = 100
	c := newClock()
	c.skip = func(d time.Duration) bool { return d != settle && d != leaseTTL/3 }
	s := openStore(t, c)
	acknowledged := make(chan string, events*10)
	ids := map[string]string{}
	var mu sync.Mutex // of random and ids
	upcoming := 0     // the first event that was never acknowledged
	rc := newReceiver(t, nil)
	rc.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id := r.Header.Get("webhook-id")
		var n int
		if _, err := fmt.Sscanf(nameIn(r), "event-%d", &n); err != nil {
			t.Errorf("a strange delivery: %v", err)
			return
		}
		name := fmt.Sprintf("event-%d", n)
		if known, ok := ids[name]; ok && known != id {
			t.Errorf("%s came with the ids %s and %s", name, known, id)
		}
		ids[name] = id
		if n > upcoming {
			t.Errorf("%s came before event-%d was acknowledged", name, upcoming)
		}
		switch random.IntN(8) {
		case 0:
			w.WriteHeader(http.StatusInternalServerError)
			return
		case 1:
			panic(http.ErrAbortHandler) // closes the connection
		}
		upcoming = max(upcoming, n+1)
		acknowledged <- name
	})
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}

	shaky := &dying{Store: s}
	w := newWorld(t, shaky, c, "a", false)
	w.subscribe(production, rc.URL)
	// Events of another kind lie between.
	go func() {
		for i := range events {
			for range draw(3) {
				w.commit(production, Event{DataModel: "Order", EventType: "New", Name: "service-request-created", Message: "other"})
			}
			w.book(production, fmt.Sprintf("event-%d", i))
		}
	}()
	last := fmt.Sprintf("event-%d", events-1)
	for round := 0; ; round++ {
		w.start()
		stopAfter := 1 + draw(25)
		if round > 40 {
			stopAfter = events * 100
		}
		for range stopAfter {
			if receive(t, acknowledged, "an acknowledged event") == last {
				return
			}
		}
		// Half of the time its last writes fail: the crash between an
		// acknowledgement and its record.
		shaky.dead.Store(draw(2) == 0)
		w.stop()
		shaky.dead.Store(false)
	}
}
