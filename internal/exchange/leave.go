package exchange

import (
	"context"

	"github.com/fhirfacade/fhirfacade/store"
)

// Leave ends what brings messages into a tenant and what carries them out:
// its connections and subscriptions are deleted, and its sources are no longer
// found by their ids. It returns the ids of the sources. It may be repeated
// until the tenant's data is removed.
func (cs *Connections) Leave(ctx context.Context, t store.Tenant) (sources []string, err error) {
	x := cs.x
	all, err := x.sources.List(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if err := x.sources.leave(ctx, s.ID); err != nil {
			return nil, err
		}
		sources = append(sources, s.ID)
	}
	connections, err := cs.of(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, c := range connections {
		if err := x.o.Store.DeleteItem(ctx, t, kindConnection, c.ID, store.ItemAny); err != nil {
			return nil, err
		}
	}
	if err := cs.Apply(ctx); err != nil {
		return nil, err
	}
	subscriptions, err := x.o.Registry.Subscriptions(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, s := range subscriptions {
		if err := x.o.Registry.DeleteSubscription(ctx, t, s.ID); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

// Count is how much of the machinery a tenant has.
func (cs *Connections) Count(ctx context.Context, t store.Tenant) (map[string]int, error) {
	x := cs.x
	sources, err := x.sources.List(ctx, t)
	if err != nil {
		return nil, err
	}
	connections, err := cs.of(ctx, t)
	if err != nil {
		return nil, err
	}
	destinations, err := x.o.Registry.Destinations(ctx, t)
	if err != nil {
		return nil, err
	}
	subscriptions, err := x.o.Registry.Subscriptions(ctx, t)
	return map[string]int{
		"sources": len(sources), "connections": len(connections),
		"destinations": len(destinations), "subscriptions": len(subscriptions),
	}, err
}

// EnsureDefaults gives every environment of an organization its first source.
func (cs *Connections) EnsureDefaults(ctx context.Context, organization string) error {
	return cs.x.sources.EnsureDefaults(ctx, organization)
}
