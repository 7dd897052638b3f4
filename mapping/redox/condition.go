package redox

import (
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	allergypb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/allergy_intolerance_go_proto"
	conditionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/condition_go_proto"
)

// diagnosis is a Condition and how the encounter uses it.
type diagnosis struct {
	index int
	use   *dtpb.CodeableConcept
}

// conditions makes us-core-conditions of diagnoses (HL7 v2-to-FHIR: DG1).
func (w *writer) conditions(list []Diagnosis, patient int, encounter *dtpb.Reference) (out []diagnosis) {
	for _, d := range list {
		if isEmpty(d) {
			continue
		}
		entry := alone
		if d.Code != "" {
			entry = child(patient, joinKey("condition", w.o.system(d.Codeset), d.Code))
		} else if d.Name != "" {
			entry = child(patient, joinKey("condition", d.Name))
		}
		one := diagnosis{}
		if encounter != nil { // which alone can say how it uses a diagnosis
			if code := diagnosisUses.take(&d.Type); code != "" {
				one.use = concept(terminology+"diagnosis-role", code, "", "")
			}
		}
		c := &conditionpb.Condition{
			Meta:         profile("condition-encounter-diagnosis"),
			Category:     []*dtpb.CodeableConcept{concept(terminology+"condition-category", "encounter-diagnosis", "Encounter Diagnosis", "")},
			Subject:      w.ref(patient),
			Encounter:    encounter,
			Code:         w.code(&d.Code, &d.Codeset, &d.Name),
			RecordedDate: w.dateTime(&d.DocumentedDateTime),
		}
		c.Extension = w.rest("Diagnosis", &d)
		one.index = w.add(c, entry)
		out = append(out, one)
	}
	return out
}

// conditions reads all conditions of a message; use tells how the encounter
// uses the one with an index.
func (r *reader) conditions(use func(index int) string) (list []Diagnosis) {
	for i, e := range r.m.Entries {
		c := e.Resource.GetCondition()
		if c == nil {
			continue
		}
		list = append(list, r.diagnosis(c, use(i)))
	}
	return list
}

func (r *reader) diagnosis(c *conditionpb.Condition, use string) Diagnosis {
	d := Diagnosis{}
	r.restore("Diagnosis", c.Extension, &d)
	r.code(c.Code, &d.Code, &d.Codeset, &d.Name)
	t, ok := ofDateTime(c.RecordedDate)
	r.giveTime(&d.DocumentedDateTime, t, ok)
	diagnosisUses.give(&d.Type, use)
	return d
}

// allergies makes us-core-allergyintolerances (HL7 v2-to-FHIR: AL1). Type and
// Severity stay in extensions beside category and severity: their codes say
// more than FHIR's.
func (w *writer) allergies(list []PatientAllergy, patient int) {
	for _, a := range list {
		if isEmpty(a) {
			continue
		}
		entry := alone
		if a.Code != "" || a.Name != "" {
			entry = child(patient, joinKey("allergy", w.o.system(a.Codeset), a.Code, a.Name))
		}
		out := &allergypb.AllergyIntolerance{Meta: profile("allergyintolerance"), Patient: w.ref(patient)}
		out.Code = w.code(&a.Code, &a.Codeset, &a.Name)
		out.ClinicalStatus = w.allergyStatus(take(&a.Status))
		if t := w.dateTime(&a.OnsetDateTime); t != nil {
			out.Onset = &allergypb.AllergyIntolerance_OnsetX{Choice: &allergypb.AllergyIntolerance_OnsetX_DateTime{DateTime: t}}
		}
		if a.Type != nil {
			if v, ok := allergyCategory[allergyCategories.code(a.Type.Name)]; ok {
				out.Category = []*allergypb.AllergyIntolerance_CategoryCode{{Value: v}}
			}
		}
		reaction := &allergypb.AllergyIntolerance_Reaction{}
		for _, one := range take(&a.Reaction) {
			if c := w.concept(&one); c != nil {
				reaction.Manifestation = append(reaction.Manifestation, c)
			}
		}
		if len(reaction.Manifestation) > 0 {
			if a.Severity != nil {
				if v, ok := reactionSeverity[severities.code(a.Severity.Name)]; ok {
					reaction.Severity = &allergypb.AllergyIntolerance_Reaction_SeverityCode{Value: v}
				}
			}
			out.Reaction = []*allergypb.AllergyIntolerance_Reaction{reaction}
		}
		out.Extension = w.rest("PatientAllergy", &a)
		w.add(out, entry)
	}
}

var allergyCategory = map[string]codes_go_proto.AllergyIntoleranceCategoryCode_Value{
	"medication":  codes_go_proto.AllergyIntoleranceCategoryCode_MEDICATION,
	"food":        codes_go_proto.AllergyIntoleranceCategoryCode_FOOD,
	"environment": codes_go_proto.AllergyIntoleranceCategoryCode_ENVIRONMENT,
}

var reactionSeverity = map[string]codes_go_proto.AllergyIntoleranceSeverityCode_Value{
	"mild":     codes_go_proto.AllergyIntoleranceSeverityCode_MILD,
	"moderate": codes_go_proto.AllergyIntoleranceSeverityCode_MODERATE,
	"severe":   codes_go_proto.AllergyIntoleranceSeverityCode_SEVERE,
}

// allergyStatus is the clinical status, which FHIR's invariant ait-1 requires.
func (w *writer) allergyStatus(word string) *dtpb.CodeableConcept {
	const system = terminology + "allergyintolerance-clinical"
	code := allergyStatuses.code(word)
	if code == "" {
		c := concept(system, "active", "Active", word)
		c.Extension = w.assumed()
		return c
	}
	return concept(system, code, allergyStatuses.word(code), word)
}

func (r *reader) allergies() (list []PatientAllergy) {
	for _, in := range all[*allergypb.AllergyIntolerance](r) {
		a := PatientAllergy{}
		r.restore("PatientAllergy", in.Extension, &a)
		r.code(in.Code, &a.Code, &a.Codeset, &a.Name)
		give(&a.Status, in.GetClinicalStatus().GetText().GetValue())
		if !r.assumed(in.GetClinicalStatus().GetExtension()) {
			give(&a.Status, wordsOf(in.ClinicalStatus))
		}
		t, ok := ofDateTime(in.GetOnset().GetDateTime())
		r.giveTime(&a.OnsetDateTime, t, ok)
		for _, c := range in.Category {
			for word, v := range allergyCategory {
				if v == c.GetValue() && a.Type == nil {
					a.Type = &Code{Name: allergyCategories.word(word)}
				}
			}
		}
		for _, one := range in.Reaction {
			for _, m := range one.Manifestation {
				if c := r.concept(m, false); c != nil {
					a.Reaction = append(a.Reaction, *c)
				}
			}
			for word, v := range reactionSeverity {
				if v == one.GetSeverity().GetValue() && a.Severity == nil {
					a.Severity = &Code{Name: severities.word(word)}
				}
			}
		}
		list = append(list, a)
	}
	return list
}
