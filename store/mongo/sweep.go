package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// sweepEvery is how often an instance looks for garbage.
	sweepEvery = time.Hour
	// garbageAge is how old it must be: no append is under way that long.
	garbageAge = 24 * time.Hour
	// sweptAtOnce bounds what one look removes.
	sweptAtOnce = 1000
)

// sweep removes chunks of payloads that were written before a time and whose
// log document never was, or is settled. A chunk that is still needed may be
// as old: a database whose instances all died comes back after any time.
func (e *engine) sweep(ctx context.Context, before time.Time) {
	if err := e.trySweep(ctx, before); err != nil && ctx.Err() == nil {
		e.opts.Logger.Warn("removing what commits left behind failed and is tried again", "error", wrap(ctx, err))
	}
}

func (e *engine) trySweep(ctx context.Context, before time.Time) error {
	cursor, err := e.spill.Find(ctx, bson.D{{Key: "d", Value: bson.D{{Key: "$lt", Value: bson.NewDateTimeFromTime(before)}}}},
		options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}).SetLimit(sweptAtOnce))
	if err != nil {
		return err
	}
	var chunks []chunkRow
	if err := cursor.All(ctx, &chunks); err != nil || len(chunks) == 0 {
		return err
	}
	// Chunks first, then who needs them: who comes later has younger chunks.
	cursor, err = e.log.Find(ctx, bson.D{{Key: "u", Value: bson.D{{Key: "$gt", Value: 0}}}},
		options.Find().SetProjection(bson.D{{Key: "c", Value: 1}}))
	if err != nil {
		return err
	}
	var unsettled []logRow
	if err := cursor.All(ctx, &unsettled); err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, row := range unsettled {
		needed[row.Commit] = true
	}
	var garbage bson.A
	for _, c := range chunks {
		if !needed[commitOf(c.ID)] {
			garbage = append(garbage, c.ID)
		}
	}
	if len(garbage) == 0 {
		return nil
	}
	_, err = e.spill.DeleteMany(ctx, idsFilter(garbage))
	return err
}

// commitOf takes the commit out of a spillID.
func commitOf(id string) string {
	_, rest, _ := cutNumber(id)
	return rest[:max(len(rest)-8, 0)]
}
