package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/fhirfacade/fhirfacade/store"
)

// Kinds of items.
const (
	kindDestination  = "destination"
	kindSubscription = "subscription"
	kindPosition     = "position"
	kindTransmission = "transmission"
)

// pageSize is how many items one scan reads.
const pageSize = 500

// Registry keeps destinations and subscriptions, and where each subscription
// stands in the log.
type Registry struct {
	items store.Items

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something changes here
}

// NewRegistry makes a registry on a store's items.
func NewRegistry(items store.Items) *Registry {
	return &Registry{items: items, changed: make(chan struct{})}
}

// Changed is closed when a destination or subscription changes through this
// registry; ask for it again afterwards.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *Registry) signal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

// Destination returns a destination or store.ErrNotFound.
func (r *Registry) Destination(ctx context.Context, t store.Tenant, id string) (Destination, error) {
	return get[Destination](ctx, r.items, t, kindDestination, id)
}

// Destinations lists a tenant's destinations by id.
func (r *Registry) Destinations(ctx context.Context, t store.Tenant) ([]Destination, error) {
	return list[Destination](ctx, r.items, t, kindDestination)
}

// PutDestination writes a destination whole.
func (r *Registry) PutDestination(ctx context.Context, t store.Tenant, d Destination) error {
	defer r.signal()
	return put(ctx, r.items, t, kindDestination, d.ID, d, store.ItemAny)
}

// DeleteDestination removes a destination that no subscription leads to.
func (r *Registry) DeleteDestination(ctx context.Context, t store.Tenant, id string) error {
	subs, err := r.Subscriptions(ctx, t)
	if err != nil {
		return err
	}
	for _, s := range subs {
		if s.Destination == id {
			return &FieldError{"destination", "is in use by subscription " + s.ID}
		}
	}
	defer r.signal()
	return r.items.DeleteItem(ctx, t, kindDestination, id, store.ItemAny)
}

// Subscription returns a subscription or store.ErrNotFound.
func (r *Registry) Subscription(ctx context.Context, t store.Tenant, id string) (Subscription, error) {
	return get[Subscription](ctx, r.items, t, kindSubscription, id)
}

// Subscriptions lists a tenant's subscriptions by id.
func (r *Registry) Subscriptions(ctx context.Context, t store.Tenant) ([]Subscription, error) {
	return list[Subscription](ctx, r.items, t, kindSubscription)
}

// PutSubscription writes a subscription whole. A new one begins behind the
// log as it is now. Status follows from Paused: one that is paused and was
// switched off stays off, one that is not paused is active.
func (r *Registry) PutSubscription(ctx context.Context, t store.Tenant, s Subscription, head int64) error {
	return r.edit(ctx, t, s.ID, func(old *Subscription, exists bool) error {
		if !exists {
			if head == 0 && s.Revision > 0 {
				// Read, changed and deleted meanwhile: as a new one it would
				// begin with the whole log.
				return store.ErrNotFound
			}
			revision, err := r.place(ctx, t, s.ID, head)
			if err != nil {
				return err
			}
			old.Revision = revision
		}
		status, reason, revision := old.Status, old.Reason, old.Revision
		*old = s
		old.Status, old.Reason, old.Revision = status, reason, revision
		switch {
		case !old.Paused:
			old.Status, old.Reason = Active, ""
		case old.Status != Off:
			old.Status = Paused
		}
		return nil
	})
}

// switchOff stops a subscription because its endpoint wants no more.
func (r *Registry) switchOff(ctx context.Context, t store.Tenant, id, reason string) error {
	return r.edit(ctx, t, id, func(s *Subscription, exists bool) error {
		if !exists {
			return store.ErrNotFound
		}
		s.Paused, s.Status, s.Reason = true, Off, reason
		return nil
	})
}

// touch makes the subscription's queue, wherever it runs, read again where it
// stands.
func (r *Registry) touch(ctx context.Context, t store.Tenant, id string) error {
	return r.edit(ctx, t, id, func(_ *Subscription, exists bool) error {
		if !exists {
			return store.ErrNotFound
		}
		return nil
	})
}

// edit changes a subscription by compare-and-set, so that what two instances
// say of it at once (switched off here, renamed there) is both kept.
func (r *Registry) edit(ctx context.Context, t store.Tenant, id string, change func(s *Subscription, exists bool) error) error {
	defer r.signal()
	for {
		s, version, err := getVersion[Subscription](ctx, r.items, t, kindSubscription, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := change(&s, err == nil); err != nil {
			return fmt.Errorf("%s: %w", kindSubscription, err)
		}
		s.Revision++
		err = put(ctx, r.items, t, kindSubscription, id, s, version)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// DeleteSubscription removes a subscription; what it has not delivered will
// not be.
func (r *Registry) DeleteSubscription(ctx context.Context, t store.Tenant, id string) error {
	s, err := r.Subscription(ctx, t, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.signal()
	// The position first: it keeps every queue, wherever it runs, from going on.
	if err := r.abandon(ctx, t, id, s.Revision); err != nil {
		return err
	}
	return r.items.DeleteItem(ctx, t, kindSubscription, id, store.ItemAny)
}

func get[T any](ctx context.Context, items store.Items, t store.Tenant, kind, id string) (T, error) {
	v, _, err := getVersion[T](ctx, items, t, kind, id)
	return v, err
}

// getVersion also returns the item's version, 0 where there is none.
func getVersion[T any](ctx context.Context, items store.Items, t store.Tenant, kind, id string) (v T, version int64, err error) {
	if store.CheckItem(kind, id, nil) != nil {
		return v, 0, fmt.Errorf("%s: %w", kind, store.ErrNotFound)
	}
	it, err := items.GetItem(ctx, t, kind, id)
	if err != nil {
		return v, 0, fmt.Errorf("%s: %w", kind, err)
	}
	if err := json.Unmarshal(it.Body, &v); err != nil {
		return v, it.Version, fmt.Errorf("%s: %w", kind, err)
	}
	return v, it.Version, nil
}

func list[T any](ctx context.Context, items store.Items, t store.Tenant, kind string) ([]T, error) {
	all := []T{}
	scan := store.ItemScan{Kind: kind, Limit: pageSize}
	for {
		page, err := items.ScanItems(ctx, t, scan)
		if err != nil {
			return nil, err
		}
		for _, it := range page.Items {
			var v T
			if err := json.Unmarshal(it.Body, &v); err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			all = append(all, v)
		}
		if page.Next == "" {
			return all, nil
		}
		scan.After = page.Next
	}
}

func put(ctx context.Context, items store.Items, t store.Tenant, kind, id string, v any, expect int64) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = items.PutItem(ctx, t, store.Item{Kind: kind, ID: id, Body: b}, expect)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}
