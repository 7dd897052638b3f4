package notifications

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

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
	// Environment is a tenant's environment, which decides about retries.
	Environment func(store.Tenant) Environment
	Now         func() time.Time
	After       func(time.Duration) <-chan time.Time
	Logger      *slog.Logger
	// Alert, when set, is called once for each delivery that keeps failing.
	Alert func(ctx context.Context, t store.Tenant, tr Transmission)
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

	mu     sync.Mutex
	queues map[queueID]*running
	tails  map[store.Tenant]*tail
	wakers map[queueID]chan struct{}
}

type queueID struct {
	tenant       store.Tenant
	subscription string
}

// running is a queue's goroutine and what it was started with.
type running struct {
	subscription Subscription
	destination  Destination
	stop         context.CancelFunc
	done         chan struct{}
}

// rescan is how often the registry is read again for what other instances
// changed.
const rescan = 10 * time.Second

// NewEngine makes an engine; Run runs it.
func NewEngine(o Options) *Engine {
	return &Engine{o: o, queues: map[queueID]*running{}, tails: map[store.Tenant]*tail{}, wakers: map[queueID]chan struct{}{}}
}

// Run keeps a queue running for every active subscription until ctx ends, and
// returns when all have stopped.
func (e *Engine) Run(ctx context.Context) {
	var all sync.WaitGroup
	for ctx.Err() == nil {
		changed := e.o.Registry.Changed()
		if err := e.reconcile(ctx, &all); err != nil && ctx.Err() == nil {
			e.o.Logger.Error("subscriptions cannot be read", "error", err)
		}
		select {
		case <-changed:
		case <-e.o.After(rescan):
		case <-ctx.Done():
		}
	}
	all.Wait()
}

// reconcile starts and stops queues so that they are those of the registry.
func (e *Engine) reconcile(ctx context.Context, all *sync.WaitGroup) error {
	tenants, err := e.o.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	wanted := map[queueID]running{}
	for _, t := range tenants {
		if t == store.System {
			continue
		}
		subs, err := e.o.Registry.Subscriptions(ctx, t)
		if err != nil {
			return err
		}
		for _, s := range subs {
			if s.Paused {
				continue
			}
			d, err := e.o.Registry.Destination(ctx, t, s.Destination)
			if err != nil || !d.Verified {
				continue
			}
			wanted[queueID{t, s.ID}] = running{subscription: s, destination: d}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, r := range e.queues {
		if w, ok := wanted[id]; !ok || !same(w, *r) {
			r.stop()
			<-r.done
			delete(e.queues, id)
		}
	}
	for id, w := range wanted {
		if _, ok := e.queues[id]; !ok {
			e.start(ctx, id, w, all)
		}
	}
	return nil
}

func same(a, b running) bool {
	if len(a.subscription.Events) != len(b.subscription.Events) {
		return false
	}
	for i, ev := range a.subscription.Events {
		if b.subscription.Events[i] != ev {
			return false
		}
	}
	x, y := a.subscription, b.subscription
	return x.ID == y.ID && x.Source == y.Source && x.Destination == y.Destination && x.DataModel == y.DataModel &&
		x.Content == y.Content && x.Writebacks == y.Writebacks && a.destination == b.destination
}

func (e *Engine) start(ctx context.Context, id queueID, w running, all *sync.WaitGroup) {
	t, ok := e.tails[id.tenant]
	if !ok {
		t = newTail(e.o.Store, id.tenant, e.o.After)
		e.tails[id.tenant] = t
		all.Add(1)
		go func() {
			defer all.Done()
			t.run(ctx)
		}()
	}
	wake := make(chan struct{}, 1)
	e.wakers[id] = wake
	qctx, stop := context.WithCancel(ctx)
	w.stop, w.done = stop, make(chan struct{})
	e.queues[id] = &w
	q := &queue{
		o: &e.o, tenant: id.tenant, sub: w.subscription, dest: w.destination, tail: t, wake: wake,
		logger: e.o.Logger.With("tenant", id.tenant, "subscription", id.subscription),
	}
	all.Add(1)
	go func() {
		defer all.Done()
		defer close(w.done)
		q.run(qctx)
	}()
}

// RetryNow makes a queue that waits for its next attempt try at once. It
// reports whether the queue runs on this instance.
func (e *Engine) RetryNow(t store.Tenant, subscription string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	wake, ok := e.wakers[queueID{t, subscription}]
	if ok {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	return ok
}
