package redox

import (
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	accountpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/account_go_proto"
	coveragepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/coverage_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
)

var patientSearchTranslations = map[string]translation{
	"Response":              {write: (*writer).matches, read: (*reader).matches},
	"LocationQueryResponse": {write: (*writer).located, read: (*reader).located},
}

// potentialMatch is the tag of a patient who may be the one that was asked
// for. R4 search: Bundle.entry.search.
const potentialMatch = "potential-match"

// matches makes the patients of an answer, with who pays for them.
func (w *writer) matches(message Body) {
	b := *message.(*PatientSearch)
	b.Meta = nil
	if p := take(&b.Patient); p != nil && !isEmpty(p) {
		w.m.Focus = append(w.m.Focus, w.match(*p))
	}
	for _, m := range take(&b.PotentialMatches) {
		if isEmpty(m) {
			continue
		}
		p := Patient{Object: take(&m.Object)}
		moveMembers(&m, &p)
		at := w.match(p)
		meta := w.m.Entries[at].Resource.GetPatient().Meta
		meta.Tag = append(meta.Tag, coding(redoxCodeset+"PatientSearch", potentialMatch, ""))
		w.m.Focus = append(w.m.Focus, at)
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("PatientSearch", &b)...)
}

func (w *writer) match(p Patient) int {
	insurances, guarantor := take(&p.Insurances), take(&p.Guarantor)
	at := w.patient(p)
	w.account("", guarantor, w.coverages(insurances, at), at, at)
	return at
}

// matches reads the patients: the only one is the match, several are possible
// ones.
func (r *reader) matches() (Body, error) {
	body := &PatientSearch{}
	r.restore("PatientSearch", r.m.Extensions, body)
	found := focused[*patientpb.Patient](r)
	for _, in := range found {
		tagged := false
		for _, t := range in.GetMeta().GetTag() {
			tagged = tagged || t.GetCode().GetValue() == potentialMatch && t.GetSystem().GetValue() == redoxCodeset+"PatientSearch"
		}
		p := r.match(in)
		if tagged || body.Patient != nil || len(r.m.Focus) > 1 && !anyTagged(found) {
			m := PotentialMatch{Object: take(&p.Object)}
			moveMembers(p, &m)
			body.PotentialMatches = append(body.PotentialMatches, m)
		} else {
			body.Patient = p
		}
	}
	return body, nil
}

func anyTagged(list []*patientpb.Patient) bool {
	for _, p := range list {
		if len(p.GetMeta().GetTag()) > 0 {
			return true
		}
	}
	return false
}

// match reads a patient with the coverages and the guarantor that are theirs.
func (r *reader) match(in *patientpb.Patient) *Patient {
	p := r.patient(in)
	of := func(ref *dtpb.Reference) bool {
		t, i := target[*patientpb.Patient](r, ref)
		return i >= 0 && t == in
	}
	for _, c := range all[*coveragepb.Coverage](r) {
		if of(c.Beneficiary) {
			p.Insurances = append(p.Insurances, r.coverage(c))
		}
	}
	for _, a := range all[*accountpb.Account](r) {
		for _, s := range a.Subject {
			if of(s) && p.Guarantor == nil {
				_, p.Guarantor = r.readAccount(a)
			}
		}
	}
	return p
}

// located makes the patients of an answer about where records are, with the
// organizations that have them.
func (w *writer) located(message Body) {
	b := *message.(*PatientSearch)
	b.Meta = nil
	for _, p := range take(&b.Patients) {
		if isEmpty(p) {
			continue
		}
		o := take(&p.Organization)
		at := w.patient(p)
		w.at = at
		out := w.m.Entries[at].Resource.GetPatient()
		organization.write(w, fields{&o}, func(v any) { out.ManagingOrganization = v.(*dtpb.Reference) })
		w.m.Focus = append(w.m.Focus, at)
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("PatientSearch", &b)...)
}

func (r *reader) located() (Body, error) {
	body := &PatientSearch{Patients: []Patient{}}
	r.restore("PatientSearch", r.m.Extensions, body)
	for _, in := range focused[*patientpb.Patient](r) {
		p := r.patient(in)
		if in.ManagingOrganization != nil {
			organization.read(r, fields{&p.Organization}, in.ManagingOrganization)
		}
		body.Patients = append(body.Patients, *p)
	}
	return body, nil
}
