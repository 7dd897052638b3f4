package redox

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	appointmentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/appointment_go_proto"
	encounterpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/encounter_go_proto"
	"github.com/google/go-cmp/cmp"
)

// writeback reads the app's Bundle and lets a test change it.
func writeback(t *testing.T, change func(bundle map[string]any)) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/writeback.create.json")
	if err != nil {
		t.Fatal(err)
	}
	var bundle map[string]any
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(bundle)
	}
	data, err = json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// resource is the one of a type in a Bundle.
func resource(bundle map[string]any, kind string) map[string]any {
	for _, e := range bundle["entry"].([]any) {
		if r := e.(map[string]any)["resource"].(map[string]any); r["resourceType"] == kind {
			return r
		}
	}
	return nil
}

func without(bundle map[string]any, kind string) {
	var kept []any
	for _, e := range bundle["entry"].([]any) {
		if e.(map[string]any)["resource"].(map[string]any)["resourceType"] != kind {
			kept = append(kept, e)
		}
	}
	bundle["entry"] = kept
}

func TestWritebackCreate(t *testing.T) {
	m, err := FromWriteback(Writeback{Operation: "Appointment/$appointment-create", Bundle: writeback(t, nil)}, Options{Slug: "larkspur"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
	  "Meta": {"DataModel": "Scheduling", "EventType": "New", "EventDateTime": "2026-03-01T10:00:00.000Z",
	    "Source": {"ID": "0a0a0a0a-0000-4000-8000-00000000000a", "Name": "Kite Booking"},
	    "Destinations": [{"ID": "0b0b0b0b-0000-4000-8000-00000000000b", "Name": "Larkspur Valley EHR"}]},
	  "Patient": {
	    "Extensions": {"loyalty": {"url": "https://kite.example/StructureDefinition/loyalty", "string": "gold"}},
	    "Identifiers": [{"ID": "LV-0048213", "IDType": "MR"}],
	    "Demographics": {"FirstName": "Ottilie", "MiddleName": "Rose", "LastName": "Quennell", "DOB": "1987-11-23", "Sex": "Female",
	      "MaritalStatus": "Married", "PhoneNumber": {"Mobile": "+16085550178"}, "EmailAddresses": ["ottilie.quennell@mail.example"],
	      "Address": {"StreetAddress": "18 Heron Mill Lane, Flat 2", "City": "Larkspur", "State": "WI", "ZIP": "53999", "Country": "US"}}},
	  "Visit": {
	    "VisitNumber": "new-1", "VisitDateTime": "2026-03-16T09:00:00-06:00", "Duration": 45,
	    "Reason": "Encounter for check up", "Type": "Routine appointment", "Instructions": ["Please come fasting."],
	    "VisitProvider": {"ID": "1234567893", "IDType": "NPI", "FirstName": "Tobias", "LastName": "Achterberg"},
	    "Location": {"Facility": "Larkspur Valley Clinic", "Department": "Orthopedics"}}
	}`
	if diff := cmp.Diff(plain(t, []byte(want)), plain(t, marshal(t, m))); diff != "" {
		t.Errorf("message differs (-want +got):\n%s", diff)
	}
	if _, err := Parse(marshal(t, m)); err != nil {
		t.Errorf("the message does not parse: %v", err)
	}
}

func TestWritebackEvents(t *testing.T) {
	start := time.Date(2026, 3, 16, 15, 0, 0, 0, time.UTC)
	status := func(s string) func(map[string]any) {
		return func(b map[string]any) { resource(b, "Appointment")["status"] = s }
	}
	for _, test := range []struct {
		name, operation string
		previous        time.Time
		change          func(map[string]any)
		event           string
		check           func(*Visit) bool
	}{
		{"update of unknown history", "$appointment-update", time.Time{}, nil, "Modification", nil},
		{"update at the same time", "$appointment-update", start, nil, "Modification", func(v *Visit) bool { return v.OldDateTime == "" }},
		{"update to another time", "$appointment-update", start.Add(-time.Hour), nil, "Reschedule",
			func(v *Visit) bool { return v.OldDateTime == "2026-03-16T14:00:00Z" && v.OldVisitNumber == "new-1" }},
		{"update that cancels", "$appointment-update", start, status("cancelled"), "Cancel", nil},
		{"update to arrived", "$appointment-update", start, status("arrived"), "Modification", func(v *Visit) bool { return v.Status == "Arrived" }},
		{"cancel", "appointment-cancel", time.Time{}, func(b map[string]any) {
			a := resource(b, "Appointment")
			a["cancelationReason"] = map[string]any{"text": "Snow"}
			delete(a, "end")
		}, "Cancel", func(v *Visit) bool { return v.CancelReason == "Snow" && v.Duration == "" }},
		{"a number of the connected system", "$appointment-update", time.Time{}, func(b map[string]any) {
			resource(b, "Appointment")["identifier"] = []any{
				map[string]any{"system": "https://kite.example/id", "value": "K1"},
				map[string]any{"system": "urn:redox:larkspur:VN", "value": "LV-APT-1"},
			}
		}, "Modification", func(v *Visit) bool { return v.VisitNumber == "LV-APT-1" }},
		{"duration in minutes", "$appointment-create", time.Time{}, func(b map[string]any) {
			resource(b, "Appointment")["minutesDuration"] = 20
		}, "New", func(v *Visit) bool { return v.Duration == "20" }},
		{"no practitioner", "$appointment-create", time.Time{}, func(b map[string]any) { without(b, "Practitioner") }, "New",
			func(v *Visit) bool { return v.VisitProvider == nil }},
		{"the connection's department", "$appointment-create", time.Time{}, func(b map[string]any) { without(b, "Location") }, "New",
			func(v *Visit) bool { return v.Location.Department == "Front desk" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := FromWriteback(Writeback{test.operation, writeback(t, test.change), test.previous}, Options{Slug: "larkspur", Department: "Front desk"})
			if err != nil {
				t.Fatal(err)
			}
			if m.EventType != test.event || m.Meta().EventType != test.event {
				t.Errorf("event %s, Meta %s, want %s", m.EventType, m.Meta().EventType, test.event)
			}
			if test.check != nil && !test.check(m.Body.(*Scheduling).Visit) {
				t.Errorf("visit is %s", marshal(t, m))
			}
			if _, err := Parse(marshal(t, m)); err != nil {
				t.Errorf("the message does not parse: %v", err)
			}
		})
	}
	for operation, event := range map[string]string{"$patient-create": "NewPatient", "Patient/$patient-update": "PatientUpdate"} {
		m, err := FromWriteback(Writeback{Operation: operation, Bundle: writeback(t, func(b map[string]any) { without(b, "Appointment") })}, Options{})
		if err != nil || m.Pair() != "PatientAdmin:"+event {
			t.Errorf("%s: %v, %v", operation, m, err)
		}
	}
}

func TestWritebackErrors(t *testing.T) {
	drop := func(kind, element string) func(map[string]any) {
		return func(b map[string]any) { delete(resource(b, kind), element) }
	}
	for _, test := range []struct {
		name, operation string
		change          func(map[string]any)
		kind            error
		path, text      string
	}{
		{"no header", "", func(b map[string]any) { without(b, "MessageHeader") }, ErrWriteback, "MessageHeader", "Required element missing - MessageHeader"},
		{"no appointment", "", func(b map[string]any) { without(b, "Appointment") }, ErrWriteback, "Appointment", "Required element missing - Appointment"},
		{"no patient", "", func(b map[string]any) { without(b, "Patient") }, ErrWriteback, "Patient", "Required element missing - Patient"},
		{"no start", "", drop("Appointment", "start"), ErrWriteback, "Appointment.start", "Required element missing - Appointment.start"},
		{"no end", "", drop("Appointment", "end"), ErrWriteback, "Appointment.end", "Required element missing - Appointment.end"},
		{"no location", "", func(b map[string]any) { without(b, "Location") }, ErrWriteback, "Location", "Required element missing - Location"},
		{"another type of bundle", "", func(b map[string]any) { b["type"] = "batch" }, ErrWriteback, "Bundle.type", "Bundle.type must be message"},
		{"a patient without a number", "$patient-create", drop("Patient", "identifier"), ErrRequired, "Patient.Identifiers",
			"Required field missing - Patient.Identifiers in PatientAdmin:NewPatient"},
		{"not valid", "", func(b map[string]any) { resource(b, "Patient")["birthDate"] = "Jane Doe" }, ErrValue, "Bundle.entry[2].resource.birthDate", "Not valid FHIR R4 - "},
		{"not valid either", "", drop("Appointment", "status"), ErrValue, "Bundle.entry[1].resource.status", "Not valid FHIR R4 - "},
		{"unknown operation", "$appointment-eat", nil, ErrNotTranslated, "", "Operation not supported - $appointment-eat"},
	} {
		t.Run(test.name, func(t *testing.T) {
			operation := test.operation
			if operation == "" {
				operation = "$appointment-create"
			}
			m, err := FromWriteback(Writeback{Operation: operation, Bundle: writeback(t, test.change)}, Options{})
			var problems Errors
			if m != nil || !errors.Is(err, test.kind) || !errors.As(err, &problems) {
				t.Fatalf("FromWriteback = %v, %v; want %v", m, err, test.kind)
			}
			p := problems[0]
			if !strings.HasPrefix(p.Text, test.text) || test.path != "" && p.Path != test.path || strings.Contains(p.Text, "Doe") {
				t.Errorf("error is %+v, want path %q and text %q", p, test.path, test.text)
			}
		})
	}
	if _, err := FromWriteback(Writeback{Operation: "$appointment-create", Bundle: []byte("{")}, Options{}); !errors.Is(err, ErrValue) {
		t.Errorf("broken JSON: %v", err)
	}
}

func TestEventOfChange(t *testing.T) {
	appointment := func(status codes_go_proto.AppointmentStatusCode_Value, at int64) *appointmentpb.Appointment {
		return &appointmentpb.Appointment{Status: &appointmentpb.Appointment_StatusCode{Value: status}, Start: &dtpb.Instant{ValueUs: at}}
	}
	booked, cancelled, noshow := codes_go_proto.AppointmentStatusCode_BOOKED, codes_go_proto.AppointmentStatusCode_CANCELLED, codes_go_proto.AppointmentStatusCode_NOSHOW
	for _, test := range []struct {
		was, is *appointmentpb.Appointment
		want    string
	}{
		{nil, appointment(booked, 1), "New"},
		{appointment(booked, 1), appointment(booked, 2), "Reschedule"},
		{appointment(booked, 1), appointment(booked, 1), "Modification"},
		{appointment(booked, 1), appointment(cancelled, 2), "Cancel"},
		{appointment(booked, 1), appointment(noshow, 1), "NoShow"},
	} {
		if got := SchedulingEvent(test.was, test.is); got != test.want {
			t.Errorf("SchedulingEvent = %s, want %s", got, test.want)
		}
	}
	encounter := func(status codes_go_proto.EncounterStatusCode_Value, class, place string) *encounterpb.Encounter {
		return &encounterpb.Encounter{
			Status: &encounterpb.Encounter_StatusCode{Value: status}, ClassValue: coding(v3+"ActCode", class, ""),
			Location: []*encounterpb.Encounter_Location{{Location: &dtpb.Reference{Reference: &dtpb.Reference_Uri{Uri: str(place)}}}},
		}
	}
	const (
		planned  = codes_go_proto.EncounterStatusCode_PLANNED
		going    = codes_go_proto.EncounterStatusCode_IN_PROGRESS
		finished = codes_go_proto.EncounterStatusCode_FINISHED
		gone     = codes_go_proto.EncounterStatusCode_CANCELLED
	)
	for _, test := range []struct {
		was, is *encounterpb.Encounter
		want    string
	}{
		{nil, encounter(planned, "PRENC", "a"), "PreAdmit"},
		{nil, encounter(going, "AMB", "a"), "Registration"},
		{nil, encounter(going, "IMP", "a"), "Arrival"},
		{encounter(planned, "IMP", "a"), encounter(going, "IMP", "a"), "Arrival"},
		{encounter(going, "IMP", "a"), encounter(going, "IMP", "b"), "Transfer"},
		{encounter(going, "IMP", "a"), encounter(going, "AMB", "a"), "VisitUpdate"},
		{encounter(going, "IMP", "a"), encounter(finished, "IMP", "a"), "Discharge"},
		{encounter(planned, "IMP", "a"), encounter(gone, "IMP", "a"), "Cancel"},
	} {
		if got := PatientAdminEvent(test.was, test.is); got != test.want {
			t.Errorf("PatientAdminEvent = %s, want %s", got, test.want)
		}
	}
}
