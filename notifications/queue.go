package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// Position is how far a subscription has come.
type Position struct {
	// Seq is the last log entry that is done with.
	Seq int64 `json:"seq"`
	// Number counts the events sent and acknowledged, or given up on.
	Number int64 `json:"number"`
}

// queue is the loop of one subscription: one event after the other.
type queue struct {
	o      *Options
	tenant store.Tenant
	sub    Subscription
	dest   Destination
	tail   *tail
	wake   <-chan struct{}
	logger *slog.Logger

	position Position
	version  int64 // of the position's item: a write by another instance shows
	dirty    int   // entries passed since the position was written
}

// batch is how many entries a queue takes from the tail at a time; saveEvery
// how many that do not match may pass before the position is written.
const (
	batch     = 256
	saveEvery = 1000
	pause     = time.Second
)

// run takes the subscription's lease and works until ctx ends, again and
// again: losing the lease, or the store, is no reason to give up.
func (q *queue) run(ctx context.Context) {
	for ctx.Err() == nil {
		held, err := q.o.Leases.Acquire(ctx, q.tenant, "subscription:"+q.sub.ID)
		var other *lease.HeldError
		wait := pause
		switch {
		case errors.As(err, &other):
			wait = max(other.Remaining, pause)
		case err == nil:
			kept, stop := held.Keep(ctx)
			err = q.work(kept)
			stop()
			release, cancel := context.WithTimeout(context.WithoutCancel(ctx), pause)
			_ = held.Release(release) // it runs out by itself otherwise
			cancel()
			if ctx.Err() == nil {
				q.logger.Error("queue interrupted; it goes on by itself", "error", err)
			}
		case ctx.Err() == nil:
			q.logger.Error("lease cannot be taken", "error", err)
		}
		select {
		case <-q.o.After(wait):
		case <-ctx.Done():
		}
	}
}

// work reads the position and delivers from there.
func (q *queue) work(ctx context.Context) error {
	it, err := q.o.Store.GetItem(ctx, q.tenant, kindPosition, q.sub.ID)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	if err := json.Unmarshal(it.Body, &q.position); err != nil {
		return fmt.Errorf("position: %w", err)
	}
	q.version, q.dirty = it.Version, 0
	for {
		entries, err := q.tail.next(ctx, q.position.Seq, batch)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if err := q.pass(ctx, entry); err != nil {
				return err
			}
		}
	}
}

// pass does what is to be done with one entry and moves the position over it.
func (q *queue) pass(ctx context.Context, entry store.Entry) error {
	event, ok := EventOf(entry)
	if !ok || !q.sub.Matches(entry.Source, event) {
		q.position.Seq = entry.Seq
		if q.dirty++; q.dirty >= saveEvery {
			return q.save(ctx)
		}
		return nil
	}
	if err := q.deliver(ctx, entry, event); err != nil {
		return err
	}
	q.position.Seq = entry.Seq
	q.position.Number++
	return q.save(ctx)
}

// save writes the position. That it is still the version read is what fences
// an instance out that lost its lease without noticing.
func (q *queue) save(ctx context.Context) error {
	b, err := json.Marshal(q.position)
	if err != nil {
		return err
	}
	it, err := q.o.Store.PutItem(ctx, q.tenant, store.Item{Kind: kindPosition, ID: q.sub.ID, Body: b}, q.version)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	q.version, q.dirty = it.Version, 0
	return nil
}

// deliveries is the namespace of delivery ids: a repeated delivery has the
// same id, so that its receiver can drop it.
var deliveries = uuid.MustParse("0f4f4d2c-7c43-5a53-9d5e-4f0a3c1d6b11")

// deliver sends one event until it is acknowledged, or, outside Production,
// once.
func (q *queue) deliver(ctx context.Context, entry store.Entry, event Event) error {
	tr := Transmission{
		ID:           uuid.NewSHA1(deliveries, fmt.Appendf(nil, "%s %s %d", q.tenant, q.sub.ID, entry.Seq)).String(),
		Subscription: q.sub.ID, Destination: q.dest.ID, Source: entry.Source, Message: event.Message,
		DataModel: event.DataModel, EventType: event.EventType, Event: event.Name,
		Seq: entry.Seq, Number: q.position.Number + 1, Status: Pending, CreatedAt: q.o.Now().UTC(),
	}
	if known, err := q.o.Transmissions.Get(ctx, q.tenant, tr.ID); err == nil {
		tr.Attempts, tr.Total, tr.CreatedAt = known.Attempts, known.Total, known.CreatedAt
	}
	payload, err := q.o.Renderer.Render(ctx, q.tenant, q.sub, q.dest, tr.ID, entry, event)
	if err != nil {
		return fmt.Errorf("render: %w", err)
	}
	for {
		began := q.o.Now()
		err := q.o.Sender.send(ctx, q.dest, delivery{ID: tr.ID, ContentType: payload.ContentType, Body: payload.Body})
		if ctx.Err() != nil {
			return ctx.Err() // it is not known how this attempt ended
		}
		attempt := Attempt{At: began.UTC(), DurationMillis: q.o.Now().Sub(began).Milliseconds()}
		if err == nil {
			tr.add(attempt)
			tr.Status, tr.NextAttempt = Succeeded, nil
			return q.o.Transmissions.put(ctx, q.tenant, tr)
		}
		again, err := q.failed(ctx, &tr, attempt, err)
		if err != nil || !again {
			return err
		}
	}
}

// failed records a failed attempt, waits for the next one where there is to
// be one, and says whether there is.
func (q *queue) failed(ctx context.Context, tr *Transmission, attempt Attempt, cause error) (again bool, err error) {
	var f *Failure
	if !errors.As(cause, &f) {
		f = &Failure{Reason: "the delivery failed"}
	}
	attempt.Status, attempt.Error = f.Status, f.Reason
	tr.add(attempt)
	log := q.logger.With("transmission", tr.ID, "attempt", tr.Total, "reason", f.Reason)
	if q.o.Environment(q.tenant) != Production {
		tr.Status, tr.NextAttempt = Failed, nil
		log.Warn("delivery failed; only Production retries by itself")
		return false, q.o.Transmissions.put(ctx, q.tenant, *tr)
	}
	wait := retryAfter(tr.Total, f.RetryAfter)
	next := q.o.Now().Add(wait).UTC()
	tr.NextAttempt = &next
	log.Warn("delivery failed; it is tried again", "wait", wait)
	if err := q.o.Transmissions.put(ctx, q.tenant, *tr); err != nil {
		return false, err
	}
	if tr.Total == alertAfter+1 && q.o.Alert != nil {
		q.o.Alert(ctx, q.tenant, *tr)
	}
	if wait == 0 {
		return true, nil
	}
	select {
	case <-q.o.After(wait):
	case <-q.wake:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return true, nil
}
