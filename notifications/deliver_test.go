package notifications

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// upTo makes the pauses of the schedule pass at once.
func upTo(longest time.Duration) func(time.Duration) bool {
	return func(d time.Duration) bool { return d <= longest && d != leaseTTL/3 && d != settle }
}

// Redox: queue and retry. Down for three deliveries, then up.
func TestQueue_retriesOnSchedule(t *testing.T) {
	w := newTestWorld(t)
	w.clock.skip = upTo(10 * time.Second)
	rc := newReceiver(t, statuses(500, 503, 404))
	w.subscribe(production, rc.URL)
	w.start()
	w.book(production, "one", "two")
	rc.expect(t, "one", "one", "one", "one", "two")
	var ids []string
	for i := range 4 {
		tr := w.attempt()
		ids = append(ids, tr.ID)
		if want := i + 1; tr.Total != want || (tr.Status == Succeeded) != (i == 3) {
			t.Errorf("after attempt %d: %+v", want, tr)
		}
	}
	if got, want := w.clock.skipped, []time.Duration{0, 10 * time.Second, 10 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("waited %v, want %v", got, want)
	}
	if len(slices.Compact(ids)) != 1 {
		t.Errorf("retries have ids %v", ids)
	}
	if tr := w.attempt(); tr.Status != Succeeded || tr.Number != 2 || tr.Total != 1 || tr.Attempts[0].Status != 200 {
		t.Errorf("second transmission: %+v", tr)
	}
	none(t, w.alerts, "an alert before the third retry failed")
}

// Redox: queue and retry: 20, 30, 50, 80, 120 s, then every 120 s; an alert
// after the third retry, one per incident.
func TestQueue_neverGivesUpAndAlertsOnce(t *testing.T) {
	w := newTestWorld(t)
	w.clock.skip = upTo(120 * time.Second)
	rc := newReceiver(t, statuses(500, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500))
	w.subscribe(production, rc.URL)
	w.start()
	w.book(production, "one")
	var last Transmission
	for range 12 {
		last = w.attempt()
	}
	s := time.Second
	want := []time.Duration{0, 10 * s, 10 * s, 20 * s, 30 * s, 50 * s, 80 * s, 120 * s, 120 * s, 120 * s, 120 * s}
	if !slices.Equal(w.clock.skipped, want) {
		t.Errorf("waited %v, want %v", w.clock.skipped, want)
	}
	if last.Status != Succeeded || last.Failures != 0 || last.Total != 12 || last.Attempts[0].Error != "the endpoint answered 500 Internal Server Error" {
		t.Errorf("in the end: %+v", last)
	}
	if a := receive(t, w.alerts, "the alert"); a.Failures != 4 {
		t.Errorf("alert after %d failures", a.Failures)
	}
	none(t, w.alerts, "a second alert for the same incident")
}

// Redox: the schedule is Production's; elsewhere there is one attempt.
func TestQueue_doesNotRetryOutsideProduction(t *testing.T) {
	for _, tenant := range []store.Tenant{development, "clinic/Staging"} {
		w := newTestWorld(t)
		rc := newReceiver(t, statuses(500, 200))
		w.subscribe(tenant, rc.URL)
		w.start()
		w.book(tenant, "one", "two")
		rc.expect(t, "one", "two")
		if a, b := w.attempt(), w.attempt(); a.Status != Failed || a.NextAttempt != nil || b.Status != Succeeded {
			t.Errorf("%s: %+v, then %+v", tenant, a, b)
		}
		none(t, w.alerts, "an alert")
	}
}

// An environment that nobody described must not lose events.
func TestQueue_retriesInOtherEnvironments(t *testing.T) {
	for e, want := range map[Environment]bool{Development: false, Staging: false, Production: true, "": true, "Training": true} {
		if e.retries() != want {
			t.Errorf("%q retries: %t", e, !want)
		}
	}
}

func TestQueue_honoursRetryAfter(t *testing.T) {
	w := newTestWorld(t)
	w.clock.skip = upTo(time.Hour)
	rc := newReceiver(t, func(n int, rw http.ResponseWriter, _ *http.Request) {
		switch n {
		case 0:
			rw.Header().Set("Retry-After", "90")
		case 1:
			rw.Header().Set("Retry-After", w.clock.Now().Add(5*time.Minute).Format(http.TimeFormat))
		case 2:
			rw.Header().Set("Retry-After", "99999999999999999") // bounded
		case 3:
			rw.Header().Set("Retry-After", "1") // the schedule asks for more
		default:
			return
		}
		rw.WriteHeader(http.StatusTooManyRequests)
	})
	w.subscribe(production, rc.URL)
	w.start()
	w.book(production, "one")
	for range 5 {
		w.attempt()
	}
	if got, want := w.clock.skipped, []time.Duration{90 * time.Second, 5 * time.Minute, time.Hour, 20 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("waited %v, want %v", got, want)
	}
}

