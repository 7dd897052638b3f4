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

// Registry keeps destinations and subscriptions.
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
	return put(ctx, r.items, t, kindDestination, d.ID, d)
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
// log as it is now.
func (r *Registry) PutSubscription(ctx context.Context, t store.Tenant, s Subscription, head int64) error {
	err := putNew(ctx, r.items, t, kindPosition, s.ID, Position{Seq: head})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	defer r.signal()
	return put(ctx, r.items, t, kindSubscription, s.ID, s)
}

// DeleteSubscription removes a subscription and its position; what it has not
// delivered will not be.
func (r *Registry) DeleteSubscription(ctx context.Context, t store.Tenant, id string) error {
	if err := r.items.DeleteItem(ctx, t, kindSubscription, id, store.ItemAny); err != nil {
		return err
	}
	defer r.signal()
	return r.items.DeleteItem(ctx, t, kindPosition, id, store.ItemAny)
}

func get[T any](ctx context.Context, items store.Items, t store.Tenant, kind, id string) (T, error) {
	var v T
	if store.CheckItem(kind, id, nil) != nil {
		return v, fmt.Errorf("%s: %w", kind, store.ErrNotFound)
	}
	it, err := items.GetItem(ctx, t, kind, id)
	if err != nil {
		return v, fmt.Errorf("%s: %w", kind, err)
	}
	return v, json.Unmarshal(it.Body, &v)
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

func put(ctx context.Context, items store.Items, t store.Tenant, kind, id string, v any) error {
	return write(ctx, items, t, kind, id, v, store.ItemAny)
}

func putNew(ctx context.Context, items store.Items, t store.Tenant, kind, id string, v any) error {
	return write(ctx, items, t, kind, id, v, 0)
}

func write(ctx context.Context, items store.Items, t store.Tenant, kind, id string, v any, expect int64) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = items.PutItem(ctx, t, store.Item{Kind: kind, ID: id, Body: b}, expect)
	return err
}
