package simulator

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// The vendor's forms of dates and times.
const (
	dateLayout  = "01/02/2006"
	timeLayout  = "15:04"
	stampLayout = "01/02/2006 15:04:05"
)

// Appointment statuses of the vendor.
const (
	StatusFuture        = "f"
	StatusOpen          = "o"
	StatusCancelled     = "x"
	StatusCheckedIn     = "2"
	StatusCheckedOut    = "3"
	StatusChargeEntered = "4"
)

// Appointment is an appointment, or an open slot for one, as the vendor shows
// it.
type Appointment struct {
	AppointmentID              string `json:"appointmentid"`
	AppointmentStatus          string `json:"appointmentstatus"`
	AppointmentType            string `json:"appointmenttype"`
	AppointmentTypeID          string `json:"appointmenttypeid"`
	PatientAppointmentTypeName string `json:"patientappointmenttypename"`
	TemplateAppointmentTypeID  string `json:"templateappointmenttypeid,omitempty"`
	Date                       string `json:"date"`
	StartTime                  string `json:"starttime"`
	Duration                   int    `json:"duration"`
	DepartmentID               string `json:"departmentid"`
	PatientID                  string `json:"patientid,omitempty"`
	ProviderID                 string `json:"providerid"`
	ScheduledBy                string `json:"scheduledby,omitempty"`
	ScheduledDateTime          string `json:"scheduleddatetime,omitempty"`
	CancelledBy                string `json:"cancelledby,omitempty"`
	CancelledDateTime          string `json:"cancelleddatetime,omitempty"`
	CancelReasonID             string `json:"cancelreasonid,omitempty"`
	CancelReasonName           string `json:"cancelreasonname,omitempty"`
	CancelReasonNoShow         bool   `json:"cancelreasonnoshow"`
	CancelReasonSlotAvailable  bool   `json:"cancelreasonslotavailable"`
	RescheduledAppointmentID   string `json:"rescheduledappointmentid,omitempty"`
	CheckInDateTime            string `json:"checkindatetime,omitempty"`
	CheckOutDateTime           string `json:"checkoutdatetime,omitempty"`
	ChargeEntryNotRequired     bool   `json:"chargeentrynotrequired"`
	CoordinatorEnterprise      bool   `json:"coordinatorenterprise"`
	LastModified               string `json:"lastmodified"`
	LastModifiedBy             string `json:"lastmodifiedby"`
}

// CancelReason is one of the practice's reasons to cancel.
type CancelReason struct {
	ID                 int    `json:"appointmentcancelreasonid"`
	Name               string `json:"name"`
	NoShow             string `json:"noshow"`
	PatientRescheduled string `json:"patientrescheduled"`
	SlotAvailable      string `json:"slotavailable"`
}

var cancelReasons = []CancelReason{
	{ID: 1, Name: "PATIENT CANCELLED", NoShow: "false", PatientRescheduled: "false", SlotAvailable: "true"},
	{ID: 2, Name: "PATIENT RESCHEDULED", NoShow: "false", PatientRescheduled: "true", SlotAvailable: "true"},
	{ID: 3, Name: "PATIENT NO SHOW", NoShow: "true", PatientRescheduled: "false", SlotAvailable: "false"},
	{ID: 4, Name: "PROVIDER UNAVAILABLE", NoShow: "false", PatientRescheduled: "false", SlotAvailable: "false"},
}

// Errors of the practice.
var (
	ErrNoSuch = errors.New("no such record")
	ErrState  = errors.New("not possible in this state")
	ErrInput  = errors.New("wrong input")
)

// Booking asks for an appointment; what is empty is chosen by the seed.
type Booking struct {
	PatientID         string `json:"patientid"`
	ProviderID        string `json:"providerid"`
	DepartmentID      string `json:"departmentid"`
	AppointmentTypeID string `json:"appointmenttypeid"`
	Date              string `json:"date"`
	StartTime         string `json:"starttime"`
	Duration          int    `json:"duration"`
}

// Book makes an appointment for a patient.
func (s *Simulator) Book(b Booking) (Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.PatientID == "" {
		b.PatientID = pick(s.random, s.patientIDs())
	}
	if s.patients[b.PatientID] == nil {
		return Appointment{}, fmt.Errorf("patient: %w", ErrNoSuch)
	}
	a, err := s.makeSlot(b)
	if err != nil {
		return Appointment{}, err
	}
	s.book(a, b.PatientID, "STAFF")
	return *a, nil
}

