package topic

import (
	"context"
	"slices"

	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/store"
)

// Watch is what one Subscription waits for: any of its triggers.
type Watch struct {
	Triggers []Trigger
	// Path is what FHIRPath criteria are evaluated with.
	Path PathContext
}

// Trigger is one condition
// (https://hl7.org/fhir/R5/subscriptiontopic-definitions.html#SubscriptionTopic.resourceTrigger).
// It is met by a change of a resource or, with Event, by an event of that name.
type Trigger struct {
	// Event is the name of an event such as "appointment-booked"; "" for
	// changes.
	Event string
	// Type is the type of the resources that may be the focus; "" for any.
	Type string
	// Create, Update and Delete are the interactions that trigger.
	Create, Update, Delete bool
	// Current and Previous select the version that a change made and the one
	// before; nil where nothing is asked of it.
	Current, Previous store.Clause
	// RequireBoth asks for both; otherwise one is enough where both are given.
	RequireBoth bool
	// PassesOnCreate is what the test of the previous version gives where there
	// is none, PassesOnDelete that of the current one.
	PassesOnCreate, PassesOnDelete bool
	// Path, when set, must be true as well, with %current and %previous.
	Path *fhirpath.Expression
	// Filter is what the Subscription asks of the focus; nil for nothing. Of a
	// resource that was deleted, its last version is looked at.
	Filter store.Clause
}

// Notice is something that a Subscription is told of.
type Notice struct {
	// Focus is the resource that it is about, Version the version in question
	// and Method how that came about; of an event, whose focus may not have
	// changed, Version is 0.
	Focus   store.Ref
	Version int64
	Method  store.Method
	// Context are other resources that belong to an event, as "Type/id".
	Context []string
}

// Named is an event that an entry was.
type Named struct {
	Name string
	// Focus and Context are resources, as "Type/id".
	Focus, Context []string
}

// Notices are what of an entry the watch is for, in the order of its changes:
// one for each change that any trigger is met by. named is the event that the
// entry was, or nil.
func (w *Watch) Notices(ctx context.Context, r Reader, t store.Tenant, e *Entry, named *Named) ([]Notice, error) {
	var found []Notice
	for i := range w.Triggers {
		tr := &w.Triggers[i]
		if tr.Event == "" || named == nil || tr.Event != named.Name {
			continue
		}
		n, ok, err := tr.event(ctx, r, t, e, named)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, n)
			break // several triggers of one topic are one event
		}
	}
	for _, c := range e.Changes {
		for i := range w.Triggers {
			tr := &w.Triggers[i]
			if tr.Event != "" || !tr.concerns(c) {
				continue
			}
			ok, err := tr.met(ctx, r, t, c, w.Path)
			if err != nil {
				return nil, err
			}
			if ok {
				found = append(found, Notice{Focus: c.Ref, Version: c.Version, Method: c.Method})
				break
			}
		}
	}
	return found, nil
}

// Concerns reports whether an entry may be for the watch, by types and
// interactions alone.
func (w *Watch) Concerns(e *Entry, event string) bool {
	for i := range w.Triggers {
		tr := &w.Triggers[i]
		if tr.Event != "" {
			if tr.Event == event {
				return true
			}
			continue
		}
		if slices.ContainsFunc(e.Changes, tr.concerns) {
			return true
		}
	}
	return false
}

// concerns reports whether a change is of the type and interaction.
func (tr *Trigger) concerns(c *Change) bool {
	if tr.Type != "" && tr.Type != c.Ref.Type {
		return false
	}
	switch c.Method {
	case store.Create:
		return tr.Create
	case store.Update:
		return tr.Update
	default:
		return tr.Delete
	}
}

// met reports whether a change meets the trigger and its filter.
func (tr *Trigger) met(ctx context.Context, r Reader, t store.Tenant, c *Change, path PathContext) (bool, error) {
	now, err := c.now(ctx, r, t)
	if err != nil {
		return false, err
	}
	before := &version{}
	if tr.Previous != nil || tr.Path != nil || !now.is {
		if before, err = c.before(ctx, r, t); err != nil {
			return false, err
		}
	}
	selects := func(where store.Clause, v *version, otherwise bool) (bool, error) {
		if !v.is {
			return otherwise, nil
		}
		return r.Selects(ctx, t, where, c.Ref, v.keys)
	}
	// The filter first: it tells the Subscriptions of a topic apart.
	if tr.Filter != nil {
		focus := now
		if !now.is {
			focus = before
		}
		if ok, err := selects(tr.Filter, focus, false); !ok || err != nil {
			return false, err
		}
	}
	switch {
	case tr.Current != nil && tr.Previous != nil:
		ok, err := selects(tr.Current, now, tr.PassesOnDelete)
		if err == nil && ok == tr.RequireBoth { // otherwise the first test has decided
			ok, err = selects(tr.Previous, before, tr.PassesOnCreate)
		}
		if !ok || err != nil {
			return false, err
		}
	case tr.Current != nil:
		if ok, err := selects(tr.Current, now, tr.PassesOnDelete); !ok || err != nil {
			return false, err
		}
	case tr.Previous != nil:
		if ok, err := selects(tr.Previous, before, tr.PassesOnCreate); !ok || err != nil {
			return false, err
		}
	}
	if tr.Path == nil {
		return true, nil
	}
	return path.truth(tr.Path, now, before)
}

// event reports what of an event the trigger is for. The filter is asked of
// the focus that has the trigger's type.
func (tr *Trigger) event(ctx context.Context, r Reader, t store.Tenant, e *Entry, named *Named) (Notice, bool, error) {
	for _, name := range named.Focus {
		ref, ok := refOf(name)
		if !ok || tr.Type != "" && ref.Type != tr.Type {
			continue
		}
		n := Notice{Focus: ref, Method: store.Update}
		at := slices.IndexFunc(e.Changes, func(c *Change) bool { return c.Ref == ref })
		if at >= 0 {
			n.Version, n.Method = e.Changes[at].Version, e.Changes[at].Method
		}
		if tr.Filter != nil {
			if at < 0 {
				continue // nothing of it changed, so it cannot be said what it was
			}
			v, err := e.Changes[at].now(ctx, r, t)
			if err == nil && !v.is {
				v, err = e.Changes[at].before(ctx, r, t)
			}
			if err != nil {
				return n, false, err
			}
			if !v.is {
				continue
			}
			if ok, err := r.Selects(ctx, t, tr.Filter, ref, v.keys); err != nil {
				return n, false, err
			} else if !ok {
				continue
			}
		}
		for _, other := range slices.Concat(named.Focus, named.Context) {
			if other != name && !slices.Contains(n.Context, other) {
				n.Context = append(n.Context, other)
			}
		}
		return n, true, nil
	}
	return Notice{}, false, nil
}
