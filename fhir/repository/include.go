package repository

import (
	"context"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// maxIncluded is the most resources that one page brings along by _include
// and _revinclude, and maxRounds how often :iterate is repeated; what is more
// is left out, and Truncated says so.
const (
	maxIncluded = 1000
	maxRounds   = 16
)

// inclusion gathers what a page brings along (R4 search, including other
// resources). A resource that is a match is not included a second time.
type inclusion struct {
	r      *Repository
	ctx    context.Context
	t      store.Tenant
	base   search.Base
	seen   map[store.Ref]bool
	result *Result
}

func (r *Repository) include(ctx context.Context, t store.Tenant, result *Result) error {
	req := result.Request
	if len(req.Include)+len(req.Revinclude) == 0 || len(result.Matches) == 0 {
		return nil
	}
	in := inclusion{r: r, ctx: ctx, t: t, base: r.base(t), seen: map[store.Ref]bool{}, result: result}
	for _, m := range result.Matches {
		in.seen[m.Ref] = true
	}
	// Each round looks at what the one before it brought.
	from, includes, revincludes := result.Matches, req.Include, req.Revinclude
	for round := 0; len(from) > 0 && len(includes)+len(revincludes) > 0 && !result.Truncated; round++ {
		if round == maxRounds {
			result.Truncated = true
			return nil
		}
		known := len(result.Included)
		if err := in.forward(includes, from); err != nil {
			return err
		}
		if err := in.reverse(revincludes, from); err != nil {
			return err
		}
		from = result.Included[known:]
		includes, revincludes = iterating(includes), iterating(revincludes)
	}
	return nil
}

func iterating(all []search.Include) []search.Include {
	var some []search.Include
	for _, inc := range all {
		if inc.Iterate {
			some = append(some, inc)
		}
	}
	return some
}

// forward follows references of documents.
func (in *inclusion) forward(includes []search.Include, from []store.Document) error {
	if len(includes) == 0 {
		return nil
	}
	var refs []store.Ref
	doc := &rawjson.Document{}
	for _, d := range from {
		if err := doc.Parse(d.Body, nil); err != nil {
			return err
		}
		for _, inc := range includes {
			found, err := in.r.o.Index.References(inc, d.Ref.Type, doc.Root(), in.base)
			if err != nil {
				return err
			}
			for _, ref := range found {
				if !in.seen[ref] {
					in.seen[ref] = true
					refs = append(refs, ref)
				}
			}
		}
	}
	if len(refs) == 0 {
		return nil
	}
	if room := maxIncluded - len(in.result.Included); len(refs) > room {
		refs, in.result.Truncated = refs[:room], true
	}
	docs, err := in.r.o.Store.GetMany(in.ctx, in.t, refs)
	for _, d := range docs {
		if !d.Deleted {
			in.result.Included = append(in.result.Included, d)
		}
	}
	return err
}

// reverse finds what refers to documents.
func (in *inclusion) reverse(revincludes []search.Include, from []store.Document) error {
	refs := make([]store.Ref, len(from))
	for i, d := range from {
		refs[i] = d.Ref
	}
	for _, inc := range revincludes {
		page, err := in.r.o.Store.Search(in.ctx, in.t, store.Query{
			// Of those found, as many may have been seen as there are.
			Where: in.r.o.Index.ReferringTo(inc, refs), Limit: maxIncluded + 1 + len(in.seen),
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
