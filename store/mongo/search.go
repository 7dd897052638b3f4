package mongo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"github.com/fhirfacade/fhirfacade/store"
)

// Search asks for a page and, at the same time, for the count.
func (e *engine) Search(ctx context.Context, t store.Tenant, q store.Query) (store.Page, error) {
	s, err := e.enter(ctx, t)
	if err == nil {
		err = store.CheckQuery(q)
	}
	if err != nil {
		return store.Page{}, err
	}
	return e.search(ctx, s, q)
}

func (e *engine) search(ctx context.Context, s scope, q store.Query) (store.Page, error) {
	page := store.Page{Total: -1}
	if q.Count {
		page.Total = 0
	}
	filters, err := (&filterBuilder{e: e, scope: s}).branches(ctx, q.Where)
	if err != nil || len(filters) == 0 {
		return page, err
	}
	group, gctx := errgroup.WithContext(ctx)
	if q.Count {
		group.Go(func() (err error) {
			page.Total, err = e.countAll(gctx, filters)
			return err
		})
	}
	if q.Limit > 0 {
		group.Go(func() (err error) {
			page.Documents, page.Next, err = e.page(gctx, s, filters, q)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return store.Page{}, wrapQuery(ctx, err)
	}
	return page, nil
}

func (e *engine) page(ctx context.Context, s scope, filters []bson.D, q store.Query) ([]store.Document, *store.Cursor, error) {
	rows, err := e.pageRows(ctx, s, filters, q)
	if err != nil {
		return nil, nil, err
	}
	var docs []store.Document
	for i := range rows {
		if i == q.Limit {
			last := &rows[i-1]
			return docs, &store.Cursor{Number: last.Doc.Number, Keys: last.sortKeys(s)}, nil
		}
		d, err := e.document(ctx, s, &rows[i].Doc)
		if err != nil {
			return nil, nil, err
		}
		docs = append(docs, d)
	}
	return docs, nil, nil
}

// pageRows asks for each branch of the query and merges the answers: the
// first of all are among the first of each.
func (e *engine) pageRows(ctx context.Context, s scope, filters []bson.D, q store.Query) ([]foundRow, error) {
	command := e.ordered
	if len(q.Sort) > 0 {
		command = e.sorted
	}
	if len(filters) == 1 {
		return e.query(ctx, command(s, filters[0], q))
	}
	parts, err := e.queryEach(ctx, filters, func(f bson.D) bson.D { return command(s, f, q) })
	if err != nil {
		return nil, err
	}
	rows := slices.Concat(parts...)
	place := func(r *foundRow) store.Cursor {
		return store.Cursor{Number: r.Doc.Number, Keys: r.sortKeys(s)}
	}
	slices.SortStableFunc(rows, func(a, b foundRow) int { return store.CompareCursors(q.Sort, place(&a), place(&b)) })
	return slices.CompactFunc(rows, func(a, b foundRow) bool { return a.Doc.ID == b.Doc.ID }), nil
}

// queryEach runs a query for each branch, all at the same time.
func (e *engine) queryEach(ctx context.Context, filters []bson.D, command func(bson.D) bson.D) ([][]foundRow, error) {
	parts := make([][]foundRow, len(filters))
	group, gctx := errgroup.WithContext(ctx)
	for i, f := range filters {
		group.Go(func() (err error) {
			parts[i], err = e.query(gctx, command(f))
			return err
		})
	}
	err := group.Wait()
	return parts, err
}

// ordered is a page in the order of the number. One document more than
// wanted tells whether any follow.
func (e *engine) ordered(s scope, filter bson.D, q store.Query) bson.D {
	if number := (bson.D{{Key: "$gt", Value: after(q)}}); e.walks {
		// With these bounds the server can also walk in order and filter,
		// which is what a search that selects much wants. It tries both.
		filter = bson.D{{Key: "$and", Value: bson.A{filter, bson.D{{Key: "t", Value: s.prefix}, {Key: "n", Value: number}}}}}
	} else if q.After != nil {
		filter = bson.D{{Key: "$and", Value: bson.A{filter, bson.D{{Key: "n", Value: number}}}}}
	}
	projection := noKeys
	if q.RefsOnly {
		projection = noBody
	}
	return bson.D{
		{Key: "find", Value: colDocs}, {Key: "filter", Value: filter},
		{Key: "sort", Value: bson.D{{Key: "n", Value: 1}}},
		{Key: "projection", Value: projection},
		{Key: "limit", Value: int64(q.Limit) + 1}, {Key: "batchSize", Value: batchSize(q.Limit + 1)},
	}
}

func after(q store.Query) int64 {
	if q.After == nil {
		return 0
	}
	return q.After.Number
}

func batchSize(n int) int32 { return int32(min(n, 100_000)) }

// countAll counts in each branch what no branch before it has.
func (e *engine) countAll(ctx context.Context, filters []bson.D) (int64, error) {
	counts := make([]int64, len(filters))
	group, gctx := errgroup.WithContext(ctx)
	var before bson.A
	for i, f := range filters {
		if i > 0 {
			f = bson.D{{Key: "$and", Value: bson.A{f, bson.D{{Key: "$nor", Value: before}}}}}
		}
		before = append(before[:i:i], filters[i])
		group.Go(func() (err error) {
			counts[i], err = e.count(gctx, f)
			return err
		})
	}
	err := group.Wait()
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	return total, err
}

func (e *engine) count(ctx context.Context, filter bson.D) (int64, error) {
	rows, err := e.query(ctx, bson.D{
		{Key: "aggregate", Value: colDocs},
		{Key: "pipeline", Value: bson.A{
			bson.D{{Key: "$match", Value: filter}},
			bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: ""}, {Key: "n", Value: bson.D{{Key: "$sum", Value: int64(1)}}}}}},
		}},
		{Key: "cursor", Value: bson.D{}},
	})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return rows[0].Doc.Number, nil
}

// foundRow is a row with the keys that it was sorted by.
type foundRow struct {
	Doc   docRow    `bson:",inline"`
	Sorts []*string `bson:"sk,omitempty"`
}

// query runs a find or aggregate with the time that the context leaves. The
// driver's own calls do not tell the server of it, which would then go on
// after the caller has left.
func (e *engine) query(ctx context.Context, command bson.D) ([]foundRow, error) {
	command = append(command, bson.E{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}})
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		left -= min(left/20, 50*time.Millisecond) // so that the server's answer arrives
		if left <= 0 {
			return nil, fmt.Errorf("store/mongo: %w: %w", store.ErrTimeout, context.DeadlineExceeded)
		}
		if ms := (left + time.Millisecond - 1).Milliseconds(); ms < 1<<31 {
			command = append(command, bson.E{Key: "maxTimeMS", Value: ms})
		}
	}
	var rows []foundRow
	var err error
	for range 2 { // a read may be repeated: a primary may have stepped down
		rows = nil
		cursor, e := e.db.RunCommandCursor(ctx, command)
		if err = e; err == nil {
			err = cursor.All(ctx, &rows)
		}
		if err == nil || ctx.Err() != nil || !transient(err) {
			break
		}
	}
	return rows, wrapQuery(ctx, err)
}
