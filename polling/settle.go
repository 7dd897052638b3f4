package polling

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// maxRefusals is how many deliveries may fail one after the other before a
// run gives up: then it is not the messages that are wrong.
const maxRefusals = 5

// settle takes one filled container to where it ends: no message, delivered,
// parked or kept. An error ends the run.
func (r *run) settle(ctx context.Context, w *work) error { return r.settleLinked(ctx, w, nil) }

func (r *run) settleLinked(ctx context.Context, w *work, links []Change) error {
	rec := w.record
	switch {
	case w.skip:
		r.report.Unchanged++
		r.seen[rec.ID] = w.change.Stamp
		return nil
	case rec.undelivered():
		rec.Pending.Next = &w.change
		r.seen[rec.ID], r.kept[rec.ID] = w.change.Stamp, true
		return r.put(ctx, rec)
	case w.err != nil && (concernsAll(w.err) || ctx.Err() != nil):
		return w.err
	case w.err != nil:
		if w.baseline && rec.Stamp == "" && rec.Pending == nil {
			rec.Pending = &pending{Since: r.now(), Baseline: true}
		}
		return r.keep(ctx, rec, w.change, w.err)
	}
	hash := hashOf(w.container.Content)
	if w.baseline && rec.Stamp == "" {
		return r.note(ctx, w, hash)
	}
	if hash == rec.Hash || rec.Content != nil && hash == hashOf(rec.Content) {
		r.report.Unchanged++
		return r.drop(ctx, w)
	}
	before := Before{Content: rec.Content}
	if rec.Content == nil {
		known, err := r.linkedFrom(ctx, rec.ID)
		if err != nil {
			return err
		}
		before.LinkedFrom = slices.Concat(known, links)
	}
	id := r.messageID(rec, hash)
	message, err := r.connector.Message(r.action, id, w.container, before)
	switch {
	case err != nil:
		return r.keep(ctx, rec, w.change, err)
	case message == nil:
		r.report.Ignored++
		return r.drop(ctx, w)
	}
	since := r.now()
	if rec.Pending != nil {
		since = rec.Pending.Since
	}
	rec.Pending = &pending{Change: w.change, Content: w.container.Content, Message: message, MessageID: id, Since: since}
	if err := r.put(ctx, rec); err != nil {
		return err
	}
	return r.deliver(ctx, rec)
}

// note takes a record as it is for what was known before.
func (r *run) note(ctx context.Context, w *work, hash string) error {
	rec := w.record
	rec.Change, rec.Stamp, rec.Hash, rec.Content = w.change, w.change.Stamp, hash, w.container.Content
	rec.Pending = nil
	delete(r.kept, rec.ID)
	r.report.Noted++
	r.seen[rec.ID] = rec.Stamp
	return r.put(ctx, rec)
}

// drop ends a change that makes no message.
func (r *run) drop(ctx context.Context, w *work) error {
	rec := w.record
	r.seen[rec.ID] = w.change.Stamp
	delete(r.kept, rec.ID)
	if rec.Pending == nil {
		return nil
	}
	rec.Pending = nil
	return r.put(ctx, rec)
}

// deliver delivers the message that a record's item holds.
func (r *run) deliver(ctx context.Context, rec *record) error {
	if err := r.lease.Upkeep(ctx); err != nil {
		return err
	}
	p := rec.Pending
	err := r.sink.Deliver(ctx, r.connection.Tenant, r.connection.Source, p.Message)
	refused := err != nil && permanent(err)
	if err != nil && !refused {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.keep(ctx, rec, p.Change, err); err != nil {
			return err
		}
		if r.refusals++; r.refusals >= maxRefusals {
			return errSink
		}
		return nil
	}
	r.refusals = 0
	rec.Number++
	rec.Change, rec.Stamp, rec.Hash = p.Change, p.Change.Stamp, hashOf(p.Content)
	rec.Pending = nil
	if p.Next != nil {
		rec.Pending = &pending{Change: *p.Next, Since: p.Since}
	}
	if refused {
		r.report.Parked++
		rec.Parked = &parked{MessageID: p.MessageID, Message: p.Message, Time: r.now(), Error: err.Error()}
		r.logger.Error("a message was refused and is parked", "message", p.MessageID)
	} else {
		r.report.Delivered++
		rec.Content, rec.Parked = p.Content, nil
	}
	r.seen[rec.ID] = rec.Stamp
	if rec.Pending == nil {
		delete(r.kept, rec.ID)
	}
	return r.put(ctx, rec)
}

var errSink = errors.New("messages cannot be delivered")

// keep keeps a container for a later run.
func (r *run) keep(ctx context.Context, rec *record, change Change, cause error) error {
	if rec.Pending == nil {
		rec.Pending = &pending{Since: r.now()}
	}
	p := rec.Pending
	p.Change = change
	p.Attempts++
	p.Error = cause.Error()
	if p.Attempts > 3 {
		p.NotBefore = r.now().Add(min(10*time.Minute, time.Second<<min(p.Attempts-3, 16)))
	}
	r.seen[rec.ID], r.kept[rec.ID] = change.Stamp, true
	r.logger.Warn("a container is kept", "attempts", p.Attempts, "cause", kindOf(cause))
	return r.put(ctx, rec)
}

// kindOf is an error in words that can be logged: those of a sink or a
// mapping may quote content. What a call or the store says does not.
func kindOf(err error) string {
	var call *CallError
	if errors.As(err, &call) {
		return call.Error()
	}
	for _, known := range []error{
		store.ErrUnavailable, store.ErrConflict, store.ErrTooLarge, store.ErrInvalid, store.ErrTimeout, store.ErrClosed,
		lease.ErrLost, errSink, context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return fmt.Sprintf("%T", err)
}
