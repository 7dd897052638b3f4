package notifications

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// Position is how far a subscription has come. It is written now and then,
// not for each delivery: what was delivered behind it is known from the
// transmissions, which are (see queue).
type Position struct {
	// Seq is the last log entry that is done with.
	Seq int64 `json:"seq"`
	// Number is the highest number given to an event.
	Number int64 `json:"number"`
	// Round grows with each replay. A transmission of an earlier round does
	// not count as done in this one.
	Round int64 `json:"round,omitempty"`
	// Deleted: the subscription is no more. The item stays, so that its
	// version never starts over and a queue that runs on unaware, on another
	// instance, can never write to a later subscription of the same id.
	Deleted bool `json:"deleted,omitempty"`
	// Revision is the last one of a deleted subscription, from which a later
	// one of the same id counts on.
	Revision int64 `json:"revision,omitempty"`
}

// errDeleted: the subscription was deleted while its queue ran.
var errDeleted = errors.New("the subscription was deleted")

// place puts a new subscription behind head. It returns the revision that an
// earlier one of the same id came to.
func (r *Registry) place(ctx context.Context, t store.Tenant, id string, head int64) (revision int64, err error) {
	err = r.move(ctx, t, id, func(p *Position, exists bool) error {
		if exists { // of a deleted subscription of this id
			p.Round++
		}
		p.Seq, p.Deleted, revision = head, false, p.Revision
		return nil
	})
	return revision, err
}

// abandon ends the position of a deleted subscription.
func (r *Registry) abandon(ctx context.Context, t store.Tenant, id string, revision int64) error {
	return r.move(ctx, t, id, func(p *Position, _ bool) error {
		p.Deleted, p.Revision = true, max(p.Revision, revision)
		return nil
	})
}

// move changes a position by compare-and-set.
func (r *Registry) move(ctx context.Context, t store.Tenant, id string, change func(p *Position, exists bool) error) error {
	for {
		p, version, err := getVersion[Position](ctx, r.items, t, kindPosition, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := change(&p, err == nil); err != nil {
			return err
		}
		err = put(ctx, r.items, t, kindPosition, id, p, version)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// Replay makes a subscription deliver again from the log entry from on (the
// first is 1), in order, with the same delivery ids, wherever its queue runs
// and whether it is paused or not. It returns the entry from which it goes on:
// never a later one than the first that may not have been delivered, so that a
// replay skips nothing.
func (r *Registry) Replay(ctx context.Context, t store.Tenant, id string, from int64) (int64, error) {
	if from < 1 {
		return 0, &FieldError{"from", "must be the number of a log entry, from 1"}
	}
	switch floor, err := logFloor(ctx, r.items, t); {
	case err != nil:
		return 0, err
	case from < floor:
		return 0, &FieldError{"from", fmt.Sprintf("is before the first entry that the log still has, %d", floor)}
	}
	if _, err := r.Subscription(ctx, t, id); err != nil {
		return 0, err
	}
	err := r.move(ctx, t, id, func(p *Position, _ bool) error {
		if p.Deleted {
			return store.ErrNotFound
		}
		p.Seq = min(p.Seq, from-1)
		p.Round++
		from = p.Seq + 1
		return nil
	})
	if err != nil {
		return 0, err
	}
	return from, r.touch(ctx, t, id)
}

// SeqAt is the first entry of a tenant's log that was committed at or after a
// time, for Replay; one behind the head if there is none.
func SeqAt(ctx context.Context, log store.Log, t store.Tenant, at time.Time) (int64, error) {
	head, err := log.Head(ctx, t)
	if err != nil {
		return 0, err
	}
	floor, err := logFloor(ctx, log, t)
	if err != nil {
		return 0, err
	}
	var failed error
	// Entry times never decrease along the log.
	n := sort.Search(int(max(0, head-floor+1)), func(i int) bool {
		if failed != nil {
			return true
		}
		entries, err := log.ReadLog(ctx, t, floor-1+int64(i), 1)
		if err == nil && len(entries) == 0 {
			err = fmt.Errorf("log entry %d: %w", floor+int64(i), store.ErrNotFound)
		}
		if err != nil {
			failed = err
			return true
		}
		return !entries[0].Time.Before(at)
	})
	return floor + int64(n), failed
}

// logFloor is the first entry that a tenant's log still has.
func logFloor(ctx context.Context, engine any, t store.Tenant) (int64, error) {
	trimmer, ok := engine.(store.LogTrimmer)
	if !ok {
		return 1, nil
	}
	return trimmer.LogFloor(ctx, t)
}

// Standing is how far a subscription's position, as it is written, has come.
type Standing struct {
	Subscription string
	Status       State
	// Seq is the last log entry that is done with.
	Seq int64
}

// Standings are the positions of a tenant's subscriptions: none of them reads
// the log before its own.
func (r *Registry) Standings(ctx context.Context, t store.Tenant) ([]Standing, error) {
	subs, err := r.Subscriptions(ctx, t)
	if err != nil {
		return nil, err
	}
	all := make([]Standing, 0, len(subs))
	for _, s := range subs {
		p, err := get[Position](ctx, r.items, t, kindPosition, s.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // being made, or deleted
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Standing{s.ID, s.Status, p.Seq})
	}
	return all, nil
}

// Skip gives up on a transmission that stands in the way of those behind it:
// the queue goes on with the next event. The reason is kept with it.
func (r *Registry) Skip(ctx context.Context, t store.Tenant, l *Transmissions, transmission, reason string) error {
	if reason == "" {
		return &FieldError{"reason", "is required"}
	}
	for {
		tr, version, err := getVersion[Transmission](ctx, r.items, t, kindTransmission, transmission)
		if err != nil {
			return err
		}
		if tr.Status != Pending {
			return &FieldError{"transmission", fmt.Sprintf("is %s; only one that is %s can be skipped", tr.Status, Pending)}
		}
		tr.Status, tr.Reason, tr.NextAttempt = Skipped, reason, nil
		_, err = l.put(ctx, t, tr, version)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		return r.touch(ctx, t, tr.Subscription)
	}
}
