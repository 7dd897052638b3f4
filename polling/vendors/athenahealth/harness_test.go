package athenahealth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth"
	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth/simulator"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const (
	tenant     = store.Tenant("willowmere/Development")
	connection = "athena-1"
)

// clock is moved by hand; the practice and the poller share it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// sink is what the facade does with messages: it commits each id once.
type sink struct {
	mu       sync.Mutex
	messages []*redox.Scheduling // committed, in order
	raw      [][]byte
	ids      map[string][]byte
	again    int // deliveries of what was committed before
	fail     func(n int) error
	after    func(n int) error // fails after the commit
	calls    int
}

type refusal struct{}

func (refusal) Error() string   { return "no such visit type: Physical Exam of Ada" }
func (refusal) Permanent() bool { return true }

func (s *sink) Deliver(_ context.Context, tn store.Tenant, source string, message []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tn != tenant || source != "source-1" {
		return errors.New("delivered for somebody else")
	}
	s.calls++
	if s.fail != nil {
		if err := s.fail(s.calls); err != nil {
			return err
		}
	}
	parsed, err := redox.Parse(message)
	if err != nil {
		return err
	}
	body := parsed.Body.(*redox.Scheduling)
	id := body.Meta.Logs[0].ID
	if old, ok := s.ids[id]; ok {
		if !bytes.Equal(old, message) {
			return errors.New("another message under an id that was used")
		}
		s.again++
	} else {
		if s.ids == nil {
			s.ids = map[string][]byte{}
		}
		s.ids[id] = message
		s.messages = append(s.messages, body)
		s.raw = append(s.raw, message)
	}
	if s.after != nil {
		return s.after(s.calls)
	}
	return nil
}

// story is what was told of one appointment, in order.
func (s *sink) story(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []string
	for _, m := range s.messages {
		if m.Visit.VisitNumber == id {
			events = append(events, m.Meta.EventType)
		}
	}
	return events
}

func (s *sink) last(id string) *redox.Scheduling {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range slices.Backward(s.messages) {
		if m.Visit.VisitNumber == id {
			return m
		}
	}
	return nil
}

func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// faultyItems fails writes when it is told to, before or after they happen.
type faultyItems struct {
	store.Items
	mu     sync.Mutex
	writes int
	before func(n int, kind string) bool
	after  func(n int, kind string) bool
}

func (f *faultyItems) PutItem(ctx context.Context, tn store.Tenant, item store.Item, expect int64) (store.Item, error) {
	f.mu.Lock()
	f.writes++
	n, before, after := f.writes, f.before, f.after
	f.mu.Unlock()
	if before != nil && before(n, item.Kind) {
		return store.Item{}, store.ErrUnavailable
	}
	put, err := f.Items.PutItem(ctx, tn, item, expect)
	if err == nil && after != nil && after(n, item.Kind) {
		return store.Item{}, store.ErrUnavailable
	}
	return put, err
}

func (f *faultyItems) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// world is a practice, a poller and what it delivers to.
type world struct {
	t       testing.TB
	clock   *clock
	sim     *simulator.Simulator
	server  *httptest.Server
	items   *faultyItems
	sink    *sink
	manager *polling.Manager
	log     bytes.Buffer
	action  polling.ActionConfig
}

type setup struct {
	sim       simulator.Options
	pageSize  int
	backfill  time.Duration
	shared    bool // the store is not exclusive
	timeout   time.Duration
	transport http.RoundTripper
}

