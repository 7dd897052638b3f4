package mapping

import (
	"strings"
	"testing"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	crpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/bundle_and_contained_resource_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
)

func TestEntries(t *testing.T) {
	m := &Message{DataModel: "PatientAdmin", EventType: "NewPatient"}
	a := m.Add(&patientpb.Patient{Id: &dtpb.Id{Value: "p1"}}, Entry{Parent: NoParent})
	b := m.Add(&patientpb.Patient{}, Entry{Parent: NoParent, FullURL: "https://ehr.example/fhir/Patient/p2"})
	if !strings.HasPrefix(m.Entries[a].FullURL, "urn:uuid:") || m.Entries[a].FullURL == m.Entries[b].FullURL {
		t.Errorf("full URLs %q, %q", m.Entries[a].FullURL, m.Entries[b].FullURL)
	}
	for _, test := range []struct {
		reference string
		want      int
	}{
		{m.Entries[a].FullURL, a},
		{"Patient/p1", a},
		{"https://ehr.example/fhir/Patient/p2", b},
		{"Patient/p2", b},
		{"Patient/p3", -1},
		{"p2", -1},
		{"", -1},
	} {
		ref := &dtpb.Reference{Reference: &dtpb.Reference_Uri{Uri: &dtpb.String{Value: test.reference}}}
		if got := m.Find(ref); got != test.want {
			t.Errorf("Find(%q) = %d, want %d", test.reference, got, test.want)
		}
	}
	typed := &dtpb.Reference{Reference: &dtpb.Reference_PatientId{PatientId: &dtpb.ReferenceId{Value: "p1"}}}
	if got := m.Find(typed); got != a || RefString(typed) != "Patient/p1" {
		t.Errorf("Find(typed) = %d, RefString = %q", got, RefString(typed))
	}
	if m.Find(nil) != -1 || m.Find(m.Ref(b)) != b {
		t.Error("Find does not follow Ref")
	}
	again := &Message{DataModel: "PatientAdmin", EventType: "NewPatient"}
	again.Add(&patientpb.Patient{}, Entry{})
	if again.Entries[0].FullURL != m.Entries[a].FullURL {
		t.Error("the same place has two addresses")
	}
}

func TestResourceJSON(t *testing.T) {
	for _, body := range []string{
		`{"resourceType":"Patient","birthDate":"1987-11"}`,
		`{"resourceType":"Appointment","status":"booked","start":"2026-03-16T09:00:00.100Z","end":"2026-03-16T09:45:00+05:30","participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]}`,
		`{"resourceType":"Observation","status":"final","code":{"text":"Weight"},"valueQuantity":{"value":70.10,"unit":"kg"}}`,
	} {
		c, err := UnmarshalResource([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if Contain(Typed(c)).String() != c.String() {
			t.Errorf("Contain(Typed(%s)) is another resource", TypeName(c))
		}
		data, err := MarshalResource(c)
		if err != nil || string(data) != body {
			t.Errorf("MarshalResource = %s, %v, want %s", data, err, body)
		}
	}
	for _, body := range []string{``, `{}`, `{"resourceType":"Nonsense"}`, `{"resourceType":"Appointment"}`, `{"resourceType":"Patient","colour":"red"}`} {
		if _, err := UnmarshalResource([]byte(body)); err == nil {
			t.Errorf("UnmarshalResource took %s", body)
		}
	}
	if TypeName(&crpb.ContainedResource{}) != "" || ID(&crpb.ContainedResource{}) != "" {
		t.Error("an empty wrapper has a type")
	}
}

// TestEvents checks the table: every pair has an event that is listed, and
// names and URIs are unique.
func TestEvents(t *testing.T) {
	names, uris := map[string]bool{}, map[string]bool{}
	for _, e := range Events() {
		if names[e.Name] || uris[e.URI] || e.Category == "" {
			t.Errorf("event %+v is there twice or incomplete", e)
		}
		names[e.Name], uris[e.URI] = true, true
	}
	for pair, name := range eventsOf {
		if !names[name] {
			t.Errorf("%s causes the unknown event %s", pair, name)
		}
	}
	e := EventOf("Scheduling", "New")
	if want := (Event{"Scheduling", "appointment-booked", "https://fhir.redoxengine.com/EventDefinition/AppointmentBooked"}); e != want {
		t.Errorf("EventOf(Scheduling, New) = %+v", e)
	}
	if got := e.Definition(); got != "https://fhir.redoxengine.com/MessageDefinition/AppointmentBookedFull" {
		t.Errorf("Definition = %q", got)
	}
	if EventOf("Scheduling", "NoShow").Name != "appointment-cancelled" {
		t.Error("a no-show is sent as a cancellation")
	}
	if EventOf("Scheduling", "PushSlots") != (Event{}) || (Event{}).Definition() != "" {
		t.Error("slots have no notification")
	}
}
