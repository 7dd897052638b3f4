package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// trimAtOnce is how many batches of the log are trimmed in one round.
const trimAtOnce = 500

// LogFloor reads the tenant's row.
func (e *engine) LogFloor(ctx context.Context, t store.Tenant) (int64, error) {
	s, err := e.enter(ctx, t)
	if err != nil {
		return 0, err
	}
	row, err := e.tenantRow(ctx, s)
	return max(row.Floor, 1), err
}

func (e *engine) tenantRow(ctx context.Context, s scope) (tenantRow, error) {
	var row tenantRow
	err := e.tenants.FindOne(ctx, bson.D{{Key: "_id", Value: s.number}}).Decode(&row)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return row, nil
	}
	return row, wrap(ctx, err)
}

// TrimLog sets the floor and then takes from the batches below it what only
// readers of the log want: source, event, info. The names of the versions
// stay, for the tenant's history follows them. When it is cut short, the next
// one goes on where it was; two at once do the same.
func (e *engine) TrimLog(ctx context.Context, t store.Tenant, below int64) error {
	s, err := e.enter(ctx, t)
	if err != nil || s.number == nobody {
		return err
	}
	head, err := e.ledger(s).refresh(ctx)
	if err != nil {
		return err
	}
	below = min(below, head+1)
	if below <= 1 {
		return nil
	}
	if err := e.raise(ctx, s, "f", below); err != nil {
		return err
	}
	row, err := e.tenantRow(ctx, s)
	if err != nil {
		return err
	}
	for at := max(row.Reduced, 1); at < row.Floor; {
		if at, err = e.trimFrom(ctx, s, at, row.Floor); err != nil {
			return err
		}
		if err := e.raise(ctx, s, "r", at); err != nil {
			return err
		}
	}
	return nil
}

// raise sets a number of the tenant's row that only grows.
func (e *engine) raise(ctx context.Context, s scope, field string, to int64) error {
	_, err := e.tenants.UpdateOne(ctx, bson.D{{Key: "_id", Value: s.number}}, bson.D{{Key: "$max", Value: bson.D{{Key: field, Value: to}}}})
	return wrap(ctx, err)
}

// trimFrom trims batches from the one on that holds entry at, and says which
// entry is next.
func (e *engine) trimFrom(ctx context.Context, s scope, at, floor int64) (int64, error) {
	cursor, err := e.log.Find(ctx, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.logID(max(at+1-maxBatch, 1))}, {Key: "$lt", Value: s.logID(floor)}}},
		{Key: "z", Value: bson.D{{Key: "$gte", Value: at}}},
	}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(trimAtOnce).SetProjection(noPayload))
	if err != nil {
		return 0, wrap(ctx, err)
	}
	var rows []logRow
	if err := cursor.All(ctx, &rows); err != nil {
		return 0, wrap(ctx, err)
	}
	var models []mongo.WriteModel
	for i := range rows {
		r := &rows[i]
		if r.Dropped {
			return 0, errDropped
		}
		update := bson.D{{Key: "$max", Value: bson.D{{Key: "f", Value: floor}}}}
		if r.Last < floor && !r.Trimmed {
			reduced, err := reduceEntries(r)
			if err != nil {
				return 0, err
			}
			update = bson.D{
				{Key: "$set", Value: bson.D{{Key: "e", Value: reduced}, {Key: "r", Value: true}}},
				{Key: "$unset", Value: bson.D{{Key: "f", Value: ""}}},
			}
		}
		if !r.Trimmed {
			// Not one that a drop has emptied meanwhile.
			filter := bson.D{{Key: "_id", Value: r.ID}, {Key: "x", Value: bson.D{{Key: "$exists", Value: false}}}}
			models = append(models, mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(update))
		}
	}
	if len(models) > 0 {
		if _, err := e.log.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false)); err != nil {
			return 0, wrap(ctx, err)
		}
	}
	if len(rows) < trimAtOnce {
		return floor, nil
	}
	return min(rows[len(rows)-1].Last+1, floor), nil
}

// reduceEntries leaves of a batch's entries what history needs.
func reduceEntries(row *logRow) ([]byte, error) {
	return changeEntries(row, func(e *entryRow) { *e = entryRow{Changes: e.Changes} })
}

// changeEntries are a batch's entries, changed one by one.
func changeEntries(row *logRow, change func(e *entryRow)) ([]byte, error) {
	raw, err := unpack(row.Entries)
	if err != nil {
		return nil, err
	}
	var rows entryRows
	if err := bson.Unmarshal(raw, &rows); err != nil {
		return nil, errDamaged
	}
	for i := range rows.Entries {
		change(&rows.Entries[i])
	}
	raw, err = bson.Marshal(rows)
	if err != nil {
		return nil, fmt.Errorf("store/mongo: encoding a batch: %w", errDamaged)
	}
	return pack(raw), nil
}
