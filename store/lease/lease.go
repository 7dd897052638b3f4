package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// Kind is the kind of the items that hold leases.
const Kind = "lease"

var (
	// ErrHeld: another owner holds the lease, or may still hold it.
	ErrHeld = errors.New("lease is held by another owner")
	// ErrLost: the lease was taken over, or released, and is no longer ours.
	ErrLost = errors.New("lease was lost")
)

// HeldError says who stands in the way.
type HeldError struct {
	Name, Owner string
	Fence       int64
	// Remaining is how much longer this instance has to see no sign of the
	// owner before it may take the lease.
	Remaining time.Duration
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s: %s by %s", ErrHeld, e.Name, e.Owner)
}

// Is makes errors.Is(err, ErrHeld) true.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Options of New. Owner and TTL are needed.
type Options struct {
	// Owner names this instance; no two running instances share a name.
	Owner string
	// TTL is how long a lease lasts without being renewed.
	TTL time.Duration
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// After is a timer, for Keep; time.After when nil.
	After func(time.Duration) <-chan time.Time
	// Exclusive says that no other process has the store open.
	Exclusive bool
}

// Leases takes leases for one owner. It remembers what it saw of the leases
// of others, so an instance keeps one Leases for as long as it runs.
type Leases struct {
	items store.Items
	Options

	mu   sync.Mutex
	held map[place]*Lease
	seen map[place]sighting
}

type place struct {
	tenant store.Tenant
	name   string
}

// sighting is one state of another owner's lease and when it was first seen.
type sighting struct {
	version, fence int64
	since          time.Time
}

// New returns a Leases on items.
func New(items store.Items, o Options) (*Leases, error) {
	switch {
	case items == nil:
		return nil, errors.New("lease: no items to keep leases in")
	case o.Owner == "":
		return nil, errors.New("lease: no owner")
	case o.TTL <= 0:
		return nil, errors.New("lease: the time to live must be positive")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	return &Leases{items: items, Options: o, held: map[place]*Lease{}, seen: map[place]sighting{}}, nil
}

// body is what the item holds.
type body struct {
	Owner string `json:"owner"`
	// Fence grows with every taking and never falls: the item is not deleted
	// when the lease is released.
	Fence int64 `json:"fence"`
	// TTLMillis is the owner's own time to live, which a taker waits out.
	TTLMillis int64 `json:"ttlMillis"`
	Released  bool  `json:"released,omitempty"`
}

func (b body) ttl() time.Duration { return time.Duration(b.TTLMillis) * time.Millisecond }

// Acquire takes the lease of this name (an item's id, see [store.CheckItem])
// if it is free, was released, or has shown no sign of
// its owner for the owner's time to live. Otherwise the error is ErrHeld. A
// lease that this Leases holds already is held, too: it protects an owner
// from itself.
func (l *Leases) Acquire(ctx context.Context, tenant store.Tenant, name string) (*Lease, error) {
	at := place{tenant, name}
	l.mu.Lock()
	mine := l.held[at]
	l.mu.Unlock()
	if mine != nil && mine.Valid() {
		return nil, &HeldError{Name: name, Owner: l.Owner, Fence: mine.fence, Remaining: mine.Remaining()}
	}

	item, err := l.items.GetItem(ctx, tenant, Kind, name)
	var current body
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return nil, fmt.Errorf("lease: read: %w", err)
	default:
		if err := json.Unmarshal(item.Body, &current); err != nil {
			return nil, errors.New("lease: the item of this name is no lease")
		}
		if mine != nil && current.Owner == l.Owner && current.Fence == mine.fence {
			mine.end() // ran out in our own hands: nobody else to wait for
		} else if wait := l.wait(at, item.Version, current); wait > 0 {
			return nil, &HeldError{Name: name, Owner: current.Owner, Fence: current.Fence, Remaining: wait}
		}
	}

	start := l.Now()
	next := body{Owner: l.Owner, Fence: current.Fence + 1, TTLMillis: l.TTL.Milliseconds()}
	item, err = l.put(ctx, tenant, name, next, item.Version)
	if errors.Is(err, store.ErrConflict) {
		return nil, &HeldError{Name: name, Owner: "another", Fence: next.Fence, Remaining: l.TTL}
	}
	if err != nil {
		return nil, fmt.Errorf("lease: take: %w", err)
	}
	lease := &Lease{leases: l, at: at, fence: next.Fence, version: item.Version, renewed: start}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[at] = lease
	delete(l.seen, at)
	return lease, nil
}

// wait says how long the lease may still be somebody's.
func (l *Leases) wait(at place, version int64, b body) time.Duration {
	if b.Released || l.Exclusive {
		return 0
	}
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.seen[at]
	if !ok || s.version != version || s.fence != b.Fence {
		l.seen[at] = sighting{version: version, fence: b.Fence, since: now}
		return b.ttl()
	}
	return b.ttl() - now.Sub(s.since)
}

func (l *Leases) put(ctx context.Context, tenant store.Tenant, name string, b body, expect int64) (store.Item, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return store.Item{}, err
	}
	return l.items.PutItem(ctx, tenant, store.Item{Kind: Kind, ID: name, Body: raw}, expect)
}

func (l *Leases) forget(lease *Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[lease.at] == lease {
		delete(l.held, lease.at)
	}
}