// OpenSlot makes an open slot that can be booked.
func (s *Simulator) OpenSlot(b Booking) (Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.makeSlot(b)
	if err != nil {
		return Appointment{}, err
	}
	s.changed(a, "AddAppointmentSlot", "STAFF")
	return *a, nil
}

func (s *Simulator) makeSlot(b Booking) (*Appointment, error) {
	r := s.random
	if b.ProviderID == "" {
		b.ProviderID = pick(r, s.providerIDs())
	}
	if b.DepartmentID == "" {
		b.DepartmentID = pick(r, s.departmentIDs())
	}
	if s.providers[b.ProviderID] == nil || s.departments[b.DepartmentID] == nil {
		return nil, fmt.Errorf("provider or department: %w", ErrNoSuch)
	}
	kind := pick(r, appointmentTypes)
	if b.AppointmentTypeID != "" {
		found := false
		for _, k := range appointmentTypes {
			if k.id == b.AppointmentTypeID {
				kind, found = k, true
			}
		}
		if !found {
			return nil, fmt.Errorf("appointment type: %w", ErrNoSuch)
		}
	}
	if b.Date == "" {
		b.Date = s.now().In(s.eastern).AddDate(0, 0, 1+r.IntN(60)).Format(dateLayout)
	}
	if b.StartTime == "" {
		b.StartTime = fmt.Sprintf("%02d:%02d", 8+r.IntN(9), 15*r.IntN(4))
	}
	if b.Duration == 0 {
		b.Duration = kind.duration
	}
	if err := checkTimes(b.Date, b.StartTime); err != nil {
		return nil, err
	}
	s.lastID++
	a := &Appointment{
		AppointmentID: strconv.Itoa(s.lastID), AppointmentStatus: StatusOpen,
		AppointmentType: kind.name, AppointmentTypeID: kind.id, PatientAppointmentTypeName: kind.patientName, TemplateAppointmentTypeID: kind.id,
		Date: b.Date, StartTime: b.StartTime, Duration: b.Duration,
		DepartmentID: b.DepartmentID, ProviderID: b.ProviderID,
	}
	s.appointments[a.AppointmentID] = a
	s.order = append(s.order, a.AppointmentID)
	return a, nil
}

func checkTimes(date, start string) error {
	if _, err := time.Parse(dateLayout, date); err != nil {
		return fmt.Errorf("date is not mm/dd/yyyy: %w", ErrInput)
	}
	if _, err := time.Parse(timeLayout, start); err != nil {
		return fmt.Errorf("starttime is not hh:mm: %w", ErrInput)
	}
	return nil
}

func (s *Simulator) book(a *Appointment, patientID, by string) {
	a.PatientID, a.AppointmentStatus = patientID, StatusFuture
	a.ScheduledBy, a.ScheduledDateTime = by, s.stamp()
	s.changed(a, "ScheduleAppointment", by)
}

// Move says when an appointment is to be instead; what is empty is chosen by
// the seed.
type Move struct {
	Date      string `json:"date"`
	StartTime string `json:"starttime"`
	// Replace cancels the appointment and books another one in its place.
	Replace bool `json:"replace"`
}

// Reschedule moves a future appointment and returns what is booked now.
func (s *Simulator) Reschedule(id string, m Move) (Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(id, StatusFuture)
	if err != nil {
		return Appointment{}, err
	}
	if m.Date == "" {
		day, _ := time.Parse(dateLayout, a.Date) // checked when it was made
		m.Date = day.AddDate(0, 0, 1+s.random.IntN(14)).Format(dateLayout)
	}
	if m.StartTime == "" {
		m.StartTime = a.StartTime
	}
	if err := checkTimes(m.Date, m.StartTime); err != nil {
		return Appointment{}, err
	}
	if !m.Replace {
		a.Date, a.StartTime = m.Date, m.StartTime
		s.changed(a, "UpdateAppointment", "STAFF")
		return *a, nil
	}
	slot, err := s.makeSlot(Booking{
		ProviderID: a.ProviderID, DepartmentID: a.DepartmentID, AppointmentTypeID: a.AppointmentTypeID,
		Date: m.Date, StartTime: m.StartTime, Duration: a.Duration,
	})
	if err != nil {
		return Appointment{}, err
	}
	s.replace(a, slot, "STAFF")
	return *slot, nil
}

func (s *Simulator) replace(a, slot *Appointment, by string) {
	patient := a.PatientID
	a.RescheduledAppointmentID = slot.AppointmentID
	s.cancel(a, cancelReasons[1], by)
	s.book(slot, patient, by)
}

