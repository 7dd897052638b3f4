package polling_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// feed is a vendor that hands out a number of records more with each poll.
type feed struct {
	mu      sync.Mutex
	next    int
	each    int
	calls   int64
	polled  chan struct{}
	inside  chan struct{} // when set, Changed says that it is inside
	proceed chan struct{} // and waits
	most    int           // polls at once, at most
	at      int
}

func (f *feed) Actions() []string { return []string{"things", "others"} }

func (f *feed) Calls() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *feed) Changed(ctx context.Context, _ polling.ActionConfig, cursor string) (polling.Batch, error) {
	f.mu.Lock()
	f.calls++
	f.at++
	f.most = max(f.most, f.at)
	batch := polling.Batch{Cursor: cursor}
	for range f.each {
		f.next++
		batch.Changes = append(batch.Changes, polling.Change{ID: fmt.Sprint(f.next), Stamp: "1"})
		batch.Cursor = fmt.Sprint(f.next)
	}
	inside, proceed := f.inside, f.proceed
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.at--
		f.mu.Unlock()
	}()
	if inside != nil {
		select {
		case inside <- struct{}{}:
		case <-ctx.Done():
			return polling.Batch{}, ctx.Err()
		}
		select {
		case <-proceed:
		case <-ctx.Done():
			return polling.Batch{}, ctx.Err()
		}
	}
	if f.polled != nil {
		select {
		case f.polled <- struct{}{}:
		case <-ctx.Done():
		}
	}
	return batch, nil
}

func (f *feed) Fill(_ context.Context, _ polling.ActionConfig, change polling.Change, _ *polling.Cache) (polling.Container, error) {
	content, err := json.Marshal("content of " + change.ID)
	return polling.Container{Change: change, Content: content}, err
}

func (f *feed) Message(_ polling.ActionConfig, id string, c polling.Container, _ polling.Before) ([]byte, error) {
	return []byte(id + " " + c.Change.ID), nil
}

// counting is a sink that only counts.
type counting struct {
	mu sync.Mutex
	n  int
}

func (c *counting) Deliver(context.Context, store.Tenant, string, []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return nil
}

