package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// settling collects log documents that this instance knows to be applied.
type settling struct {
	mu      sync.Mutex
	applied []settled
}

type settled struct {
	id, prefix, commit string
	chunks             int
}

func (s *settling) add(id, prefix, commit string, chunks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = append(s.applied, settled{id, prefix, commit, chunks})
}

func (s *settling) takeAll() []settled {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.applied
	s.applied = nil
	return out
}

// keep settles what this instance applied, and rolls forward what others
// left, until the store is closed. Both are one query each, for all tenants.
func (e *engine) keep() {
	ticker := time.NewTicker(e.opts.RollForward)
	defer ticker.Stop()
	var swept time.Time
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(e.done, e.bounds.patience)
		e.settle(ctx)
		now := e.opts.Clock()
		e.rollForward(ctx, now.Add(-2*e.opts.RollForward))
		e.finishDrops(ctx)
		if now.Sub(swept) > sweepEvery {
			swept = now
			e.sweep(ctx, now.Add(-garbageAge))
			e.sweepDrops(ctx)
		}
		cancel()
	}
}

// settle takes the payload from log documents that are applied. If it fails,
// rollForward finds them again.
func (e *engine) settle(ctx context.Context) {
	applied := e.settling.takeAll()
	if len(applied) == 0 {
		return
	}
	ids := make(bson.A, len(applied))
	var chunks bson.A
	for i, s := range applied {
		ids[i] = s.id
		for n := range s.chunks {
			chunks = append(chunks, s.prefix+s.commit+hex8(n))
		}
	}
	_, err := e.log.UpdateMany(ctx, idsFilter(ids), bson.D{{Key: "$unset", Value: bson.D{
		{Key: "u", Value: ""}, {Key: "p", Value: ""}, {Key: "q", Value: ""},
	}}})
	if err == nil && len(chunks) > 0 {
		_, err = e.spill.DeleteMany(ctx, idsFilter(chunks))
	}
	if err != nil {
		e.opts.Logger.Warn("settling the log failed and is tried again", "error", wrap(ctx, err))
	}
}

// rollForward applies and settles what was appended before a time, so long
// ago that its writer cannot be at it still.
func (e *engine) rollForward(ctx context.Context, before time.Time) {
	cursor, err := e.log.Find(ctx,
		bson.D{{Key: "u", Value: bson.D{{Key: "$gt", Value: 0}, {Key: "$lt", Value: before.UnixMilli()}}}},
		options.Find().SetProjection(bson.D{{Key: "z", Value: 1}, {Key: "c", Value: 1}, {Key: "q", Value: 1}}).SetLimit(1000))
	var rows []logRow
	if err == nil {
		err = cursor.All(ctx, &rows)
	}
	if err != nil {
		e.opts.Logger.Warn("looking for unapplied commits failed and is tried again", "error", wrap(ctx, err))
		return
	}
	for _, row := range rows {
		number, _, ok := cutNumber(row.ID)
		if !ok {
			continue
		}
		l := e.ledger(e.scopeOf(number))
		if err := l.reach(ctx, row.Last); errors.Is(err, errDropped) {
			continue
		} else if err != nil {
			e.opts.Logger.Error("rolling a commit forward failed and is tried again", "error", err)
			continue
		}
		e.settling.add(row.ID, l.prefix, row.Commit, row.Chunks)
	}
}

// reach makes sure that everything up to seq is applied.
func (l *ledger) reach(ctx context.Context, seq int64) error {
	if head, _ := l.state(); head >= seq {
		return nil
	}
	if err := l.hold(ctx); err != nil {
		return err
	}
	defer l.release()
	return l.catchUp(ctx)
}
