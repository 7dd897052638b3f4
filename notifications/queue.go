package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// queue is the loop of one subscription: one event after the other.
//
// What it writes for a delivery is the transmission, once, when the attempt
// has ended. That record is the truth about the event: a queue that starts
// passes over those that are done. So the position need not be written each
// time: it is written every saveDelivered deliveries, when nothing has come
// for a while after some, when the log has grown by saveEvery entries that do
// not match, and at the end. At rest nothing is written. After a crash that
// many entries are looked at again, and only an attempt whose outcome was not
// written is made again, with the same delivery id.
//
// Both writes are compare-and-set. An instance that lost its lease without
// noticing (it was stopped for a while) fails at its next write.
type queue struct {
	o      *Options
	tenant store.Tenant
	sub    Subscription
	dest   Destination
	tail   *tail
	wake   <-chan struct{}
	logger *slog.Logger
	state  *progress

	held     *lease.Lease
	follower *follower
	position Position
	version  int64 // of the position's item
	saved    int64 // the Seq that is written
	unsaved  int   // deliveries since
	told     bool  // that deliveries are acknowledged
	fresh    bool  // there are no records of events from here on
}

// saveDelivered, saveEvery and settle say when a position is written: after so
// many deliveries, so many entries, or so long after the last delivery.
const (
	saveDelivered = 64
	saveEvery     = 2048
	settle        = 15 * time.Second
)

// firstPause and longestPause bound the pause after a queue failed (the store
// did not answer): it doubles while nothing gets better.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// errOff: the subscription was switched off; its queue has ended.
var errOff = errors.New("the subscription was switched off")

// progress is what others may know of a queue that runs here.
type progress struct {
	// seq is the last entry done with, or -1 while another instance has it.
	seq atomic.Int64
}

// run takes the subscription's lease and works until ctx ends, again and
// again: losing the lease, or the store, is no reason to give up.
func (q *queue) run(ctx context.Context) {
	wait := firstPause
	for ctx.Err() == nil {
		held, err := q.o.Leases.Acquire(ctx, q.tenant, "subscription:"+q.sub.ID)
		var other *lease.HeldError
		pause := wait
		switch {
		case errors.As(err, &other):
			// Looking several times in a lease's life finds its end in time.
			pause = min(max(other.Remaining, firstPause), max(q.o.Leases.TTL/3, firstPause))
		case err == nil:
			var moved bool
			moved, err = q.own(ctx, held)
			switch {
			case errors.Is(err, errOff), errors.Is(err, errDeleted):
				return
			case ctx.Err() != nil:
			case errors.Is(err, store.ErrConflict), errors.Is(err, lease.ErrLost):
				q.logger.Info("another hand moved the queue; it reads again where it stands")
			default:
				q.logger.Error("queue interrupted; it goes on by itself", "error", err)
			}
			if moved {
				wait = firstPause
			}
			pause, wait = wait, min(2*wait, longestPause)
			if errors.Is(err, store.ErrConflict) {
				pause, wait = 0, firstPause
			}
		case ctx.Err() == nil:
			q.logger.Error("lease cannot be taken", "error", err)
			wait = min(2*wait, longestPause)
		}
		select {
		case <-q.o.After(pause):
		case <-ctx.Done():
		}
	}
}

// own works while the lease is held. moved reports whether anything was
// achieved.
func (q *queue) own(ctx context.Context, held *lease.Lease) (moved bool, err error) {
	kept, stop := held.Keep(ctx)
	q.held, q.follower = held, newFollower(q.sub)
	if q.sub.Resource != nil {
		q.follower.watch, err = q.o.watch(ctx, q.tenant, *q.sub.Resource)
	}
	if err == nil {
		err = q.work(kept)
	}
	if cause := context.Cause(kept); errors.Is(cause, lease.ErrLost) && err != nil {
		err = cause
	}
	stop()
	moved = q.state.seq.Swap(-1) >= 0
	q.tail.leave(q.follower)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstPause)
	defer cancel()
	if held.Valid() && !errors.Is(err, store.ErrConflict) && q.position.Seq > q.saved {
		_ = q.save(end) // the records say the same, if it cannot be written
	}
	_ = held.Release(end) // it runs out by itself otherwise
	return moved, err
}

// work reads the position and delivers from there.
func (q *queue) work(ctx context.Context) error {
	q.saved = 1<<63 - 1 // nothing to save before it is read
	it, err := q.o.Store.GetItem(ctx, q.tenant, kindPosition, q.sub.ID)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	q.position = Position{}
	if err := json.Unmarshal(it.Body, &q.position); err != nil {
		return fmt.Errorf("position: %w", err)
	}
	if q.position.Deleted {
		return errDeleted
	}
	q.version, q.unsaved, q.fresh = it.Version, 0, false
	q.wrote()
	for {
		found, through, err := q.tail.take(ctx, q.follower, q.position.Seq)
		if err != nil {
			return err
		}
		q.state.seq.Store(q.position.Seq)
		for _, l := range found {
			if err := q.tell(ctx, l); err != nil {
				return err
			}
			q.position.Seq = l.entry.Seq
			q.state.seq.Store(q.position.Seq)
			if q.unsaved++; q.unsaved >= saveDelivered {
				if err := q.save(ctx); err != nil {
					return err
				}
			}
		}
		q.position.Seq = max(q.position.Seq, through)
		q.state.seq.Store(q.position.Seq)
		if q.position.Seq-q.saved >= saveEvery {
			if err := q.save(ctx); err != nil {
				return err
			}
		}
		if len(found) == 0 && q.tail.tells(q.follower) {
			if err := q.rest(ctx); err != nil {
				return err
			}
		}
	}
}

// tell delivers what of an entry the subscription is for.
func (q *queue) tell(ctx context.Context, l *logged) error {
	if q.follower.watch == nil {
		return q.deliver(ctx, occurrence{entry: l.entry, event: l.event})
	}
	notices, err := q.follower.watch.Notices(ctx, q.o.Topics.Repository, q.tenant, l.look, l.named())
	if err != nil {
		return fmt.Errorf("what is watched: %w", err)
	}
	for i := range notices {
		if err := q.deliver(ctx, occurrence{l.entry, l.event, i, &notices[i]}); err != nil {
			return err
		}
	}
	return nil
}

// rest waits until there is something to do, and writes the position when
// nothing has come for a while.
func (q *queue) rest(ctx context.Context) error {
	var settled <-chan time.Time
	if q.unsaved > 0 {
		settled = q.o.After(settle)
	}
	select {
	case <-q.follower.ready:
	case <-settled:
		return q.save(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// save writes the position.
func (q *queue) save(ctx context.Context) error {
	b, err := json.Marshal(q.position)
	if err != nil {
		return err
	}
	it, err := q.o.Store.PutItem(ctx, q.tenant, store.Item{Kind: kindPosition, ID: q.sub.ID, Body: b}, q.version)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	q.version, q.unsaved = it.Version, 0
	q.wrote()
	return nil
}

func (q *queue) wrote() {
	q.saved = q.position.Seq
	q.tail.wrote(q.follower, q.saved)
}
