package exchange

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/notifications"
)

// operation is a FHIR writeback operation (Redox: FHIR writeback): what it
// means as an event, and the resource that its Bundle must have.
type operation struct {
	dataModel, eventType, focus string
}

// writebackOperations are the operations by "Type/$name".
var writebackOperations = map[string]operation{
	"Appointment/$appointment-create":              {"Scheduling", "New", "Appointment"},
	"Appointment/$appointment-update":              {"Scheduling", "Modification", "Appointment"},
	"Appointment/$appointment-cancel":              {"Scheduling", "Cancel", "Appointment"},
	"Appointment/$referral-schedule-update":        {"Scheduling", "New", "Appointment"},
	"Patient/$patient-create":                      {"PatientAdmin", "NewPatient", "Patient"},
	"Patient/$patient-update":                      {"PatientAdmin", "PatientUpdate", "Patient"},
	"Observation/$observation-create":              {"Results", "New", "Observation"},
	"DiagnosticReport/$diagnosticreport-create":    {"Results", "New", "DiagnosticReport"},
	"DiagnosticReport/$diagnosticreport-amend":     {"Results", "New", "DiagnosticReport"},
	"DocumentReference/$documentreference-create":  {"Media", "New", "DocumentReference"},
	"DocumentReference/$documentreference-replace": {"Media", "Replace", "DocumentReference"},
	"ServiceRequest/$servicerequest-create":        {"Order", "New", "ServiceRequest"},
	"ServiceRequest/$servicerequest-update":        {"Order", "Update", "ServiceRequest"},
	"ServiceRequest/$servicerequest-cancel":        {"Order", "Cancel", "ServiceRequest"},
	"ChargeItem/$charge-item-create":               {"Financial", "Transaction", "ChargeItem"},
	"Immunization/$immunization-create":            {"Vaccination", "New", "Immunization"},
}

// operationNames are those of writebackOperations, in order.
var operationNames = slices.Sorted(maps.Keys(writebackOperations))

// writtenEntry is one of a message Bundle.
type writtenEntry struct {
	FullURL  string         `json:"fullUrl,omitempty"`
	Resource map[string]any `json:"resource"`
}

// written is the Bundle of a writeback, as far as it is looked at here.
type written struct {
	entries []writtenEntry
	focus   map[string]any
}

func (e writtenEntry) typ() string { return textOf(e.Resource, "resourceType") }

func textOf(o map[string]any, name string) string {
	s, _ := o[name].(string)
	return s
}

