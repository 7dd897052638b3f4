package redox

import (
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	encounterpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/encounter_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
)

var patientAdminTranslations = map[string]translation{
	"NewPatient": admissions, "PatientUpdate": admissions, "PatientMerge": admissions,
	"PreAdmit": admissions, "Registration": admissions, "Arrival": admissions, "Transfer": admissions, "Discharge": admissions,
	"VisitUpdate": admissions, "VisitMerge": admissions, "Cancel": admissions,
}

var admissions = translation{
	write: func(w *writer, body Body) { w.patientAdmin(*body.(*PatientAdmin)) },
	read: func(r *reader) (Body, error) {
		p := r.firstPatient()
		if p == nil {
			return nil, absent("Patient")
		}
		return r.patientAdmin(p), nil
	},
}

// patientAdmin makes the resources of a PatientAdmin message: the Patient,
// and for the events about a visit the Encounter.
func (w *writer) patientAdmin(body PatientAdmin) {
	p := Patient{}
	if body.Patient != nil {
		p = *take(&body.Patient)
	}
	diagnoses, allergies := take(&p.Diagnoses), take(&p.Allergies)
	_, aboutVisit := visitEvents[w.m.EventType]
	var insurances []Insurance
	var guarantor *Guarantor
	if !aboutVisit {
		insurances, guarantor = take(&p.Insurances), take(&p.Guarantor)
	}
	var retired []Identifier
	if w.m.EventType == "PatientMerge" {
		retired = take(&p.PreviousIdentifiers)
	}
	patient := w.patient(p)
	w.m.Focus = []int{patient}
	w.allergies(allergies, patient)
	if len(retired) > 0 {
		w.merge(patient, retired)
	}
	if v := body.Visit; aboutVisit && v != nil && !isEmpty(v) {
		body.Visit = nil
		canceled := ""
		if body.Meta != nil {
			canceled = body.Meta.CanceledEvent
		}
		w.m.Focus = append(w.m.Focus, w.encounter(*v, diagnoses, canceled, patient))
	} else {
		w.conditions(diagnoses, patient, nil)
		coverages := w.coverages(insurances, patient)
		w.account("", guarantor, coverages, patient, patient)
	}
	body.Meta = nil // in the message itself
	w.m.Extensions = append(w.m.Extensions, w.rest("PatientAdmin", &body)...)
}

// merge makes the retired Patient of a PatientMerge: Patient.Identifiers is
// who remains, Patient.PreviousIdentifiers who is replaced.
func (w *writer) merge(survivor int, retired []Identifier) {
	out := &patientpb.Patient{
		Identifier: w.identifiers(retired),
		Active:     boolean(false),
		Link: []*patientpb.Patient_Link{{Other: w.ref(survivor),
			Type: &patientpb.Patient_Link_TypeCode{Value: codes_go_proto.LinkTypeCode_REPLACED_BY}}},
	}
	i := w.add(out, known(out.Identifier))
	p := w.m.Entries[survivor].Resource.GetPatient()
	p.Link = append(p.Link, &patientpb.Patient_Link{Other: w.ref(i),
		Type: &patientpb.Patient_Link_TypeCode{Value: codes_go_proto.LinkTypeCode_REPLACES}})
	w.m.Focus = append(w.m.Focus, i)
}

// patientAdmin reads the Patient and the Encounter of a message.
func (r *reader) patientAdmin(in *patientpb.Patient) *PatientAdmin {
	body := &PatientAdmin{}
	r.restore("PatientAdmin", r.m.Extensions, body)
	body.Patient = r.patient(in)
	for _, link := range in.Link {
		if link.GetType().GetValue() != codes_go_proto.LinkTypeCode_REPLACES {
			continue
		}
		if old, i := target[*patientpb.Patient](r, link.Other); i >= 0 {
			body.Patient.PreviousIdentifiers = append(body.Patient.PreviousIdentifiers, r.identifiers(old.Identifier)...)
		}
	}
	body.Patient.Allergies = r.allergies()
	encounters := all[*encounterpb.Encounter](r)
	_, aboutVisit := visitEvents[r.m.EventType]
	if aboutVisit && len(encounters) > 0 {
		e := encounters[0]
		body.Visit = r.encounter(e)
		body.Patient.Diagnoses = r.conditions(func(i int) string { return r.diagnosisUse(e, i) })
		return body
	}
	body.Patient.Diagnoses = r.conditions(func(int) string { return "" })
	if insurances := r.coverages(); len(insurances) > 0 {
		body.Patient.Insurances = insurances
	}
	if _, g := r.account(nil); g != nil {
		body.Patient.Guarantor = g
	}
	return body
}

func (r *reader) diagnosisUse(e *encounterpb.Encounter, condition int) string {
	for _, d := range e.Diagnosis {
		if r.m.Find(d.Condition) == condition {
			return codeIn(d.Use, terminology+"diagnosis-role")
		}
	}
	return ""
}

// firstPatient is who a message is about: the first Patient that has not been
// replaced.
func (r *reader) firstPatient() *patientpb.Patient {
	var first *patientpb.Patient
next:
	for _, p := range all[*patientpb.Patient](r) {
		for _, l := range p.Link {
			if l.GetType().GetValue() == codes_go_proto.LinkTypeCode_REPLACED_BY {
				continue next
			}
		}
		if first == nil {
			first = p
		}
	}
	return first
}