// 410 Gone (Standard Webhooks: disable the endpoint): off, with a reason,
// nothing lost, and active again when somebody resumes it.
func TestQueue_goneSwitchesOff(t *testing.T) {
	for _, tenant := range []store.Tenant{production, development} {
		w := newTestWorld(t)
		rc := newReceiver(t, statuses(200, 410))
		w.subscribe(tenant, rc.URL)
		w.start()
		w.book(tenant, "one", "two", "three")
		rc.expect(t, "one", "two")
		w.attempt()
		if tr := w.attempt(); tr.Status != Pending {
			t.Errorf("%+v", tr)
		}
		receive(t, w.alerts, "the alert")
		q := w.queues[queueID{tenant, "s"}]
		receive(t, q.done, "the end of the queue")
		s, err := w.o.Registry.Subscription(w.ctx, tenant, "s")
		w.must(err)
		if s.Status != Off || !s.Paused || s.Reason != "the endpoint answered 410 Gone" {
			t.Fatalf("subscription: %+v", s)
		}
		w.start()
		if len(w.queues) != 0 || len(w.tails) != 0 {
			t.Error("a queue or tail runs for a subscription that is off")
		}
		s.Paused = false
		w.must(w.o.Registry.PutSubscription(w.ctx, tenant, s, 0))
		w.start()
		rc.expect(t, "two", "three")
		if s, _ = w.o.Registry.Subscription(w.ctx, tenant, "s"); s.Status != Active || s.Reason != "" {
			t.Errorf("resumed: %+v", s)
		}
	}
}

func TestEngine_RetryNow(t *testing.T) {
	w := newTestWorld(t)
	w.clock.skip = upTo(10 * time.Second)
	rc := newReceiver(t, statuses(500, 500, 500, 500))
	w.subscribe(production, rc.URL)
	w.start()
	if w.RetryNow(production, "other") {
		t.Error("a queue that is not here was told to retry")
	}
	w.book(production, "one")
	rc.expect(t, "one", "one", "one", "one")
	w.clock.await(t, 20*time.Second)
	if !w.RetryNow(production, "s") {
		t.Error("the queue is not here")
	}
	rc.expect(t, "one")
	for range 5 {
		w.attempt()
	}

	// A wish that comes when nothing waits is not kept for the next failure.
	w.RetryNow(production, "s")
	w.book(production, "two")
	rc.expect(t, "two")
}

// What cannot be rendered is a failed attempt with a reason, on the schedule,
// not a loop; it can be skipped.
func TestQueue_payloadThatCannotBeMade(t *testing.T) {
	w := newTestWorld(t)
	gone := true
	w.o.Renderer.RedoxMessage = func(_ context.Context, _ store.Tenant, id string) ([]byte, error) {
		if id == "one" && gone {
			return nil, store.ErrNotFound
		}
		return []byte(`{"Meta":{},"Name":"` + id + `"}`), nil
	}
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL)
	w.start()
	w.book(production, "one", "two")
	w.attempt()
	tr := w.attempt()
	if tr.Status != Pending || tr.Attempts[1].Error != "the payload cannot be made: a message or resource that it needs is gone" || tr.NextAttempt == nil {
		t.Errorf("%+v", tr)
	}
	w.clock.await(t, 10*time.Second)
	none(t, rc.got, "a delivery")

	var field *FieldError
	if err := w.o.Registry.Skip(w.ctx, production, w.o.Transmissions, tr.ID, ""); !errors.As(err, &field) {
		t.Errorf("skip without a reason: %v", err)
	}
	w.must(w.o.Registry.Skip(w.ctx, production, w.o.Transmissions, tr.ID, "the message was deleted"))
	w.start()
	rc.expect(t, "two")
	tr, err := w.o.Transmissions.Get(w.ctx, production, tr.ID)
	w.must(err)
	if tr.Status != Skipped || tr.Reason != "the message was deleted" || tr.Total != 2 {
		t.Errorf("skipped: %+v", tr)
	}
	if err := w.o.Registry.Skip(w.ctx, production, w.o.Transmissions, tr.ID, "again"); !errors.As(err, &field) {
		t.Errorf("skip of one that is no longer pending: %v", err)
	}
}

