package notifications

import (
	"slices"
	"testing"
	"time"
)

// Redox: queue and retry. Down for three deliveries, then up.
func TestQueue_retriesOnSchedule(t *testing.T) {
	w := newTestWorld(t)
	w.clock.skip = func(d time.Duration) bool { return d <= 10*time.Second }
	rc := newReceiver(t, statuses(500, 503, 404))
	w.subscribe(production, rc.URL)
	w.start()
	w.book(production, "one", "two")
	rc.expect(t, "one", "one", "one", "one", "two")
	for range 4 {
		w.attempt()
	}
	if got, want := w.clock.skipped, []time.Duration{0, 10 * time.Second, 10 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("waited %v, want %v", got, want)
	}
	tr := w.attempt()
	if tr.Status != Succeeded || tr.Number != 2 || tr.Total != 1 {
		t.Errorf("second transmission: %+v", tr)
	}
}
