package athenahealth

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/polling"
)

// idType is the IDType of the vendor's own ids.
const idType = "athenahealth"

// Appointment statuses of the vendor.
const (
	statusFuture        = "f"
	statusOpen          = "o"
	statusCancelled     = "x"
	statusCheckedIn     = "2"
	statusCheckedOut    = "3"
	statusChargeEntered = "4"
)

// dateTimeLayout is how Redox writes an instant.
const dateTimeLayout = "2006-01-02T15:04:05.000Z"

// Message implements polling.Connector.
func (c *Connector) Message(_ polling.ActionConfig, id string, container polling.Container, before polling.Before) ([]byte, error) {
	var now content
	if err := json.Unmarshal(container.Content, &now); err != nil {
		return nil, errors.New("athenahealth: a container cannot be read")
	}
	var old *content
	if before.Content != nil {
		old = new(content)
		if err := json.Unmarshal(before.Content, old); err != nil {
			return nil, errors.New("athenahealth: an earlier container cannot be read")
		}
	}
	event, replaced := decide(old, now, before.LinkedFrom)
	if event == "" {
		return nil, nil
	}
	tell := now
	if now.Patient == nil {
		// The slot is nobody's any more; the message is about whose it was.
		tell = *old
		tell.Appointment.AppointmentStatus = statusCancelled
	}
	visit := visitOf(tell)
	switch event {
	case "Cancel":
		visit.CancelReason = tell.Appointment.CancelReasonName
	case "NoShow":
		visit.NoShowReason = tell.Appointment.CancelReasonName
	case "Reschedule":
		if replaced != nil {
			visit.OldVisitNumber = string(replaced.AppointmentID)
			// The replaced one has the same department, as far as is known.
			if start, err := c.start(*replaced, now.Department); err == nil {
				visit.OldDateTime = start.Format(dateTimeLayout)
			}
		} else {
			visit.OldDateTime = old.Start.Format(dateTimeLayout)
		}
	}
	message, err := redox.NewMessage(&redox.Scheduling{
		Meta: &redox.Meta{
			DataModel: "Scheduling", EventType: event, EventDateTime: c.modified(container.Change),
			Logs: []redox.Log{{ID: id}},
		},
		Patient:         patientOf(tell.Patient),
		AppointmentInfo: infoOf(tell.Appointment),
		Visit:           visit,
	})
	if err != nil {
		return nil, err
	}
	return redox.Marshal(message)
}

// decide says which event of Scheduling a change is; "" for none. replaced is
// the appointment that a reschedule put this one in the place of.
func decide(old *content, now content, linkedFrom []polling.Change) (event string, replaced *appointment) {
	booked := old != nil && old.Patient != nil && old.Appointment.AppointmentStatus != statusCancelled
	a := now.Appointment
	switch {
	case now.Patient == nil && booked:
		return "Cancel", nil
	case now.Patient == nil:
		return "", nil
	case a.AppointmentStatus == statusCancelled && bool(a.CancelReasonNoShow):
		return "NoShow", nil
	case a.AppointmentStatus == statusCancelled:
		return "Cancel", nil
	case old == nil:
		for _, change := range linkedFrom {
			var from appointment
			if json.Unmarshal(change.Row, &from) == nil && from.RescheduledAppointmentID == a.AppointmentID {
				return "Reschedule", &from
			}
		}
		return "New", nil
	case !booked:
		return "New", nil
	case !old.Start.Equal(now.Start):
		return "Reschedule", nil
	}
	return "Modification", nil
}

// modified is when the vendor made the change: the same for the same change,
// however often its message is made.
func (c *Connector) modified(change polling.Change) string {
	var a appointment
	if json.Unmarshal(change.Row, &a) != nil {
		return ""
	}
	t, err := time.ParseInLocation(stampLayout, a.LastModified, c.eastern)
	if err != nil {
		return ""
	}
	return t.UTC().Format(dateTimeLayout)
}
