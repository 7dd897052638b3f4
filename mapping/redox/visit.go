package redox

import (
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	coveragepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/coverage_go_proto"
	encounterpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/encounter_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
)

// about makes the patient and the visit of a message that is about something
// else: an order, a document. What follows is written for them.
func (w *writer) about(p *Patient, v *Visit) {
	w.subject, w.visitAt = -1, -1
	if p != nil && !isEmpty(p) {
		w.subject = w.once("Patient", *p, func() int { return w.patient(*p) })
	}
	if v != nil && !isEmpty(v) {
		w.visitAt = w.visit(*v)
	}
}

// visit makes the Encounter of such a message. A visit without a number and a
// time is known to nobody but the record that names it; see ownVisit.
func (w *writer) visit(v Visit) int {
	if w.subject < 0 { // an Encounter has a subject in US Core, and coverages need one
		w.subject = w.add(&patientpb.Patient{Meta: profile("patient"), Extension: w.assumed()}, alone)
	}
	diagnoses := v.Diagnoses
	v.Diagnoses = nil
	from := len(w.m.Entries)
	at := w.encounter(v, diagnoses, "", w.subject)
	e := w.m.Entries[at].Resource.GetEncounter()
	for i := from; i < len(w.m.Entries); i++ {
		if w.m.Entries[i].Resource.GetCoverage() != nil {
			e.Extension = append(e.Extension, &dtpb.Extension{Url: uri(w.o.url(visitCoverage)),
				Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Reference{Reference: w.ref(i)}}})
		}
	}
	return at
}

// visitCoverage is the name of the extension by which an Encounter refers to
// the coverages that a message names for it; R4's Encounter has no element for
// them.
const visitCoverage = "visit-coverage"

// ownVisit makes a visit without a number and a time, and a patient without
// identifiers, those of the record at an index, so that the message sent again
// does not make others.
func (w *writer) ownVisit(at int) {
	if i := w.visitAt; i >= 0 && w.m.Entries[i].Key == "visit|" {
		w.m.Entries[i].Parent = at
	}
	if i := w.subject; i >= 0 && len(w.m.Entries[i].Identifiers) == 0 && w.m.Entries[i].Key == "" {
		w.m.Entries[i].Parent, w.m.Entries[i].Key = at, "patient"
	}
}

// about reads the patient and the visit that two references mean.
func (r *reader) about(subject, encounter *dtpb.Reference) (p *Patient, v *Visit) {
	if in, i := target[*patientpb.Patient](r, subject); i >= 0 && !r.assumed(in.Extension) {
		p = r.patient(in)
	}
	e, at := target[*encounterpb.Encounter](r, encounter)
	if at < 0 {
		return p, nil
	}
	v = r.encounter(e)
	v.Insurances = nil
	for _, x := range e.Extension {
		if x.GetUrl().GetValue() == r.o.url(visitCoverage) {
			if c, i := target[*coveragepb.Coverage](r, x.GetValue().GetReference()); i >= 0 {
				v.Insurances = append(v.Insurances, r.coverage(c))
			}
		}
	}
	v.AccountNumber, v.Guarantor = r.accountOf(e.Account)
	for i, entry := range r.m.Entries {
		c := entry.Resource.GetCondition()
		if c == nil || r.m.Find(c.Encounter) != at {
			continue
		}
		v.Diagnoses = append(v.Diagnoses, r.diagnosis(c, r.diagnosisUse(e, i)))
	}
	return p, v
}
