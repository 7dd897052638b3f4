package notifications

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// deliveries is the namespace of delivery ids: a repeated delivery has the
// same id, so that its receiver can drop it.
var deliveries = uuid.MustParse("0f4f4d2c-7c43-5a53-9d5e-4f0a3c1d6b11")

// DeliveryID is the id of the transmission that tells a subscription of a log
// entry, before and after it exists.
func DeliveryID(t store.Tenant, subscription string, seq int64) string {
	return deliveryID(t, subscription, seq, 0)
}

// deliveryID is that of one of several events of an entry.
func deliveryID(t store.Tenant, subscription string, seq int64, part int) string {
	name := fmt.Appendf(nil, "%s %s %d", t, subscription, seq)
	if part > 0 {
		name = fmt.Appendf(name, " %d", part)
	}
	return uuid.NewSHA1(deliveries, name).String()
}

// occurrence is one event on its way to one subscription.
type occurrence struct {
	entry store.Entry
	event Event
	// part and notice are set for FHIR Subscriptions: what of the entry they
	// are told of.
	part   int
	notice *topic.Notice
}

// deliver sends one event until it is acknowledged or skipped, or, in an
// environment that does not retry, once.
func (q *queue) deliver(ctx context.Context, of occurrence) error {
	tr, version, done, err := q.record(ctx, of)
	if err != nil || done {
		return err
	}
	select { // a wish to retry that came when nothing waited is not for this one
	case <-q.wake:
	default:
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !q.held.Valid() {
			return lease.ErrLost
		}
		began := q.o.Now()
		status, failure := q.attempt(ctx, tr, of)
		if ctx.Err() != nil && failure != nil {
			return ctx.Err() // it is not known how this attempt ended
		}
		attempt := Attempt{At: began.UTC(), DurationMillis: q.o.Now().Sub(began).Milliseconds(), Status: status}
		if failure != nil {
			attempt.Status, attempt.Error = failure.Status, failure.Reason
		}
		tr.add(attempt)
		next := q.judge(&tr, failure)
		if next == giveUp || tr.Failures > alertAfter && !tr.Alerted && next == again {
			// Before it is written: a crash must not swallow the alert.
			tr.Alerted = true
			q.alert(ctx, tr)
		}
		if of.event.Writeback && tr.Status != Pending && q.o.Ended != nil {
			if err := q.o.Ended(context.WithoutCancel(ctx), q.tenant, tr); err != nil {
				return fmt.Errorf("the end of a writeback: %w", err)
			}
		}
		if version, err = q.write(ctx, tr, version); err != nil {
			return err
		}
		q.o.Meter.Attempt(q.tenant, tr, attempt)
		q.outcome(ctx, tr, next, failure)
		switch next {
		case goOn:
			return nil
		case giveUp:
			if err := q.o.Registry.switchOff(ctx, q.tenant, q.sub.ID, failure.Reason); err != nil {
				return err
			}
			return errOff
		}
		select {
		case <-q.o.After(until(q.o.Now(), *tr.NextAttempt)):
		case <-q.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write writes the record of an attempt. An acknowledgement is written even
// when the queue is being stopped, so that it need not be sent again.
func (q *queue) write(ctx context.Context, tr Transmission, version int64) (int64, error) {
	if ctx.Err() != nil {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), firstPause)
		defer cancel()
		ctx = end
	}
	return q.o.Transmissions.put(ctx, q.tenant, tr, version)
}

// record is the transmission of an event as it is known, or a new one. done
// says that nothing is left to do: it ended in this round already, and only
// the position was not written.
func (q *queue) record(ctx context.Context, of occurrence) (tr Transmission, version int64, done bool, err error) {
	entry, event := of.entry, of.event
	tr = Transmission{
		ID:           deliveryID(q.tenant, q.sub.ID, entry.Seq, of.part),
		Subscription: q.sub.ID, Destination: q.dest.ID, Source: entry.Source, Message: event.Message,
		DataModel: event.DataModel, EventType: event.EventType, Event: event.Name,
		Seq: entry.Seq, Number: q.position.Number + 1, Round: q.position.Round, Status: Pending, CreatedAt: q.o.Now().UTC(),
	}
	if of.notice != nil {
		at := entry.Time
		tr.Part, tr.Notice, tr.Committed = of.part, of.notice, &at
	}
	if !q.fresh {
		var known Transmission
		known, version, err = getVersion[Transmission](ctx, q.o.Store, q.tenant, kindTransmission, tr.ID)
		switch {
		case err == nil:
			tr.Number, tr.CreatedAt = known.Number, known.CreatedAt
			tr.Attempts, tr.Total = known.Attempts, known.Total
			if done = known.Round == tr.Round && known.Status != Pending; !done && known.Round == tr.Round {
				tr.Failures, tr.Alerted = known.Failures, known.Alerted
			}
		case errors.Is(err, store.ErrNotFound):
			// Records are made in order: none behind this one, unless an
			// earlier round had come further.
			q.fresh = q.position.Round == 0
		default:
			return tr, 0, false, err
		}
	}
	q.position.Number = max(q.position.Number, tr.Number)
	return tr, version, done, nil
}

// attempt renders and sends once: acknowledged with a status, or not.
func (q *queue) attempt(ctx context.Context, tr Transmission, of occurrence) (status int, f *Failure) {
	// Rendered for each attempt: what could not be read may be readable now,
	// and a payload need not stay in memory while its receiver is down.
	d := delivery{ID: tr.ID}
	var err error
	if q.sub.Resource != nil {
		d, err = q.o.Renderer.notification(ctx, q.tenant, *q.sub.Resource, tr, of)
	} else {
		var payload Payload
		payload, err = q.o.Renderer.Render(ctx, q.tenant, q.sub, q.dest, tr.ID, of.entry, of.event)
		d.ContentType, d.Body = payload.ContentType, payload.Body
	}
	if errors.As(err, &f) {
		return 0, f
	}
	if err != nil {
		return 0, &Failure{Reason: "the payload cannot be made: " + unrendered(err)}
	}
	if q.sub.Resource == nil && q.sub.Content == HL7v2 {
		if q.o.Carry == nil {
			return 0, &Failure{Reason: "HL7 v2 is not carried here"}
		}
		if status, err = q.o.Carry(ctx, q.tenant, q.dest, d.ID, Payload{d.ContentType, d.Body}); err != nil && !errors.As(err, &f) {
			f = &Failure{Reason: "the delivery failed"}
		}
		return status, f
	}
	status, err = q.o.Sender.send(ctx, q.dest, d)
	if err != nil && !errors.As(err, &f) {
		f = &Failure{Reason: "the delivery failed"}
	}
	return status, f
}

// unrendered words why a payload could not be made, without what it is of.
func unrendered(err error) string {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "a message or resource that it needs is gone"
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed):
		return "the store does not answer"
	case errors.Is(err, errNoEvent):
		return errNoEvent.Error()
	}
	return "what is stored cannot be read"
}

