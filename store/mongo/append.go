package mongo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

const (
	// maxLost is how often a batch may lose against other instances. Each
	// time somebody else wins, so this many in a row mean that something is
	// wrong with the server, not with luck.
	maxLost = 40
	// commitRounds is how many round trips a commit whose caller has set no
	// deadline may wait for before it ends as if that had set one.
	commitRounds = 4
	// applyPatience is how long applying a commit may take, which is at most
	// a bulk write of the largest commit.
	applyPatience = 2 * time.Minute
	// closeGrace is how long Close lets a commit try to learn its outcome
	// from a server that does not answer.
	closeGrace = 5 * time.Second
)

// Commit goes through the tenant's pipeline.
func (e *engine) Commit(ctx context.Context, t store.Tenant, c store.Commit) (store.Entry, error) {
	if err := store.CheckCommit(t, c); err != nil {
		return store.Entry{}, err
	}
	e.life.RLock()
	defer e.life.RUnlock()
	if e.closed {
		return store.Entry{}, store.ErrClosed
	}
	s, err := e.enterToWrite(ctx, t)
	if err != nil {
		return store.Entry{}, err
	}
	if _, bounded := ctx.Deadline(); !bounded {
		// A server that is frozen must not collect waiting callers for ever.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commitRounds*e.bounds.patience)
		defer cancel()
	}
	entry, err := e.ledger(s).pipeline.Do(ctx, c)
	if err != nil && errors.Is(err, ctx.Err()) {
		return entry, fmt.Errorf("store/mongo: the outcome of a commit is unknown: %w", err)
	}
	return entry, err
}

