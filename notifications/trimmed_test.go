package notifications

import (
	"errors"
	"testing"
	"time"
)

// A log that has lost its beginning is followed, searched by time and replayed
// from its first entry on, and from nowhere before.
func TestTrimmedLog(t *testing.T) {
	w := newTestWorld(t)
	var times []time.Time
	for range 6 {
		w.clock.advance(time.Minute)
		times = append(times, w.book(production, "early").Time)
	}
	w.must(w.store.TrimLog(w.ctx, production, 5))
	for _, c := range []struct {
		at   time.Time
		want int64
	}{{times[0], 5}, {times[4], 5}, {times[5], 6}, {times[5].Add(time.Second), 7}} {
		if got, err := SeqAt(w.ctx, w.store, production, c.at); err != nil || got != c.want {
			t.Errorf("first entry from %s: %d (%v), want %d", c.at, got, err, c.want)
		}
	}
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL)
	standings, err := w.o.Registry.Standings(w.ctx, production)
	w.must(err)
	if len(standings) != 1 || standings[0] != (Standing{"s", Active, 6}) {
		t.Errorf("%+v", standings)
	}
	w.start()
	w.book(production, "new")
	rc.expect(t, "new")
	w.attempt()
	var field *FieldError
	if _, err := w.o.Registry.Replay(w.ctx, production, "s", 4); !errors.As(err, &field) || field.Field != "from" {
		t.Errorf("replayed from what is gone: %v", err)
	}
	w.stop()
	from, err := w.o.Registry.Replay(w.ctx, production, "s", 5)
	w.must(err)
	if from != 5 {
		t.Errorf("goes on from %d", from)
	}
	w.start()
	rc.expect(t, "early", "early", "new")
	w.must(w.o.Registry.DeleteSubscription(w.ctx, production, "s"))
	w.stop()
	if standings, err := w.o.Registry.Standings(w.ctx, production); err != nil || len(standings) != 0 {
		t.Errorf("a deleted subscription holds the log: %+v, %v", standings, err)
	}
}
