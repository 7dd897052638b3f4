package exchange

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	cpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	taskpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/task_go_proto"
	vspb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/valuesets_go_proto"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// Operations are the FHIR writeback operations (Redox: FHIR writeback): a
// message Bundle that is carried to the destinations in the form they take.
func (x *Exchange) Operations() map[string]rest.Operation {
	ops := map[string]rest.Operation{}
	for _, name := range []string{
		"Appointment/$appointment-create", "Appointment/$appointment-update", "Appointment/$appointment-cancel",
		"Patient/$patient-create", "Patient/$patient-update",
	} {
		ops[name] = func(ctx context.Context, call rest.Call) (int, []byte, error) {
			return x.writeback(ctx, name, call)
		}
	}
	return ops
}

// writeback accepts a Bundle: it becomes a message in the log and a Task in
// the store, committed as one event, which the queues carry to their
// destinations. The answer names the Task, by which the rest can be followed.
func (x *Exchange) writeback(ctx context.Context, operation string, call rest.Call) (int, []byte, error) {
	t := call.Tenant
	m := Message{
		ID: x.o.NewID(), ReceivedAt: x.o.Now().UTC(), Direction: Writeback, Status: notifications.Pending, Bytes: len(call.Body),
	}
	src, err := x.sources.Get(ctx, t, DefaultSourceID(t))
	if err != nil {
		return 0, nil, err
	}
	m.Source, m.SourceName = src.ID, src.Name
	body, event, err := x.translate(ctx, t, src, operation, call.Body, &m)
	if err != nil {
		m.Status = notifications.Failed
		f := failureOf(err)
		m.Errors = f.Errors
		x.count(m)
		if logged := x.messages.Put(ctx, t, m, call.Body); logged != nil {
			return 0, nil, logged
		}
		return 0, nil, asOutcome(f)
	}
	m.Bytes = len(body)
	if m.After, err = x.o.Store.Head(ctx, t); err != nil {
		return 0, nil, err
	}
	if err := x.messages.Put(ctx, t, m, body); err != nil {
		return 0, nil, err
	}
	ref, err := x.commitTask(ctx, t, &m, event, operation)
	if err != nil {
		f, _ := x.refuse(ctx, t, &m, body, err)
		return 0, nil, asOutcome(f)
	}
	m.Status = notifications.Succeeded
	x.count(m)
	return http.StatusOK, accepted(x.o.NewID(), call.Base, ref, x.o.Now()), nil
}

// translate makes the Redox message of a Bundle and finds where it goes.
func (x *Exchange) translate(ctx context.Context, t store.Tenant, src Source, operation string, bundle []byte, m *Message) ([]byte, notifications.Event, error) {
	var event notifications.Event
	options, err := x.options(t, src)
	if err != nil {
		return nil, event, err
	}
	in := redox.Writeback{Operation: operation, Bundle: bundle}
	if strings.HasSuffix(operation, "$appointment-update") {
		if in.PreviousStart, err = x.previousStart(ctx, t, bundle); err != nil {
			return nil, event, err
		}
	}
	said, err := redox.FromWriteback(in, options)
	if err != nil {
		return nil, event, err
	}
	m.DataModel, m.EventType = said.DataModel, said.EventType
	meta := said.Meta()
	if meta.EventDateTime == "" {
		meta.EventDateTime = instant(m.ReceivedAt)
	}
	meta.Source = &redox.Party{ID: src.ID, Name: src.Name}
	event = notifications.Event{
		DataModel: said.DataModel, EventType: said.EventType, Message: m.ID,
		SourceID: src.ID, SourceName: src.Name, Writeback: true,
	}
	subs, err := x.o.Registry.Subscriptions(ctx, t)
	if err != nil {
		return nil, event, err
	}
	for _, s := range subs {
		if s.Matches(src.ID, event) {
			event.Destinations = append(event.Destinations, s.Destination)
		}
	}
	if len(event.Destinations) == 0 {
		return nil, event, failure(http.StatusBadRequest, moduleSubscriptions,
			"No destination takes writebacks of "+said.Pair()+". A subscription with writebacks true makes one.")
	}
	body, err := redox.Marshal(said)
	return body, event, err
}

