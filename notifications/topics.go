package notifications

import (
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/notifications/topic"
)

// focusTypes are the types that the focus of an event may have, by the event's
// category.
var focusTypes = map[string][]string{
	"PatientAdmin": {"Patient", "Encounter"},
	"Scheduling":   {"Appointment"},
	"Order":        {"ServiceRequest", "DeviceRequest", "MedicationRequest"},
	"Referral":     {"ServiceRequest"},
	"Document":     {"DocumentReference"},
	"Result":       {"DiagnosticReport", "Observation"},
}

// NamedEvents are the events that have a topic of their name.
func NamedEvents() []topic.NamedEvent {
	var all []topic.NamedEvent
	for _, e := range mapping.Events() {
		all = append(all, topic.NamedEvent{Name: e.Name, Types: focusTypes[e.Category]})
	}
	return all
}
