package mapping

import "strings"

// Event names what happened in the words of Redox's FHIR notifications.
type Event struct {
	Category string // "Scheduling"
	Name     string // "appointment-booked"
	URI      string // MessageHeader.eventUri
}

const eventBase = "https://fhir.redoxengine.com/EventDefinition/"

// Definition is the canonical of the event's detailed message definition.
func (e Event) Definition() string {
	if e.URI == "" {
		return ""
	}
	return "https://fhir.redoxengine.com/MessageDefinition/" + strings.TrimPrefix(e.URI, eventBase) + "Full"
}

// events are the notifications that Redox sends. Redox: FHIR notifications.
var events = []Event{
	{"PatientAdmin", "patient-created", eventBase + "PatientAdminCreated"},
	{"PatientAdmin", "patient-updated", eventBase + "PatientAdminUpdated"},
	{"PatientAdmin", "patient-merged", eventBase + "PatientAdminMerged"},
	{"PatientAdmin", "patient-arrived", eventBase + "PatientAdminArrived"},
	{"PatientAdmin", "patient-registered", eventBase + "PatientAdminRegistered"},
	{"PatientAdmin", "patient-pre-admitted", eventBase + "PatientAdminPreAdmitted"},
	{"PatientAdmin", "patient-transferred", eventBase + "PatientAdminTransferred"},
	{"PatientAdmin", "patient-discharged", eventBase + "PatientAdminDischarged"},
	{"Scheduling", "appointment-booked", eventBase + "AppointmentBooked"},
	{"Scheduling", "appointment-updated", eventBase + "AppointmentUpdated"},
	{"Scheduling", "appointment-cancelled", eventBase + "AppointmentCancelled"},
	{"Order", "service-request-created", eventBase + "ServiceRequestCreated"},
	{"Order", "service-request-updated", eventBase + "ServiceRequestUpdated"},
	{"Order", "service-request-cancelled", eventBase + "ServiceRequestCancelled"},
	{"Order", "device-request-created", eventBase + "DeviceRequestCreated"},
	{"Order", "device-request-updated", eventBase + "DeviceRequestUpdated"},
	{"Order", "device-request-cancelled", eventBase + "DeviceRequestCancelled"},
	{"Order", "medication-request-created", eventBase + "MedicationRequestCreated"},
	{"Order", "medication-request-updated", eventBase + "MedicationRequestUpdated"},
	{"Order", "medication-request-cancelled", eventBase + "MedicationRequestCancelled"},
	{"Referral", "referral-request-cancelled", eventBase + "ReferralRequestCancelled"},
	{"Referral", "referral-acknowledged", eventBase + "ReferralAcknowledged"},
	{"Referral", "referral-confirm-cancelled", eventBase + "ReferralConfirmCancelled"},
	{"Document", "documentreference-created", eventBase + "DocumentReferenceCreated"},
	{"Document", "documentreference-replaced", eventBase + "DocumentReferenceReplaced"},
	{"Document", "documentreference-deleted", eventBase + "DocumentReferenceDeleted"},
	{"Result", "result-created", eventBase + "ResultCreated"},
}

// eventsOf says which notification a Redox message causes. A no-show is sent
// as a cancellation; messages that are not listed cause none.
var eventsOf = map[string]string{
	"PatientAdmin:NewPatient":    "patient-created",
	"PatientAdmin:PatientUpdate": "patient-updated",
	"PatientAdmin:VisitUpdate":   "patient-updated",
	"PatientAdmin:PatientMerge":  "patient-merged",
	"PatientAdmin:Arrival":       "patient-arrived",
	"PatientAdmin:Registration":  "patient-registered",
	"PatientAdmin:PreAdmit":      "patient-pre-admitted",
	"PatientAdmin:Transfer":      "patient-transferred",
	"PatientAdmin:Discharge":     "patient-discharged",
	"Scheduling:New":             "appointment-booked",
	"Scheduling:Reschedule":      "appointment-updated",
	"Scheduling:Modification":    "appointment-updated",
	"Scheduling:Cancel":          "appointment-cancelled",
	"Scheduling:NoShow":          "appointment-cancelled",
	"Order:New":                  "service-request-created",
	"Order:GroupedOrders":        "service-request-created",
	"Order:Update":               "service-request-updated",
	"Order:Cancel":               "service-request-cancelled",
	"Medications:New":            "medication-request-created",
	"Medications:Update":         "medication-request-updated",
	"Medications:Cancel":         "medication-request-cancelled",
	"Referral:Cancel":            "referral-request-cancelled",
	"Media:New":                  "documentreference-created",
	"Media:Replace":              "documentreference-replaced",
	"Media:Delete":               "documentreference-deleted",
	"Notes:New":                  "documentreference-created",
	"Notes:Replace":              "documentreference-replaced",
	"Notes:Delete":               "documentreference-deleted",
	"Results:New":                "result-created",
	"Results:NewUnsolicited":     "result-created",
}

// Events lists all known events.
func Events() []Event { return append([]Event(nil), events...) }

// EventNamed finds an event by its name; ok is false for an unknown one.
func EventNamed(name string) (e Event, ok bool) {
	for _, e := range events {
		if e.Name == name {
			return e, true
		}
	}
	return Event{}, false
}

// EventOf is the event that a Redox message causes, the zero Event where none
// is known.
func EventOf(dataModel, eventType string) Event {
	e, _ := EventNamed(eventsOf[dataModel+":"+eventType])
	return e
}