// previousStart is the start that the appointment of a Bundle has in the
// store, which tells a reschedule from another change.
func (x *Exchange) previousStart(ctx context.Context, t store.Tenant, bundle []byte) (time.Time, error) {
	doc, err := rawjson.Parse(bundle, nil)
	if err != nil || doc.Root().Kind() != rawjson.KindObject {
		return time.Time{}, nil //nolint:nilerr // FromWriteback words what is wrong with it
	}
	var ids []search.Identifier
	entries, _ := doc.Root().Member("entry")
	for e := range entries.Elements() {
		r, ok := e.Member("resource")
		if typ, _ := r.Member("resourceType"); !ok || !typ.Is("Appointment") {
			continue
		}
		identifiers, _ := r.Member("identifier")
		for id := range identifiers.Elements() {
			s, _ := id.Member("system")
			v, ok := id.Member("value")
			if ok {
				ids = append(ids, search.Identifier{System: s.String(), Value: v.String()})
			}
		}
	}
	if len(ids) == 0 {
		return time.Time{}, nil
	}
	found, err := x.o.Repository.Matching(ctx, t, x.o.Repository.IdentifierClause("Appointment", ids), 1)
	if err != nil || len(found) == 0 {
		return time.Time{}, err
	}
	stored, err := rawjson.Parse(found[0].Body, nil)
	if err != nil {
		return time.Time{}, err
	}
	start, ok := stored.Root().Member("start")
	if !ok {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, start.String())
	if err != nil {
		return time.Time{}, nil //nolint:nilerr // of less precision than FHIR's instant: nothing to compare
	}
	return at, nil
}

// commitTask stores the Task that stands for a writeback.
func (x *Exchange) commitTask(ctx context.Context, t store.Tenant, m *Message, event notifications.Event, operation string) (store.Ref, error) {
	ref := store.Ref{Type: "Task", ID: m.ID}
	at := &dtpb.DateTime{ValueUs: m.ReceivedAt.UnixMicro(), Timezone: "Z", Precision: dtpb.DateTime_MILLISECOND}
	task := &taskpb.Task{
		Id: &dtpb.Id{Value: ref.ID},
		Identifier: []*dtpb.Identifier{{
			System: &dtpb.Uri{Value: "urn:fhirfacade:writeback"}, Value: &dtpb.String{Value: m.ID},
		}},
		Status:       &taskpb.Task_StatusCode{Value: cpb.TaskStatusCode_REQUESTED},
		Intent:       &taskpb.Task_IntentCode{Value: vspb.TaskIntentValueSet_ORDER},
		Code:         &dtpb.CodeableConcept{Text: &dtpb.String{Value: operation[strings.IndexByte(operation, '$'):]}},
		Description:  &dtpb.String{Value: "Writeback of " + m.DataModel + " " + m.EventType},
		AuthoredOn:   at,
		LastModified: at,
	}
	text, err := mapping.MarshalResource(mapping.Contain(task))
	if err != nil {
		return ref, err
	}
	prepared, err := x.o.Repository.Prepare(ctx, t, ref.ID, text)
	if err != nil {
		return ref, err
	}
	event.Resources = []string{ref.String()}
	entry, err := x.o.Repository.Commit(ctx, t, store.Commit{
		Source: m.Source, Event: "writeback." + m.DataModel + "." + m.EventType, Info: event.Encode(),
		Changes: []store.Change{prepared.Change(store.Absent())},
	})
	m.Seq, m.Resources = entry.Seq, event.Resources
	return ref, err
}

// accepted is the answer to a writeback, in the form of Redox's sandbox: a
// Bundle whose entry says what was created.
func accepted(id, base string, ref store.Ref, at time.Time) []byte {
	return marshalJSON(map[string]any{
		"resourceType": "Bundle", "id": id, "type": "batch-response", "timestamp": instant(at),
		"entry": []any{map[string]any{
			"response": map[string]any{
				"status": "201 Created", "location": base + "/" + ref.String() + "/_history/1", "etag": `W/"1"`, "lastModified": instant(at),
			},
		}},
	})
}

// asOutcome says a failure as FHIR does.
func asOutcome(f *Failure) error {
	e := &outcome.Error{Status: f.Status, Cause: f.cause}
	var several redox.Errors
	var one *redox.Error
	switch {
	case errors.As(f.cause, &several):
		for _, r := range several {
			e.Issues = append(e.Issues, issueOf(r))
		}
	case errors.As(f.cause, &one):
		e.Issues = append(e.Issues, issueOf(one))
	default:
		for _, r := range f.Errors {
			e.Issues = append(e.Issues, outcome.Issue{Severity: outcome.SeverityError, Code: outcome.CodeInvalid, Diagnostics: r.Text})
		}
	}
	return e
}

func issueOf(r *redox.Error) outcome.Issue {
	i := outcome.Issue{Severity: outcome.SeverityError, Code: outcome.CodeInvalid, Diagnostics: r.Text, Expression: r.Path}
	switch {
	case errors.Is(r, redox.ErrRequired), errors.Is(r, redox.ErrWriteback):
		i.Code = outcome.CodeRequired
	case errors.Is(r, redox.ErrSyntax):
		i.Code = outcome.CodeStructure
	case errors.Is(r, redox.ErrNotTranslated):
		i.Code = outcome.CodeNotSupported
	}
	return i
}