// Cancel cancels a future appointment.
func (s *Simulator) Cancel(id, reason string) (Appointment, error) {
	r := cancelReasons[0]
	if reason != "" {
		r.Name = reason
	}
	return s.cancelFor(id, r)
}

// NoShow cancels a future appointment because the patient did not come.
func (s *Simulator) NoShow(id string) (Appointment, error) {
	return s.cancelFor(id, cancelReasons[2])
}

func (s *Simulator) cancelFor(id string, r CancelReason) (Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(id, StatusFuture)
	if err != nil {
		return Appointment{}, err
	}
	s.cancel(a, r, "STAFF")
	return *a, nil
}

func (s *Simulator) cancel(a *Appointment, r CancelReason, by string) {
	a.AppointmentStatus = StatusCancelled
	a.CancelledBy, a.CancelledDateTime = by, s.stamp()
	a.CancelReasonID, a.CancelReasonName = strconv.Itoa(r.ID), r.Name
	a.CancelReasonNoShow, a.CancelReasonSlotAvailable = r.NoShow == "true", r.SlotAvailable == "true"
	s.changed(a, "CancelAppointment", by)
}

// SetStatus takes an appointment through the visit: 2 checked in, 3 checked
// out, 4 charge entered, f back to future, x cancelled.
func (s *Simulator) SetStatus(id, status string) (Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.appointments[id]
	if a == nil {
		return Appointment{}, fmt.Errorf("appointment: %w", ErrNoSuch)
	}
	if a.PatientID == "" {
		return Appointment{}, fmt.Errorf("an open slot: %w", ErrState)
	}
	event := "UpdateAppointment"
	switch status {
	case StatusCancelled:
		s.cancel(a, cancelReasons[0], "STAFF")
		return *a, nil
	case StatusCheckedIn:
		event, a.CheckInDateTime = "CheckIn", s.stamp()
	case StatusCheckedOut:
		event, a.CheckOutDateTime = "CheckOut", s.stamp()
	case StatusFuture:
		a.CheckInDateTime, a.CheckOutDateTime = "", ""
		a.CancelledBy, a.CancelledDateTime, a.CancelReasonID, a.CancelReasonName = "", "", "", ""
		a.CancelReasonNoShow, a.CancelReasonSlotAvailable = false, false
	case StatusChargeEntered:
	default:
		return Appointment{}, fmt.Errorf("status: %w", ErrInput)
	}
	a.AppointmentStatus = status
	s.changed(a, event, "STAFF")
	return *a, nil
}

// Update changes what an appointment is, not when.
func (s *Simulator) Update(id string, b Booking) (Appointment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(id, b, "STAFF")
}

func (s *Simulator) update(id string, b Booking, by string) (Appointment, error) {
	a := s.appointments[id]
	switch {
	case a == nil:
		return Appointment{}, fmt.Errorf("appointment: %w", ErrNoSuch)
	case b.ProviderID != "" && s.providers[b.ProviderID] == nil, b.DepartmentID != "" && s.departments[b.DepartmentID] == nil:
		return Appointment{}, fmt.Errorf("provider or department: %w", ErrNoSuch)
	}
	if b.AppointmentTypeID != "" {
		found := false
		for _, k := range appointmentTypes {
			if k.id == b.AppointmentTypeID {
				a.AppointmentTypeID, a.AppointmentType, a.PatientAppointmentTypeName, found = k.id, k.name, k.patientName, true
			}
		}
		if !found {
			return Appointment{}, fmt.Errorf("appointment type: %w", ErrNoSuch)
		}
	}
	if b.ProviderID != "" {
		a.ProviderID = b.ProviderID
	}
	if b.DepartmentID != "" {
		a.DepartmentID = b.DepartmentID
	}
	if b.Duration != 0 {
		a.Duration = b.Duration
	}
	s.changed(a, "UpdateAppointment", by)
	return *a, nil
}

// Appointments returns all appointments and slots, oldest first.
func (s *Simulator) Appointments() []Appointment {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Appointment, 0, len(s.order))
	for _, id := range s.order {
		all = append(all, *s.appointments[id])
	}
	return all
}

// find returns an appointment in one state.
func (s *Simulator) find(id, status string) (*Appointment, error) {
	a := s.appointments[id]
	if a == nil {
		return nil, fmt.Errorf("appointment: %w", ErrNoSuch)
	}
	if a.AppointmentStatus != status {
		return nil, fmt.Errorf("appointment has status %s: %w", a.AppointmentStatus, ErrState)
	}
	return a, nil
}

func (s *Simulator) stamp() string { return s.now().In(s.eastern).Format(stampLayout) }
