package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// Options are what the engine works with.
type Options struct {
	Store         store.Store
	Registry      *Registry
	Transmissions *Transmissions
	Sender        *Sender
	Renderer      *Renderer
	Leases        *lease.Leases
	// Topics compiles what FHIR Subscriptions watch; nil where there are none.
	Topics *topic.Compiler
	// Outcome, when set, hears how FHIR Subscriptions fare.
	Outcome func(ctx context.Context, t store.Tenant, s Subscription, o Outcome)
	// Environment is a tenant's environment, which decides about retries.
	Environment func(store.Tenant) Environment
	Now         func() time.Time
	After       func(time.Duration) <-chan time.Time
	Logger      *slog.Logger
	// Alert, when set, is called once for each delivery that keeps failing,
	// and for one that got a subscription switched off. The queue waits for it.
	Alert func(ctx context.Context, t store.Tenant, tr Transmission)
	// Carry takes HL7 v2 messages to their destinations.
	Carry func(ctx context.Context, t store.Tenant, d Destination, id string, p Payload) (status int, err error)
	// Ended, when set, is told of each writeback that was delivered or given
	// up, before this is written: perhaps more than once.
	Ended func(ctx context.Context, t store.Tenant, tr Transmission) error
	// Meter, when set, counts.
	Meter Meter
}

// EnvironmentOf reads the environment from a tenant named
// "<organization>/<environment>".
func EnvironmentOf(t store.Tenant) Environment {
	_, env, _ := strings.Cut(string(t), "/")
	return Environment(env)
}

// Engine runs a queue for each subscription.
type Engine struct {
	o Options

	mu     sync.Mutex // of the maps; only Run changes them
	queues map[queueID]*running
	// ending are queues that were told to stop and have not ended.
	ending map[*running]store.Tenant
	tails  map[store.Tenant]*following
}

type queueID struct {
	tenant       store.Tenant
	subscription string
}

// running is a queue's goroutine.
type running struct {
	config string // what it was started with
	wake   chan struct{}
	state  *progress
	stop   context.CancelFunc
	done   chan struct{}
}

// following is a tail's goroutine.
type following struct {
	tail *tail
	stop context.CancelFunc
	done chan struct{}
}

// plan is a queue that is to run.
type plan struct {
	subscription Subscription
	destination  Destination
}

// config tells whether two plans are the same.
func (p plan) config() string {
	b, _ := json.Marshal([]any{p.subscription, p.destination}) // strings and numbers: cannot fail
	return string(b)
}

// rescan is how often the registry is read again for what other instances
// changed. Messages never cause it to be read.
const rescan = 10 * time.Second

// NewEngine makes an engine; Run runs it.
func NewEngine(o Options) *Engine {
	if o.Meter == nil {
		o.Meter = noMeter{}
	}
	return &Engine{o: o, queues: map[queueID]*running{}, ending: map[*running]store.Tenant{}, tails: map[store.Tenant]*following{}}
}

// Run keeps a queue running for every active subscription until ctx ends, and
// returns when all have stopped. An attempt that is under way then is made
// again, under the same id, by whoever continues. Run may be called once.
func (e *Engine) Run(ctx context.Context) {
	for ctx.Err() == nil {
		changed := e.o.Registry.Changed()
		if err := e.reconcile(ctx); err != nil && ctx.Err() == nil {
			e.o.Logger.Error("subscriptions cannot be read; what runs goes on", "error", err)
		}
		select {
		case <-changed:
		case <-e.o.After(rescan):
		case <-ctx.Done():
		}
	}
	e.apply(ctx, nil)
}

// reconcile makes the queues those of the registry. Where a tenant's part of
// it cannot be read, that tenant's queues stay as they are.
func (e *Engine) reconcile(ctx context.Context) error {
	tenants, err := e.o.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	wanted := map[queueID]plan{}
	var failed []error
	for _, t := range tenants {
		if t == store.System {
			continue
		}
		if err := e.plan(ctx, t, wanted); err != nil {
			failed = append(failed, err)
			e.keep(t, wanted)
		}
	}
	e.apply(ctx, wanted)
	return errors.Join(failed...)
}

