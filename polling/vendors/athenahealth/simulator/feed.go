package simulator

import (
	"time"
)

// events are what can be subscribed to in the feed of appointments.
var events = []string{
	"ScheduleAppointment", "UpdateAppointment", "CancelAppointment", "CheckIn", "CheckOut", "UpdateReminderCall",
	"UpdateSuggestedOverbooking", "FreezeAppointment", "UnfreezeAppointment", "DeleteAppointment", "AddAppointmentSlot",
}

// feedEntry is one event in the changed feed.
type feedEntry struct {
	id        string
	event     string
	processed time.Time // when it was handed out; zero while it waits
}

// changed notes that an appointment changed, for those who subscribed.
func (s *Simulator) changed(a *Appointment, event, by string) {
	now := s.now()
	a.LastModified, a.LastModifiedBy = s.stamp(), by
	if from, ok := s.subscribed[event]; ok && !now.Before(from) {
		s.feed = append(s.feed, &feedEntry{id: a.AppointmentID, event: event})
	}
}

// feedQuery asks the feed.
type feedQuery struct {
	departmentID, providerID, patientID string
	leave                               bool
	from, to                            time.Time // of processed entries, when set
	limit, offset                       int
}

// read returns the rows of a page and how many rows there are in all. A row
// is an appointment as it is now, once, however many events it had.
func (s *Simulator) read(q feedQuery) (rows []*Appointment, total int) {
	var ids []string
	entries := map[string][]*feedEntry{}
	for _, e := range s.feed {
		if q.from.IsZero() != e.processed.IsZero() {
			continue
		}
		if !q.from.IsZero() && (e.processed.Before(q.from) || e.processed.After(q.to)) {
			continue
		}
		a := s.appointments[e.id]
		if q.departmentID != "" && a.DepartmentID != q.departmentID ||
			q.providerID != "" && a.ProviderID != q.providerID ||
			q.patientID != "" && a.PatientID != q.patientID {
			continue
		}
		if entries[e.id] == nil {
			ids = append(ids, e.id)
		}
		entries[e.id] = append(entries[e.id], e)
	}
	total = len(ids)
	ids = ids[min(q.offset, total):]
	ids = ids[:min(q.limit, len(ids))]
	for _, id := range ids {
		rows = append(rows, s.appointments[id])
		if !q.leave && q.from.IsZero() {
			for _, e := range entries[id] {
				e.processed = s.now()
			}
		}
	}
	return rows, total
}

// Feed returns the ids of the appointments that wait in the feed.
func (s *Simulator) Feed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, _ := s.read(feedQuery{leave: true, limit: len(s.feed)})
	ids := []string{}
	for _, a := range rows {
		ids = append(ids, a.AppointmentID)
	}
	return ids
}

// Subscribe subscribes to an event, or to all of them when event is "".
func (s *Simulator) Subscribe(event string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.subscribe(event, true)
}

func (s *Simulator) subscribe(event string, on bool) error {
	known := false
	for _, e := range events {
		if event != "" && event != e {
			continue
		}
		known = true
		if _, already := s.subscribed[e]; on && !already {
			s.subscribed[e] = s.now().Add(s.o.SubscriptionDelay)
		}
		if !on {
			delete(s.subscribed, e)
		}
	}
	if !known {
		return ErrInput
	}
	return nil
}