// verdict is what follows from an attempt.
type verdict uint8

const (
	goOn   verdict = iota // with the next event
	again                 // at NextAttempt
	giveUp                // the subscription is switched off
)

// judge decides and enters it into the record.
func (q *queue) judge(tr *Transmission, f *Failure) verdict {
	tr.NextAttempt = nil
	if f == nil {
		tr.Status, tr.Failures, tr.Alerted = Succeeded, 0, false
		return goOn
	}
	tr.Failures++
	log := q.logger.With("transmission", tr.ID, "attempt", tr.Total, "reason", f.Reason)
	switch {
	case f.Gone:
		log.Warn("the endpoint wants no more; the subscription is switched off")
		return giveUp
	case f.Park:
		tr.Status, tr.Reason = Failed, f.Reason
		log.Warn("the message is set aside")
		return goOn
	case !q.o.Environment(q.tenant).retries():
		tr.Status = Failed
		log.Warn("delivery failed; this environment does not retry")
		return goOn
	}
	wait := retryAfter(tr.Failures, f.RetryAfter)
	next := q.o.Now().Add(wait).UTC()
	tr.NextAttempt = &next
	log.Warn("delivery failed; it is tried again", "wait", wait)
	return again
}

// retries reports whether a failed delivery stands in the way until it is
// acknowledged. An environment of another name than Redox's is not made to
// lose events.
func (e Environment) retries() bool { return e != Development && e != Staging }

func (q *queue) alert(ctx context.Context, tr Transmission) {
	if q.o.Alert != nil {
		q.o.Alert(ctx, q.tenant, tr)
	}
}

// until is how long it is from now to at, for a timer.
func until(now, at time.Time) time.Duration { return max(0, at.Sub(now)) }
