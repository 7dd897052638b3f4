package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirfacade/fhirfacade/store"
)

// MongoDB answers an $or by its index, a range for each part. DocumentDB reads
// the whole collection when two parts are ranges (30,000 documents: 0.7 s
// instead of 5 ms), alone and within an $and. There, a query becomes several,
// one for each way to fulfil it, and their answers are joined.

// maxBranches bounds how many those are. More stay an $or.
const maxBranches = 16

// branches are filters that together select what the clause selects; none when
// that is nothing.
func (b *searcher) branches(ctx context.Context, c store.Clause) ([]bson.D, error) {
	ask := b.whole
	if !b.e.walks {
		switch c.(type) {
		case store.And:
			ask = b.andBranches
		case store.Or:
			ask = b.orBranches
		}
	}
	parts, err := ask(ctx, c)
	if err != nil {
		return nil, err
	}
	var out []bson.D
	for _, f := range parts {
		if !isNothing(f) {
			out = append(out, f)
		}
	}
	return out, nil
}

// targeted names the tenant's range of ids, by which a sharded cluster knows
// the shards to ask.
func (b *searcher) targeted(f bson.D) bson.D { return b.e.targeted(b.scope, f) }

func (e *engine) targeted(s scope, f bson.D) bson.D {
	if !e.sharded {
		return f
	}
	return bson.D{{Key: "$and", Value: bson.A{f, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.prefix}, {Key: "$lt", Value: s.end()}}}}}}}
}

func (b *searcher) whole(ctx context.Context, c store.Clause) ([]bson.D, error) {
	f, err := b.build(ctx, c)
	return []bson.D{f}, err
}

// orBranches keeps exact keys together, which one $in finds, and takes ranges
// apart.
func (b *searcher) orBranches(ctx context.Context, c store.Clause) ([]bson.D, error) {
	var keys bson.A
	var out []bson.D
	for _, part := range c.(store.Or) {
		if r, ok := part.(store.Range); ok {
			if k, single := r.Single(); single {
				keys = append(keys, b.scope.key(k))
				continue
			}
		}
		more, err := b.branches(ctx, part)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	if len(keys) > 0 {
		out = append(out, anyOf("k", keys))
	}
	return joined(out, maxBranches), nil
}

// andBranches combines each way to fulfil one part with each way to fulfil
// the others.
func (b *searcher) andBranches(ctx context.Context, c store.Clause) ([]bson.D, error) {
	var ways [][]bson.D
	var nots bson.A
	for _, part := range c.(store.And) {
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
		more, err := b.branches(ctx, part)
		if err != nil || len(more) == 0 {
			return nil, err
		}
		ways = append(ways, more)
	}
	left := maxBranches
	for i, w := range ways {
		ways[i] = joined(w, left)
		left /= len(ways[i])
	}
	combined := []bson.A{nil}
	for _, w := range ways {
		var next []bson.A
		for _, before := range combined {
			for _, f := range w {
				next = append(next, append(before[:len(before):len(before)], f))
			}
		}
		combined = next
	}
	out := make([]bson.D, len(combined))
	for i, parts := range combined {
		out[i] = conjunction(parts, nots)
	}
	return out, nil
}

// joined is no more than n filters that select the same: when there are more,
// one $or of them.
func joined(filters []bson.D, n int) []bson.D {
	if len(filters) <= max(n, 1) {
		return filters
	}
	or := make(bson.A, len(filters))
	for i, f := range filters {
		or[i] = f
	}
	return []bson.D{{{Key: "$or", Value: or}}}
}
