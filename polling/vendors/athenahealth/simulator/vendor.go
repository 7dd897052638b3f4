package simulator

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

func (s *Simulator) vendorRoutes() {
	s.mux.HandleFunc("POST /oauth2/v1/token", s.countedToken)
	s.vendor("GET appointments/changed/subscription", s.getSubscription)
	s.vendor("POST appointments/changed/subscription", s.setSubscription)
	s.vendor("DELETE appointments/changed/subscription", s.setSubscription)
	s.vendor("GET appointments/changed/subscription/events", s.listEvents)
	s.vendor("GET appointments/changed", s.listChanged)
	s.vendor("GET appointments/booked", s.listBooked)
	s.vendor("GET appointments/open", s.listOpen)
	s.vendor("POST appointments/open", s.postOpen)
	s.vendor("GET appointments/{id}", s.getAppointment)
	s.vendor("PUT appointments/{id}", s.putAppointment)
	s.vendor("PUT appointments/{id}/{what}", s.putWhat)
	s.vendor("POST appointments/{id}/checkin", s.postCheck)
	s.vendor("POST appointments/{id}/checkout", s.postCheck)
	s.vendor("GET appointmentcancelreasons", s.listCancelReasons)
	s.vendor("GET patients/{id}", s.getPatient)
	s.vendor("GET providers/{id}", func(w http.ResponseWriter, r *http.Request) { one(w, s.providers[r.PathValue("id")], "provider") })
	s.vendor("GET departments/{id}", func(w http.ResponseWriter, r *http.Request) {
		one(w, s.departments[r.PathValue("id")], "department")
	})
	s.vendor("GET providers", func(w http.ResponseWriter, r *http.Request) {
		list(w, r, "providers", values(s.providers, s.providerIDs()), 1000, 5000)
	})
	s.vendor("GET departments", func(w http.ResponseWriter, r *http.Request) {
		list(w, r, "departments", values(s.departments, s.departmentIDs()), 1000, 5000)
	})
}

func (s *Simulator) countedToken(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	fault, faulty := s.next("token")
	s.count("POST /oauth2/v1/token", http.StatusOK)
	s.mu.Unlock()
	if faulty && refuse(w, fault) {
		return
	}
	s.token(w, r)
}

// one answers a single record, which is an array of one.
func one[T any](w http.ResponseWriter, v *T, what string) {
	if v == nil {
		fail(w, http.StatusNotFound, "The "+what+" does not exist.", "")
		return
	}
	writeJSON(w, http.StatusOK, []*T{v})
}

// getPatient shows the practice's own number only to who asks for it.
func (s *Simulator) getPatient(w http.ResponseWriter, r *http.Request) {
	p := s.patients[r.PathValue("id")]
	if p != nil && r.FormValue("showlocalpatientid") != "true" {
		without := *p
		without.LocalPatientID = ""
		p = &without
	}
	one(w, p, "patient")
}

func values[T any](from map[string]*T, ids []string) []*T {
	all := make([]*T, 0, len(ids))
	for _, id := range ids {
		all = append(all, from[id])
	}
	return all
}

// window reads limit and offset; ok is false when it has answered.
func window(w http.ResponseWriter, r *http.Request, normal, most int) (limit, offset int, ok bool) {
	limit = normal
	for name, to := range map[string]*int{"limit": &limit, "offset": &offset} {
		if text := r.FormValue(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 {
				fail(w, http.StatusBadRequest, "Invalid "+name+".", "")
				return 0, 0, false
			}
			*to = n
		}
	}
	return min(limit, most), offset, true
}

// list answers a page of all, which is everything there is.
func list[T any](w http.ResponseWriter, r *http.Request, name string, all []T, normal, most int) {
	limit, offset, ok := window(w, r, normal, most)
	if !ok {
		return
	}
	rows := all[min(offset, len(all)):]
	page(w, r, name, rows[:min(limit, len(rows))], len(all), limit, offset)
}

func page[T any](w http.ResponseWriter, r *http.Request, name string, rows []T, total, limit, offset int) {
	answer := map[string]any{"totalcount": total}
	link := func(offset int) string {
		q := url.Values{}
		for k, v := range r.URL.Query() {
			q[k] = v
		}
		q.Set("limit", strconv.Itoa(limit))
		q.Set("offset", strconv.Itoa(offset))
		return r.URL.Path + "?" + q.Encode()
	}
	if offset+limit < total {
		answer["next"] = link(offset + limit)
	}
	if offset > 0 {
		answer["previous"] = link(max(0, offset-limit))
	}
	switch faultOf(r.Context()) {
	case FaultDuplicates:
		twice := make([]T, 0, 2*len(rows))
		for _, row := range rows {
			twice = append(twice, row, row)
		}
		rows = append(twice, rows...)
	case FaultLostNext:
		delete(answer, "next")
		answer["totalcount"] = total + len(rows) + 1
	}
	if rows == nil {
		rows = []T{}
	}
	answer[name] = rows
	writeJSON(w, http.StatusOK, answer)
}

