package notifications

import (
	"testing"
	"time"
)

func TestEngine_Backlog(t *testing.T) {
	w := newTestWorld(t)
	w.clock.skip = upTo(0)
	rc := newReceiver(t, statuses(200, 500, 500))
	w.subscribe(production, rc.URL)
	w.subscribe(production, rc.URL, func(s *Subscription) { s.ID, s.Paused = "paused", true })
	w.subscribe(production, rc.URL, func(s *Subscription) { s.ID, s.DataModel = "other", "Order" })
	w.start()
	w.book(production, "one")
	w.attempt()
	w.clock.advance(time.Minute)
	two := w.book(production, "two")
	w.clock.advance(time.Minute)
	w.book(production, "three")
	w.attempt()
	w.attempt()
	w.clock.await(t, 10*time.Second)

	all, err := w.Engine.Backlog(w.ctx)
	w.must(err)
	got := map[string]Backlog{}
	for _, b := range all {
		got[b.Subscription] = b
	}
	if len(got) != 3 {
		t.Fatalf("%+v", all)
	}
	first := two.Time.Add(-time.Minute)
	for id, want := range map[string]Backlog{
		"s":      {Tenant: production, Subscription: "s", Status: Active, Seq: 1, Head: 3, Events: 2, Oldest: two.Time},
		"paused": {Tenant: production, Subscription: "paused", Status: Paused, Seq: 0, Head: 3, Events: 3, Oldest: first},
	} {
		if got[id] != want {
			t.Errorf("%s: %+v, want %+v", id, got[id], want)
		}
	}
	if b := got["other"]; b.Events != 0 || !b.Oldest.IsZero() {
		t.Errorf("other: %+v", b)
	}
}

// What lies too far back to be counted is said to be more.
func TestEngine_BacklogIsBounded(t *testing.T) {
	w := newTestWorld(t)
	l := newMemoryLog()
	l.add(many(backlogScan+2, booking)...)
	w.subscribe(production, "https://app.example.org")
	w.o.Store = loggedStore{w.store, l}
	all, err := w.Engine.Backlog(w.ctx)
	w.must(err)
	if len(all) != 1 || all[0].Events != backlogScan || !all[0].More {
		t.Errorf("%+v", all)
	}
}
