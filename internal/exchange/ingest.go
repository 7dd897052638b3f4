package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// Receipt says what became of a message.
type Receipt struct {
	Message Message
	// Parsed is nil when the text could not be read.
	Parsed *redox.Message
	// Matched are the subscriptions that will be told.
	Matched []notifications.Subscription
}

// Ingest takes one Redox message of a source from its text to a commit. What
// is refused is in the message log with its error and changes nothing else;
// the error is then a *Failure.
func (x *Exchange) Ingest(ctx context.Context, t store.Tenant, src Source, raw []byte) (Receipt, error) {
	rc := Receipt{Message: Message{
		ID: x.o.NewID(), ReceivedAt: x.o.Now().UTC(), Direction: Inbound, Status: notifications.Pending,
		Source: src.ID, SourceName: src.Name, Bytes: len(raw),
	}}
	var parseErr error
	if rc.Parsed, parseErr = redox.Parse(raw); rc.Parsed != nil {
		rc.Message.DataModel, rc.Message.EventType = rc.Parsed.DataModel, rc.Parsed.EventType
	}
	if err := x.messages.Receive(ctx, t, rc.Message, raw); err != nil {
		return rc, failureOf(err)
	}
	if parseErr != nil {
		return rc, x.refuse(ctx, t, &rc.Message, parseErr)
	}
	if err := x.commit(ctx, t, src, &rc); err != nil {
		return rc, x.refuse(ctx, t, &rc.Message, err)
	}
	rc.Message.Status = notifications.Succeeded
	x.count(rc.Message)
	// The commit stands: that its record cannot be completed must not make the
	// source send it again.
	if err := x.messages.Put(ctx, t, rc.Message); err != nil {
		x.o.Logger.ErrorContext(ctx, "message record not completed", "tenant", t, "message", rc.Message.ID, "error", err)
	}
	return rc, nil
}

// refuse records why a message failed.
func (x *Exchange) refuse(ctx context.Context, t store.Tenant, m *Message, cause error) *Failure {
	f := failureOf(cause)
	m.Status, m.Errors = notifications.Failed, f.Errors
	x.count(*m)
	log := x.o.Logger.With("tenant", t, "message", m.ID, "dataModel", m.DataModel, "eventType", m.EventType)
	if f.Permanent() {
		log.InfoContext(ctx, "message refused", "status", f.Status, "reason", f.Error())
	} else {
		log.ErrorContext(ctx, "message failed", "status", f.Status, "error", f.cause)
	}
	// The client may be gone; the record is written all the same.
	if err := x.messages.Put(context.WithoutCancel(ctx), t, *m); err != nil {
		log.ErrorContext(ctx, "message record not completed", "error", err)
	}
	return f
}

// attempts is how often a message is planned anew because someone else
// changed the same resources meanwhile.
const attempts = 8

func (x *Exchange) commit(ctx context.Context, t store.Tenant, src Source, rc *Receipt) error {
	options, err := x.options(t, src)
	if err != nil {
		return err
	}
	said, err := rc.Parsed.ToFHIR(options)
	if err != nil {
		return err
	}
	event := notifications.Event{
		DataModel: said.DataModel, EventType: said.EventType, Name: said.Event.Name,
		Message: rc.Message.ID, SourceID: src.ID, SourceName: src.Name, Test: said.Test,
	}
	if err := x.route(ctx, t, rc, &event); err != nil {
		return err
	}
	for range attempts {
		var p *plan
		if p, err = x.plan(ctx, t, said); err != nil {
			return err
		}
		event.Focus, event.Patients, event.Resources = p.focus, p.patients, p.resources
		rc.Message.Resources = p.resources
		if len(p.changes) == 0 {
			rc.Message.Warnings = append(rc.Message.Warnings, "The message says nothing that was not known; nothing was changed and nobody is told.")
			return nil
		}
		var entry store.Entry
		entry, err = x.o.Repository.Commit(ctx, t, store.Commit{
			Source: src.ID, Event: said.DataModel + "." + said.EventType, Info: event.Encode(),
			Changes: p.changes, Guards: p.guards,
		})
		if err == nil {
			rc.Message.Seq = entry.Seq
			return nil
		}
		if !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrGuard) {
			return err
		}
	}
	return fmt.Errorf("after %d attempts: %w", attempts, err)
}

// noSubscriptions is Redox's text for a destination that is not subscribed.
const noSubscriptions = "No subscriptions. Meta.Destinations needs to contain a destination from existing subscriptions"

// route finds the subscriptions that a message goes to. Where Meta names
// destinations, it goes only to those; in a sandbox, names that nobody
// subscribes are noted and passed over, so that sample messages can be sent.
func (x *Exchange) route(ctx context.Context, t store.Tenant, rc *Receipt, event *notifications.Event) error {
	subs, err := x.o.Registry.Subscriptions(ctx, t)
	if err != nil {
		return err
	}
	for i, d := range rc.Parsed.Meta().Destinations {
		if d.ID == "" {
			continue
		}
		subscribed := slices.ContainsFunc(subs, func(s notifications.Subscription) bool { return s.Destination == d.ID })
		switch {
		case subscribed:
			event.Destinations = append(event.Destinations, d.ID)
		case x.o.Sandbox:
			rc.Message.Warnings = append(rc.Message.Warnings, fmt.Sprintf("Meta.Destinations[%d] is not subscribed; it was passed over.", i))
		default:
			return failure(http.StatusBadRequest, moduleSubscriptions, noSubscriptions)
		}
	}
	for _, s := range subs {
		if s.Matches(rc.Message.Source, *event) {
			rc.Matched = append(rc.Matched, s)
		}
	}
	return nil
}

// plan is what a message changes, given what is stored now.
type plan struct {
	changes                    []store.Change
	guards                     []store.Guard
	focus, patients, resources []string
}

func (x *Exchange) plan(ctx context.Context, t store.Tenant, said *mapping.Message) (*plan, error) {
	records, err := x.identify(ctx, t, said)
	if err != nil {
		return nil, err
	}
	references := make([]string, 0, 2*len(said.Entries))
	for i, e := range said.Entries {
		references = append(references, `"`+e.FullURL+`"`, `"`+records.of[i].ref.String()+`"`)
	}
	rewrite := strings.NewReplacer(references...)
	texts := map[*record][]byte{}
	p := &plan{guards: records.guards}
	for i, e := range said.Entries {
		r := records.of[i]
		text, err := mapping.MarshalResource(e.Resource)
		if err != nil {
			return nil, err
		}
		text = []byte(rewrite.Replace(string(text)))
		// Two entries may be the same record: a provider in two roles.
		base := r.current.Body
		if earlier, ok := texts[r]; ok {
			base = earlier
		}
		if texts[r], err = merge(x.o.Repository.Definitions(), base, text, r.ref); err != nil {
			return nil, err
		}
	}
	for _, r := range records.all {
		name := r.ref.String()
		p.resources = append(p.resources, name)
		if r.ref.Type == "Patient" {
			p.patients = append(p.patients, name)
		}
		if sameContent(r.current.Body, texts[r]) {
			continue
		}
		prepared, err := x.o.Repository.Prepare(t, r.ref.ID, texts[r])
		if err != nil {
			return nil, err
		}
		expect := store.Absent()
		if r.current.Version > 0 && !r.current.Deleted {
			expect = store.AtVersion(r.current.Version)
		}
		p.changes = append(p.changes, prepared.Change(expect))
	}
	for _, i := range said.Focus {
		if name := records.of[i].ref.String(); !slices.Contains(p.focus, name) {
			p.focus = append(p.focus, name)
		}
	}
	return p, nil
}
