package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/fhirfacade/fhirfacade/store"
)

// maxInner is the most documents that the inner query of a chain may select:
// their keys are sent back to the server within one message.
const maxInner = 100_000

var errInner = fmt.Errorf("store/mongo: %w: a chained query selects more than %d documents", store.ErrTimeout, maxInner)

// searcher answers queries of one tenant, each with the same read preference.
// It makes a server's filter of a clause; chains are asked on the way and
// become lists of keys or ids.
type searcher struct {
	e     *engine
	scope scope
	reads *readpref.ReadPref
}

// nothing is a filter that selects no document.
func nothing() bson.D {
	return bson.D{{Key: "k", Value: bson.D{{Key: "$in", Value: bson.A{}}}}}
}

// isNothing knows it again, so that a part that selects nothing ends an And.
func isNothing(f bson.D) bool {
	in, ok := f[0].Value.(bson.D)
	if !ok || f[0].Key != "k" || in[0].Key != "$in" {
		return false
	}
	list, ok := in[0].Value.(bson.A)
	return ok && len(list) == 0
}

func (b *searcher) build(ctx context.Context, c store.Clause) (bson.D, error) {
	switch c := c.(type) {
	case store.Range:
		return b.inRange(c), nil
	case store.And:
		return b.and(ctx, c)
	case store.Or:
		return b.or(ctx, c)
	case store.Refers:
		ids, err := b.innerRefs(ctx, c.Query)
		if err != nil {
			return nil, err
		}
		keys := make(bson.A, 0, len(ids))
		for _, ref := range ids {
			if k := c.Prefix + ref.String(); len(k) <= store.MaxKey {
				keys = append(keys, b.scope.key(k))
			}
		}
		return anyOf("k", keys), nil
	case store.ReferredBy:
		refs, err := b.innerKeys(ctx, c)
		if err != nil {
			return nil, err
		}
		ids := make(bson.A, len(refs))
		for i, ref := range refs {
			ids[i] = b.scope.docID(ref)
		}
		// Of those ids some may be deleted: these have no number.
		return append(anyOf("_id", ids), bson.E{Key: "n", Value: bson.D{{Key: "$gt", Value: 0}}}), nil
	}
	return nil, fmt.Errorf("store/mongo: %w: a clause is missing", store.ErrInvalid)
}

func anyOf(field string, values bson.A) bson.D {
	if len(values) == 0 {
		return nothing()
	}
	if len(values) == 1 {
		return bson.D{{Key: field, Value: values[0]}}
	}
	return bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: values}}}}
}

// inRange needs $elemMatch: without it, one key could satisfy the lower and
// another the upper bound.
func (b *searcher) inRange(r store.Range) bson.D {
	if r.From >= r.To {
		return nothing()
	}
	if k, single := r.Single(); single {
		return bson.D{{Key: "k", Value: b.scope.key(k)}}
	}
	return b.elemMatch(r)
}

func (b *searcher) elemMatch(r store.Range) bson.D {
	return bson.D{{Key: "k", Value: bson.D{{Key: "$elemMatch", Value: bson.D{
		{Key: "$gte", Value: b.scope.key(r.From)}, {Key: "$lt", Value: b.scope.key(r.To)},
	}}}}}
}

func (b *searcher) and(ctx context.Context, c store.And) (bson.D, error) {
	var parts, nots bson.A
	for _, part := range c {
		if not, negative := part.(store.Not); negative {
			f, err := b.refusal(ctx, not.Clause)
			if err != nil {
				return nil, err
			}
			if !isNothing(f) {
				nots = append(nots, f)
			}
			continue
		}
		f, err := b.build(ctx, part)
		if err != nil {
			return nil, err
		}
		if isNothing(f) {
			return f, nil
		}
		parts = append(parts, f)
	}
	return conjunction(parts, nots), nil
}

// refusal is what a Not refuses.
func (b *searcher) refusal(ctx context.Context, c store.Clause) (bson.D, error) {
	// DocumentDB refuses one key by its index only in this form.
	if r, ok := c.(store.Range); ok && r.From < r.To {
		return b.elemMatch(r), nil
	}
	return b.build(ctx, c)
}

func conjunction(parts, nots bson.A) bson.D {
	if len(parts) == 1 && len(nots) == 0 {
		return parts[0].(bson.D)
	}
	if len(nots) > 0 {
		parts = append(parts[:len(parts):len(parts)], bson.D{{Key: "$nor", Value: nots}})
	}
	return bson.D{{Key: "$and", Value: parts}}
}

