package notifications

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const (
	production  store.Tenant = "clinic/Production"
	development store.Tenant = "clinic/Development"
)

// patience is how long a test waits for what must happen before it fails. No
// test waits for time to pass.
const patience = 20 * time.Second

// leaseTTL's third differs from every pause of the schedule.
const leaseTTL = 33 * time.Second

// clock is a clock and timers in the hands of a test.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	timers []timer
	asked  chan struct{} // closed and replaced when a timer is asked for
	// skip says which timers fire at once, the clock going on by as much.
	skip func(d time.Duration) bool
	// skipped are those, in order.
	skipped []time.Duration
}

type timer struct {
	at time.Time
	d  time.Duration
	ch chan time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), asked: make(chan struct{}), skip: func(d time.Duration) bool { return d <= 0 }}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	tm := timer{at: c.now.Add(d), d: d, ch: make(chan time.Time, 1)}
	if c.skip(d) {
		c.skipped = append(c.skipped, d)
		if d > 0 {
			c.now = tm.at
		}
		tm.ch <- c.now
		return tm.ch
	}
	c.timers = append(c.timers, tm)
	close(c.asked)
	c.asked = make(chan struct{})
	return tm.ch
}

// asking is closed when the next timer is asked for.
func (c *clock) asking() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// advance lets time pass and returns how many timers it fired.
func (c *clock) advance(d time.Duration) (fired int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	var rest []timer
	for _, tm := range c.timers {
		if tm.at.After(c.now) {
			rest = append(rest, tm)
		} else {
			tm.ch <- c.now
			fired++
		}
	}
	c.timers = rest
	return fired
}

// awaitOr waits until somebody waits for a timer of d, or done says yes.
func (c *clock) awaitOr(t testing.TB, d time.Duration, done func() bool) {
	t.Helper()
	limit := time.After(patience)
	look := time.NewTicker(5 * time.Millisecond) // done may say yes without a timer
	defer look.Stop()
	for {
		c.mu.Lock()
		asked, found := c.asked, slices.ContainsFunc(c.timers, func(tm timer) bool { return tm.d == d })
		c.mu.Unlock()
		if found || done() {
			return
		}
		select {
		case <-asked:
		case <-look.C:
		case <-limit:
			t.Fatalf("nobody asked for a timer of %s", d)
		}
	}
}

// await waits until somebody waits for a timer of d.
func (c *clock) await(t testing.TB, d time.Duration) {
	t.Helper()
	limit := time.After(patience)
	for {
		c.mu.Lock()
		asked, found := c.asked, false
		for _, tm := range c.timers {
			found = found || tm.d == d
		}
		c.mu.Unlock()
		if found {
			return
		}
		select {
		case <-asked:
		case <-limit:
			t.Fatalf("nobody asked for a timer of %s", d)
		}
	}
}

