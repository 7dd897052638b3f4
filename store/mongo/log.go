package mongo

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// Head applies what others left unapplied and then knows.
func (e *engine) Head(ctx context.Context, t store.Tenant) (int64, error) {
	s, err := e.enter(ctx, t)
	if err != nil {
		return 0, err
	}
	return e.ledger(s).refresh(ctx)
}

// noPayload leaves out of log documents what only applying needs.
var noPayload = bson.D{{Key: "p", Value: 0}}

// ReadLog reads batches and cuts them.
func (e *engine) ReadLog(ctx context.Context, t store.Tenant, after int64, limit int) ([]store.Entry, error) {
	s, err := e.enter(ctx, t)
	if err != nil || limit <= 0 {
		return nil, err
	}
	after = max(after, 0)
	// The batch that holds the next entry begins at most maxBatch before it.
	from := max(after+2-maxBatch, 1)
	cursor, err := e.log.Find(ctx, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.logID(from)}, {Key: "$lt", Value: s.end()}}},
		{Key: "z", Value: bson.D{{Key: "$gt", Value: after}}},
	}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(int64(limit)).SetProjection(noPayload))
	if err != nil {
		return nil, wrap(ctx, err)
	}
	var rows []logRow
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, wrap(ctx, err)
	}
	l := e.ledger(s)
	if n := len(rows); n > 0 {
		if err := l.reach(ctx, rows[n-1].Last); err != nil {
			return nil, err
		}
	}
	head, _ := l.state()
	var out []store.Entry
	for i := range rows {
		if rows[i].Dropped {
			return nil, l.drop()
		}
		if rows[i].Trimmed || rows[i].Below > max(after, firstOf(rows[i].ID)-1)+1 {
			return nil, fmt.Errorf("store/mongo: %w", store.ErrTrimmed)
		}
		entries, err := decodeEntries(&rows[i])
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			if entry.Seq > after && entry.Seq <= head && len(out) < limit {
				out = append(out, entry)
			}
		}
	}
	return out, nil
}

// logBelow reads batches downwards from the one that holds entry seq.
func (e *engine) logBelow(ctx context.Context, s scope, seq int64, limit int64) ([]logRow, error) {
	cursor, err := e.log.Find(ctx, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.prefix}, {Key: "$lte", Value: s.logID(seq)}}},
	}, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(limit).SetProjection(noPayload))
	if err != nil {
		return nil, wrap(ctx, err)
	}
	var rows []logRow
	err = cursor.All(ctx, &rows)
	return rows, wrap(ctx, err)
}
