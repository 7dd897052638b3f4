package notifications

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/notifications/subscription"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// KeeperOptions are what a keeper works with.
type KeeperOptions struct {
	Store      store.Store
	Repository *repository.Repository
	Registry   *Registry
	Sender     *Sender
	Renderer   *Renderer
	Leases     *lease.Leases
	Topics     *topic.Compiler
	// Rules are what a tenant's Subscriptions must keep to.
	Rules func(store.Tenant) subscription.Rules
	// Delay is the pause between a request and its handshake, so that clients
	// have read the answer, with the id, before.
	Delay  time.Duration
	Now    func() time.Time
	After  func(time.Duration) <-chan time.Time
	NewID  func() string
	Logger *slog.Logger
}

// Keeper makes the registry what the Subscription resources say, and the
// resources' status what became of them. It follows the change log, one
// instance for a tenant at a time, so that nothing depends on who wrote a
// Subscription, or how.
type Keeper struct {
	o KeeperOptions

	mu     sync.Mutex
	signal chan struct{} // gets a token when a tenant has its first Subscription
	kept   map[store.Tenant]*running
}

// NewKeeper makes a keeper; Run runs it.
func NewKeeper(o KeeperOptions) *Keeper {
	return &Keeper{o: o, signal: make(chan struct{}, 1), kept: map[store.Tenant]*running{}}
}

// kindKept are the items of tenants that have had a Subscription: how far their
// logs were looked at.
const kindKept = "subscriptions-kept"

type keptItem struct {
	Tenant store.Tenant `json:"tenant"`
	Seq    int64        `json:"seq"`
}

// keptID is a tenant's name as an item's id.
func keptID(t store.Tenant) string { return base64.RawURLEncoding.EncodeToString([]byte(t)) }

// Admit decides about a Subscription that a client writes (see
// repository.Admission). What could not be delivered is refused.
func (k *Keeper) Admit(ctx context.Context, t store.Tenant, ref store.Ref, resource rawjson.Node) ([]byte, error) {
	if status, _ := resource.Member("status"); !status.Is(string(subscription.Off)) {
		spec, err := subscription.Parse(resource, k.o.Rules(t))
		if err != nil {
			return nil, err
		}
		if !spec.End.IsZero() && !spec.End.After(k.o.Now()) {
			return nil, outcome.New(422, outcome.CodeBusinessRule, "end is in the past.").At("Subscription.end")
		}
		if _, err := Watch(ctx, k.o.Topics, t, spec); err != nil {
			return nil, err
		}
	}
	if err := k.begin(ctx, t); err != nil {
		return nil, err
	}
	return subscription.Admit(resource)
}

// begin sees to it that a tenant's log is followed, from before the commit that
// is to come.
func (k *Keeper) begin(ctx context.Context, t store.Tenant) error {
	_, err := k.o.Store.GetItem(ctx, store.System, kindKept, keptID(t))
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	head, err := k.o.Store.Head(ctx, t)
	if err != nil {
		return err
	}
	err = put(ctx, k.o.Store, store.System, kindKept, keptID(t), keptItem{t, head}, 0)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	select {
	case k.signal <- struct{}{}:
	default:
	}
	return nil
}

// Run keeps every tenant that has Subscriptions until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	for ctx.Err() == nil {
		all, err := list[keptItem](ctx, k.o.Store, store.System, kindKept)
		if err != nil && ctx.Err() == nil {
			k.o.Logger.Error("Subscriptions cannot be read; what runs goes on", "error", err)
		}
		if err == nil {
			k.apply(ctx, all)
		}
		select {
		case <-k.signal:
		case <-k.o.After(rescan):
		case <-ctx.Done():
		}
	}
	k.apply(ctx, nil)
}

