package mongo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
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
	return (&searcher{e, s, e.bounds.reads}).search(ctx, q)
}

func (b *searcher) search(ctx context.Context, q store.Query) (store.Page, error) {
	page := store.Page{Total: -1}
	if q.Count {
		page.Total = 0
	}
	filters, err := b.branches(ctx, q.Where)
	if err != nil || len(filters) == 0 {
		return page, err
	}
	group, gctx := errgroup.WithContext(ctx)
	if q.Count {
		group.Go(func() (err error) {
			page.Total, err = b.countAll(gctx, filters)
			return err
		})
	}
	if q.Limit > 0 {
		group.Go(func() (err error) {
			return b.page(gctx, filters, q, &page)
		})
	}
	if err := group.Wait(); err != nil {
		return store.Page{}, wrapQuery(ctx, err)
	}
	return page, nil
}

func (b *searcher) page(ctx context.Context, filters []bson.D, q store.Query, page *store.Page) error {
	rows, err := b.pageRows(ctx, filters, q)
	if err != nil {
		return err
	}
	size := 0
	for i := range rows {
		if i == q.Limit {
			page.Next = &page.Places[i-1]
			return nil
		}
		d, err := b.e.document(ctx, b.scope, &rows[i].Doc)
		if err != nil {
			return err
		}
		if size += len(d.Body); q.MaxBytes > 0 && i > 0 && size > q.MaxBytes {
			page.Next, page.Cut = &page.Places[i-1], true
			return nil
		}
		page.Documents = append(page.Documents, d)
		page.Places = append(page.Places, store.Cursor{Number: d.Number, Keys: rows[i].sortKeys(b.scope)})
		rows[i] = foundRow{} // its packed body is not needed any more
	}
	return nil
}

// pageRows asks for each branch of the query and merges the answers: the
// first of all are among the first of each.
func (b *searcher) pageRows(ctx context.Context, filters []bson.D, q store.Query) ([]foundRow, error) {
	command := b.ordered
	if len(q.Sort) > 0 {
		command = b.sorted
	}
	if len(filters) == 1 {
		return b.query(ctx, command(b.targeted(filters[0]), q), q.MaxBytes)
	}
	parts, err := b.queryEach(ctx, filters, func(f bson.D) bson.D { return command(f, q) })
	if err != nil {
		return nil, err
	}
	rows := slices.Concat(parts...)
	place := func(r *foundRow) store.Cursor {
		return store.Cursor{Number: r.Doc.Number, Keys: r.sortKeys(b.scope)}
	}
	slices.SortStableFunc(rows, func(a, b foundRow) int { return store.CompareCursors(q.Sort, place(&a), place(&b)) })
	return slices.CompactFunc(rows, func(a, b foundRow) bool { return a.Doc.ID == b.Doc.ID }), nil
}

// queryEach runs a query for each branch, all at the same time.
func (b *searcher) queryEach(ctx context.Context, filters []bson.D, command func(bson.D) bson.D) ([][]foundRow, error) {
	parts := make([][]foundRow, len(filters))
	group, gctx := errgroup.WithContext(ctx)
	for i, f := range filters {
		group.Go(func() (err error) {
			parts[i], err = b.query(gctx, command(b.targeted(f)), 0)
			return err
		})
	}
	err := group.Wait()
	return parts, err
}

// ordered is a page in the order of the number. One document more than
// wanted tells whether any follow.
func (b *searcher) ordered(filter bson.D, q store.Query) bson.D {
	if number := (bson.D{{Key: "$gt", Value: after(q)}}); b.e.walks {
		// With these bounds the server can also walk in order and filter,
		// which is what a search that selects much wants. It tries both.
		filter = bson.D{{Key: "$and", Value: bson.A{filter, bson.D{{Key: "t", Value: b.scope.prefix}, {Key: "n", Value: number}}}}}
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
func (b *searcher) countAll(ctx context.Context, filters []bson.D) (int64, error) {
	counts := make([]int64, len(filters))
	group, gctx := errgroup.WithContext(ctx)
	var before bson.A
	for i, f := range filters {
		if i > 0 {
			f = bson.D{{Key: "$and", Value: bson.A{f, bson.D{{Key: "$nor", Value: before}}}}}
		}
		before = append(before[:i:i], filters[i])
		group.Go(func() (err error) {
			counts[i], err = b.count(gctx, b.targeted(f))
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

func (b *searcher) count(ctx context.Context, filter bson.D) (int64, error) {
	rows, err := b.query(ctx, bson.D{
		{Key: "aggregate", Value: colDocs},
		{Key: "pipeline", Value: bson.A{
			bson.D{{Key: "$match", Value: filter}},
			bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: ""}, {Key: "n", Value: bson.D{{Key: "$sum", Value: int64(1)}}}}}},
		}},
		{Key: "cursor", Value: bson.D{}},
	}, 0)
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
//
// With maxBytes, it stops where the packed bodies are surely too much for the
// page that the rows are read for, which then ends before the last of them.
func (b *searcher) query(ctx context.Context, command bson.D, maxBytes int) ([]foundRow, error) {
	command = append(command, bson.E{Key: "readConcern", Value: bson.D{{Key: "level", Value: b.e.bounds.concern}}})
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
		cursor, failed := b.e.db.RunCommandCursor(ctx, command, options.RunCmd().SetReadPreference(b.reads))
		if err = failed; err == nil {
			rows, err = readRows(ctx, cursor, maxBytes)
		}
		if err == nil || ctx.Err() != nil || !transient(err) {
			break
		}
	}
	return rows, wrapQuery(ctx, err)
}

func readRows(ctx context.Context, cursor *mongo.Cursor, maxBytes int) (rows []foundRow, err error) {
	if maxBytes == 0 {
		err = cursor.All(ctx, &rows)
		return rows, err
	}
	defer func() { _ = cursor.Close(ctx) }()
	// A body takes one byte more at the most when it is packed.
	for size := 0; (len(rows) < 2 || size <= 2*maxBytes) && cursor.Next(ctx); {
		var row foundRow
		if err := cursor.Decode(&row); err != nil {
			return nil, err
		}
		// A large body is read later, when the row's turn comes.
		size += len(row.Doc.Body) + int(row.Doc.Chunks)*bodyChunk
		rows = append(rows, row)
	}
	return rows, cursor.Err()
}
