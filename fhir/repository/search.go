package repository

import (
	"context"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// Result is a page of a search.
type Result struct {
	Request  *search.Request
	Matches  []store.Document
	Included []store.Document
	// Total is -1 when it was not asked for.
	Total int64
	// Next continues the search; nil at its end.
	Next *search.Parameter
	// Truncated says that more would have been included.
	Truncated bool
}

// Search runs a search for one type.
func (r *Repository) Search(ctx context.Context, t store.Tenant, typ string, params []search.Parameter, lenient bool) (*Result, error) {
	return r.SearchIn(ctx, t, nil, typ, params, lenient)
}

// SearchIn runs a search for one type, or for several with typ "", within a
// compartment unless that is nil.
func (r *Repository) SearchIn(ctx context.Context, t store.Tenant, in *search.Compartment, typ string, params []search.Parameter, lenient bool) (*Result, error) {
	o := r.searchOptions(t)
	o.Lenient, o.Compartment = lenient, in
	req, err := search.Parse(typ, params, o)
	if err != nil {
		return nil, err
	}
	q := store.Query{Where: req.Where, Sort: req.Sort, After: req.After, Limit: req.Count, Count: req.Total}
	if req.CountOnly {
		q.Limit = 0
	}
	page, err := r.o.Store.Search(ctx, t, q)
	if err != nil {
		return nil, err
	}
	result := &Result{Request: req, Matches: page.Documents, Total: page.Total}
	if page.Next != nil && !req.CountOnly {
		next := r.o.Pages.Next(req, *page.Next)
		result.Next = &next
	}
	return result, r.include(ctx, t, result)
}

func (r *Repository) searchOptions(t store.Tenant) search.Options {
	return search.Options{
		Base: r.base(t), Now: r.o.Now(), Pages: r.o.Pages, Scope: string(t),
		DefaultCount: r.o.DefaultCount, MaxCount: r.o.MaxCount,
	}
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

// Searchable reports whether a search parameter works here.
func (r *Repository) Searchable(sp *conformance.SearchParameter) bool { return search.Supported(sp) }
