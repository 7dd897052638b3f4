package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// api is who the vendor says made a change through the API.
const api = "API-SIMULATOR"

// postOpen makes open slots, one for each time.
func (s *Simulator) postOpen(w http.ResponseWriter, r *http.Request) {
	made := map[string]string{}
	for start := range strings.SplitSeq(r.FormValue("appointmenttime"), ",") {
		a, err := s.makeSlot(Booking{
			ProviderID: r.FormValue("providerid"), DepartmentID: r.FormValue("departmentid"), AppointmentTypeID: r.FormValue("appointmenttypeid"),
			Date: r.FormValue("appointmentdate"), StartTime: strings.TrimSpace(start),
		})
		if err != nil {
			failFor(w, err)
			return
		}
		s.changed(a, "AddAppointmentSlot", api)
		made[a.AppointmentID] = a.StartTime
	}
	writeJSON(w, http.StatusOK, map[string]any{"appointmentids": made})
}

// putAppointment books an open slot.
func (s *Simulator) putAppointment(w http.ResponseWriter, r *http.Request) {
	a, err := s.find(r.PathValue("id"), StatusOpen)
	if err == nil && s.patients[r.FormValue("patientid")] == nil {
		err = fmt.Errorf("patientid: %w", ErrInput)
	}
	if err != nil {
		failFor(w, err)
		return
	}
	s.book(a, r.FormValue("patientid"), api)
	writeJSON(w, http.StatusOK, []*Appointment{a})
}

// putWhat tells {id}/reschedule, {id}/cancel and booked/{id} apart, which
// net/http's patterns cannot.
func (s *Simulator) putWhat(w http.ResponseWriter, r *http.Request) {
	id, what := r.PathValue("id"), r.PathValue("what")
	switch {
	case id == "booked":
		r.SetPathValue("id", what)
		s.putBooked(w, r)
	case what == "reschedule":
		s.putReschedule(w, r)
	case what == "cancel":
		s.putCancel(w, r)
	default:
		fail(w, http.StatusNotFound, "Not found.", "")
	}
}

// putReschedule books another slot in the place of an appointment.
func (s *Simulator) putReschedule(w http.ResponseWriter, r *http.Request) {
	a, err := s.booked(r)
	if err != nil {
		failFor(w, err)
		return
	}
	slot, err := s.find(r.FormValue("newappointmentid"), StatusOpen)
	if err != nil {
		failFor(w, err)
		return
	}
	s.replace(a, slot, api)
	writeJSON(w, http.StatusOK, []*Appointment{slot})
}

func (s *Simulator) putCancel(w http.ResponseWriter, r *http.Request) {
	a, err := s.booked(r)
	if err != nil {
		failFor(w, err)
		return
	}
	reason := CancelReason{ID: -5, Name: "CANCELLED FROM API", SlotAvailable: "true"}
	if text := r.FormValue("appointmentcancelreasonid"); text != "" {
		found := false
		for _, c := range cancelReasons {
			if strconv.Itoa(c.ID) == text {
				reason, found = c, true
			}
		}
		if !found {
			fail(w, http.StatusBadRequest, "Invalid appointmentcancelreasonid.", "")
			return
		}
	}
	s.cancel(a, reason, api)
	writeJSON(w, http.StatusOK, map[string]string{"status": StatusCancelled})
}

// booked is the future appointment of the path, for the patient of the form.
func (s *Simulator) booked(r *http.Request) (*Appointment, error) {
	a, err := s.find(r.PathValue("id"), StatusFuture)
	if err != nil {
		return nil, err
	}
	if r.FormValue("patientid") != a.PatientID {
		return nil, fmt.Errorf("patientid is not the appointment's: %w", ErrInput)
	}
	return a, nil
}

// putBooked changes an appointment. The vendor answers 1 or a text.
func (s *Simulator) putBooked(w http.ResponseWriter, r *http.Request) {
	_, err := s.update(r.PathValue("id"), Booking{
		AppointmentTypeID: r.FormValue("appointmenttypeid"), DepartmentID: r.FormValue("departmentid"), ProviderID: r.FormValue("providerid"),
	}, api)
	if err != nil {
		failFor(w, err)
		return
	}
	writeJSON(w, http.StatusOK, 1)
}

func (s *Simulator) postCheck(w http.ResponseWriter, r *http.Request) {
	from, to, event := StatusFuture, StatusCheckedIn, "CheckIn"
	if strings.HasSuffix(r.URL.Path, "/checkout") {
		from, to, event = StatusCheckedIn, StatusCheckedOut, "CheckOut"
	}
	a, err := s.find(r.PathValue("id"), from)
	if err != nil {
		failFor(w, err)
		return
	}
	a.AppointmentStatus = to
	if to == StatusCheckedIn {
		a.CheckInDateTime = s.stamp()
	} else {
		a.CheckOutDateTime = s.stamp()
	}
	s.changed(a, event, api)
	writeJSON(w, http.StatusOK, map[string]bool{"success": true})
}

func (s *Simulator) listCancelReasons(w http.ResponseWriter, r *http.Request) {
	list(w, r, "appointmentcancelreasons", cancelReasons, 100, 5000)
}
