package parameters

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// CheckResource refuses a SearchParameter that is active and cannot be used,
// before it is stored. Its error is an outcome.Error.
func (r *Registry) CheckResource(ctx context.Context, t store.Tenant, id string, body []byte) error {
	rec, err := r.Record(ctx, t)
	if err != nil {
		return err
	}
	def, err := r.checker(rec.Parameters).read(id, body)
	if err != nil || def == nil {
		return err
	}
	if len(rec.Parameters) >= maxParameters && !slices.ContainsFunc(rec.Parameters, func(p Parameter) bool { return p.ID == id }) {
		return outcome.New(422, outcome.CodeTooCostly, "This environment has %d active SearchParameters, the most that it may have.", maxParameters)
	}
	return nil
}

// Written is called when SearchParameters were written. What cannot be done now
// is said in the log and done when the server looks again.
func (r *Registry) Written(ctx context.Context, t store.Tenant) {
	if _, err := r.Reconcile(ctx, t); err != nil {
		r.o.Logger.ErrorContext(ctx, "a SearchParameter is stored and not in use yet; it is tried again", "tenant", t, "error", err)
	}
}

func (r *Registry) checker(others []Parameter) checker {
	return checker{definitions: r.o.Definitions, model: r.o.Index.Model(), others: others}
}

// pageSize is how many SearchParameters are read at once.
const pageSize = 100

// Reconcile makes the record that of the SearchParameters as they are stored
// now. It is called when one was written, and again wherever that may have
// been cut short; it changes nothing when nothing is to be changed.
func (r *Registry) Reconcile(ctx context.Context, t store.Tenant) (Record, error) {
	// Read within the change: between reading and writing the record, another
	// instance may have seen a later state of the resources.
	return r.change(ctx, t, func(rec *Record) (bool, error) {
		stored, err := r.stored(ctx, t)
		if err != nil {
			return false, err
		}
		// What a tenant has stored comes first: a parameter of a guide that has
		// the same code is not used then.
		stored = append(stored, r.o.Guides...)
		if len(stored) == 0 && len(rec.Parameters) == 0 {
			return false, nil
		}
		next, err := r.next(*rec, stored)
		if err != nil || same(next, rec.Parameters) {
			return false, err
		}
		for _, p := range next {
			rec.Next = max(rec.Next, p.Number+1)
		}
		rec.Parameters = next
		return true, nil
	})
}

// CheckGuides tells the first of the guides' SearchParameters that cannot be
// used, by its ID in Options.Guides, and why.
func (r *Registry) CheckGuides() (id, problem string, err error) {
	all, err := r.next(Record{}, r.o.Guides)
	if err != nil {
		return "", "", err
	}
	for _, p := range all {
		if p.State == Unusable {
			return p.ID, p.Problem, nil
		}
	}
	return "", "", nil
}

func (r *Registry) stored(ctx context.Context, t store.Tenant) ([]store.Document, error) {
	var all []store.Document
	q := store.Query{Where: search.Everything(r.o.Definitions, Type), Limit: pageSize}
	for {
		page, err := r.o.Store.Search(ctx, t, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Documents...)
		if page.Next == nil {
			return all, nil
		}
		q.After = page.Next
	}
}

// next are the parameters that stored resources define. One that makes the
// same keys as before keeps its number and state; all others are new.
func (r *Registry) next(rec Record, stored []store.Document) ([]Parameter, error) {
	var next []Parameter
	number := max(rec.Next, conformance.FirstCustomParameterNumber)
	// Composites are read last: they are made of others.
	for _, composites := range []bool{false, true} {
		for _, d := range stored {
			def, err := r.checker(next).read(d.Ref.ID, d.Body)
			var refused *outcome.Error
			if err != nil && (def == nil || !errors.As(err, &refused)) {
				return nil, err
			}
			if def == nil || (def.Type == conformance.SearchComposite) != composites {
				continue
			}
			i := slices.IndexFunc(rec.Parameters, func(p Parameter) bool { return p.ID == d.Ref.ID })
			p := Parameter{ID: d.Ref.ID, Definition: *def}
			switch {
			case refused != nil:
				p.State, p.Problem = Unusable, refused.Error()
			case i >= 0 && rec.Parameters[i].State != Unusable && rec.Parameters[i].sameKeys(def):
				was := rec.Parameters[i]
				p.Number, p.State, p.Generation, p.Problem = was.Number, was.State, was.Generation, was.Problem
			case number == 0xFFFF:
				p.State, p.Problem = Unusable, "the numbers for search parameters of this environment are used up"
			default:
				p.Number, p.State, p.Generation = number, Building, rec.Generation+1
				number++
			}
			next = append(next, p)
		}
	}
	slices.SortFunc(next, func(a, b Parameter) int { return strings.Compare(a.ID, b.ID) })
	return next, nil
}

func same(a, b []Parameter) bool {
	return slices.EqualFunc(a, b, func(x, y Parameter) bool {
		return x.ID == y.ID && x.Number == y.Number && x.State == y.State && x.Generation == y.Generation &&
			x.Problem == y.Problem && x.URL == y.URL && x.Code == y.Code && x.sameKeys(&y.Definition) && slices.Equal(x.Targets, y.Targets)
	})
}
