package redox

import (
	appointmentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/appointment_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// ToFHIR says the message in FHIR. The data models Scheduling (but for its
// queries) and PatientAdmin are translated; the others give ErrNotTranslated.
func (m *Message) ToFHIR(o Options) (*mapping.Message, error) {
	w := &writer{o: o, said: map[string]int{}, m: &mapping.Message{
		DataModel: m.DataModel, EventType: m.EventType, Event: mapping.EventOf(m.DataModel, m.EventType),
	}}
	if !translated(m.DataModel, m.EventType) {
		return nil, one(ErrNotTranslated, "", "Not translated - "+m.Pair())
	}
	w.meta(*m.Meta())
	switch body := m.Body.(type) {
	case *Scheduling:
		b := *body
		b.Meta = nil
		if m.EventType == "PushSlots" {
			w.slots(b)
		} else {
			w.scheduling(b)
		}
	case *PatientAdmin:
		w.patientAdmin(*body)
	}
	return w.m, nil
}

// translated lists the pairs that have a translation.
func translated(dataModel, eventType string) bool {
	switch dataModel {
	case "Scheduling":
		_, ok := scheduledAs[eventType]
		return ok || eventType == "PushSlots"
	case "PatientAdmin":
		_, ok := visitEvents[eventType]
		return ok || eventType == "NewPatient" || eventType == "PatientUpdate" || eventType == "PatientMerge"
	}
	return false
}

// meta takes what a message says of itself.
func (w *writer) meta(meta Meta) {
	if meta.DataModel == w.m.DataModel {
		meta.DataModel = ""
	}
	if meta.EventType == w.m.EventType {
		meta.EventType = ""
	}
	if t, ok := w.o.parseTime(meta.EventDateTime); ok {
		w.m.Time = t.time
		if writeTime(w.m) == meta.EventDateTime {
			meta.EventDateTime = ""
		}
	}
	if meta.Test != nil && *meta.Test {
		w.m.Test, meta.Test = true, nil
	}
	w.m.FacilityCode = take(&meta.FacilityCode)
	if s := meta.Source; s != nil && isEmpty(s.Object) {
		w.m.Source = mapping.Party{ID: s.ID, Name: s.Name}
		meta.Source = nil
	}
	plain := true
	for _, d := range meta.Destinations {
		plain = plain && isEmpty(d.Object)
	}
	if plain {
		for _, d := range take(&meta.Destinations) {
			w.m.Destinations = append(w.m.Destinations, mapping.Party{ID: d.ID, Name: d.Name})
		}
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("Meta", &meta)...)
}

func writeTime(m *mapping.Message) string {
	if m.Time.IsZero() {
		return ""
	}
	return m.Time.Format("2006-01-02T15:04:05.000Z07:00")
}

// FromFHIR says a FHIR message in the data model that its DataModel and
// EventType name, Scheduling or PatientAdmin.
func FromFHIR(in *mapping.Message, o Options) (*Message, error) {
	r := &reader{o: o, m: in}
	m, err := lookup(in.DataModel, in.EventType, false)
	if err != nil {
		return nil, err
	}
	if !translated(m.DataModel, m.EventType) {
		return nil, one(ErrNotTranslated, "", "Not translated - "+m.Pair())
	}
	switch {
	case m.Pair() == "Scheduling:PushSlots":
		m.Body = r.slots()
	case m.DataModel == "Scheduling":
		appointments := all[*appointmentpb.Appointment](r)
		if len(appointments) == 0 {
			return nil, absent("Appointment")
		}
		m.Body = r.scheduling(appointments[0])
	default:
		p := r.firstPatient()
		if p == nil {
			return nil, absent("Patient")
		}
		m.Body = r.patientAdmin(p)
	}
	*m.Body.header() = r.meta()
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// absent says that a FHIR message lacks an element.
func absent(element string) error {
	return one(ErrWriteback, element, "Required element missing - "+element)
}

func (r *reader) meta() *Meta {
	out := &Meta{}
	r.restore("Meta", r.m.Extensions, out)
	give(&out.DataModel, r.m.DataModel)
	give(&out.EventType, r.m.EventType)
	give(&out.EventDateTime, writeTime(r.m))
	if r.m.Test {
		out.Test = Bool(true)
	}
	give(&out.FacilityCode, r.m.FacilityCode)
	if s := r.m.Source; s != (mapping.Party{}) {
		out.Source = &Party{ID: s.ID, Name: s.Name}
	}
	for _, d := range r.m.Destinations {
		out.Destinations = append(out.Destinations, Party{ID: d.ID, Name: d.Name})
	}
	return out
}
