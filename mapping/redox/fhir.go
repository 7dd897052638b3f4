package redox

import (
	"github.com/fhirfacade/fhirfacade/mapping"
)

// translation is how the messages of an event are said in FHIR and read from
// it.
type translation struct {
	write func(w *writer, body Body)
	read  func(r *reader) (Body, error)
}

// translationsOf are the translations by data model and event type. Queries
// have none: package exchange answers them by a search.
var translationsOf = map[string]map[string]translation{
	"Scheduling":    schedulingTranslations,
	"PatientAdmin":  patientAdminTranslations,
	"Results":       resultsTranslations,
	"Order":         orderTranslations,
	clinicalSummary: clinicalSummaryTranslations,
	"Media":         mediaTranslations,
	"Notes":         notesTranslations,
	"Flowsheet":     flowsheetTranslations,
	"Device":        deviceTranslations,
	"Vaccination":   vaccinationTranslations,
	"Medications":   medicationsTranslations,
	"PatientSearch": patientSearchTranslations,
}

// ToFHIR says the message in FHIR. A message whose event has no translation
// gives ErrNotTranslated.
func (m *Message) ToFHIR(o Options) (*mapping.Message, error) {
	w := &writer{o: o, said: map[string]int{}, at: mapping.NoParent, subject: -1, visitAt: -1, m: &mapping.Message{
		DataModel: m.DataModel, EventType: m.EventType, Event: mapping.EventOf(m.DataModel, m.EventType),
	}}
	t, ok := translationsOf[m.DataModel][m.EventType]
	if !ok {
		return nil, one(ErrNotTranslated, "", "Not translated - "+m.Pair())
	}
	w.meta(*m.Meta())
	t.write(w, m.Body)
	return w.m, nil
}

// translated tells whether an event has a translation.
func translated(dataModel, eventType string) bool {
	_, ok := translationsOf[dataModel][eventType]
	return ok
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
// EventType name, an answer to a query too.
func FromFHIR(in *mapping.Message, o Options) (*Message, error) {
	r := &reader{o: o, m: in}
	m, err := lookup(in.DataModel, in.EventType, true)
	if err != nil {
		return nil, err
	}
	t, ok := translationsOf[m.DataModel][m.EventType]
	if !ok {
		return nil, one(ErrNotTranslated, "", "Not translated - "+m.Pair())
	}
	if m.Body, err = t.read(r); err != nil {
		return nil, err
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
