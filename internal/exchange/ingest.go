package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
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
	// Parsed is nil when the text could not be read, or is not Redox JSON.
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
	query := false
	err := survive(func() error {
		text, err := x.withFiles(ctx, t, src.ID, raw)
		if err != nil {
			return err
		}
		parsed, err := redox.Parse(text)
		if parsed != nil {
			rc.Parsed, rc.Message.DataModel, rc.Message.EventType = parsed, parsed.DataModel, parsed.EventType
		}
		if err != nil {
			return err
		}
		if query = parsed.ResponseEvent() != ""; query {
			return nil
		}
		return x.commit(ctx, t, src, &rc, raw)
	})
	if query {
		return rc, errQuery
	}
	if err != nil {
		f, logged := x.refuse(ctx, t, &rc.Message, raw, err)
		if !logged && f.Permanent() {
			// The source must send again what the log does not have.
			f = failureOf(store.ErrUnavailable)
		}
		return rc, f
	}
	rc.Message.Status = notifications.Succeeded
	x.count(rc.Message)
	return rc, nil
}

// errQuery: the message asks something. It is answered, not stored.
var errQuery = errors.New("the message is a query")

// survive makes an error of a panic, so that a message that no code was ready
// for is in the log like any other that failed. The panic's value may hold
// what is a patient's; its type and its place are what helps.
func survive(work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic (%T) at %s", v, panicPlace())
		}
	}()
	return work()
}

// panicPlace is the function and line that panicked: the first frame behind
// the runtime's own.
func panicPlace() string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(0, pc)])
	panicked := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// refuse records why a message failed.
func (x *Exchange) refuse(ctx context.Context, t store.Tenant, m *Message, text []byte, cause error) (f *Failure, logged bool) {
	f = failureOf(cause)
	f.Errors = withIDs(f.Errors, m.ReceivedAt)
	m.Status, m.Errors = notifications.Failed, f.Errors
	x.count(*m)
	log := x.o.Logger.With("tenant", t, "message", m.ID, "dataModel", m.DataModel, "eventType", m.EventType)
	if f.Permanent() {
		log.InfoContext(ctx, "message refused", "status", f.Status, "reason", f.Error())
	} else {
		log.ErrorContext(ctx, "message failed", "status", f.Status, "error", f.cause)
	}
	// The client may be gone; the record is written all the same.
	if err := x.messages.Put(context.WithoutCancel(ctx), t, *m, text); err != nil {
		log.ErrorContext(ctx, "message record not completed", "error", err)
		return f, false
	}
	return f, true
}

// attempts is how often a message is planned anew because someone else
// changed the same resources meanwhile.
const attempts = 8

func (x *Exchange) commit(ctx context.Context, t store.Tenant, src Source, rc *Receipt, raw []byte) error {
	options, err := x.options(t, src)
	if err != nil {
		return err
	}
	said, err := rc.Parsed.ToFHIR(options)
	if err != nil {
		return err
	}
	return x.commitSaid(ctx, t, src, rc, raw, said, rc.Parsed.Meta())
}

