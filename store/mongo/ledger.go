package mongo

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// ledger is what this instance knows of one tenant's log.
type ledger struct {
	scope
	e        *engine
	pipeline *store.Pipeline

	// turn holds one token. Who has it may append, or apply what others
	// appended; what follows belongs to the holder.
	turn   chan struct{}
	opened bool
	last   time.Time // of the head's entry
	asking asking

	mu    sync.Mutex
	head  int64         // every entry up to here is applied
	grown chan struct{} // closed when head grows
	gone  chan struct{} // closed when the tenant is known to be dropped
}

func (e *engine) ledger(s scope) *ledger {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.ledgers[s.number]
	if l == nil {
		l = &ledger{scope: s, e: e, turn: make(chan struct{}, 1), grown: make(chan struct{}), gone: make(chan struct{})}
		l.pipeline = &store.Pipeline{Append: l.append, MaxBatch: maxBatch}
		e.ledgers[s.number] = l
	}
	return l
}

func (l *ledger) hold(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *ledger) release() { <-l.turn }

// state is the head and a channel that is closed when it grows.
func (l *ledger) state() (int64, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head, l.grown
}

// advance makes entries visible. The turn is held.
func (l *ledger) advance(head int64, at time.Time) {
	if at.After(l.last) {
		l.last = at
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if head > l.head {
		l.head = head
		close(l.grown)
		l.grown = make(chan struct{})
	}
}

// refresh returns the head after everything that the log holds now is
// applied.
func (l *ledger) refresh(ctx context.Context) (int64, error) {
	known, _ := l.state()
	newest, ok, err := l.newest(ctx)
	if err != nil {
		return 0, err
	}
	if ok && newest.Last > known {
		if err := l.hold(ctx); err != nil {
			return 0, err
		}
		defer l.release()
		if err := l.catchUp(ctx); err != nil {
			return 0, err
		}
	}
	head, _ := l.state()
	return head, nil
}

// newest is the log's last batch, without its contents.
func (l *ledger) newest(ctx context.Context) (logRow, bool, error) {
	var row logRow
	err := l.e.log.FindOne(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: l.prefix}, {Key: "$lt", Value: l.end()}}}},
		options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}}).SetProjection(bson.D{{Key: "z", Value: 1}, {Key: "d", Value: 1}, {Key: "u", Value: 1}, {Key: "x", Value: 1}}),
	).Decode(&row)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return row, false, nil
	}
	return row, err == nil, wrap(ctx, err)
}

// catchUp applies what others appended. The turn is held.
func (l *ledger) catchUp(ctx context.Context) error {
	if !l.opened {
		return l.open(ctx)
	}
	for {
		head, _ := l.state()
		rows, err := l.readRows(ctx, bson.D{
			{Key: "_id", Value: bson.D{{Key: "$gte", Value: l.logID(head + 1)}, {Key: "$lt", Value: l.end()}}},
		}, 16)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := l.take(ctx, &rows[i]); err != nil {
				return err
			}
		}
		if len(rows) < 16 {
			return nil
		}
	}
}

// open finds the head of a tenant that this instance has not touched yet.
// Only batches that are not settled can be unapplied.
func (l *ledger) open(ctx context.Context) error {
	newest, exists, err := l.newest(ctx)
	if err != nil {
		return err
	}
	if newest.Dropped {
		return l.drop()
	}
	if exists {
		rows, err := l.readRows(ctx, bson.D{
			{Key: "u", Value: bson.D{{Key: "$gt", Value: 0}}},
			{Key: "_id", Value: bson.D{{Key: "$gte", Value: l.prefix}, {Key: "$lt", Value: l.end()}}},
		}, 0)
		if err != nil {
			return err
		}
		for i := range rows {
			if err := l.applyRow(ctx, &rows[i]); err != nil {
				return err
			}
		}
		// Whatever stands between newest and the last of rows was settled
		// meanwhile, or it would be in rows.
		if n := len(rows); n > 0 && rows[n-1].Last > newest.Last {
			newest = rows[n-1]
		}
		l.advance(newest.Last, newest.Time.Time().UTC())
	}
	l.opened = true
	return nil
}

func (l *ledger) take(ctx context.Context, row *logRow) error {
	if row.Dropped {
		return l.drop()
	}
	if err := l.applyRow(ctx, row); err != nil {
		return err
	}
	l.advance(row.Last, row.Time.Time().UTC())
	return nil
}

// readRows reads log documents whole, in order.
func (l *ledger) readRows(ctx context.Context, filter bson.D, limit int64) ([]logRow, error) {
	cursor, err := l.e.log.Find(ctx, filter, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetLimit(limit))
	if err != nil {
		return nil, wrap(ctx, err)
	}
	var rows []logRow
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, wrap(ctx, err)
	}
	return rows, nil
}

// applyRow applies a batch that someone appended, unless it is known to be.
func (l *ledger) applyRow(ctx context.Context, row *logRow) error {
	if row.Unsettled == 0 || row.Dropped {
		return nil
	}
	payload := row.Payload
	for chunk := range row.Chunks {
		var piece chunkRow
		err := l.e.spill.FindOne(ctx, bson.D{{Key: "_id", Value: l.spillID(row.Commit, chunk)}}).Decode(&piece)
		if errors.Is(err, mongo.ErrNoDocuments) {
			// Whoever settles a batch removes its chunks after that.
			return l.expectSettled(ctx, row.ID)
		}
		if err != nil {
			return wrap(ctx, err)
		}
		payload = append(payload, piece.Data...)
	}
	b, err := l.decodeBatch(row, payload)
	if err != nil {
		return err
	}
	current, _, err := l.e.currentRows(ctx, l.scope, b.refs())
	if err != nil {
		return err
	}
	return l.e.apply(ctx, l.scope, b.rows(l.scope), current)
}

func (l *ledger) expectSettled(ctx context.Context, id string) error {
	rows, err := l.readRows(ctx, bson.D{{Key: "_id", Value: id}}, 1)
	if err != nil {
		return err
	}
	if len(rows) == 1 && (rows[0].Unsettled == 0 || rows[0].Dropped) {
		return nil
	}
	return errDamaged
}

// currentRows reads the current versions of documents, without their keys,
// and whose turn it is to append, if anyone asks for it.
func (e *engine) currentRows(ctx context.Context, s scope, refs []store.Ref) (map[store.Ref]docRow, string, error) {
	out := make(map[store.Ref]docRow, len(refs))
	turn := ""
	for part := range slices.Chunk(refs, 20_000) {
		ids := make(bson.A, 0, len(part)+1)
		for _, r := range part {
			ids = append(ids, s.docID(r))
		}
		ids = append(ids, s.turnID())
		cursor, err := e.docs.Find(ctx, idsFilter(ids), options.Find().SetProjection(bson.D{{Key: "k", Value: 0}}))
		if err != nil {
			return nil, "", wrap(ctx, err)
		}
		var rows []docRow
		if err := cursor.All(ctx, &rows); err != nil {
			return nil, "", wrap(ctx, err)
		}
		for _, r := range rows {
			if r.ID == s.turnID() {
				turn = r.Turn
			} else {
				out[s.ref(r.ID)] = r
			}
		}
	}
	return out, turn, nil
}

// idsFilter spares the server a list of one.
func idsFilter(ids bson.A) bson.D {
	if len(ids) == 1 {
		return bson.D{{Key: "_id", Value: ids[0]}}
	}
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
}
