package repository

import (
	"context"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// maxIncluded is the most resources that one page brings along by _include
// and _revinclude; what is more is left out, and Truncated says so.
const maxIncluded = 1000

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
	req, err := search.Parse(typ, params, search.Options{
		Base: r.base(t), Now: r.o.Now(), Lenient: lenient, Pages: r.o.Pages, Scope: string(t),
		DefaultCount: r.o.DefaultCount, MaxCount: r.o.MaxCount,
	})
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
	if page.Next != nil {
		next := r.o.Pages.Next(req, *page.Next)
		result.Next = &next
	}
	in := inclusion{r: r, ctx: ctx, t: t, base: r.base(t), seen: map[store.Ref]bool{}, result: result}
	for _, m := range result.Matches {
		in.seen[m.Ref] = true
	}
	if err := in.include(); err != nil {
		return nil, err
	}
	return result, in.revinclude()
}

// inclusion gathers what a page brings along. A resource that is a match is
// not included a second time.
type inclusion struct {
	r      *Repository
	ctx    context.Context
	t      store.Tenant
	base   search.Base
	seen   map[store.Ref]bool
	result *Result
}

// include follows references of the matches (R4 search §3.1.1.5.4).
func (in *inclusion) include() error {
	var refs []store.Ref
	for _, inc := range in.result.Request.Include {
		for _, m := range in.result.Matches {
			doc, err := rawjson.Parse(m.Body, nil)
			if err != nil {
				return err
			}
			found, err := in.r.o.Index.References(inc.Param, m.Ref.Type, doc.Root(), in.base)
			if err != nil {
				return err
			}
			for _, ref := range found {
				if (inc.Target == "" || inc.Target == ref.Type) && !in.seen[ref] {
					in.seen[ref] = true
					refs = append(refs, ref)
				}
			}
		}
	}
	if len(refs) == 0 {
		return nil
	}
	if len(refs) > maxIncluded {
		refs, in.result.Truncated = refs[:maxIncluded], true
	}
	docs, err := in.r.o.Store.GetMany(in.ctx, in.t, refs)
	for _, d := range docs {
		if !d.Deleted {
			in.result.Included = append(in.result.Included, d)
		}
	}
	return err
}

// revinclude finds what refers to the matches.
func (in *inclusion) revinclude() error {
	if len(in.result.Matches) == 0 {
		return nil
	}
	for _, inc := range in.result.Request.Revinclude {
		page, err := in.r.o.Store.Search(in.ctx, in.t, store.Query{
			Where: in.r.o.Index.ReferringTo(inc.Source, inc.Param, in.result.Matches),
			Limit: maxIncluded + 1 - len(in.result.Included),
		})
		if err != nil {
			return err
		}
		for _, d := range page.Documents {
			if in.seen[d.Ref] {
				continue
			}
			if len(in.result.Included) == maxIncluded {
				in.result.Truncated = true
				return nil
			}
			in.seen[d.Ref] = true
			in.result.Included = append(in.result.Included, d)
		}
	}
	return nil
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

// Commit commits prepared changes as one event.
func (r *Repository) Commit(ctx context.Context, t store.Tenant, c store.Commit) (store.Entry, error) {
	return r.o.Store.Commit(ctx, t, c)
}

// GetMany reads current versions by name, deleted ones included.
func (r *Repository) GetMany(ctx context.Context, t store.Tenant, refs []store.Ref) ([]store.Document, error) {
	return r.o.Store.GetMany(ctx, t, refs)
}

// GetVersion reads one version of a resource as it is in the store.
func (r *Repository) GetVersion(ctx context.Context, t store.Tenant, ref store.Ref, version int64) (store.Document, error) {
	return r.o.Store.GetVersion(ctx, t, ref, version)
}

// Searchable reports whether a search parameter works here.
func (r *Repository) Searchable(sp *conformance.SearchParameter) bool { return search.Supported(sp) }
