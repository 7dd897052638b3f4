package mongo

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/fhirfacade/fhirfacade/store"
)

// placedItem is an item at one place of a scan.
type placedItem struct {
	place string
	row   itemRow
}

// ScanItems asks every slot that a key can be in for its next items in order,
// all at the same time, and merges the answers. By id there is one slot: _id.
func (e *engine) ScanItems(ctx context.Context, t store.Tenant, scan store.ItemScan) (store.ItemPage, error) {
	s, err := e.enter(ctx, t)
	if err == nil {
		err = store.CheckScan(scan)
	}
	if err != nil {
		return store.ItemPage{}, err
	}
	prefix := s.typeID(scan.Kind)
	r := placeRange{from: prefix, to: prefix[:len(prefix)-len(separator)] + separatorEnd, direction: 1}
	if scan.Range != nil {
		r.from, r.to = prefix+escaped(scan.Range.From), prefix+escaped(scan.Range.To)
	}
	if scan.Reverse {
		r.direction = -1
	}
	if scan.After != "" {
		r.after(prefix + scan.After)
	}
	var page store.ItemPage
	for {
		if r.from >= r.to {
			return page, nil
		}
		want := scan.Limit + 1 - len(page.Items)
		found, err := e.nextItems(ctx, s, r, scan.Range != nil, want)
		if err != nil {
			return store.ItemPage{}, wrapQuery(ctx, err)
		}
		now := e.now()
		for _, it := range found {
			r.after(it.place)
			if it.row.Expires <= now {
				continue // the server removes it soon
			}
			if len(page.Items) == scan.Limit {
				return page, nil // Next is that of the item before
			}
			page.Items = append(page.Items, s.item(&it.row))
			page.Next = it.place[len(prefix):]
		}
		if len(found) < want {
			page.Next = ""
			return page, nil
		}
	}
}

// placeRange holds the places from <= p < to that are left to scan.
type placeRange struct {
	from, to  string
	direction int
}

// after leaves out what has been returned. No place begins with another one
// and U+0001 U+0001, so nothing lies between a place and that.
func (r *placeRange) after(place string) {
	if r.direction < 0 {
		r.to = min(r.to, place)
	} else {
		r.from = max(r.from, place+separator)
	}
}

func (r placeRange) bounds() bson.D {
	return bson.D{{Key: "$gte", Value: r.from}, {Key: "$lt", Value: r.to}}
}

// nextItems are the first n items of the range, expired ones included.
func (e *engine) nextItems(ctx context.Context, s scope, r placeRange, byKey bool, n int) ([]placedItem, error) {
	if !byKey {
		return e.slotItems(ctx, bson.D{{Key: "_id", Value: r.bounds()}}, "_id", r, n, func(row *itemRow) string { return row.ID })
	}
	slots := []func(*itemRow) string{
		func(row *itemRow) string { return row.K0 },
		func(row *itemRow) string { return row.K1 },
		func(row *itemRow) string { return row.K2 },
		func(row *itemRow) string { return row.K3 },
	}
	parts := make([][]placedItem, len(slots)+1)
	group, gctx := errgroup.WithContext(ctx)
	for i, place := range slots {
		group.Go(func() (err error) {
			field := fmt.Sprint("k", i)
			parts[i], err = e.slotItems(gctx, e.targeted(s, bson.D{{Key: field, Value: r.bounds()}}), field, r, n, place)
			return err
		})
	}
	group.Go(func() (err error) {
		parts[len(slots)], err = e.overflowItems(gctx, s, r, n)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found := slices.Concat(parts...)
	slices.SortFunc(found, func(a, b placedItem) int { return r.direction * cmp.Compare(a.place, b.place) })
	return found[:min(n, len(found))], nil
}

func (e *engine) slotItems(ctx context.Context, filter bson.D, field string, r placeRange, n int, place func(*itemRow) string) ([]placedItem, error) {
	cursor, err := e.items.Find(ctx, filter,
		options.Find().SetSort(bson.D{{Key: field, Value: r.direction}}).SetLimit(int64(n)))
	if err != nil {
		return nil, err
	}
	var rows []itemRow
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, err
	}
	out := make([]placedItem, len(rows))
	for i := range rows {
		out[i] = placedItem{place(&rows[i]), rows[i]}
	}
	return out, nil
}

// overflowItems looks among the keys that had no slot. The server sorts all
// that are in the range; few items have so many keys.
func (e *engine) overflowItems(ctx context.Context, s scope, r placeRange, n int) ([]placedItem, error) {
	cursor, err := e.items.Aggregate(ctx, bson.A{
		bson.D{{Key: "$match", Value: e.targeted(s, bson.D{{Key: "kn", Value: bson.D{{Key: "$elemMatch", Value: r.bounds()}}}})}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "place", Value: "$kn"}}}},
		bson.D{{Key: "$unwind", Value: "$place"}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "place", Value: r.bounds()}}}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "place", Value: r.direction}}}},
		bson.D{{Key: "$limit", Value: int64(n)}},
	})
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Item  itemRow `bson:",inline"`
		Place string  `bson:"place"`
	}
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, err
	}
	out := make([]placedItem, len(rows))
	for i, row := range rows {
		out[i] = placedItem{row.Place, row.Item}
	}
	return out, nil
}
