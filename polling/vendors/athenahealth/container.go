package athenahealth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
)

// content is what a message can tell of an appointment. Its JSON is what is
// compared to find out whether there is something new to tell, so it holds
// nothing that changes by itself, such as lastmodified.
type content struct {
	Appointment appointment `json:"appointment"`
	// Start is the appointment's, in UTC.
	Start      time.Time   `json:"start"`
	Patient    *patient    `json:"patient,omitempty"`
	Provider   *provider   `json:"provider,omitempty"`
	Department *department `json:"department,omitempty"`
}

// Fill implements polling.Connector.
func (c *Connector) Fill(ctx context.Context, _ polling.ActionConfig, change polling.Change, cache *polling.Cache) (polling.Container, error) {
	var filled content
	if err := json.Unmarshal(change.Row, &filled.Appointment); err != nil {
		return polling.Container{}, errors.New("athenahealth: a row cannot be read")
	}
	a := &filled.Appointment
	a.LastModified = ""
	// An open slot is nobody's appointment: nothing to ask for.
	if a.PatientID != "" {
		if err := c.fill(ctx, &filled, cache); err != nil {
			return polling.Container{}, err
		}
	}
	raw, err := json.Marshal(filled)
	if err != nil {
		return polling.Container{}, errors.New("athenahealth: a container cannot be written as JSON")
	}
	return polling.Container{Change: change, Content: raw}, nil
}

func (c *Connector) fill(ctx context.Context, filled *content, cache *polling.Cache) error {
	a := &filled.Appointment
	var err error
	if a.DepartmentID != "" {
		filled.Department, err = polling.Cached(ctx, cache, "department "+string(a.DepartmentID), func(ctx context.Context) (*department, error) {
			return c.client.department(ctx, a.DepartmentID)
		})
		if err != nil {
			return err
		}
	}
	if a.ProviderID != "" {
		filled.Provider, err = polling.Cached(ctx, cache, "provider "+string(a.ProviderID), func(ctx context.Context) (*provider, error) {
			return c.client.provider(ctx, a.ProviderID)
		})
		if err != nil {
			return err
		}
	}
	if filled.Patient, err = c.client.patient(ctx, a.PatientID); err != nil {
		return err
	}
	filled.Start, err = c.start(*a, filled.Department)
	return err
}

// start reads when an appointment begins: local to its department.
func (c *Connector) start(a appointment, d *department) (time.Time, error) {
	zone := c.zone
	if d != nil && d.TimeZoneName != "" {
		if named, err := time.LoadLocation(d.TimeZoneName); err == nil {
			zone = named
		}
	}
	t, err := time.ParseInLocation("01/02/2006 15:04", a.Date+" "+a.StartTime, zone)
	if err != nil {
		return time.Time{}, &polling.CallError{Kind: polling.ErrMalformed, Call: "GET /appointments/changed", Reason: "a row's date or start time is none"}
	}
	return t.UTC(), nil
}
