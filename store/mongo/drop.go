package mongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/fhirfacade/fhirfacade/store"
)

var errDropped = fmt.Errorf("store/mongo: %w: the tenant was dropped meanwhile", store.ErrUnavailable)

// DropTenant takes the tenant's name off its number.
//
//  1. The tenant's row says that it is being dropped. Whoever meets that from
//     here on completes steps 2 and 3 before anything else.
//  2. The place behind the end of the log is taken, as by a commit, by a row
//     that nothing can follow. Commits are before it or fail.
//  3. The row loses the name: the tenant is gone. Who uses the name now draws
//     another number.
//  4. When every instance has noticed, the data is removed.
//
// It can be cut short anywhere: another call goes on with it, and so does
// every instance when it looks for work that was left undone.
func (e *engine) DropTenant(ctx context.Context, t store.Tenant) error {
	if _, err := e.enter(ctx, t); err != nil {
		return err
	}
	var row tenantRow
	now := bson.NewDateTimeFromTime(e.opts.Clock())
	err := e.names.insist(func() error {
		return e.tenants.FindOneAndUpdate(ctx, bson.D{{Key: "t", Value: escaped(string(t))}},
			bson.D{{Key: "$max", Value: bson.D{{Key: "x", Value: now}}}}).Decode(&row)
	})
	if err == mongo.ErrNoDocuments { //nolint:errorlint // the driver returns it bare
		return nil
	}
	if err != nil {
		return wrap(ctx, err)
	}
	if hook := e.whileDropping; hook != nil {
		if err := hook("marked"); err != nil {
			return err
		}
	}
	if err := e.unname(ctx, row.Number); err != nil {
		return err
	}
	if hook := e.whileDropping; hook != nil {
		if err := hook("unnamed"); err != nil {
			return err
		}
	}
	select {
	case <-time.After(e.names.fresh):
	case <-ctx.Done():
		return ctx.Err()
	case <-e.stop:
		return store.ErrClosed
	}
	return e.removeData(ctx, e.scopeOf(row.Number))
}

// unname does steps 2 and 3.
func (e *engine) unname(ctx context.Context, number int64) error {
	l := e.ledger(e.scopeOf(number))
	// What this instance is at comes before it.
	if err := l.hold(ctx); err != nil {
		return err
	}
	err := l.fence(ctx)
	l.release()
	if err != nil {
		return err
	}
	err = e.names.insist(func() error {
		_, err := e.tenants.UpdateOne(ctx, bson.D{{Key: "_id", Value: number}}, bson.D{{Key: "$unset", Value: bson.D{{Key: "t", Value: ""}}}})
		return err
	})
	if err != nil {
		return wrap(ctx, err)
	}
	_ = l.drop()
	return nil
}

// fence ends the log.
func (l *ledger) fence(ctx context.Context) error {
	for {
		newest, _, err := l.newest(ctx)
		if err != nil || newest.Dropped {
			return err
		}
		_, err = l.e.log.InsertOne(ctx, logRow{ID: l.logID(newest.Last + 1), Last: newest.Last + 1, Dropped: true})
		if err != nil && !mongo.IsDuplicateKeyError(err) {
			return wrap(ctx, err)
		}
	}
}

// drop lets go of a ledger whose tenant was dropped.
func (l *ledger) drop() error {
	l.e.names.forget(l.number)
	l.e.mu.Lock()
	defer l.e.mu.Unlock()
	if l.e.ledgers[l.number] == l {
		delete(l.e.ledgers, l.number)
	}
	select {
	case <-l.gone:
	default:
		close(l.gone)
	}
	return errDropped
}

// removeData removes what there is of a tenant that has no name any more. Of
// the log, the places stay for as long as a writer could be under way that
// has not heard of it: were they free, it could take one.
func (e *engine) removeData(ctx context.Context, s scope) error {
	all := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.prefix}, {Key: "$lt", Value: s.end()}}}}
	_, err := e.log.UpdateMany(ctx, all, bson.D{
		{Key: "$set", Value: bson.D{{Key: "x", Value: true}}},
		{Key: "$unset", Value: bson.D{{Key: "e", Value: ""}, {Key: "p", Value: ""}, {Key: "q", Value: ""}, {Key: "u", Value: ""}}},
	})
	if err != nil {
		return wrap(ctx, err)
	}
	for _, c := range []*mongo.Collection{e.items, e.docs, e.bodies, e.spill} {
		if _, err := c.DeleteMany(ctx, all); err != nil {
			return wrap(ctx, err)
		}
	}
	_, err = e.tenants.UpdateOne(ctx, bson.D{{Key: "_id", Value: s.number}}, bson.D{{Key: "$set", Value: bson.D{{Key: "c", Value: true}}}})
	return wrap(ctx, err)
}

// finishDrops goes on with what others began to drop.
func (e *engine) finishDrops(ctx context.Context) {
	e.finish(ctx, bson.E{Key: "c", Value: bson.D{{Key: "$exists", Value: false}}})
}

// sweepDrops removes what those left who did not hear of a drop in time. A
// day after it nobody can be left who did not, and only the end of the log is
// kept.
func (e *engine) sweepDrops(ctx context.Context) {
	e.finish(ctx, bson.E{Key: "c", Value: true})
}

func (e *engine) finish(ctx context.Context, which bson.E) {
	if err := e.tryFinish(ctx, which); err != nil && ctx.Err() == nil {
		e.opts.Logger.Warn("removing a dropped tenant failed and is tried again", "error", err)
	}
}

func (e *engine) tryFinish(ctx context.Context, which bson.E) error {
	cursor, err := e.tenants.Find(ctx, bson.D{{Key: "x", Value: bson.D{{Key: "$gt", Value: bson.DateTime(0)}}}, which})
	if err != nil {
		return wrap(ctx, err)
	}
	var rows []tenantRow
	if err := cursor.All(ctx, &rows); err != nil {
		return wrap(ctx, err)
	}
	for _, row := range rows {
		age := e.opts.Clock().Sub(row.Dropped.Time())
		if row.Name != "" {
			if err := e.unname(ctx, row.Number); err != nil {
				return err
			}
		}
		if age < e.names.fresh {
			continue // the next time
		}
		s := e.scopeOf(row.Number)
		if err := e.removeData(ctx, s); err != nil {
			return err
		}
		if age < garbageAge {
			continue
		}
		l := ledger{scope: s, e: e}
		if newest, exists, err := l.newest(ctx); err != nil || !exists {
			return err
		} else if _, err := e.log.DeleteMany(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.prefix}, {Key: "$lt", Value: newest.ID}}}}); err != nil {
			return wrap(ctx, err)
		}
		if _, err := e.tenants.UpdateOne(ctx, bson.D{{Key: "_id", Value: row.Number}}, bson.D{{Key: "$unset", Value: bson.D{{Key: "x", Value: ""}}}}); err != nil {
			return wrap(ctx, err)
		}
	}
	return nil
}
