package mongo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

func (e *engine) enterItem(ctx context.Context, t store.Tenant, kind, id string, keys []store.Key) (scope, error) {
	s, err := e.enter(ctx, t)
	if err == nil {
		err = store.CheckItem(kind, id, keys)
	}
	return s, err
}

func (s scope) itemID(kind, id string) string { return s.typeID(kind) + escaped(id) }

// itemRow is the item as it is stored, with its keys in their slots.
func (s scope) itemRow(it store.Item) itemRow {
	row := itemRow{ID: s.itemID(it.Kind, it.ID), Version: it.Version, Body: it.Body, Expires: never}
	if !it.Expires.IsZero() {
		row.Expires = bson.NewDateTimeFromTime(it.Expires)
	}
	slots := [itemSlots]*string{&row.K0, &row.K1, &row.K2, &row.K3}
	prefix, suffix := s.typeID(it.Kind), separator+escaped(it.ID)
	for i, k := range it.Keys {
		if place := prefix + escaped(k) + suffix; i < itemSlots {
			*slots[i] = place
		} else {
			row.KN = append(row.KN, place)
		}
	}
	return row
}

// item is the row as the contract's item.
func (s scope) item(row *itemRow) store.Item {
	ref := s.ref(row.ID)
	it := store.Item{Kind: ref.Type, ID: ref.ID, Version: row.Version, Body: row.Body}
	if row.Expires != never {
		it.Expires = row.Expires.Time().UTC()
	}
	for _, place := range append([]string{row.K0, row.K1, row.K2, row.K3}, row.KN...) {
		if place != "" {
			k, _, _ := strings.Cut(strings.TrimPrefix(place, s.typeID(ref.Type)), separator)
			raw, _ := unescape(k)
			it.Keys = append(it.Keys, raw)
		}
	}
	return it
}

func (e *engine) now() bson.DateTime { return bson.NewDateTimeFromTime(e.opts.Clock()) }

// alive is the condition that an item has not expired.
func (e *engine) alive() bson.E {
	return bson.E{Key: "x", Value: bson.D{{Key: "$gt", Value: e.now()}}}
}

// GetItem reads by id.
func (e *engine) GetItem(ctx context.Context, t store.Tenant, kind, id string) (store.Item, error) {
	s, err := e.enterItem(ctx, t, kind, id, nil)
	if err != nil {
		return store.Item{}, err
	}
	var row itemRow
	err = e.items.FindOne(ctx, bson.D{{Key: "_id", Value: s.itemID(kind, id)}}).Decode(&row)
	if errors.Is(err, mongo.ErrNoDocuments) || err == nil && row.Expires <= e.now() {
		return store.Item{}, store.ErrNotFound
	}
	if err != nil {
		return store.Item{}, wrap(ctx, err)
	}
	return s.item(&row), nil
}

// PutItem is one conditional write, and a read when the condition fails.
func (e *engine) PutItem(ctx context.Context, t store.Tenant, it store.Item, expect int64) (store.Item, error) {
	if _, err := e.enterItem(ctx, t, it.Kind, it.ID, it.Keys); err != nil {
		return store.Item{}, err
	}
	s, err := e.enterToWrite(ctx, t)
	if err != nil {
		return store.Item{}, err
	}
	if err := e.register(ctx, s); err != nil {
		return store.Item{}, err
	}
	it.Body, it.Keys = slices.Clone(it.Body), store.SortKeys(slices.Clone(it.Keys))
	it.Version = expect + 1
	if !it.Expires.IsZero() {
		it.Expires = it.Expires.UTC().Truncate(time.Millisecond)
	}
	row := s.itemRow(it)
	if len(row.Body) > e.opts.MaxBody || tooLarge([][]docRow{{{Body: row.Body, Keys: append([]string{row.K0, row.K1, row.K2, row.K3}, row.KN...)}}}) {
		return store.Item{}, store.ErrTooLarge
	}
	if expect == store.ItemAny {
		if row.Version, err = e.putAny(ctx, row); err != nil {
			return store.Item{}, err
		}
		return s.item(&row), nil
	}
	filter := bson.D{{Key: "_id", Value: row.ID}, {Key: "v", Value: expect}, e.alive()}
	if expect == 0 {
		// Takes the place of an expired one, or of none: then it is an
		// insert, which fails when there is a live one.
		filter = bson.D{{Key: "_id", Value: row.ID}, {Key: "x", Value: bson.D{{Key: "$lte", Value: e.now()}}}}
	}
	result, err := e.items.ReplaceOne(ctx, filter, row, options.Replace().SetUpsert(expect == 0))
	switch {
	case mongo.IsDuplicateKeyError(err), err == nil && result.MatchedCount+result.UpsertedCount == 0:
		return store.Item{}, e.itemConflict(ctx, t, it.Kind, it.ID)
	case err != nil:
		return store.Item{}, wrap(ctx, err)
	}
	return s.item(&row), nil
}

// putAny writes over whatever is there and learns the version it got.
func (e *engine) putAny(ctx context.Context, row itemRow) (int64, error) {
	set, unset := bson.D{{Key: "x", Value: row.Expires}}, bson.D{}
	put := func(field string, value any, present bool) {
		if present {
			set = append(set, bson.E{Key: field, Value: value})
		} else {
			unset = append(unset, bson.E{Key: field, Value: ""})
		}
	}
	put("b", row.Body, len(row.Body) > 0)
	put("k0", row.K0, row.K0 != "")
	put("k1", row.K1, row.K1 != "")
	put("k2", row.K2, row.K2 != "")
	put("k3", row.K3, row.K3 != "")
	put("kn", row.KN, len(row.KN) > 0)
	update := bson.D{{Key: "$set", Value: set}, {Key: "$inc", Value: bson.D{{Key: "v", Value: int64(1)}}}}
	if len(unset) > 0 {
		update = append(update, bson.E{Key: "$unset", Value: unset})
	}
	for {
		var now itemRow
		err := e.items.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: row.ID}}, update,
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After).SetProjection(bson.D{{Key: "v", Value: 1}})).Decode(&now)
		if mongo.IsDuplicateKeyError(err) && ctx.Err() == nil {
			continue // another one made it meanwhile: now there is one to update
		}
		return now.Version, wrap(ctx, err)
	}
}

// DeleteItem is one conditional delete, and a read when the condition fails.
func (e *engine) DeleteItem(ctx context.Context, t store.Tenant, kind, id string, expect int64) error {
	s, err := e.enterItem(ctx, t, kind, id, nil)
	if err != nil {
		return err
	}
	filter := bson.D{{Key: "_id", Value: s.itemID(kind, id)}}
	if expect != store.ItemAny {
		filter = append(filter, bson.E{Key: "v", Value: expect}, e.alive())
	}
	result, err := e.items.DeleteOne(ctx, filter)
	if err != nil {
		return wrap(ctx, err)
	}
	if expect != store.ItemAny && result.DeletedCount == 0 {
		return e.itemConflict(ctx, t, kind, id)
	}
	return nil
}

func (e *engine) itemConflict(ctx context.Context, t store.Tenant, kind, id string) error {
	conflict := &store.ConflictError{Ref: store.Ref{Type: kind, ID: id}}
	switch it, err := e.GetItem(ctx, t, kind, id); {
	case err == nil:
		conflict.Current = it.Version
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return conflict
}
