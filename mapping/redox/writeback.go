package redox

import (
	"strings"
	"time"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	appointmentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/appointment_go_proto"
	crpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	encounterpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/encounter_go_proto"
	headerpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/message_header_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/mapping"
)

// Writeback is what an app sends to a connected system in FHIR: an operation
// and its message Bundle. Redox: FHIR writeback.
type Writeback struct {
	// Operation is "appointment-create", "appointment-update",
	// "appointment-cancel", "patient-create" or "patient-update", with or
	// without $ and the resource type.
	Operation string
	// Bundle is the JSON of the Bundle: a MessageHeader, then the Appointment
	// and the Patient, and perhaps Practitioner, Location and more.
	Bundle []byte
	// PreviousStart is the start that the appointment of an update has had, if
	// that is known. It tells a Reschedule from a Modification.
	PreviousStart time.Time
}

// operations are the messages that the operations become; an update of an
// appointment becomes a Reschedule when its start changes.
var operations = map[string]struct{ dataModel, eventType string }{
	"appointment-create": {"Scheduling", "New"},
	"appointment-update": {"Scheduling", "Modification"},
	"appointment-cancel": {"Scheduling", "Cancel"},
	"patient-create":     {"PatientAdmin", "NewPatient"},
	"patient-update":     {"PatientAdmin", "PatientUpdate"},
}