// plan adds a tenant's queues: two scans, however many there are.
func (e *Engine) plan(ctx context.Context, t store.Tenant, wanted map[queueID]plan) error {
	subs, err := e.o.Registry.Subscriptions(ctx, t)
	if err != nil || len(subs) == 0 {
		return err
	}
	all, err := e.o.Registry.Destinations(ctx, t)
	if err != nil {
		return err
	}
	destinations := make(map[string]Destination, len(all))
	for _, d := range all {
		destinations[d.ID] = d
	}
	for _, s := range subs {
		if d, ok := destinations[s.Destination]; ok && d.Verified && !s.Paused {
			wanted[queueID{t, s.ID}] = plan{s, d}
		}
	}
	return nil
}

// keep wants what runs.
func (e *Engine) keep(t store.Tenant, wanted map[queueID]plan) {
	for id := range e.queues {
		if id.tenant == t {
			wanted[id] = plan{} // with no id of its own: see apply
		}
	}
}

// apply stops and starts queues.
func (e *Engine) apply(ctx context.Context, wanted map[queueID]plan) {
	var stopped []*running
	needed := map[store.Tenant]bool{}
	e.mu.Lock()
	for id, r := range e.queues {
		w, ok := wanted[id]
		if ok && (w.subscription.ID == "" || w.config() == r.config) {
			delete(wanted, id)
			needed[id.tenant] = true
			continue
		}
		r.stop()
		stopped = append(stopped, r)
		e.ending[r] = id.tenant
		delete(e.queues, id)
	}
	e.mu.Unlock()
	// Nobody else waits for the stopped ones: the mutex is free. They end at
	// the same time, and before their successors begin.
	for _, r := range stopped {
		<-r.done
		e.mu.Lock()
		delete(e.ending, r)
		e.mu.Unlock()
	}
	for id, w := range wanted {
		needed[id.tenant] = true
		e.start(ctx, id, w)
	}
	for t, f := range e.tails {
		if !needed[t] {
			f.stop()
			<-f.done
			delete(e.tails, t)
		}
	}
}

func (e *Engine) start(ctx context.Context, id queueID, w plan) {
	logger := e.o.Logger.With("tenant", id.tenant, "subscription", id.subscription)
	r := &running{config: w.config(), wake: make(chan struct{}, 1), state: &progress{}, done: make(chan struct{})}
	r.state.seq.Store(-1)
	q := &queue{
		o: &e.o, tenant: id.tenant, sub: w.subscription, dest: w.destination, tail: e.follow(ctx, id.tenant),
		wake: r.wake, logger: logger, state: r.state,
	}
	var qctx context.Context
	qctx, r.stop = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		q.run(qctx)
	}()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queues[id] = r
}

// follow is the tail of a tenant's log.
func (e *Engine) follow(ctx context.Context, t store.Tenant) *tail {
	if f, ok := e.tails[t]; ok {
		return f.tail
	}
	f := &following{tail: newTail(e.o.Store, t, e.o.After, e.o.Logger.With("tenant", t)), done: make(chan struct{})}
	if e.o.Topics != nil {
		f.tail.reader = e.o.Topics.Repository
	}
	var tctx context.Context
	tctx, f.stop = context.WithCancel(ctx)
	go func() {
		defer close(f.done)
		f.tail.run(tctx)
	}()
	e.tails[t] = f
	return f.tail
}

// Quiet waits until no queue of a tenant runs here: its subscriptions have been
// deleted.
func (e *Engine) Quiet(ctx context.Context, t store.Tenant) error {
	for {
		e.mu.Lock()
		runs := false
		for id := range e.queues {
			runs = runs || id.tenant == t
		}
		for _, of := range e.ending {
			runs = runs || of == t
		}
		e.mu.Unlock()
		if !runs {
			return nil
		}
		select {
		case <-e.o.After(quietLook):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// quietLook is how often Quiet looks.
const quietLook = 20 * time.Millisecond

// RetryNow makes a queue that waits for its next attempt try at once. It
// reports whether this instance has the queue.
func (e *Engine) RetryNow(t store.Tenant, subscription string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.queues[queueID{t, subscription}]
	if !ok || r.state.seq.Load() < 0 {
		return false
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return true
}