func (b *searcher) or(ctx context.Context, c store.Or) (bson.D, error) {
	var keys, parts bson.A
	for _, part := range c {
		if r, ok := part.(store.Range); ok {
			if k, single := r.Single(); single {
				keys = append(keys, b.scope.key(k))
				continue
			}
		}
		f, err := b.build(ctx, part)
		if err != nil {
			return nil, err
		}
		if !isNothing(f) {
			parts = append(parts, f)
		}
	}
	if len(keys) > 0 {
		parts = append(bson.A{anyOf("k", keys)}, parts...)
	}
	if len(parts) == 0 {
		return nothing(), nil
	}
	if len(parts) == 1 {
		return parts[0].(bson.D), nil
	}
	return bson.D{{Key: "$or", Value: parts}}, nil
}

// innerRefs are the documents that the query of a chain selects.
func (b *searcher) innerRefs(ctx context.Context, c store.Clause) ([]store.Ref, error) {
	rows, err := b.inner(ctx, c, func(filter bson.D) bson.D {
		return bson.D{
			{Key: "find", Value: colDocs}, {Key: "filter", Value: filter},
			{Key: "projection", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "limit", Value: int64(maxInner + 1)},
			{Key: "batchSize", Value: int32(maxInner + 1)},
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]store.Ref, len(rows))
	for i, r := range rows {
		out[i] = b.scope.ref(r.Doc.ID)
	}
	return out, nil
}

// inner runs the query of a chain, branch by branch.
func (b *searcher) inner(ctx context.Context, c store.Clause, command func(bson.D) bson.D) ([]foundRow, error) {
	filters, err := b.branches(ctx, c)
	if err != nil || len(filters) == 0 {
		return nil, err
	}
	parts, err := b.queryEach(ctx, filters, command)
	if err != nil {
		return nil, err
	}
	rows := parts[0]
	if len(parts) > 1 {
		rows = slices.Concat(parts...)
		slices.SortFunc(rows, func(a, b foundRow) int { return strings.Compare(a.Doc.ID, b.Doc.ID) })
		rows = slices.CompactFunc(rows, func(a, b foundRow) bool { return a.Doc.ID == b.Doc.ID })
	}
	if len(rows) > maxInner {
		return nil, errInner
	}
	return rows, nil
}

// innerKeys are the refs that documents name in keys that begin with the
// prefix of a reverse chain.
func (b *searcher) innerKeys(ctx context.Context, c store.ReferredBy) ([]store.Ref, error) {
	prefix := store.Prefix(c.Prefix)
	rows, err := b.inner(ctx, store.And{c.Query, prefix}, func(filter bson.D) bson.D {
		return bson.D{
			{Key: "aggregate", Value: colDocs},
			{Key: "pipeline", Value: bson.A{
				bson.D{{Key: "$match", Value: filter}},
				bson.D{{Key: "$limit", Value: int64(maxInner + 1)}},
				bson.D{{Key: "$project", Value: bson.D{{Key: "k", Value: b.scope.keysIn(prefix)}}}},
			}},
			{Key: "cursor", Value: bson.D{{Key: "batchSize", Value: int32(maxInner + 1)}}},
		}
	})
	if err != nil {
		return nil, err
	}
	seen := map[store.Ref]bool{}
	var out []store.Ref
	for _, r := range rows {
		for _, k := range r.Doc.Keys {
			name := strings.TrimPrefix(b.scope.rawKey(k), c.Prefix)
			typ, id, _ := strings.Cut(name, "/")
			ref := store.Ref{Type: typ, ID: id}
			if store.CheckRef(ref) == nil && !seen[ref] {
				seen[ref] = true
				out = append(out, ref)
			}
		}
	}
	if len(out) > maxInner {
		return nil, errInner
	}
	return out, nil
}

// keysIn is an expression for those of a document's keys that lie in a range.
func (s scope) keysIn(r store.Range) bson.D {
	return bson.D{{Key: "$filter", Value: bson.D{
		{Key: "input", Value: "$k"}, {Key: "as", Value: "key"},
		{Key: "cond", Value: bson.D{{Key: "$and", Value: bson.A{
			bson.D{{Key: "$gte", Value: bson.A{"$$key", bson.D{{Key: "$literal", Value: s.key(r.From)}}}}},
			bson.D{{Key: "$lt", Value: bson.A{"$$key", bson.D{{Key: "$literal", Value: s.key(r.To)}}}}},
		}}}},
	}}}
}
