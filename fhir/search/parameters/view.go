package parameters

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// View is what extraction and searches of a tenant go by at one time. It does
// not change.
type View struct {
	Record Record
	// Index extracts, by the parameters that are Building too.
	Index *search.Index
	// Definitions are what searches may name, Searching the index of it.
	Definitions *conformance.Definitions
	Searching   *search.Index
}

// tenant is what is known here of one tenant.
type tenant struct {
	// loading makes one load at a time.
	loading sync.Mutex

	mu     sync.Mutex
	view   *View
	looked time.Time // when the record was read
	// uses counts commits under way by the index that was current when they
	// began; ended is closed and replaced when the last one of an index ends.
	uses  map[*search.Index]int
	ended chan struct{}
}

func (r *Registry) of(t store.Tenant) *tenant {
	r.mu.RLock()
	s := r.tenants[t]
	r.mu.RUnlock()
	if s != nil {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s = r.tenants[t]; s == nil {
		s = &tenant{uses: map[*search.Index]int{}, ended: make(chan struct{})}
		r.tenants[t] = s
	}
	return s
}

// Forget drops what is remembered of a tenant that was removed.
func (r *Registry) Forget(t store.Tenant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tenants, t)
}

// set makes the view that of a record, unless what is known was read later.
// (A tenant that was dropped and is used again has lower generations.)
func (s *tenant) set(r *Registry, rec Record, looked time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view != nil && (looked.Before(s.looked) || looked.Equal(s.looked) && rec.Generation < s.view.Record.Generation) {
		return nil
	}
	if s.view == nil || s.view.Record.Generation != rec.Generation {
		v, err := r.view(rec, s.view)
		if err != nil {
			return err
		}
		s.view = v
	}
	s.looked = looked
	return nil
}

// view makes the view of a record. It keeps the index of the one before when
// it extracts the same: Settle need not wait for what is no change.
func (r *Registry) view(rec Record, before *View) (*View, error) {
	all, err := rec.definitions(r.o.Definitions, func(*Parameter) bool { return true })
	if err != nil {
		return nil, err
	}
	ready, err := rec.definitions(r.o.Definitions, func(p *Parameter) bool { return p.State == Ready })
	if err != nil {
		return nil, err
	}
	v := &View{Record: rec, Index: r.o.Index.With(all), Definitions: ready, Searching: r.o.Index.With(ready)}
	if before != nil && extractSame(&before.Record, &rec) {
		v.Index = before.Index
	}
	return v, nil
}

// extractSame reports whether two records have the same parameters extracted.
func extractSame(a, b *Record) bool {
	numbers := func(r *Record) map[uint16]bool {
		set := map[uint16]bool{}
		for _, p := range r.Parameters {
			if p.State != Unusable {
				set[p.Number] = true
			}
		}
		return set
	}
	x, y := numbers(a), numbers(b)
	if len(x) != len(y) {
		return false
	}
	for n := range x {
		if !y[n] {
			return false
		}
	}
	return true
}

// current is the view when it may be used without looking.
func (s *tenant) current(r *Registry) *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == nil || !r.o.Store.Exclusive() && r.o.Now().Sub(s.looked) >= r.o.Life {
		return nil
	}
	return s.view
}

// View is a tenant's view, at most Options.Life old.
func (r *Registry) View(ctx context.Context, t store.Tenant) (*View, error) {
	s := r.of(t)
	if v := s.current(r); v != nil {
		return v, nil
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	if v := s.current(r); v != nil {
		return v, nil
	}
	return r.look(ctx, t, s)
}

// look reads the record.
func (r *Registry) look(ctx context.Context, t store.Tenant, s *tenant) (*View, error) {
	looked := r.o.Now()
	rec, err := r.Record(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := s.set(r, rec, looked); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view, nil
}

// Unready says why a tenant's parameter cannot be searched by yet; "" for one
// that it does not have.
func (r *Registry) Unready(ctx context.Context, t store.Tenant, v *View, typ, code string) string {
	p := v.Record.find(typ, code, r.o.Definitions)
	switch {
	case p == nil || p.State == Ready:
		return ""
	case p.State == Unusable:
		return fmt.Sprintf("the search parameter %s of SearchParameter/%s cannot be used. %s", p.Code, p.ID, p.Problem)
	case p.Problem != "":
		return fmt.Sprintf("the search parameter %s of SearchParameter/%s cannot be used: %s", p.Code, p.ID, p.Problem)
	}
	progress := ""
	if r.o.Progress != nil {
		progress = r.o.Progress(ctx, t, *p)
	}
	if progress == "" {
		progress = "Its keys are about to be built."
	}
	return fmt.Sprintf("the search parameter %s of SearchParameter/%s is not ready. %s", p.Code, p.ID, progress)
}

// Rebuilding is what a search is told while the keys of the tenant are made
// anew.
func (v *View) Rebuilding() (outcome.Issue, bool) {
	if v.Record.Rebuilding == "" {
		return outcome.Issue{}, false
	}
	return outcome.Issue{
		Severity: outcome.SeverityWarning, Code: outcome.CodeIncomplete,
		Diagnostics: "The search index of this environment is being rebuilt after an upgrade: resources that match may be missing until that has finished.",
	}, true
}
