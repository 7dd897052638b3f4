package fhirr4

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/fhirmessage"
	"github.com/fhirfacade/fhirfacade/polling"
)

// Message implements polling.Connector.
func (c *Connector) Message(action polling.ActionConfig, id string, container polling.Container, before polling.Before) ([]byte, error) {
	var now content
	if err := json.Unmarshal(container.Content, &now); err != nil {
		return nil, errors.New("fhir: a container cannot be read")
	}
	var is, was *facts
	var err error
	if is, err = factsOf(now.Resource); err != nil {
		return nil, err
	}
	if before.Content != nil {
		var old content
		if err := json.Unmarshal(before.Content, &old); err != nil {
			return nil, errors.New("fhir: an earlier container cannot be read")
		}
		if was, err = factsOf(old.Resource); err != nil {
			return nil, err
		}
	}
	model, event := decide(action.Name, was, is)
	return fhirmessage.Write(fhirmessage.Outgoing{
		ID: id, DataModel: model, EventType: event, Base: c.client.Base(),
		Focus:   fhirmessage.Resource{Name: action.Name + "/" + container.Change.ID, Body: now.Resource},
		Related: now.Related,
	})
}

// facts are what events are decided by.
type facts struct {
	Status string `json:"status"`
	Start  string `json:"start"`
	Active *bool  `json:"active"`
	Link   []struct {
		Type string `json:"type"`
	} `json:"link"`
	Location []struct {
		Location struct {
			Reference string `json:"reference"`
		} `json:"location"`
	} `json:"location"`
}

func factsOf(resource []byte) (*facts, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(resource, &all); err != nil {
		return nil, errors.New("fhir: a resource cannot be read")
	}
	var f facts
	// A member of another type than R4's says nothing here; the sink refuses
	// the resource and says why.
	for name, into := range map[string]any{"status": &f.Status, "start": &f.Start, "active": &f.Active, "link": &f.Link, "location": &f.Location} {
		_ = json.Unmarshal(all[name], into)
	}
	return &f, nil
}

func (f *facts) replaced() bool {
	for _, l := range f.Link {
		if l.Type == "replaced-by" {
			return true
		}
	}
	return false
}

// decide says which Redox event a change is.
func decide(typ string, was, is *facts) (model, event string) {
	fresh := was == nil
	created := func(fresh bool, a, b string) string {
		if fresh {
			return a
		}
		return b
	}
	switch typ {
	case "Appointment":
		return "Scheduling", appointment(was, is)
	case "Patient":
		if is.replaced() && (fresh || !was.replaced()) {
			return "PatientAdmin", "PatientMerge"
		}
		return "PatientAdmin", created(fresh, "NewPatient", "PatientUpdate")
	case "Encounter":
		return "PatientAdmin", encounter(was, is)
	case "ServiceRequest":
		if is.Status == "revoked" || is.Status == "entered-in-error" {
			return "Order", "Cancel"
		}
		return "Order", created(fresh, "New", "Update")
	case "MedicationRequest":
		if is.Status == "cancelled" || is.Status == "stopped" || is.Status == "entered-in-error" {
			return "Medications", "Cancel"
		}
		return "Medications", created(fresh, "New", "Update")
	case "DocumentReference":
		if is.Status == "entered-in-error" {
			return "Media", "Delete"
		}
		return "Media", created(fresh, "New", "Replace")
	case "DiagnosticReport", "Observation":
		return "Results", "New"
	}
	// What has no event of its own is clinical data of a patient; it is stored,
	// and Redox has no notification for it.
	return "ClinicalSummary", "PatientPush"
}

func appointment(was, is *facts) string {
	gone := func(f *facts) bool {
		return f.Status == "cancelled" || f.Status == "noshow" || f.Status == "entered-in-error"
	}
	switch {
	case is.Status == "noshow" && (was == nil || was.Status != "noshow"):
		return "NoShow"
	case gone(is) && (was == nil || !gone(was)):
		return "Cancel"
	case was == nil, gone(was) && !gone(is):
		return "New"
	case !sameInstant(was.Start, is.Start):
		return "Reschedule"
	}
	return "Modification"
}

// sameInstant compares times that may be written with different offsets.
func sameInstant(a, b string) bool {
	x, errX := time.Parse(time.RFC3339, a)
	y, errY := time.Parse(time.RFC3339, b)
	if errX != nil || errY != nil {
		return a == b
	}
	return x.Equal(y)
}

func encounter(was, is *facts) string {
	if was != nil && was.Status == is.Status {
		if len(was.Location) > 0 && len(is.Location) > 0 && last(was) != last(is) {
			return "Transfer"
		}
		return "VisitUpdate"
	}
	switch is.Status {
	case "planned":
		return "PreAdmit"
	case "arrived", "triaged":
		return "Arrival"
	case "in-progress":
		if was != nil && (was.Status == "arrived" || was.Status == "triaged" || was.Status == "onleave") {
			return "VisitUpdate"
		}
		return "Arrival"
	case "finished":
		return "Discharge"
	case "cancelled", "entered-in-error":
		return "Cancel"
	}
	return "VisitUpdate"
}

func last(f *facts) string { return f.Location[len(f.Location)-1].Location.Reference }
