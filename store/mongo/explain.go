package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirfacade/fhirfacade/store"
)

// maxExplained is how many documents of a clause are counted.
const maxExplained = 1000

// Explain runs the first page and says how many documents each part of the
// query selects by itself. Which of them drives the search is the database's
// own choice, which it makes by trying.
func (e *engine) Explain(ctx context.Context, t store.Tenant, q store.Query) (store.Explanation, error) {
	s, err := e.enter(ctx, t)
	if err == nil {
		err = store.CheckQuery(q)
	}
	if err != nil {
		return store.Explanation{}, err
	}
	b := &searcher{e, s, e.bounds.reads}
	x := store.Explanation{Order: "number"}
	if len(q.Sort) > 0 {
		x.Order = "sort"
	}
	parts, places := store.And{q.Where}, []string{"where"}
	if and, ok := q.Where.(store.And); ok {
		parts, places = and, nil
		for i := range and {
			places = append(places, fmt.Sprintf("where/and[%d]", i))
		}
	}
	for i, part := range parts {
		c, err := b.explain(ctx, part)
		if err != nil {
			return store.Explanation{}, err
		}
		c.Where = places[i]
		x.Clauses = append(x.Clauses, c)
		x.Steps += c.Postings
	}
	page, err := b.search(ctx, q)
	x.Documents = len(page.Documents)
	x.Steps += x.Documents
	return x, err
}

// explain counts what a part of a query selects.
func (b *searcher) explain(ctx context.Context, c store.Clause) (store.ExplainedClause, error) {
	x := store.ExplainedClause{Kind: "clause", Use: "server"}
	switch c := c.(type) {
	case store.Not:
		x.Use = "check"
		return x, nil
	case store.Range:
		x.Kind = "range"
		if _, single := c.Single(); single {
			x.Kind = "key"
		}
	case store.Or:
		x.Kind = "or"
	case store.Refers, store.ReferredBy:
		x.Kind = "set"
	}
	filters, err := b.branches(ctx, c)
	if err != nil {
		return x, err
	}
	x.Exact = true
	for _, f := range filters {
		n, err := b.atMost(ctx, f, maxExplained)
		if err != nil {
			return x, err
		}
		x.Postings += n
		x.Exact = x.Exact && n < maxExplained
	}
	return x, nil
}

// atMost counts what a filter selects, up to a limit.
func (b *searcher) atMost(ctx context.Context, filter bson.D, limit int) (int, error) {
	rows, err := b.query(ctx, bson.D{
		{Key: "aggregate", Value: colDocs},
		{Key: "pipeline", Value: bson.A{
			bson.D{{Key: "$match", Value: b.targeted(filter)}},
			bson.D{{Key: "$limit", Value: int64(limit)}},
			bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: ""}, {Key: "n", Value: bson.D{{Key: "$sum", Value: int64(1)}}}}}},
		}},
		{Key: "cursor", Value: bson.D{}},
	}, 0)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return int(rows[0].Doc.Number), nil
}