// world is a store and one engine on it.
type world struct {
	*Engine
	t     testing.TB
	store store.Store
	clock *clock
	ctx   context.Context
	logs  *lockedBuffer
	// attempts hears of every attempt, in order.
	attempts chan Transmission
	alerts   chan Transmission
	messages map[string][]byte
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (w *world) Attempt(_ store.Tenant, tr Transmission, _ Attempt) { w.attempts <- tr }

func openStore(t testing.TB, c *clock) store.Store {
	t.Helper()
	s, err := pebble.Open(t.TempDir(), pebble.Options{Clock: c.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// newWorld makes an engine on a store. Its queues are started by reconcile or
// Run and stopped at the end of the test.
// Its leases are those of the only process unless shared.
func newWorld(t testing.TB, s store.Store, c *clock, owner string, shared bool) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{
		t: t, store: s, clock: c, ctx: ctx, logs: &lockedBuffer{},
		attempts: make(chan Transmission, 1<<14), alerts: make(chan Transmission, 1<<10), messages: map[string][]byte{},
	}
	leases, err := lease.New(s, lease.Options{Owner: owner, TTL: leaseTTL, Now: c.Now, After: c.After, Exclusive: !shared})
	if err != nil {
		t.Fatal(err)
	}
	w.Engine = NewEngine(Options{
		Store: s, Registry: NewRegistry(s), Transmissions: NewTransmissions(s, c.Now), Sender: NewSender(true, c.Now),
		Renderer: &Renderer{
			Reader: s, Definitions: conformance.R4(), Base: func(store.Tenant) string { return "https://fhir.example.org/r4" },
			RedoxMessage: func(_ context.Context, _ store.Tenant, id string) ([]byte, error) {
				if b, ok := w.messages[id]; ok {
					return b, nil
				}
				return fmt.Appendf(nil, `{"Meta":{"DataModel":"Scheduling"},"Name":%q}`, id), nil
			},
		},
		Leases: leases, Environment: EnvironmentOf, Now: c.Now, After: c.After,
		Logger: slog.New(slog.NewTextHandler(w.logs, nil)),
		Alert:  func(_ context.Context, _ store.Tenant, tr Transmission) { w.alerts <- tr },
		Meter:  w,
	})
	t.Cleanup(func() {
		cancel()
		w.apply(ctx, nil)
	})
	return w
}

func newTestWorld(t testing.TB) *world {
	c := newClock()
	return newWorld(t, openStore(t, c), c, "a", false)
}

// subscribe makes a verified destination at url and a subscription to it.
func (w *world) subscribe(tenant store.Tenant, url string, change ...func(*Subscription)) Subscription {
	w.t.Helper()
	d := Destination{ID: "d", Name: "App", URL: url, Verified: true}
	s := Subscription{ID: "s", Destination: "d", DataModel: "Scheduling", Content: Redox}
	for _, c := range change {
		c(&s)
		d.ID = s.Destination
	}
	w.must(w.o.Registry.PutDestination(w.ctx, tenant, d))
	head, err := w.store.Head(w.ctx, tenant)
	w.must(err)
	w.must(w.o.Registry.PutSubscription(w.ctx, tenant, s, head))
	return s
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start() {
	w.t.Helper()
	w.must(w.reconcile(w.ctx))
}

func (w *world) stop() { w.apply(w.ctx, nil) }

// book commits one booking per name; the messages have those names.
func (w *world) book(tenant store.Tenant, names ...string) store.Entry {
	w.t.Helper()
	var entry store.Entry
	for _, name := range names {
		entry = w.commit(tenant, Event{DataModel: "Scheduling", EventType: "New", Name: "appointment-booked", Message: name})
	}
	return entry
}

func (w *world) commit(tenant store.Tenant, e Event) store.Entry {
	w.t.Helper()
	ref := store.Ref{Type: "Appointment", ID: "a1"}
	entry, err := w.store.Commit(w.ctx, tenant, store.Commit{
		Source: "ehr", Info: e.Encode(),
		Changes: []store.Change{{Ref: ref, Render: func(s store.Stamp) store.Content {
			return store.Content{Body: fmt.Appendf(nil, `{"resourceType":"Appointment","id":"a1","status":"booked","participant":[{"status":"accepted"}],"priority":%d}`, s.Version)}
		}}},
	})
	w.must(err)
	return entry
}

// attempt is the next attempt of any queue.
func (w *world) attempt() Transmission {
	w.t.Helper()
	return receive(w.t, w.attempts, "an attempt")
}

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

func none[T any](t testing.TB, ch <-chan T, what string) {
	t.Helper()
	select {
	case v := <-ch:
		t.Fatalf("%s came: %+v", what, v)
	default:
	}
}

// received is one request that a receiver got.
type received struct {
	ID, Name string
	Header   http.Header
	Body     []byte
}

// receiver is an endpoint. answer says what to answer the n-th request, from 0.
type receiver struct {
	*httptest.Server
	got chan received

	mu sync.Mutex
	n  int
}

func newReceiver(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	rc := &receiver{got: make(chan received, 1<<14)}
	rc.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m struct{ Name string }
		_ = json.Unmarshal(body, &m)
		rc.mu.Lock()
		n := rc.n
		rc.n++
		rc.mu.Unlock()
		rc.got <- received{r.Header.Get("webhook-id"), m.Name, r.Header.Clone(), body}
		if answer != nil {
			answer(n, w, r)
		}
	}))
	t.Cleanup(rc.Close)
	return rc
}

// nameIn is the name of the event in a request.
func nameIn(r *http.Request) string {
	var m struct{ Name string }
	_ = json.NewDecoder(r.Body).Decode(&m)
	return m.Name
}

func statuses(codes ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < len(codes) {
			w.WriteHeader(codes[n])
		}
	}
}

// expect checks what comes next, in order.
func (rc *receiver) expect(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if got := receive(t, rc.got, "delivery "+name); got.Name != name {
			t.Fatalf("delivered %q, want %q", got.Name, name)
		}
	}
}
