package repository

import (
	"context"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// Keys are the keys, sorted, that a version would have if it were written now.
func (r *Repository) Keys(t store.Tenant, d store.Document) ([]store.Key, error) {
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return nil, err
	}
	keys, err := r.contentKeys(r.index(t), t, d.Ref, doc.Root())
	if err != nil {
		return nil, err
	}
	return store.SortKeys(r.versionKeys(d.Ref.Type, d.Time, keys)), nil
}

// Selects reports whether a clause selects a document with these sorted keys,
// which need not be those of its current version. What a chain leads to is
// looked at as it is now.
func (r *Repository) Selects(ctx context.Context, t store.Tenant, where store.Clause, ref store.Ref, sorted []store.Key) (bool, error) {
	switch c := where.(type) {
	case store.And:
		for _, part := range c {
			if ok, err := r.Selects(ctx, t, part, ref, sorted); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case store.Or:
		for _, part := range c {
			if ok, err := r.Selects(ctx, t, part, ref, sorted); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case store.Not:
		ok, err := r.Selects(ctx, t, c.Clause, ref, sorted)
		return !ok && err == nil, err
	case store.Refers:
		for _, key := range sorted {
			name, ok := strings.CutPrefix(key, c.Prefix)
			if !ok {
				continue
			}
			typ, id, _ := strings.Cut(name, "/")
			is, ok := search.IDIs(r.o.Definitions, store.Ref{Type: typ, ID: id})
			if !ok {
				continue
			}
			if ok, err := r.any(ctx, t, store.And{is, c.Query}); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case store.ReferredBy:
		return r.any(ctx, t, store.And{store.Exactly(c.Prefix + ref.String()), c.Query})
	}
	return store.MatchKeys(where, sorted), nil
}

func (r *Repository) any(ctx context.Context, t store.Tenant, where store.Clause) (bool, error) {
	page, err := r.o.Store.Search(ctx, t, store.Query{Where: where, Limit: 1, RefsOnly: true})
	return len(page.Documents) > 0, err
}