func (s *Simulator) getSubscription(w http.ResponseWriter, _ *http.Request) {
	type event struct {
		EventName string `json:"eventname"`
	}
	on := []event{}
	for _, e := range events {
		if _, ok := s.subscribed[e]; ok {
			on = append(on, event{e})
		}
	}
	status := "PARTIAL"
	switch len(on) {
	case 0:
		status = "INACTIVE"
	case len(events):
		status = "ACTIVE"
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": status, "subscriptions": on})
}

func (s *Simulator) listEvents(w http.ResponseWriter, _ *http.Request) {
	all := []map[string]string{}
	for _, e := range events {
		all = append(all, map[string]string{"eventname": e})
	}
	writeJSON(w, http.StatusOK, map[string]any{"subscriptions": all})
}

func (s *Simulator) setSubscription(w http.ResponseWriter, r *http.Request) {
	event := r.FormValue("eventname")
	if r.Method == http.MethodDelete && event == "" {
		// net/http does not read the form of a DELETE; the vendor does.
		raw, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		form, _ := url.ParseQuery(string(raw))
		event = form.Get("eventname")
	}
	if err := s.subscribe(event, r.Method == http.MethodPost); err != nil {
		fail(w, http.StatusBadRequest, "Invalid eventname.", "")
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"success": true})
}

func (s *Simulator) listChanged(w http.ResponseWriter, r *http.Request) {
	limit, offset, ok := window(w, r, 1000, 5000)
	if !ok {
		return
	}
	q := feedQuery{
		departmentID: r.FormValue("departmentid"), providerID: r.FormValue("providerid"), patientID: r.FormValue("patientid"),
		leave: r.FormValue("leaveunprocessed") == "true", limit: limit, offset: offset, to: s.now(),
	}
	for name, to := range map[string]*time.Time{"showprocessedstartdatetime": &q.from, "showprocessedenddatetime": &q.to} {
		if text := r.FormValue(name); text != "" {
			t, err := time.ParseInLocation(stampLayout, text, s.eastern)
			if err != nil {
				fail(w, http.StatusBadRequest, "Invalid "+name+".", "The form is mm/dd/yyyy hh24:mi:ss.")
				return
			}
			*to = t
		}
	}
	rows, total := s.read(q)
	page(w, r, "appointments", rows, total, limit, offset)
}

func (s *Simulator) listBooked(w http.ResponseWriter, r *http.Request) {
	s.listAppointments(w, r, func(a *Appointment) bool { return a.PatientID != "" }, 1000, 5000)
}

func (s *Simulator) listOpen(w http.ResponseWriter, r *http.Request) {
	s.listAppointments(w, r, func(a *Appointment) bool { return a.AppointmentStatus == StatusOpen }, 1000, 10000)
}

func (s *Simulator) listAppointments(w http.ResponseWriter, r *http.Request, keep func(*Appointment) bool, normal, most int) {
	var from, to time.Time
	for name, t := range map[string]*time.Time{"startdate": &from, "enddate": &to} {
		if text := r.FormValue(name); text != "" {
			day, err := time.Parse(dateLayout, text)
			if err != nil {
				fail(w, http.StatusBadRequest, "Invalid "+name+".", "The form is mm/dd/yyyy.")
				return
			}
			*t = day
		}
	}
	var found []*Appointment
	for _, id := range s.order {
		a := s.appointments[id]
		day, _ := time.Parse(dateLayout, a.Date) // checked when it was made
		if !keep(a) || !from.IsZero() && day.Before(from) || !to.IsZero() && day.After(to) {
			continue
		}
		match := true
		for name, value := range map[string]string{"departmentid": a.DepartmentID, "providerid": a.ProviderID, "patientid": a.PatientID} {
			if want := r.FormValue(name); want != "" && want != value {
				match = false
			}
		}
		if match {
			found = append(found, a)
		}
	}
	list(w, r, "appointments", found, normal, most)
}

func (s *Simulator) getAppointment(w http.ResponseWriter, r *http.Request) {
	one(w, s.appointments[r.PathValue("id")], "appointment")
}