func (k *Keeper) apply(ctx context.Context, all []keptItem) {
	wanted := map[store.Tenant]bool{}
	for _, it := range all {
		wanted[it.Tenant] = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for t, r := range k.kept {
		if !wanted[t] {
			r.stop()
			<-r.done
			delete(k.kept, t)
		}
	}
	for t := range wanted {
		if k.kept[t] != nil {
			continue
		}
		r := &running{done: make(chan struct{})}
		var tctx context.Context
		tctx, r.stop = context.WithCancel(ctx)
		k.kept[t] = r
		w := &keeping{k: k, tenant: t, logger: k.o.Logger.With("tenant", t), tasks: map[string]*running{}}
		go func() {
			defer close(r.done)
			w.run(tctx)
		}()
	}
}

// Forget ends what is done for a tenant that is being removed.
func (k *Keeper) Forget(ctx context.Context, t store.Tenant) error {
	err := k.o.Store.DeleteItem(ctx, store.System, kindKept, keptID(t), store.ItemAny)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.kept[t]; r != nil {
		r.stop()
		<-r.done
		delete(k.kept, t)
	}
	return err
}

// Standing is how far a tenant's log was looked at for Subscriptions; ok is
// false where it is not.
func (k *Keeper) Standing(ctx context.Context, t store.Tenant) (seq int64, ok bool, err error) {
	it, err := get[keptItem](ctx, k.o.Store, store.System, kindKept, keptID(t))
	if errors.Is(err, store.ErrNotFound) {
		return 0, false, nil
	}
	return it.Seq, err == nil, err
}

// keeping is one tenant in the keeper's care.
type keeping struct {
	k      *Keeper
	tenant store.Tenant
	logger *slog.Logger
	// tasks are the handshakes and heartbeats, by Subscription.
	tasks map[string]*running
}

// run works whenever this instance has the lease.
func (w *keeping) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := firstPause
		held, err := w.k.o.Leases.Acquire(ctx, store.System, "subscriptions:"+keptID(w.tenant))
		var other *lease.HeldError
		switch {
		case errors.As(err, &other):
			pause = min(max(other.Remaining, firstPause), max(w.k.o.Leases.TTL/3, firstPause))
		case err == nil:
			kept, stop := held.Keep(ctx)
			err = w.work(kept)
			stop()
			for id := range w.tasks {
				w.end(id)
			}
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstPause)
			_ = held.Release(end) // it runs out by itself otherwise
			cancel()
			if ctx.Err() == nil {
				w.logger.Error("Subscriptions are not followed for a moment", "error", err)
			}
		case ctx.Err() == nil:
			w.logger.Error("lease cannot be taken", "error", err)
		}
		select {
		case <-w.k.o.After(pause):
		case <-ctx.Done():
		}
	}
}

// work takes over what there is and follows the log.
func (w *keeping) work(ctx context.Context) error {
	o := &w.k.o
	at, version, err := getVersion[keptItem](ctx, o.Store, store.System, kindKept, keptID(w.tenant))
	if err != nil {
		return err
	}
	subs, err := o.Registry.Subscriptions(ctx, w.tenant)
	if err != nil {
		return err
	}
	for _, s := range subs {
		if s.Resource != nil {
			if err := w.reconcile(ctx, s.Resource.ID, at.Seq); err != nil {
				return err
			}
		}
	}
	saved := at.Seq
	for {
		entries, err := o.Store.ReadLog(ctx, w.tenant, at.Seq, batch)
		if err != nil {
			return err
		}
		for _, e := range entries {
			for _, c := range e.Changes {
				if c.Ref.Type == "Subscription" && e.Source != StatusSource {
					if err := w.reconcile(ctx, c.Ref.ID, e.Seq); err != nil {
						return err
					}
					saved = -1
				}
			}
			at.Seq = e.Seq
		}
		if saved < 0 || at.Seq-saved >= saveEvery {
			b, err := json.Marshal(at)
			if err != nil {
				return err
			}
			it, err := o.Store.PutItem(ctx, store.System, store.Item{Kind: kindKept, ID: keptID(w.tenant), Body: b}, version)
			if err != nil {
				return err
			}
			saved, version = at.Seq, it.Version
		}
		if len(entries) == 0 {
			if _, err := o.Store.WaitLog(ctx, w.tenant, at.Seq); err != nil {
				return err
			}
		}
	}
}
