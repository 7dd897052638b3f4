package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2/v2fhir"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

func (x *Exchange) makeHL7v2(t store.Tenant, s notifications.HL7v2Settings, bundle []byte, code, control string) (*v2fhir.Written, []byte, error) {
	organization, _ := tenant.Split(t)
	return s.MakeHL7v2(bundle, code, organization, control, x.o.Now())
}

// WritebackBundle is the Bundle of a writeback, for the destinations that take
// HL7 v2.
func (x *Exchange) WritebackBundle(ctx context.Context, t store.Tenant, id string) ([]byte, error) {
	text, err := x.messages.Body(ctx, t, id)
	if err != nil {
		return nil, err
	}
	return forHL7v2(text)
}

// redoxOfWriteback is a writeback as Redox JSON. It is the same each time.
func (x *Exchange) redoxOfWriteback(ctx context.Context, t store.Tenant, m Message, bundle []byte) ([]byte, error) {
	src, err := x.sources.Get(ctx, t, m.Source)
	if err != nil {
		return nil, err
	}
	return x.sayWriteback(t, src, &m, bundle)
}

// sayWriteback makes the Redox message of a writeback, and names its event in
// the record.
func (x *Exchange) sayWriteback(t store.Tenant, src Source, m *Message, bundle []byte) ([]byte, error) {
	options, err := x.options(t, src)
	if err != nil {
		return nil, err
	}
	in := redox.Writeback{Operation: m.Operation, Bundle: bundle}
	if m.PreviousStart != nil {
		in.PreviousStart = *m.PreviousStart
	}
	said, err := redox.FromWriteback(in, options)
	if err != nil {
		return nil, err
	}
	m.DataModel, m.EventType = said.DataModel, said.EventType
	meta := said.Meta()
	if meta.EventDateTime == "" {
		meta.EventDateTime = instant(m.ReceivedAt)
	}
	meta.Source = &redox.Party{ID: src.ID, Name: src.Name}
	return redox.Marshal(said)
}

// destinationsOf finds who takes a writeback, and makes sure that each of them
// can be told: what cannot be said is refused at once.
func (x *Exchange) destinationsOf(ctx context.Context, t store.Tenant, src Source, event *notifications.Event, bundle []byte, inRedox error) error {
	subs, err := x.o.Registry.Subscriptions(ctx, t)
	if err != nil {
		return err
	}
	v2, err := forHL7v2(bundle)
	if err != nil {
		return err
	}
	for _, s := range subs {
		if !s.Matches(src.ID, *event) {
			continue
		}
		if s.Content == notifications.Redox && inRedox != nil {
			return inRedox
		}
		if s.Content == notifications.HL7v2 {
			d, err := x.o.Registry.Destination(ctx, t, s.Destination)
			if err != nil {
				return err
			}
			settings := notifications.HL7v2Settings{}
			if d.HL7v2 != nil {
				settings = *d.HL7v2
			}
			if _, _, err := x.makeHL7v2(t, settings, v2, settings.Code(event.DataModel, event.EventType), "CHECK"); err != nil {
				return unwritable(err)
			}
		}
		event.Destinations = append(event.Destinations, s.Destination)
	}
	if len(event.Destinations) == 0 {
		return failure(http.StatusBadRequest, moduleSubscriptions,
			"No destination takes writebacks of "+event.DataModel+":"+event.EventType+". A subscription with writebacks true makes one.")
	}
	return nil
}

// unwritable is why no HL7 v2 can be made of a Bundle, by elements and rules.
func unwritable(err error) error {
	var one *v2fhir.Error
	var v2 *hl7v2.Error
	if errors.As(err, &one) || errors.As(err, &v2) {
		f := failure(http.StatusUnprocessableEntity, moduleHL7v2, "It cannot be said in HL7 v2: "+err.Error())
		f.cause = err
		return f
	}
	return err
}

// WritebackEnded keeps the Task of a writeback: in-progress while some of its
// destinations have it, completed when all have, failed when one was given up.
func (x *Exchange) WritebackEnded(ctx context.Context, t store.Tenant, tr notifications.Transmission) error {
	m, _, err := x.messages.read(ctx, t, tr.Message)
	if errors.Is(err, store.ErrNotFound) {
		return nil // its record has expired
	}
	if err != nil {
		return err
	}
	all, _, err := x.o.Transmissions.List(ctx, t, notifications.TransmissionFilter{Message: tr.Message, Limit: 1000})
	if err != nil {
		return err
	}
	ended := map[string]notifications.Transmission{tr.ID: tr}
	for _, other := range all {
		if other.ID != tr.ID && other.Status != notifications.Pending {
			ended[other.ID] = other
		}
	}
	status, reason := "in-progress", ""
	if len(ended) >= m.Receivers {
		status = "completed"
	}
	for _, other := range ended {
		switch other.Status {
		case notifications.Failed:
			status, reason = "failed", lastError(other)
		case notifications.Skipped:
			status, reason = "failed", other.Reason
		}
	}
	for range attempts {
		if err = x.setTask(ctx, t, tr.Message, status, reason); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return err
}

func lastError(tr notifications.Transmission) string {
	if tr.Reason == "" && len(tr.Attempts) > 0 {
		return tr.Attempts[len(tr.Attempts)-1].Error
	}
	return tr.Reason
}

// setTask makes a version of a Task with another status, if it has not that
// already.
func (x *Exchange) setTask(ctx context.Context, t store.Tenant, id, status, reason string) error {
	ref := store.Ref{Type: "Task", ID: id}
	found, err := x.o.Repository.GetMany(ctx, t, []store.Ref{ref})
	if err != nil || len(found) == 0 || found[0].Deleted {
		return err // deleted by somebody: there is nothing to keep
	}
	var task map[string]any
	if err := json.Unmarshal(found[0].Body, &task); err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	if task["status"] == status {
		return nil
	}
	task["status"], task["lastModified"] = status, instant(x.o.Now())
	delete(task, "statusReason")
	if reason != "" {
		task["statusReason"] = map[string]any{"text": reason}
	}
	text, err := json.Marshal(task)
	if err != nil {
		return err
	}
	prepared, err := x.o.Repository.Prepare(ctx, t, id, text)
	if err != nil {
		return err
	}
	_, err = x.o.Repository.Commit(ctx, t, store.Commit{
		Source: "writeback", Event: "writeback." + status, Changes: []store.Change{prepared.Change(store.AtVersion(found[0].Version))},
	})
	return err
}

// asIssue keeps the outcome that a check of the Bundle has made.
func asIssue(err error) (*outcome.Error, bool) {
	var o *outcome.Error
	return o, errors.As(err, &o)
}

// writebackSkipped tells the Task of a writeback that somebody gave it up.
func (x *Exchange) writebackSkipped(ctx context.Context, t store.Tenant, tr notifications.Transmission) error {
	m, _, err := x.messages.read(ctx, t, tr.Message)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Direction != Writeback {
		return nil
	}
	if err != nil {
		return err
	}
	return x.WritebackEnded(ctx, t, tr)
}