// append is the pipeline's Append.
func (l *ledger) append(ctx context.Context, commits []store.Commit) ([]store.Outcome, func() error, error) {
	if err := l.hold(ctx); err != nil {
		return nil, nil, err
	}
	defer l.release()
	defer l.stopAsking(ctx)
	n := len(commits)
	for losses := 0; losses < maxLost; {
		outcomes, result, err := l.tryAppend(ctx, commits[:n])
		if errors.Is(err, context.DeadlineExceeded) { // the round's, not a caller's
			err = fmt.Errorf("store/mongo: %w: no answer from the server", store.ErrUnavailable)
		}
		switch {
		case err != nil:
			return nil, nil, err
		case result == appended:
			for range commits[n:] {
				outcomes = append(outcomes, store.Outcome{Later: true})
			}
			return outcomes, nil, nil
		case result == tooMuch && n == 1:
			outcomes = []store.Outcome{{Err: fmt.Errorf("store/mongo: %w", store.ErrTooLarge)}}
			for range commits[n:] {
				outcomes = append(outcomes, store.Outcome{Later: true})
			}
			return outcomes, nil, nil
		case result == tooMuch:
			n = (n + 1) / 2
		case result == yielded:
			l.e.pause(5*time.Millisecond + l.e.jitter(5*time.Millisecond))
		default:
			if losses++; losses >= 2 {
				if err := l.ask(ctx); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	return nil, nil, fmt.Errorf("store/mongo: %w: other instances write too much", store.ErrUnavailable)
}

// attempt is how a try to append ended.
type attempt uint8

const (
	appended attempt = iota // or nothing was to be appended
	lost                    // another instance was faster
	yielded                 // another instance asks for its turn
	tooMuch                 // more than one batch holds
)

// tryAppend plans the commits on the head and appends and applies what comes
// of them. When it lost, the entries of those who won are applied.
func (l *ledger) tryAppend(ctx context.Context, commits []store.Commit) ([]store.Outcome, attempt, error) {
	round, cancel := context.WithTimeout(ctx, l.e.bounds.patience)
	defer cancel()
	if !l.opened {
		if err := l.open(round); err != nil {
			return nil, 0, err
		}
	}
	head, _ := l.state()
	v := &view{e: l.e, scope: l.scope, commits: commits}
	planner := store.Planner{MaxBody: l.e.opts.MaxBody}
	outcomes, err := planner.Plan(round, v, head, l.nextTime(), commits)
	if err != nil {
		return nil, 0, err
	}
	if l.yields(v.turn) {
		return nil, yielded, nil
	}
	b := batchOf(outcomes)
	if len(b.entries) == 0 {
		// Nothing to append: the answers are those of the head. They hold
		// only if that still is the head.
		newest, exists, err := l.newest(round)
		if err != nil || !exists || newest.Last <= head {
			return outcomes, appended, err
		}
		return nil, lost, l.catchUp(round)
	}
	if b.size() > maxPayload {
		return nil, tooMuch, nil
	}
	rows := b.rows(l.scope)
	if tooLarge(rows) {
		return nil, tooMuch, nil
	}
	row, chunks, err := l.logRow(b)
	if err != nil {
		return nil, 0, err
	}
	if row == nil {
		return nil, tooMuch, nil
	}
	if err := l.e.register(round, l.scope); err != nil {
		return nil, 0, err
	}
	if len(chunks) > 0 {
		if _, err := l.e.spill.InsertMany(round, chunks); err != nil {
			return nil, 0, wrap(round, err)
		}
	}
	switch won, err := l.insert(ctx, row); {
	case err != nil:
		return nil, 0, err
	case !won:
		return nil, lost, l.catchUp(round)
	}
	if hook := l.e.afterAppend; hook != nil {
		if err := hook(); err != nil {
			return nil, 0, err
		}
	}
	if err := l.applyOwn(ctx, rows, v.current); err != nil {
		return nil, 0, err
	}
	l.advance(row.Last, row.Time.Time().UTC())
	l.e.settling.add(row.ID, l.prefix, row.Commit, row.Chunks)
	return outcomes, appended, nil
}

// logRow is the batch's log document, and the chunks to be written before it;
// nil when the entries take too much.
func (l *ledger) logRow(b batch) (*logRow, []any, error) {
	id, err := l.e.newID()
	if err != nil {
		return nil, nil, err
	}
	entries, payload, err := b.encode()
	if err != nil {
		return nil, nil, fmt.Errorf("store/mongo: encoding a batch: %w", errDamaged)
	}
	if len(entries) > maxEntries {
		return nil, nil, nil
	}
	first, last := b.entries[0], b.entries[len(b.entries)-1]
	row := &logRow{
		ID: l.logID(first.Seq), Last: last.Seq, Time: bson.NewDateTimeFromTime(last.Time), Commit: id,
		Entries: entries, Unsettled: l.e.opts.Clock().UnixMilli(),
	}
	if len(payload) <= maxInline {
		row.Payload = payload
		return row, nil, nil
	}
	var chunks []any
	for ; len(payload) > 0; row.Chunks++ {
		n := min(len(payload), spillChunk)
		chunks = append(chunks, chunkRow{ID: l.spillID(id, row.Chunks), Made: row.Time, Data: payload[:n]})
		payload = payload[n:]
	}
	return row, chunks, nil
}

func (l *ledger) spillID(commit string, chunk int) string {
	return l.prefix + commit + hex8(chunk)
}

// insert is the commit point. It returns only when it is known whether the
// batch is in the log: an outcome that got lost with a connection is asked
// for until the server tells.
func (l *ledger) insert(ctx context.Context, row *logRow) (won bool, err error) {
	doubt := false
	for attempt := 0; ; attempt++ {
		if attempt > 0 && !l.e.tryAgain(attempt) {
			return false, fmt.Errorf("store/mongo: %w: the outcome of a commit is unknown", store.ErrUnavailable)
		}
		round, cancel := context.WithTimeout(ctx, l.e.bounds.patience)
		_, err := l.e.log.InsertOne(round, row)
		if mongo.IsDuplicateKeyError(err) {
			var there logRow
			err = l.e.log.FindOne(round, bson.D{{Key: "_id", Value: row.ID}}, options.FindOne().SetProjection(bson.D{{Key: "c", Value: 1}})).Decode(&there)
			if err == nil {
				cancel()
				return there.Commit == row.Commit, nil
			}
			// It is there and not yet durable, or the connection broke. It
			// may be ours if an earlier attempt got through.
		}
		cancel()
		if err == nil {
			return true, nil
		}
		if refused(err) && !doubt {
			return false, wrap(ctx, err)
		}
		doubt = doubt || !refused(err)
	}
}

// applyOwn applies what this instance appended. The batch is committed, so
// there is no way back: it tries until it succeeds.
func (l *ledger) applyOwn(ctx context.Context, rows [][]docRow, current map[store.Ref]docRow) error {
	for attempt := 1; ; attempt++ {
		round, cancel := context.WithTimeout(ctx, applyPatience)
		err := l.e.apply(round, l.scope, rows, current)
		cancel()
		if err == nil {
			return nil
		}
		l.e.opts.Logger.Warn("a commit is durable and not applied yet", "error", err, "attempt", attempt)
		if !l.e.tryAgain(attempt) {
			return fmt.Errorf("store/mongo: %w: a commit is durable and will be applied later", store.ErrUnavailable)
		}
	}
}

// apply makes rows current where these versions are.
func (e *engine) apply(ctx context.Context, s scope, rows [][]docRow, current map[store.Ref]docRow) error {
	if err := e.writeBodies(ctx, s, rows); err != nil {
		return err
	}
	return e.write(ctx, modelsFor(s, rows, current))
}

// write applies operations in order. An insert or upsert that finds its id
// taken found a version that is as new or newer.
func (e *engine) write(ctx context.Context, models []mongo.WriteModel) error {
	for len(models) > 0 {
		_, inserts := models[0].(*mongo.InsertOneModel)
		_, err := e.docs.BulkWrite(ctx, models, options.BulkWrite().SetOrdered(!inserts))
		if err == nil {
			return nil
		}
		var bulk mongo.BulkWriteException
		if !errors.As(err, &bulk) || bulk.WriteConcernError != nil || len(bulk.WriteErrors) == 0 {
			return wrap(ctx, err)
		}
		for _, w := range bulk.WriteErrors {
			if !mongo.IsDuplicateKeyError(w) {
				return wrap(ctx, err)
			}
		}
		if inserts {
			return nil // unordered: all others were tried
		}
		models = models[bulk.WriteErrors[0].Index+1:]
	}
	return nil
}

// tryAgain waits before another attempt; false means to give up because the
// store is being closed.
func (e *engine) tryAgain(attempt int) bool {
	wait := min(time.Duration(attempt)*50*time.Millisecond, time.Second)
	select {
	case <-e.stop:
		if time.Duration(attempt)*wait >= closeGrace {
			return false
		}
		e.pause(wait)
		return true
	case <-time.After(wait):
		return true
	}
}

func (e *engine) pause(d time.Duration) { <-time.After(d) }

// jitter is a random part of d.
func (e *engine) jitter(d time.Duration) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(e.opts.Random, b[:]); err != nil {
		return d
	}
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(d))
}
