package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

const (
	// rekeyAtOnce is how many documents one bulk write gives other keys.
	// DocumentDB takes no more than 25,000 operations.
	rekeyAtOnce = 20_000
	// rekeyBytes is about how large that bulk write may be.
	rekeyBytes = 16 << 20
)

// Rekey sets the keys of current rows, each under the condition that it still
// holds the version that is named.
//
// A batch of the log that is not settled yet holds the keys that its versions
// were committed with, and may be applied again at any time. That brings no
// keys back: applying replaces only a row whose entry is older than its own,
// and a row that holds the version named has been through that already. A
// version that was appended and is not applied yet is passed over, for the row
// holds the one before.
func (e *engine) Rekey(ctx context.Context, t store.Tenant, changes []store.KeyChange) (int, error) {
	if err := store.CheckKeyChanges(t, changes); err != nil {
		return 0, err
	}
	s, err := e.enter(ctx, t)
	if err != nil {
		return 0, err
	}
	var models []mongo.WriteModel
	changed, bytes := 0, 0
	flush := func() error {
		n, err := e.rekey(ctx, models)
		changed, bytes, models = changed+n, 0, models[:0]
		return err
	}
	for _, c := range changes {
		keys := s.keys(store.SortKeys(append([]store.Key(nil), c.Keys...)))
		size := keysSize(keys)
		if size > maxRow {
			return changed, fmt.Errorf("store/mongo: %w: the keys of a %s", store.ErrTooLarge, c.Ref.Type)
		}
		if len(models) == rekeyAtOnce || len(models) > 0 && bytes+size > rekeyBytes {
			if err := flush(); err != nil {
				return changed, err
			}
		}
		bytes += size
		update := bson.D{{Key: "$set", Value: bson.D{{Key: "k", Value: keys}}}}
		if len(keys) == 0 {
			update = bson.D{{Key: "$unset", Value: bson.D{{Key: "k", Value: ""}}}}
		}
		models = append(models, mongo.NewUpdateOneModel().
			// Only what can be found has a number: no deleted one.
			SetFilter(bson.D{{Key: "_id", Value: s.docID(c.Ref)}, {Key: "v", Value: c.Version}, {Key: "n", Value: bson.D{{Key: "$gt", Value: 0}}}}).
			SetUpdate(update))
	}
	if len(models) == 0 {
		return changed, nil
	}
	return changed, flush()
}

// rekey writes a part of them, in any order.
func (e *engine) rekey(ctx context.Context, models []mongo.WriteModel) (int, error) {
	result, err := e.docs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
	n := 0
	if result != nil {
		n = int(result.MatchedCount)
	}
	return n, wrap(ctx, err)
}

// keys are keys as a row has them.
func (s scope) keys(keys []store.Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = s.key(k)
	}
	return out
}

// keysSize is about what keys take in a row.
func keysSize(keys []string) int {
	n := 0
	for _, k := range keys {
		n += len(k) + 12
	}
	return n
}
