package repository

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/store"
)

// Scope is where a search looks and how it takes what it does not know.
type Scope struct {
	// Type is the type searched for; "" for those that _type names, or all.
	Type string
	// Compartment, unless nil, is what the resources found belong to.
	Compartment *search.Compartment
	// Lenient leaves out what is not known, with a warning.
	Lenient bool
	// Everything adds what the resources found refer to, of these types; of
	// any when it is empty and not nil.
	Everything []string
}

// Search runs a search for one type.
func (r *Repository) Search(ctx context.Context, t store.Tenant, typ string, params []search.Parameter, lenient bool) (*Result, error) {
	return r.SearchIn(ctx, t, Scope{Type: typ, Lenient: lenient}, params)
}

// SearchIn runs a search and reads the beginning of its page.
func (r *Repository) SearchIn(ctx context.Context, t store.Tenant, in Scope, params []search.Parameter) (*Result, error) {
	req, err := r.Parse(ctx, t, in, params)
	if err != nil {
		return nil, err
	}
	return r.page(ctx, t, req)
}

// Parse understands a search without running it. Some values are looked up
// for that: positions at the edge of what near asks for, codes of value sets.
func (r *Repository) Parse(ctx context.Context, t store.Tenant, in Scope, params []search.Parameter) (*search.Request, error) {
	o, view, err := r.searchOptions(ctx, t)
	if err != nil {
		return nil, err
	}
	o.Lenient, o.Compartment = in.Lenient, in.Compartment
	req, err := search.Parse(in.Type, params, o)
	if err != nil {
		return nil, err
	}
	if issue, ok := view.Rebuilding(); ok {
		req.Warnings = append(req.Warnings, issue)
	}
	if in.Everything != nil {
		req.Include = append(req.Include, search.IncludeAll(in.Everything)...)
	}
	return req, nil
}

// roundBytes is about how much of a page is in memory at once: bodies are
// read in rounds of so many bytes, or of one body when that is larger.
const roundBytes = 4 << 20

func (r *Repository) page(ctx context.Context, t store.Tenant, req *search.Request) (*Result, error) {
	view, err := r.o.Parameters.View(ctx, t)
	if err != nil {
		return nil, err
	}
	result := &Result{Request: req, Total: -1, r: r, ctx: ctx, t: t, index: view.Searching}
	q := Query(req)
	if len(req.Branches) > 0 && !req.CountOnly {
		return result, r.merge(result, q)
	}
	if req.Contained != nil {
		return result, r.contained(result, q)
	}
	q.MaxBytes = roundBytes
	page, err := r.o.Store.Search(ctx, t, q)
	if err != nil {
		return nil, err
	}
	result.Total, result.Estimated = page.Total, page.Estimated
	result.read = page.Documents
	if page.Cut {
		// The links come before the entries, so where the page ends has to be
		// known before all of its bodies are read.
		q.Limit, q.After, q.Count, q.RefsOnly, q.MaxBytes = req.Count-len(page.Documents), page.Next, false, true, 0
		if page, err = r.o.Store.Search(ctx, t, q); err != nil {
			return nil, err
		}
		result.unread = page.Documents
	}
	if page.Next != nil && !req.CountOnly {
		result.next(*page.Next)
	}
	return result, nil
}

// Query is what a request asks of the store for its page.
func Query(req *search.Request) store.Query {
	q := store.Query{
		Where: req.Where, Sort: req.Sort, Along: req.Along, After: req.After, Limit: req.Count, Count: req.Total, Estimate: req.Estimate,
	}
	if req.CountOnly {
		q.Limit = 0
	}
	if req.Contained != nil {
		q.After, _ = req.Contained.Behind(req.After)
	}
	return q
}

// Explain runs the first page of a search for one type and says how.
func (r *Repository) Explain(ctx context.Context, t store.Tenant, req *search.Request) (store.Explanation, error) {
	return r.o.Store.Explain(ctx, t, Query(req))
}

// mergedAtOnce is how many types a merged search asks for at the same time.
const mergedAtOnce = 8

// merge finds a page of a search for several types that is sorted. Each type
// is asked for a page of its own, without bodies, from the place on where the
// page before ended; the least of all are the page. The place is one of the
// order that all types have in common (search.Branch), so pages neither repeat
// nor skip, whatever type their last document had.
func (r *Repository) merge(result *Result, q store.Query) error {
	req := result.Request
	if q.Count {
		count, err := r.o.Store.Search(result.ctx, result.t, store.Query{Where: q.Where, Count: true, Estimate: q.Estimate})
		if err != nil {
			return err
		}
		result.Total, result.Estimated = count.Total, count.Estimated
	}
	pages := make([]store.Page, len(req.Branches))
	group, ctx := errgroup.WithContext(result.ctx)
	group.SetLimit(mergedAtOnce)
	for i, b := range req.Branches {
		group.Go(func() (err error) {
			pages[i], err = r.o.Store.Search(ctx, result.t, store.Query{
				Where: b.Where, Sort: b.Sort, After: b.Behind(req.After), Limit: req.Count, RefsOnly: true,
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	type found struct {
		doc   store.Document
		place store.Cursor
	}
	var all []found
	more := false
	for i, p := range pages {
		more = more || p.Next != nil
		for j, d := range p.Documents {
			all = append(all, found{d, req.Branches[i].Place(p.Places[j])})
		}
	}
	slices.SortFunc(all, func(a, b found) int { return store.CompareCursors(req.Branches[0].Sort, a.place, b.place) })
	if len(all) > req.Count {
		all, more = all[:req.Count], true
	}
	for _, f := range all {
		result.unread = append(result.unread, f.doc)
	}
	if more && len(all) > 0 {
		result.next(all[len(all)-1].place)
	}
	return nil
}

func (r *Repository) searchOptions(ctx context.Context, t store.Tenant) (search.Options, *parameters.View, error) {
	view, err := r.o.Parameters.View(ctx, t)
	if err != nil {
		return search.Options{}, nil, err
	}
	base := r.base(t)
	base.Definitions = view.Definitions
	return search.Options{
		Base: base, Now: r.o.Now(), Pages: r.o.Pages, Scope: string(t),
		DefaultCount: r.o.DefaultCount, MaxCount: r.o.MaxCount,
		Terminology: vocabulary{ctx, r.Terminology(t)},
		Matching:    func(where store.Clause, limit int) ([]store.Document, error) { return r.Matching(ctx, t, where, limit) },
		Unready:     func(typ, code string) string { return r.o.Parameters.Unready(ctx, t, view, typ, code) },
	}, view, nil
}

// Matching returns at most limit resources that a clause selects.
func (r *Repository) Matching(ctx context.Context, t store.Tenant, where store.Clause, limit int) ([]store.Document, error) {
	page, err := r.o.Store.Search(ctx, t, store.Query{Where: where, Limit: limit})
	return page.Documents, err
}

// IdentifierClause selects the resources of a type that have any of these
// identifiers.
func (r *Repository) IdentifierClause(typ string, identifiers []search.Identifier) store.Clause {
	return r.o.Index.Identifiers(typ, identifiers)
}

// Referring selects the resources that refer to a resource.
func (r *Repository) Referring(ref store.Ref) store.Clause { return r.o.Index.Referring(ref) }

// Local is the resource of the tenant that a reference means; ok is false for
// one that leads elsewhere.
func (r *Repository) Local(t store.Tenant, reference string) (ref store.Ref, ok bool) {
	return r.base(t).Local(reference)
}

// Searchable reports whether a search parameter works here.
func (r *Repository) Searchable(sp *conformance.SearchParameter) bool { return search.Supported(sp) }