// commitSaid commits what a message says in FHIR. Of meta, the destinations
// count, and what tells the message from others.
func (x *Exchange) commitSaid(ctx context.Context, t store.Tenant, src Source, rc *Receipt, raw []byte, said *mapping.Message, meta *redox.Meta) (err error) {
	event := notifications.Event{
		DataModel: said.DataModel, EventType: said.EventType, Name: said.Event.Name,
		Message: rc.Message.ID, SourceID: src.ID, SourceName: src.Name, Test: said.Test,
	}
	if err := x.route(ctx, t, src, rc, said, meta.Destinations, &event); err != nil {
		return err
	}
	m := &rc.Message
	if at := eventTime(said, m.ReceivedAt); !at.IsZero() {
		m.EventAt = &at
	}
	if distinct(meta) {
		m.content = byContent(src.ID, raw)
		earlier, ok, err := x.messages.redelivered(ctx, t, m.content)
		if err != nil {
			return err
		}
		if ok {
			m.Repeats, m.Resources, rc.Matched = earlier.ID, earlier.Resources, nil
			m.Warnings = append(m.Warnings, "The message was received before, as "+earlier.ID+"; nothing was changed and nobody is told.")
			done := *m
			done.Status = notifications.Succeeded
			return x.messages.Put(ctx, t, done, raw)
		}
	}
	logged := false
	for range attempts {
		var p *plan
		p, err = x.plan(ctx, t, src, m, said)
		if err != nil && (errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrGuard)) {
			continue // somebody else changed what a merge was about to
		}
		if err != nil {
			return err
		}
		m.unchanged = p.unchanged
		if p.overtaken > 0 && !logged {
			m.Warnings = append(m.Warnings, fmt.Sprintf(
				"Of %d resources the source has said something later (EventDateTime): what was known of them stays, and only what was not known is added.", p.overtaken))
		}
		event.Focus, event.Patients, event.Resources = p.focus, p.patients, p.resources
		rc.Message.Resources = p.resources
		if len(p.changes) == 0 {
			rc.Message.Warnings = append(rc.Message.Warnings, "The message says nothing that was not known; nothing was changed and nobody is told.")
			done := rc.Message
			done.Status, done.After = notifications.Succeeded, 0
			return x.messages.Put(ctx, t, done, raw)
		}
		if !logged {
			// Before the commit, so that whoever reads the commit finds the text.
			if rc.Message.After, err = x.o.Store.Head(ctx, t); err != nil {
				return err
			}
			if err = x.messages.Put(ctx, t, rc.Message, raw); err != nil {
				return err
			}
			logged = true
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
func (x *Exchange) route(ctx context.Context, t store.Tenant, src Source, rc *Receipt, said *mapping.Message, to []redox.Party, event *notifications.Event) error {
	subs, err := x.o.Registry.Subscriptions(ctx, t)
	if err != nil {
		return err
	}
	for i, d := range to {
		if d.ID == "" {
			continue
		}
		subscribed := slices.ContainsFunc(subs, func(s notifications.Subscription) bool {
			return s.Destination == d.ID && !s.Writebacks && (s.Source == "" || s.Source == src.ID) &&
				(s.DataModel == "*" || s.DataModel == said.DataModel)
		})
		switch {
		case subscribed:
			event.Destinations = append(event.Destinations, d.ID)
		case x.o.Sandbox:
			rc.Message.Warnings = append(rc.Message.Warnings, fmt.Sprintf("Meta.Destinations[%d] is not subscribed; it was passed over.", i))
		default:
			return failure(http.StatusBadRequest, moduleSubscriptions, noSubscriptions)
		}
	}
	if rc.Message.Format == formatHL7v2 && slices.ContainsFunc(subs, func(s notifications.Subscription) bool { return s.Content == notifications.Redox }) {
		if _, err := x.redoxOf(t, src, said); err != nil {
			event.NoRedox = true
			rc.Message.Warnings = append(rc.Message.Warnings, "It has no form in Redox JSON; subscriptions with content redox are not told.")
		}
	}
	event.NoRedox = event.NoRedox || rc.Message.Format == formatFHIR
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
	// targets are the versions that the changes make.
	targets []string
	// unchanged are the resources that stay as they are, and overtaken is how
	// many of all are known from a later message of the source.
	unchanged []store.Ref
	overtaken int
}

func (x *Exchange) plan(ctx context.Context, t store.Tenant, src Source, m *Message, said *mapping.Message) (*plan, error) {
	records, err := x.identify(ctx, t, said)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(said.Entries))
	for i, e := range said.Entries {
		names[e.FullURL] = records.of[i].ref.String()
	}
	if err := x.mentioned(ctx, t, said.Mentioned, names); err != nil {
		return nil, err
	}
	texts := map[*record][]byte{}
	late := map[*record]bool{}
	for _, r := range records.all {
		if late[r], err = x.overtaken(ctx, t, r, src.ID, m.eventAt()); err != nil {
			return nil, err
		}
	}
	p := &plan{}
	var written []byte
	for i, e := range said.Entries {
		if records.needless[i] {
			continue
		}
		r := records.of[i]
		if e.Resource == nil {
			written = append(written[:0], e.Raw...)
		} else if written, err = mapping.AppendResource(written[:0], e.Resource); err != nil {
			return nil, err
		}
		text := rename(written, names)
		// Two entries may be the same record: a provider in two roles.
		base := r.current.Body
		if earlier, ok := texts[r]; ok {
			base = earlier
		}
		if late[r] {
			// What was said later lies over it.
			base, text = text, base
		}
		if e.Whole {
			base = nil
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
		if err := x.settleMerges(t, records, r, texts); err != nil {
			return nil, err
		}
		if late[r] {
			p.overtaken++
		}
		if sameContent(r.current.Body, texts[r]) {
			p.unchanged = append(p.unchanged, r.ref)
			continue
		}
		text := texts[r]
		if !late[r] {
			if text, err = stamped(text, src.ID, m.eventAt()); err != nil {
				return nil, err
			}
		}
		prepared, err := x.o.Repository.Prepare(ctx, t, r.ref.ID, text)
		if err != nil {
			return nil, err
		}
		// Only what changes needs a guard: a record that stays as it is has all
		// these identifiers already, and whoever looks for them finds it.
		if g, ok := x.guard(records, r); ok {
			p.guards = append(p.guards, g)
		}
		expect := store.Absent()
		if r.current.Version > 0 && !r.current.Deleted {
			expect = store.AtVersion(r.current.Version)
		}
		p.changes = append(p.changes, prepared.Change(expect))
		p.targets = append(p.targets, version(r.ref, r.current.Version+1))
	}
	if err := x.repoint(ctx, t, src, m, p, records); err != nil {
		return nil, err
	}
	if len(p.changes) > 0 {
		said, err := x.provenance(ctx, t, m.ID, m, src, p.targets, m.eventAt())
		if err != nil {
			return nil, err
		}
		p.changes = append(p.changes, said)
	}
	for _, i := range said.Focus {
		if name := records.of[i].ref.String(); !slices.Contains(p.focus, name) {
			p.focus = append(p.focus, name)
		}
	}
	return p, nil
}

// localName begins the addresses that are local to a message.
const localName = `"urn:uuid:`

// rename copies a text with the names of the stored records in place of the
// message's local ones.
func rename(text []byte, names map[string]string) []byte {
	out := make([]byte, 0, len(text))
	for {
		i := bytes.Index(text, []byte(localName))
		if i < 0 {
			return append(out, text...)
		}
		out = append(out, text[:i+1]...)
		text = text[i+1:]
		if end := bytes.IndexByte(text, '"'); end > 0 {
			if name, ok := names[string(text[:end])]; ok {
				out = append(out, name...)
				text = text[end:]
			}
		}
	}
}