// FromWriteback makes the Redox message of a writeback. The Bundle is any
// app's FHIR; its errors name the element that is missing or wrong.
func FromWriteback(in Writeback, o Options) (*Message, error) {
	operation := in.Operation[strings.LastIndexByte(in.Operation, '$')+1:]
	op, ok := operations[operation]
	if !ok {
		return nil, one(ErrNotTranslated, "", "Operation not supported - $"+name(operation))
	}
	fhir, err := openBundle(in.Bundle)
	if err != nil {
		return nil, err
	}
	fhir.DataModel, fhir.EventType = op.dataModel, op.eventType
	r := &reader{o: o, m: fhir}
	m := &Message{DataModel: op.dataModel, EventType: op.eventType}
	if op.dataModel == "PatientAdmin" {
		p := r.firstPatient()
		if p == nil {
			return nil, absent("Patient")
		}
		m.Body = r.patientAdmin(p)
	} else {
		body, err := r.appointment(in.PreviousStart)
		if err != nil {
			return nil, err
		}
		m.Body, m.EventType = body, fhir.EventType
	}
	fhir.Event = mapping.EventOf(m.DataModel, m.EventType)
	*m.Body.header() = r.meta()
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// openBundle reads a message Bundle into a message.
func openBundle(data []byte) (*mapping.Message, error) {
	c, err := mapping.UnmarshalResource(data)
	if err != nil {
		return nil, invalid(data)
	}
	b := c.GetBundle()
	if b == nil {
		return nil, absent("Bundle")
	}
	if b.GetType().GetValue() != codes_go_proto.BundleTypeCode_MESSAGE {
		return nil, one(ErrWriteback, "Bundle.type", "Bundle.type must be message")
	}
	if len(b.Entry) == 0 || b.Entry[0].GetResource().GetMessageHeader() == nil {
		return nil, absent("MessageHeader")
	}
	m := &mapping.Message{}
	readHeader(b, b.Entry[0].Resource.GetMessageHeader(), m)
	for _, e := range b.Entry {
		if e.GetResource() == nil {
			continue
		}
		address := e.GetFullUrl().GetValue()
		if id := mapping.ID(e.Resource); address == "" && id != "" {
			address = mapping.TypeName(e.Resource) + "/" + id
		}
		m.Entries = append(m.Entries, mapping.Entry{FullURL: address, Resource: e.Resource, Parent: mapping.NoParent})
	}
	for _, f := range b.Entry[0].Resource.GetMessageHeader().Focus {
		if i := m.Find(f); i >= 0 {
			m.Focus = append(m.Focus, i)
		}
	}
	return m, nil
}

// invalid names the elements that are not valid FHIR. Their values stay out of
// the texts.
func invalid(data []byte) Errors {
	var problems Errors
	for _, issue := range conformance.ValidateStructure(data) {
		if issue.Severity == conformance.SeverityError || issue.Severity == conformance.SeverityFatal {
			where := issue.Expression
			if where == "" {
				where = "Bundle"
			}
			problems = append(problems, problem(ErrValue, where, "Not valid FHIR R4 - "+where+" ("+string(issue.Code)+")"))
		}
	}
	if len(problems) == 0 {
		problems = Errors{problem(ErrValue, "Bundle", "Not valid FHIR R4 - Bundle")}
	}
	return problems
}

func readHeader(b *crpb.Bundle, h *headerpb.MessageHeader, m *mapping.Message) {
	if t, ok := ofInstant(b.Timestamp); ok {
		m.Time = t.time
	}
	m.Source = mapping.Party{ID: uuidOf(h.GetSource().GetEndpoint().GetValue()), Name: h.GetSource().GetName().GetValue()}
	for _, d := range h.Destination {
		m.Destinations = append(m.Destinations, mapping.Party{ID: uuidOf(d.GetEndpoint().GetValue()), Name: d.GetName().GetValue()})
	}
	for _, tag := range append(b.GetMeta().GetTag(), h.GetMeta().GetTag()...) {
		if tag.GetCode().GetValue() == "HTEST" {
			m.Test = true
		}
	}
}

func uuidOf(endpoint string) string { return strings.TrimPrefix(endpoint, "urn:uuid:") }

// appointment reads the Appointment of a writeback, checks what Redox needs
// and decides the event.
func (r *reader) appointment(previous time.Time) (*Scheduling, error) {
	a, at := r.focus()
	if a == nil {
		return nil, absent("Appointment")
	}
	start, ok := ofInstant(a.Start)
	if !ok {
		return nil, absent("Appointment.start")
	}
	if !r.hasPatient(a) {
		return nil, absent("Patient")
	}
	switch a.GetStatus().GetValue() {
	case codes_go_proto.AppointmentStatusCode_CANCELLED, codes_go_proto.AppointmentStatusCode_ENTERED_IN_ERROR:
		r.m.EventType = "Cancel"
	case codes_go_proto.AppointmentStatusCode_NOSHOW:
		r.m.EventType = "NoShow"
	}
	moved := r.m.EventType == "Modification" && !previous.IsZero() && !previous.Equal(start.time)
	if moved {
		r.m.EventType = "Reschedule"
	}
	body := r.scheduling(a)
	v := body.Visit
	if r.m.EventType == "Cancel" {
		give(&v.CancelReason, wordsOf(a.CancelationReason))
		v.Status = "" // the event says it
	}
	give(&v.VisitNumber, mapping.ID(r.m.Entries[at].Resource))
	give(&v.VisitNumber, uuidOf(r.m.Entries[at].FullURL))
	if moved {
		give(&v.OldDateTime, moment{previous, start.precision}.text())
		give(&v.OldVisitNumber, v.VisitNumber)
	}
	switch {
	case v.VisitNumber == "":
		return nil, absent("Appointment.identifier")
	case v.Duration == "" && (r.m.EventType == "New" || r.m.EventType == "Modification" || r.m.EventType == "Reschedule"):
		return nil, absent("Appointment.end")
	}
	if v.Location == nil {
		v.Location = &Location{}
	}
	give(&v.Location.Department, v.Location.Facility)
	give(&v.Location.Department, v.Location.Room)
	give(&v.Location.Department, r.o.Department)
	if v.Location.Department == "" {
		return nil, absent("Location")
	}
	return body, nil
}

// focus finds the Appointment: the one the header points at, else the first.
func (r *reader) focus() (*appointmentpb.Appointment, int) {
	for _, i := range r.m.Focus {
		if a := r.m.Entries[i].Resource.GetAppointment(); a != nil {
			return a, i
		}
	}
	for i, e := range r.m.Entries {
		if a := e.Resource.GetAppointment(); a != nil {
			return a, i
		}
	}
	return nil, -1
}

func (r *reader) hasPatient(a *appointmentpb.Appointment) bool {
	for _, p := range a.Participant {
		if _, i := target[*patientpb.Patient](r, p.Actor); i >= 0 {
			return true
		}
	}
	return false
}

// SchedulingEvent is the event type that tells of an appointment's change;
// previous is nil for a new one.
func SchedulingEvent(previous, current *appointmentpb.Appointment) string {
	switch current.GetStatus().GetValue() {
	case codes_go_proto.AppointmentStatusCode_CANCELLED, codes_go_proto.AppointmentStatusCode_ENTERED_IN_ERROR:
		return "Cancel"
	case codes_go_proto.AppointmentStatusCode_NOSHOW:
		return "NoShow"
	}
	switch {
	case previous == nil:
		return "New"
	case previous.GetStart().GetValueUs() != current.GetStart().GetValueUs():
		return "Reschedule"
	}
	return "Modification"
}

// PatientAdminEvent is the event type that tells of an encounter's change;
// previous is nil for a new one.
func PatientAdminEvent(previous, current *encounterpb.Encounter) string {
	was, is := previous.GetStatus().GetValue(), current.GetStatus().GetValue()
	started := is == codes_go_proto.EncounterStatusCode_ARRIVED || is == codes_go_proto.EncounterStatusCode_IN_PROGRESS
	switch {
	case is == was && activeLocation(previous) != activeLocation(current) && started:
		return "Transfer"
	case is == was:
		return "VisitUpdate"
	case is == codes_go_proto.EncounterStatusCode_CANCELLED, is == codes_go_proto.EncounterStatusCode_ENTERED_IN_ERROR:
		return "Cancel"
	case is == codes_go_proto.EncounterStatusCode_FINISHED && previous != nil:
		return "Discharge"
	case is == codes_go_proto.EncounterStatusCode_PLANNED && previous == nil:
		return "PreAdmit"
	case previous == nil && started && current.GetClassValue().GetCode().GetValue() != "IMP":
		return "Registration"
	case started && (previous == nil || was == codes_go_proto.EncounterStatusCode_PLANNED):
		return "Arrival"
	}
	return "VisitUpdate"
}

func activeLocation(e *encounterpb.Encounter) string {
	for _, l := range e.GetLocation() {
		if l.GetStatus().GetValue() != codes_go_proto.EncounterLocationStatusCode_COMPLETED {
			return mapping.RefString(l.Location)
		}
	}
	return ""
}