// checkWriteback reads a Bundle and checks it as a message: MessageHeader
// first, with event, source and a focus that is there; the resource that the
// operation is about, and a Patient. R4 § 2.4; Redox: FHIR writeback.
func checkWriteback(op operation, bundle []byte) (*written, error) {
	var b struct {
		ResourceType string         `json:"resourceType"`
		Type         string         `json:"type"`
		Entry        []writtenEntry `json:"entry"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil || b.ResourceType != "Bundle" {
		return nil, outcome.BadRequest(outcome.CodeStructure, "The body must be a Bundle of type message.")
	}
	need := func(what string) error {
		return outcome.New(http.StatusUnprocessableEntity, outcome.CodeRequired, "Required element missing - %s", what)
	}
	if b.Type != "message" {
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeValue, "Bundle.type must be message")
	}
	if len(b.Entry) == 0 || b.Entry[0].typ() != "MessageHeader" {
		return nil, need("MessageHeader, as the first entry")
	}
	header := b.Entry[0].Resource
	source, _ := header["source"].(map[string]any)
	switch {
	case textOf(header, "eventUri") == "" && header["eventCoding"] == nil:
		return nil, need("MessageHeader.eventUri")
	case textOf(source, "endpoint") == "":
		return nil, need("MessageHeader.source.endpoint")
	}
	w := &written{entries: b.Entry}
	focus, _ := header["focus"].([]any)
	for _, f := range focus {
		o, _ := f.(map[string]any)
		r := w.find(textOf(o, "reference"))
		if r == nil {
			return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeNotFound, "MessageHeader.focus names a resource that is not in the Bundle")
		}
		if w.focus == nil && textOf(r, "resourceType") == op.focus {
			w.focus = r
		}
	}
	patient := false
	for _, e := range b.Entry {
		patient = patient || e.typ() == "Patient"
		if w.focus == nil && e.typ() == op.focus {
			w.focus = e.Resource
		}
	}
	switch {
	case w.focus == nil:
		return nil, need(op.focus)
	case !patient:
		return nil, need("Patient")
	}
	return w, nil
}

// find is the resource that a reference means: by fullUrl, or by Type/id.
func (w *written) find(reference string) map[string]any {
	for _, e := range w.entries {
		if reference != "" && (e.FullURL == reference || e.typ()+"/"+textOf(e.Resource, "id") == reference || strings.HasSuffix(e.FullURL, "/"+reference)) {
			return e.Resource
		}
	}
	return nil
}

// event is what the operation means for this Bundle.
func (op operation) event(w *written) (dataModel, eventType string) {
	if op.focus == "Appointment" {
		switch textOf(w.focus, "status") {
		case "cancelled", "entered-in-error":
			return op.dataModel, "Cancel"
		case "noshow":
			return op.dataModel, "NoShow"
		}
	}
	return op.dataModel, op.eventType
}

// forHL7v2 is the Bundle as it is translated to HL7 v2. An Observation alone
// gets the report that OBR stands for.
func forHL7v2(bundle []byte) ([]byte, error) {
	var b map[string]any
	d := json.NewDecoder(strings.NewReader(string(bundle)))
	d.UseNumber()
	if err := d.Decode(&b); err != nil {
		return nil, err
	}
	list, _ := b["entry"].([]any)
	var results []any
	var first map[string]any
	for _, x := range list {
		e, _ := x.(map[string]any)
		r, _ := e["resource"].(map[string]any)
		switch textOf(r, "resourceType") {
		case "DiagnosticReport":
			return bundle, nil
		case "Observation":
			at := textOf(e, "fullUrl")
			if at == "" {
				at = "Observation/" + textOf(r, "id")
			}
			results = append(results, map[string]any{"reference": at})
			if first == nil {
				first = r
			}
		}
	}
	if first == nil {
		return bundle, nil
	}
	report := map[string]any{"resourceType": "DiagnosticReport", "status": "final", "result": results}
	for _, name := range []string{"identifier", "code", "subject", "encounter", "effectiveDateTime", "effectivePeriod", "issued", "status"} {
		if v, ok := first[name]; ok {
			report[name] = v
		}
	}
	if report["identifier"] == nil && textOf(first, "id") != "" {
		report["id"] = textOf(first, "id")
	}
	b["entry"] = append(list, map[string]any{"fullUrl": "urn:uuid:5d6f0f5c-54e7-5f36-8a3f-0d8f2c5ab101", "resource": report})
	return json.Marshal(b)
}

// dryRunHL7v2 shows the HL7 v2 message that a destination would get of a
// Bundle, with its settings or edited ones. Nothing is sent or stored.
func (x *Exchange) dryRunHL7v2(r *adminRequest) (any, error) {
	var in struct {
		// Event is Redox's name, "Scheduling.New"; or Message, "SIU^S12".
		Event   string                       `json:"event"`
		Message string                       `json:"message"`
		HL7v2   *notifications.HL7v2Settings `json:"hl7v2"`
		Bundle  json.RawMessage              `json:"bundle"`
	}
	if err := r.bind(&in); err != nil {
		return nil, err
	}
	d, err := x.o.Registry.Destination(r.Request.Context(), r.tenant, r.Param("id"))
	if err != nil {
		return nil, err
	}
	settings := in.HL7v2
	switch {
	case settings == nil && d.HL7v2 == nil:
		return nil, &notifications.FieldError{Field: "hl7v2", Rule: "is required: the destination takes no HL7 v2"}
	case settings == nil:
		settings = d.HL7v2
	}
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	code := in.Message
	if code == "" {
		model, event, _ := strings.Cut(in.Event, ".")
		if code = settings.Code(model, event); code == "" {
			return nil, &notifications.FieldError{Field: "event", Rule: `must be an event that is sent as HL7 v2, such as "Scheduling.New"`}
		}
	}
	bundle, err := forHL7v2(in.Bundle)
	if err != nil {
		return nil, &notifications.FieldError{Field: "bundle", Rule: "must be a Bundle"}
	}
	made, text, err := x.makeHL7v2(r.tenant, *settings, bundle, code, "DRYRUN")
	if err != nil {
		return nil, outcome.New(http.StatusUnprocessableEntity, outcome.CodeValue, "No message can be made of it: %s", err)
	}
	return map[string]any{
		"message": code, "segments": strings.Split(strings.TrimSuffix(string(text), "\r"), "\r"), "steps": made.Steps, "left": made.Left,
	}, nil
}
