package notifications

import (
	"encoding/json"

	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/store"
)

// Event is what the Info of a log entry says about the entry: which message
// it came from and what happened in the terms of Redox's events.
type Event struct {
	// DataModel and EventType are Redox's names, "Scheduling" and "New".
	DataModel string `json:"dataModel"`
	EventType string `json:"eventType"`
	// Name is the notification event, "appointment-booked"; "" for a message
	// that causes no FHIR notification.
	Name string `json:"name,omitempty"`
	// Message is the id in the message log, "" for a plain FHIR write.
	Message string `json:"message,omitempty"`
	// Focus are the resources that the event is about, as "Type/id"; Patients
	// those of its patients.
	Focus    []string `json:"focus,omitempty"`
	Patients []string `json:"patients,omitempty"`
	// Resources are all resources that the message speaks of, changed or not.
	Resources []string `json:"resources,omitempty"`
	// SourceID and SourceName are the source as its receivers know it.
	SourceID   string `json:"sourceId,omitempty"`
	SourceName string `json:"sourceName,omitempty"`
	// Test marks test messages (Meta.Test).
	Test bool `json:"test,omitempty"`
	// Destinations, when set, are the only destinations the event is for.
	Destinations []string `json:"destinations,omitempty"`
	// Writeback marks what an application sends towards an EHR; it goes to the
	// destinations named and is no change of the record.
	Writeback bool `json:"writeback,omitempty"`
	// NoRedox says that the message has no form in Redox JSON.
	NoRedox bool `json:"noRedox,omitempty"`
}

// Encode is the Info of a log entry.
func (e Event) Encode() []byte {
	b, _ := json.Marshal(e) // strings only: cannot fail
	return b
}

// EventOf reads the event of a log entry. An entry without Info is a plain
// FHIR write: its event follows from the first change that has one.
func EventOf(entry store.Entry) (Event, bool) {
	if len(entry.Info) > 0 {
		var e Event
		return e, json.Unmarshal(entry.Info, &e) == nil
	}
	for _, ch := range entry.Changes {
		if t, ok := written[writtenKey{ch.Ref.Type, ch.Method}]; ok {
			e := Event{DataModel: t.dataModel, EventType: t.eventType, Name: mapping.EventOf(t.dataModel, t.eventType).Name}
			e.Focus = []string{ch.Ref.String()}
			if ch.Ref.Type == "Patient" {
				e.Patients = e.Focus
			}
			e.SourceName = entry.Source
			for _, c := range entry.Changes {
				e.Resources = append(e.Resources, c.Ref.String())
			}
			return e, true
		}
	}
	return Event{}, false
}

type writtenKey struct {
	typ    string
	method store.Method
}

// written is what a plain FHIR write means as an event.
var written = map[writtenKey]struct{ dataModel, eventType string }{
	{"Patient", store.Create}:           {"PatientAdmin", "NewPatient"},
	{"Patient", store.Update}:           {"PatientAdmin", "PatientUpdate"},
	{"Appointment", store.Create}:       {"Scheduling", "New"},
	{"Appointment", store.Update}:       {"Scheduling", "Modification"},
	{"Appointment", store.Delete}:       {"Scheduling", "Cancel"},
	{"Encounter", store.Create}:         {"PatientAdmin", "Registration"},
	{"Encounter", store.Update}:         {"PatientAdmin", "VisitUpdate"},
	{"ServiceRequest", store.Create}:    {"Order", "New"},
	{"ServiceRequest", store.Update}:    {"Order", "Update"},
	{"DiagnosticReport", store.Create}:  {"Results", "New"},
	{"DocumentReference", store.Create}: {"Media", "New"},
	{"DocumentReference", store.Update}: {"Media", "Replace"},
	{"MedicationRequest", store.Create}: {"Medications", "New"},
	{"MedicationRequest", store.Update}: {"Medications", "Update"},
}
