package polling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/robfig/cron/v3"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// Options of New. Items, Sink, Vendors and Owner are needed.
type Options struct {
	Items store.Items
	Sink  Sink
	// Vendors are the connectors there are, by the name a Connection has.
	Vendors map[string]Open
	// Owner names this instance; no two running instances share a name.
	Owner string
	// Exclusive says that no other process has the store open.
	Exclusive bool
	// LeaseTTL is how long another instance waits for one that is gone; one
	// minute when zero.
	LeaseTTL time.Duration
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Wait waits for the rate budget; a timer when nil.
	Wait func(ctx context.Context, d time.Duration) error
	// Transport makes the calls to vendors; http.DefaultTransport when nil.
	Transport http.RoundTripper
	// NewID makes ids that are never the same twice; UUIDs when nil.
	NewID func() string
	// Logger is slog.Default when nil.
	Logger *slog.Logger
}

// Manager polls connections when their schedules say so.
type Manager struct {
	o      Options
	leases *lease.Leases
	cron   *cron.Cron

	// applying makes one Apply at a time.
	applying sync.Mutex
	mu       sync.Mutex
	jobs     map[jobID]*job
}

type jobID struct{ connection, action string }

// New returns a Manager without connections.
func New(o Options) (*Manager, error) {
	if o.Items == nil || o.Sink == nil || len(o.Vendors) == 0 {
		return nil, errors.New("polling: items, a sink and vendors are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.LeaseTTL == 0 {
		o.LeaseTTL = time.Minute
	}
	leases, err := lease.New(o.Items, lease.Options{Owner: o.Owner, TTL: o.LeaseTTL, Now: o.Now, Exclusive: o.Exclusive})
	if err != nil {
		return nil, fmt.Errorf("polling: %w", err)
	}
	return &Manager{o: o, leases: leases, cron: cron.New(cron.WithLocation(time.UTC)), jobs: map[jobID]*job{}}, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Apply makes connections the ones that are polled: new ones are added, those
// that differ replaced, those missing removed. Those that stay as they are
// are not disturbed. If one of them cannot work, nothing is changed.
func (m *Manager) Apply(ctx context.Context, connections []Connection) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	wanted, err := m.open(connections)
	if err != nil {
		return err
	}
	m.mu.Lock()
	var ended, added []*job
	for id, old := range m.jobs {
		if wanted[id] != old {
			ended = append(ended, old)
		}
	}
	for id, j := range wanted {
		if m.jobs[id] != j {
			added = append(added, j)
		}
	}
	m.mu.Unlock()
	// The old run of an action ends before the new one can begin.
	for _, j := range ended {
		m.cron.Remove(j.entry)
		j.end(ctx)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.jobs = wanted
	for _, j := range added {
		j.entry = m.cron.Schedule(j.schedule, cron.FuncJob(j.due))
	}
	return nil
}

// open returns a job for each action: the one there is when nothing about it
// has changed.
func (m *Manager) open(connections []Connection) (map[jobID]*job, error) {
	var errs []error
	jobs := map[jobID]*job{}
	ids := map[string]bool{}
	for _, c := range connections {
		if ids[c.ID] {
			errs = append(errs, fmt.Errorf("connection %q is there twice", c.ID))
			continue
		}
		ids[c.ID] = true
		if err := c.Validate(); err != nil {
			errs = append(errs, err)
			continue
		}
		if m.unchanged(c, jobs) {
			continue
		}
		open, ok := m.o.Vendors[c.Vendor]
		if !ok {
			errs = append(errs, fmt.Errorf("connection %q: no such vendor: %q", c.ID, c.Vendor))
			continue
		}
		connector, err := open(c, Environment{Now: m.o.Now, Wait: m.o.Wait, Transport: m.o.Transport, NewID: m.o.NewID, Logger: m.o.Logger})
		if err != nil {
			errs = append(errs, fmt.Errorf("connection %q: %w", c.ID, err))
			continue
		}
		for _, a := range c.Actions {
			if !slices.Contains(connector.Actions(), a.Name) {
				errs = append(errs, fmt.Errorf("connection %q: %s has no action %q", c.ID, c.Vendor, a.Name))
				continue
			}
			j, err := newJob(m, c, a, connector)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			jobs[jobID{c.ID, a.Name}] = j
		}
	}
	return jobs, errors.Join(errs...)
}

// unchanged adds the jobs that a connection has if they are still right.
func (m *Manager) unchanged(c Connection, jobs map[jobID]*job) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range c.Actions {
		j := m.jobs[jobID{c.ID, a.Name}]
		if j == nil || !reflect.DeepEqual(j.connection, c) {
			return false
		}
	}
	for _, a := range c.Actions {
		id := jobID{c.ID, a.Name}
		jobs[id] = m.jobs[id]
	}
	return true
}

// Run polls until ctx ends, and then waits for the runs under way and gives
// the leases back.
func (m *Manager) Run(ctx context.Context) {
	m.cron.Start()
	<-ctx.Done()
	stopped := m.cron.Stop()
	m.mu.Lock()
	jobs := make([]*job, 0, len(m.jobs))
	for _, j := range m.jobs {
		jobs = append(jobs, j)
	}
	m.mu.Unlock()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.o.LeaseTTL)
	defer cancel()
	for _, j := range jobs {
		j.end(ending)
	}
	<-stopped.Done()
}

// ErrNoAction: no such connection, or it has no such action.
var ErrNoAction = errors.New("polling: no such connection or action")

// RunNow polls one action at once, after the run that is under way if there
// is one, and says what it did.
func (m *Manager) RunNow(ctx context.Context, connection, action string) (Report, error) {
	j, err := m.job(connection, action)
	if err != nil {
		return Report{}, err
	}
	return j.run(ctx)
}

func (m *Manager) job(connection, action string) (*job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	j := m.jobs[jobID{connection, action}]
	if j == nil {
		return nil, ErrNoAction
	}
	return j, nil
}

// Status says how each action does, in the order of their names.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	jobs := make([]*job, 0, len(m.jobs))
	for _, j := range m.jobs {
		jobs = append(jobs, j)
	}
	m.mu.Unlock()
	all := make([]Status, 0, len(jobs))
	for _, j := range jobs {
		s := j.status()
		if next := m.cron.Entry(j.entry).Next; !next.IsZero() {
			s.NextRun = next
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int {
		return strings.Compare(a.Connection+"\x00"+a.Action, b.Connection+"\x00"+b.Action)
	})
	return all
}

// Parked is a message that the sink refused for good.
type Parked struct {
	// Record is the vendor's id.
	Record    string
	MessageID string
	Message   []byte
	Time      time.Time
	Error     string
}

// Parked lists the messages of an action that were refused for good and not
// followed by one that was accepted.
func (m *Manager) Parked(ctx context.Context, connection, action string) ([]Parked, error) {
	j, err := m.job(connection, action)
	if err != nil {
		return nil, err
	}
	records, err := j.records.all(ctx, "p")
	if err != nil {
		return nil, err
	}
	var all []Parked
	for _, r := range records {
		all = append(all, Parked{Record: r.ID, MessageID: r.Parked.MessageID, Message: r.Parked.Message, Time: r.Parked.Time, Error: r.Parked.Error})
	}
	return all, nil
}
