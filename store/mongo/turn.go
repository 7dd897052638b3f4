package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// An instance that writes without pause to a tenant is always faster than one
// that has first to catch up with it, and would keep it out for ever. So who
// has lost twice asks for its turn: it leaves a row among the tenant's
// documents that everyone meets in the query that each plan begins with.
// Whoever meets it waits until the row is gone.
//
// The row promises nothing and locks nothing: the log's unique ids decide, as
// always. If its owner died, the others wait for yieldFor once, by their own
// clocks, and the next one who needs a turn takes the row over.
const yieldFor = 500 * time.Millisecond

// asking is what a ledger knows of turns. It belongs to the holder of the
// ledger's token.
type asking struct {
	mine  string // the turn this instance asked for
	seen  string // the turn that it yields to
	since time.Time
}

// yields reports whether to wait for this turn.
func (l *ledger) yields(turn string) bool {
	if turn == "" || turn == l.asking.mine {
		return false
	}
	if turn != l.asking.seen {
		l.asking.seen, l.asking.since = turn, time.Now()
	}
	return time.Since(l.asking.since) < yieldFor
}

// ask leaves the row, unless another one waits for its turn already.
func (l *ledger) ask(ctx context.Context) error {
	if l.asking.mine != "" {
		return nil
	}
	round, cancel := context.WithTimeout(ctx, l.e.bounds.patience)
	defer cancel()
	id, err := l.e.newID()
	if err != nil {
		return err
	}
	row := bson.D{{Key: "_id", Value: l.turnID()}, {Key: "w", Value: id}}
	_, err = l.e.docs.InsertOne(round, row)
	if mongo.IsDuplicateKeyError(err) {
		if l.asking.seen == "" || time.Since(l.asking.since) < yieldFor {
			return nil
		}
		// The one that it yielded to long enough is dead.
		result, err := l.e.docs.ReplaceOne(round, bson.D{{Key: "_id", Value: l.turnID()}, {Key: "w", Value: l.asking.seen}}, row)
		if err == nil && result.ModifiedCount == 1 {
			l.asking.mine = id
		}
		return wrap(round, err)
	}
	if err == nil {
		l.asking.mine = id
	}
	return wrap(round, err)
}

// stopAsking lets the others go on. If it fails, they do so a little later.
func (l *ledger) stopAsking(ctx context.Context) {
	if l.asking.mine == "" {
		return
	}
	round, cancel := context.WithTimeout(ctx, l.e.bounds.patience)
	defer cancel()
	_, err := l.e.docs.DeleteOne(round, bson.D{{Key: "_id", Value: l.turnID()}, {Key: "w", Value: l.asking.mine}})
	if err != nil {
		l.e.opts.Logger.Warn("a turn to append could not be given back", "error", wrap(round, err))
	}
	l.asking.mine = ""
}
