package parameters

import (
	"context"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// Use is a commit under way. It ends by End.
type Use struct {
	registry *Registry
	tenant   *tenant
	name     store.Tenant
	index    *search.Index
	began    time.Time
}

// Begin counts a commit as a use of the tenant's view. A tenant that has no
// record yet gets one.
func (r *Registry) Begin(ctx context.Context, t store.Tenant) (Use, error) {
	v, err := r.View(ctx, t)
	if err != nil {
		return Use{}, err
	}
	if v.Record.Generation == 0 {
		if err := r.born(ctx, t); err != nil {
			return Use{}, err
		}
	}
	s := r.of(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := Use{registry: r, tenant: s, name: t, index: s.view.Index, began: r.o.Now()}
	s.uses[u.index]++
	return u, nil
}

// Current is the index that content is to be extracted by now. It never waits
// for the store, so that it can be asked while content is rendered; nil before
// the first Begin.
func (r *Registry) Current(t store.Tenant) *search.Index {
	s := r.of(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == nil {
		return nil
	}
	return s.view.Index
}

// End ends a commit. outdated reports that it may have been made by an index
// that had been replaced by another instance: what it wrote has to get its
// keys anew, by Current, before anyone is told of it.
func (u Use) End(ctx context.Context) (outdated bool, err error) {
	r, s := u.registry, u.tenant
	if !r.o.Store.Exclusive() && r.o.Now().Sub(u.began) > r.o.Allowance {
		var v *View
		if v, err = r.look(ctx, u.name, s); err == nil {
			outdated = v.Index != u.index
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uses[u.index]--; s.uses[u.index] == 0 {
		delete(s.uses, u.index)
		close(s.ended)
		s.ended = make(chan struct{})
	}
	return outdated, err
}

// Settle returns when every commit, here and on other instances, that was
// extracted without what the record asks for now has ended. What is written
// from then on has all keys.
func (r *Registry) Settle(ctx context.Context, t store.Tenant) error {
	s := r.of(t)
	if !r.o.Store.Exclusive() {
		select {
		case <-r.o.After(r.o.Life + r.o.Allowance):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if _, err := r.View(ctx, t); err != nil {
		return err
	}
	for {
		s.mu.Lock()
		others := len(s.uses)
		if s.uses[s.view.Index] > 0 {
			others--
		}
		ended := s.ended
		s.mu.Unlock()
		if others == 0 {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
