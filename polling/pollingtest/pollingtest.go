// Package pollingtest is what the end-to-end tests of connectors share: a
// clock that is moved by hand, a sink that commits each message once, writes
// that fail, and a poller of one connection on a store on disk.
package pollingtest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// Tenant is the tests'.
const Tenant = store.Tenant("willowmere/Development")

// Clock is moved by hand; the vendor and the poller share it.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// NewClock begins on a Monday.
func NewClock() *Clock { return &Clock{t: time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// Sink commits each message id once.
type Sink struct {
	mu       sync.Mutex
	messages [][]byte
	ids      map[string][]byte
	// ID finds the id in a message.
	ID func(message []byte) (string, error)
	// Before and After fail a delivery, the latter after the commit.
	Before, After func() error
}

// Deliver implements polling.Sink.
func (s *Sink) Deliver(_ context.Context, t store.Tenant, source string, message []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t != Tenant || source != "source-1" {
		return errors.New("delivered for somebody else")
	}
	if s.Before != nil {
		if err := s.Before(); err != nil {
			return err
		}
	}
	id, err := s.ID(message)
	if err != nil {
		return err
	}
	if old, ok := s.ids[id]; ok {
		if !bytes.Equal(old, message) {
			return errors.New("another message under an id that was used")
		}
	} else {
		if s.ids == nil {
			s.ids = map[string][]byte{}
		}
		s.ids[id] = message
		s.messages = append(s.messages, message)
	}
	if s.After != nil {
		return s.After()
	}
	return nil
}

// Messages are those that were committed, in order.
func (s *Sink) Messages() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.messages...)
}

// Items fail writes when told to, and count them.
type Items struct {
	store.Items
	mu            sync.Mutex
	writes        int
	Before, After func() bool
}

// PutItem implements store.Items.
func (f *Items) PutItem(ctx context.Context, t store.Tenant, item store.Item, expect int64) (store.Item, error) {
	f.mu.Lock()
	f.writes++
	before := f.Before != nil && f.Before()
	after := f.After != nil && f.After()
	f.mu.Unlock()
	if before {
		return store.Item{}, store.ErrUnavailable
	}
	put, err := f.Items.PutItem(ctx, t, item, expect)
	if err == nil && after {
		return store.Item{}, store.ErrUnavailable
	}
	return put, err
}

// Writes is how many there were.
func (f *Items) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// World is a vendor, a poller and what it delivers to.
type World struct {
	T          testing.TB
	Clock      *Clock
	Server     *httptest.Server
	Items      *Items
	Sink       *Sink
	Manager    *polling.Manager
	Log        bytes.Buffer
	Connection polling.Connection
	open       polling.Open
}

// Build starts a vendor's server and a poller of it. The connection's id,
// tenant, source and base URL (that of the server and what it has already)
// are filled in.
func Build(t testing.TB, clock *Clock, vendor http.Handler, open polling.Open, id func([]byte) (string, error), c polling.Connection) *World {
	t.Helper()
	w := &World{T: t, Clock: clock, Sink: &Sink{ID: id}, open: open}
	w.Server = httptest.NewUnstartedServer(vendor)
	w.Server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	w.Server.Start()
	t.Cleanup(w.Server.Close)
	s, err := pebble.Open(t.TempDir(), pebble.Options{CacheSize: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.Items = &Items{Items: s}
	c.ID, c.Tenant, c.Vendor, c.Source, c.BaseURL = "connection-1", Tenant, "vendor", "source-1", w.Server.URL+c.BaseURL
	if c.TimeZone == "" {
		c.TimeZone = "America/New_York"
	}
	w.Connection = c
	w.Start()
	return w
}

// Start starts a new poller on what the old one left.
func (w *World) Start() {
	w.T.Helper()
	m, err := polling.New(polling.Options{
		Items: w.Items, Sink: w.Sink, Owner: "instance-1", Exclusive: true, Now: w.Clock.Now,
		Wait:    func(context.Context, time.Duration) error { return nil },
		Vendors: map[string]polling.Open{"vendor": w.open},
		Logger:  slog.New(slog.NewTextHandler(&w.Log, nil)),
	})
	if err != nil {
		w.T.Fatal(err)
	}
	if err := m.Apply(context.Background(), []polling.Connection{w.Connection}); err != nil {
		w.T.Fatal(err)
	}
	w.Manager = m
}

// Try is a run.
func (w *World) Try(action string) (polling.Report, error) {
	w.Clock.Advance(time.Second)
	return w.Manager.RunNow(context.Background(), "connection-1", action)
}

// Poll is a run that must succeed.
func (w *World) Poll(action string) polling.Report {
	w.T.Helper()
	report, err := w.Try(action)
	if err != nil {
		w.T.Fatalf("poll: %v\n%s", err, w.Log.String())
	}
	return report
}

// Must ends the test on an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Trouble makes deliveries and writes fail at random.
func (w *World) Trouble(r *rand.Rand) {
	chance := func(percent int) bool { return r.IntN(100) < percent }
	w.Sink.Before = func() error {
		if chance(6) {
			return store.ErrUnavailable
		}
		return nil
	}
	w.Sink.After = func() error {
		if chance(6) {
			return errors.New("the answer was lost")
		}
		return nil
	}
	w.Items.mu.Lock()
	w.Items.Before = func() bool { return chance(3) }
	w.Items.After = func() bool { return chance(3) }
	w.Items.mu.Unlock()
}

// Calm ends the trouble.
func (w *World) Calm() {
	w.Sink.Before, w.Sink.After = nil, nil
	w.Items.mu.Lock()
	w.Items.Before, w.Items.After = nil, nil
	w.Items.mu.Unlock()
}

// Settle polls until what was kept is through, and then once more, which
// must tell nothing and write nothing.
func (w *World) Settle(action string) {
	w.T.Helper()
	for range 6 {
		w.Clock.Advance(15 * time.Minute)
		_, _ = w.Try(action)
	}
	n, writes := len(w.Sink.Messages()), w.Items.Writes()
	if r := w.Poll(action); r.Delivered != 0 || r.Kept != 0 || len(w.Sink.Messages()) != n {
		w.T.Errorf("after everything was told, another poll did: %+v", r)
	}
	if got := w.Items.Writes() - writes; got != 0 {
		w.T.Errorf("a poll without changes wrote %d items", got)
	}
}