func TestQueue_environmentWithoutRetryPassesWhatCannotBeMade(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.messages["one"] = []byte(`{"Meta":`)
	w.subscribe(development, rc.URL)
	w.start()
	w.book(development, "one", "two")
	rc.expect(t, "two")
	if tr := w.attempt(); tr.Status != Failed || tr.Attempts[0].Error != "the payload cannot be made: what is stored cannot be read" {
		t.Errorf("%+v", tr)
	}
}

// Neither bodies nor the secrets of a URL get into the log or the records.
func TestQueue_logsNoSecrets(t *testing.T) {
	w := newTestWorld(t)
	w.clock.skip = upTo(10 * time.Second)
	rc := newReceiver(t, nil)
	url := rc.URL
	rc.Close()
	w.subscribe(production, url+"/hook?key=topsecret")
	w.start()
	w.book(production, "Wilhelmina")
	tr := w.attempt()
	if tr.Attempts[0].Error != "the endpoint refuses the connection" {
		t.Errorf("reason: %q", tr.Attempts[0].Error)
	}
	w.attempt()
	w.stop()
	for _, secret := range []string{"topsecret", "Wilhelmina", "127.0.0.1"} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// Replay steps back: the same events, the same ids, in order, and then on.
func TestReplay(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL)
	w.start()
	third := w.book(production, "one", "two", "three")
	first := map[string]string{}
	for range 3 {
		got := receive(t, rc.got, "a delivery")
		first[got.Name] = got.ID
	}
	for range 3 {
		w.attempt()
	}
	from, err := w.o.Registry.Replay(w.ctx, production, "s", third.Seq-1)
	w.must(err)
	if from > third.Seq-1 {
		t.Fatalf("replay skips to %d", from)
	}
	w.start()
	for _, name := range []string{"two", "three"} {
		got := receive(t, rc.got, "a replayed delivery")
		for got.Name == "one" { // the position may have been written before it
			got = receive(t, rc.got, "a replayed delivery")
		}
		if got.Name != name || got.ID != first[name] {
			t.Errorf("replayed %s as %s, want %s as %s", got.Name, got.ID, name, first[name])
		}
	}
	w.book(production, "four")
	rc.expect(t, "four")
	for w.attempt().Message != "four" {
	}
	w.stop()
	list, _, err := w.o.Transmissions.List(w.ctx, production, TransmissionFilter{Subscription: "s", Limit: 10})
	w.must(err)
	if len(list) != 4 || list[0].Number != 4 || list[3].Number != 1 || list[1].Total != 2 || list[1].Number != 3 {
		t.Errorf("transmissions: %+v", list)
	}
}

// A replay can never step over what was not delivered.
func TestReplay_neverGoesForward(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL, func(s *Subscription) { s.Paused = true })
	w.book(production, "one", "two", "three")
	from, err := w.o.Registry.Replay(w.ctx, production, "s", 3)
	w.must(err)
	if from != 1 {
		t.Errorf("goes on from %d, want 1", from)
	}
	var field *FieldError
	if _, err := w.o.Registry.Replay(w.ctx, production, "s", 0); !errors.As(err, &field) {
		t.Errorf("from 0: %v", err)
	}
	if _, err := w.o.Registry.Replay(w.ctx, production, "nobody", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown subscription: %v", err)
	}
	s, err := w.o.Registry.Subscription(w.ctx, production, "s")
	w.must(err)
	s.Paused = false
	w.must(w.o.Registry.PutSubscription(w.ctx, production, s, 0))
	w.start()
	rc.expect(t, "one", "two", "three")
}

func TestSeqAt(t *testing.T) {
	w := newTestWorld(t)
	var times []time.Time
	for range 5 {
		w.clock.advance(time.Minute)
		times = append(times, w.book(production, "x").Time)
	}
	for _, c := range []struct {
		at   time.Time
		want int64
	}{
		{times[0].Add(-time.Hour), 1}, {times[0], 1}, {times[2], 3}, {times[2].Add(time.Second), 4}, {times[4].Add(time.Second), 6},
	} {
		if got, err := SeqAt(w.ctx, w.store, production, c.at); err != nil || got != c.want {
			t.Errorf("first entry from %s: %d (%v), want %d", c.at, got, err, c.want)
		}
	}
}