func build(t testing.TB, o setup) *world {
	t.Helper()
	w := &world{t: t, clock: newClock(), sink: &sink{}}
	o.sim.Clock = w.clock.now
	if o.sim.Seed == 0 {
		o.sim.Seed = 7
	}
	w.sim = simulator.New(o.sim)
	w.server = httptest.NewUnstartedServer(w.sim)
	w.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	w.server.Start()
	t.Cleanup(w.server.Close)
	s, err := pebble.Open(t.TempDir(), pebble.Options{CacheSize: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.items = &faultyItems{Items: s}
	w.action = polling.ActionConfig{Name: athenahealth.Appointments, Schedule: "@every 1h", PageSize: o.pageSize, Backfill: o.backfill}
	w.start(o)
	return w
}

// start starts a new poller on what the old one left.
func (w *world) start(o setup) {
	w.t.Helper()
	m, err := polling.New(polling.Options{
		Items: w.items, Sink: w.sink, Owner: "instance-1", Exclusive: !o.shared, Now: w.clock.now, Transport: o.transport,
		Vendors: map[string]polling.Open{"athenahealth": athenahealth.Open},
		Logger:  slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	err = m.Apply(context.Background(), []polling.Connection{{
		ID: connection, Tenant: tenant, Vendor: "athenahealth", BaseURL: w.server.URL, Practice: simulator.DefaultPractice,
		ClientID: "client", ClientSecret: "secret", TimeZone: "America/New_York", Source: "source-1",
		Actions: []polling.ActionConfig{w.action}, RatePerSecond: 1e6, Timeout: o.timeout,
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.manager = m
}

// poll is a run that must succeed.
func (w *world) poll() polling.Report {
	w.t.Helper()
	report, err := w.tryPoll()
	if err != nil {
		w.t.Fatalf("poll: %v", err)
	}
	return report
}

func (w *world) tryPoll() (polling.Report, error) {
	w.clock.advance(time.Second)
	return w.manager.RunNow(context.Background(), connection, athenahealth.Appointments)
}

// subscribed is a practice whose feed the poller follows already.
func subscribed(t testing.TB, o setup) *world {
	t.Helper()
	w := build(t, o)
	w.poll()
	return w
}

func (w *world) book(b simulator.Booking) simulator.Appointment {
	w.t.Helper()
	a, err := w.sim.Book(b)
	w.must(err)
	return a
}

func (w *world) inject(f simulator.Fault) {
	w.t.Helper()
	w.must(w.sim.Inject(f))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) wantStory(id string, want ...string) {
	w.t.Helper()
	if got := w.sink.story(id); !slices.Equal(got, want) {
		w.t.Errorf("told of the appointment: %v, want %v", got, want)
	}
}

// wantTold checks that the last thing told of each appointment is what it is.
func (w *world) wantTold() {
	w.t.Helper()
	for _, a := range w.sim.Appointments() {
		m := w.sink.last(a.AppointmentID)
		if a.PatientID == "" || m == nil {
			if a.PatientID != "" && m == nil {
				w.t.Errorf("nothing was told of appointment %s", a.AppointmentID)
			}
			continue
		}
		status := map[string]string{"f": "Scheduled", "2": "Arrived", "3": "Completed", "4": "Completed", "x": "Canceled"}[a.AppointmentStatus]
		if a.CancelReasonNoShow {
			status = "No Show"
		}
		if m.Visit.Status != status || m.Visit.VisitDateTime != w.start8601(a) || m.Visit.Type != a.AppointmentType || m.Visit.Duration != redox.Int(a.Duration) {
			w.t.Errorf("appointment %s is %s at %s, told was %s at %s", a.AppointmentID, status, w.start8601(a), m.Visit.Status, m.Visit.VisitDateTime)
		}
		if cancelled := strings.HasPrefix(status, "Cancel"); cancelled != (m.Meta.EventType == "Cancel") {
			w.t.Errorf("appointment %s is %s, the last event was %s", a.AppointmentID, status, m.Meta.EventType)
		}
	}
}

// start8601 is when an appointment begins, reckoned apart from the connector.
func (w *world) start8601(a simulator.Appointment) string {
	zones := map[string]string{}
	rec := httptest.NewRecorder()
	w.sim.ServeHTTP(rec, httptest.NewRequest("GET", "/simulator/departments", nil))
	var departments []simulator.Department
	w.must(json.Unmarshal(rec.Body.Bytes(), &departments))
	for _, d := range departments {
		zones[d.DepartmentID] = d.TimeZoneName
	}
	zone, err := time.LoadLocation(zones[a.DepartmentID])
	w.must(err)
	start, err := time.ParseInLocation("01/02/2006 15:04", a.Date+" "+a.StartTime, zone)
	w.must(err)
	return start.UTC().Format("2006-01-02T15:04:05.000Z")
}

// wantSettled checks that nothing waits and that polling again tells nothing.
func (w *world) wantSettled() {
	w.t.Helper()
	n := w.sink.count()
	report := w.poll()
	if report.Delivered != 0 || report.Kept != 0 || w.sink.count() != n {
		w.t.Errorf("after everything was told, another poll did: %+v", report)
	}
	if feed := w.sim.Feed(); len(feed) != 0 {
		w.t.Errorf("%d changes wait in the feed", len(feed))
	}
}
