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
	for _, name := range operationNames {
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
		Format: formatFHIR, Operation: operation,
	}
	src, err := x.sources.Get(ctx, t, DefaultSourceID(t))
	if err != nil {
		return 0, nil, err
	}
	m.Source, m.SourceName = src.ID, src.Name
	event, err := x.translate(ctx, t, src, call.Body, &m)
	if err != nil {
		m.Status = notifications.Failed
		f := failureOf(err)
		m.Errors = f.Errors
		x.count(m)
		if logged := x.messages.Put(ctx, t, m, call.Body); logged != nil {
			return 0, nil, logged
		}
		if o, ok := asIssue(err); ok {
			return 0, nil, o
		}
		return 0, nil, asOutcome(f)
	}
	m.Receivers = len(event.Destinations)
	if m.After, err = x.o.Store.Head(ctx, t); err != nil {
		return 0, nil, err
	}
	if err := x.messages.Put(ctx, t, m, call.Body); err != nil {
		return 0, nil, err
	}
	ref, err := x.commitTask(ctx, t, &m, event, operation)
	if err != nil {
		f, _ := x.refuse(ctx, t, &m, call.Body, err)
		return 0, nil, asOutcome(f)
	}
	m.Status = notifications.Succeeded
	x.count(m)
	return http.StatusOK, accepted(x.o.NewID(), call.Base, ref, x.o.Now()), nil
}

// translate finds what a Bundle means and where it goes, and makes sure that
// it can be said there.
func (x *Exchange) translate(ctx context.Context, t store.Tenant, src Source, bundle []byte, m *Message) (event notifications.Event, err error) {
	op := writebackOperations[m.Operation]
	m.DataModel, m.EventType = op.dataModel, op.eventType
	if strings.HasSuffix(m.Operation, "$appointment-update") {
		previous, err := x.previousStart(ctx, t, bundle)
		if err != nil {
			return event, err
		}
		if !previous.IsZero() {
			m.PreviousStart = &previous
		}
	}
	// In Redox's words where there are some: they decide the event.
	_, inRedox := x.sayWriteback(t, src, m, bundle)
	if invalid(inRedox) {
		return event, inRedox
	}
	w, err := checkWriteback(op, bundle)
	if err != nil {
		if inRedox != nil && !untranslated(inRedox) {
			return event, inRedox // it names the element
		}
		return event, err
	}
	if inRedox != nil {
		m.DataModel, m.EventType = op.event(w)
	}
	event = notifications.Event{
		DataModel: m.DataModel, EventType: m.EventType, Message: m.ID,
		SourceID: src.ID, SourceName: src.Name, Writeback: true,
	}
	return event, x.destinationsOf(ctx, t, src, &event, bundle, inRedox)
}

// invalid reports whether an error is one of FHIR that is not valid.
func invalid(err error) bool {
	return errors.Is(err, redox.ErrValue) || errors.Is(err, redox.ErrSyntax)
}

// untranslated reports whether the data model has no translation of the
// operation.
func untranslated(err error) bool { return errors.Is(err, redox.ErrNotTranslated) }

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