func open(t *testing.T) store.Items {
	t.Helper()
	s, err := pebble.Open(t.TempDir(), pebble.Options{CacheSize: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func manager(t *testing.T, items store.Items, owner string, f *feed, now func() time.Time) *polling.Manager {
	t.Helper()
	m, err := polling.New(polling.Options{
		Items: items, Sink: &counting{}, Owner: owner, Now: now, Logger: slog.New(slog.DiscardHandler),
		Vendors: map[string]polling.Open{"feed": func(polling.Connection, polling.Environment) (polling.Connector, error) { return f, nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func apply(t *testing.T, m *polling.Manager, connections ...polling.Connection) {
	t.Helper()
	if err := m.Apply(t.Context(), connections); err != nil {
		t.Fatal(err)
	}
}

func connection(id, schedule string) polling.Connection {
	return polling.Connection{
		ID: id, Tenant: "clinic/Development", Vendor: "feed", TimeZone: "UTC",
		Actions: []polling.ActionConfig{{Name: "things", Schedule: schedule}},
	}
}

func TestApplyRefusesWhatCannotWorkAndKeepsWhatRuns(t *testing.T) {
	m := manager(t, open(t), "a", &feed{}, time.Now)
	apply(t, m, connection("good", "@every 1h"))
	for name, change := range map[string]func(*polling.Connection){
		"no id":            func(c *polling.Connection) { c.ID = "" },
		"no tenant":        func(c *polling.Connection) { c.Tenant = "" },
		"no such zone":     func(c *polling.Connection) { c.TimeZone = "Mars/Olympus" },
		"no such vendor":   func(c *polling.Connection) { c.Vendor = "nobody" },
		"no such action":   func(c *polling.Connection) { c.Actions[0].Name = "nothing" },
		"no schedule":      func(c *polling.Connection) { c.Actions[0].Schedule = "whenever" },
		"no actions":       func(c *polling.Connection) { c.Actions = nil },
		"an action twice":  func(c *polling.Connection) { c.Actions = append(c.Actions, c.Actions[0]) },
		"a negative rate":  func(c *polling.Connection) { c.RatePerSecond = -1 },
		"a negative limit": func(c *polling.Connection) { c.Actions[0].Parallel = -1 },
	} {
		c := connection("bad", "@every 1h")
		change(&c)
		if err := m.Apply(t.Context(), []polling.Connection{c}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := m.Apply(t.Context(), []polling.Connection{connection("x", "@hourly"), connection("x", "@hourly")}); err == nil {
		t.Error("a connection that is there twice was accepted")
	}
	if s := m.Status(); len(s) != 1 || s[0].Connection != "good" {
		t.Errorf("after refused changes: %+v", s)
	}
}

func TestSchedulesHaveSecondsOrNot(t *testing.T) {
	m := manager(t, open(t), "a", &feed{}, time.Now)
	for _, line := range []string{"*/5 * * * *", "30 */5 * * * *", "@every 1s", "@daily", "CRON_TZ=America/New_York 0 6 * * *"} {
		apply(t, m, connection("c", line))
	}
}

func TestCronRunsAndStatusTells(t *testing.T) {
	f := &feed{each: 2, polled: make(chan struct{})}
	m := manager(t, open(t), "a", f, time.Now)
	apply(t, m, connection("c", "@every 1s"))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	<-f.polled
	<-f.polled
	stop()
	<-done
	s := m.Status()[0]
	if s.Runs < 2 || s.Changes < 2 || s.Delivered < 2 || s.Calls < 2 || s.LastSuccess.IsZero() || s.Cursor == "" {
		t.Errorf("%+v", s)
	}
	if _, err := m.RunNow(t.Context(), "c", "things"); !errors.Is(err, polling.ErrNoAction) {
		t.Errorf("a run after the end: %v", err)
	}
}

func TestAPollNeverOverlapsItself(t *testing.T) {
	f := &feed{inside: make(chan struct{}), proceed: make(chan struct{})}
	m := manager(t, open(t), "a", f, time.Now)
	apply(t, m, connection("c", "@every 1h"))
	var runs sync.WaitGroup
	for range 4 {
		runs.Go(func() { _, _ = m.RunNow(t.Context(), "c", "things") })
	}
	for range 4 {
		<-f.inside
		f.proceed <- struct{}{}
	}
	runs.Wait()
	if f.most != 1 {
		t.Errorf("%d polls at once", f.most)
	}
}

func TestApplyEndsTheRunOfWhatIsReplaced(t *testing.T) {
	f := &feed{inside: make(chan struct{}), proceed: make(chan struct{})}
	m := manager(t, open(t), "a", f, time.Now)
	apply(t, m, connection("c", "@every 1h"))
	ended := make(chan error)
	go func() {
		_, err := m.RunNow(t.Context(), "c", "things")
		ended <- err
	}()
	<-f.inside
	apply(t, m, connection("c", "@every 2h")) // returns although nobody lets the run proceed
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the replaced run ended with %v", err)
	}
	f.mu.Lock()
	f.inside = nil
	f.mu.Unlock()
	if _, err := m.RunNow(t.Context(), "c", "things"); err != nil {
		t.Errorf("the new one: %v", err)
	}
}

func TestOneInstancePollsAndAnotherTakesOver(t *testing.T) {
	items := open(t)
	var mu sync.Mutex
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	advance := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); at = at.Add(d) }
	fa, fb := &feed{each: 1}, &feed{each: 1}
	a, b := manager(t, items, "a", fa, now), manager(t, items, "b", fb, now)
	apply(t, a, connection("c", "@every 1h"))
	apply(t, b, connection("c", "@every 1h"))
	poll := func(m *polling.Manager) error {
		_, err := m.RunNow(t.Context(), "c", "things")
		return err
	}
	if err := poll(a); err != nil {
		t.Fatal(err)
	}
	if err := poll(b); !errors.Is(err, lease.ErrHeld) || fb.calls != 0 {
		t.Fatalf("b polled as well: %v", err)
	}
	if s := b.Status()[0]; s.State != "another instance polls" {
		t.Errorf("b says %q", s.State)
	}
	// a is gone without a word: b waits out the lease by its own clock.
	advance(59 * time.Second)
	if err := poll(b); !errors.Is(err, lease.ErrHeld) {
		t.Fatalf("b did not wait: %v", err)
	}
	advance(time.Second)
	if err := poll(b); err != nil {
		t.Fatal(err)
	}
	// a wakes up and finds out.
	if err := poll(a); !errors.Is(err, lease.ErrHeld) || fa.calls != 1 {
		t.Errorf("a polls on: %v", err)
	}
	// b ends in order: a need not wait.
	apply(t, b)
	if err := poll(a); err != nil {
		t.Errorf("after b gave the lease back: %v", err)
	}
}
