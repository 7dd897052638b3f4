package redox

import (
	"reflect"
	"strconv"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	compositionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/composition_go_proto"
	conditionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/condition_go_proto"
	reportpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/diagnostic_report_go_proto"
	encounterpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/encounter_go_proto"
	goalpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/goal_go_proto"
	administrationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/medication_administration_go_proto"
	observationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/observation_go_proto"
	organizationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/organization_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"
	specimenpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/specimen_go_proto"
	"google.golang.org/protobuf/proto"
)

// compositionTable is the header of a document. HL7 C-CDA: US Realm Header.
var compositionTable = tableOf[Document, *compositionpb.Composition]("Document",
	line{"ID", "identifier", identifier(documentNumber)},
	line{"", "status", fixed("final")},
	line{"TypeCode Type", "type", documentType},
	line{"DateTime", "date", dateTimeOrUnknown},
	line{"Title", "title", titleOrUnknown},
	line{"Author", "author", authorOrUnknown},
	line{"Confidentiality", "confidentiality", hint(confidentialities)},
	line{"Custodian", "custodian", reference(custodianTable, func() proto.Message {
		return &organizationpb.Organization{Meta: profile("organization"), Active: boolean(true)}
	}, "custodian", "Name")},
	line{"Visit", "encounter", documentVisit},
	line{"", "subject", subject},
).byIdentifier()

// Redox: Confidentiality, by the code of HL7 Confidentiality; FHIR: the same.
var confidentialities = words{{"normal", "n"}, {"N", "n"}, {"restricted", "r"}, {"R", "r"}, {"very restricted", "v"}, {"V", "v"}, {"low", "l"}, {"L", "l"}, {"moderate", "m"}, {"M", "m"}, {"unrestricted", "u"}, {"U", "u"}}

// documentType is TypeCode, whose text is Type. A document without a code is
// one of the two kinds that the data model has.
var documentType = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		at := reflect.ValueOf(f[0]).Elem()
		c := w.objectConcept(at)
		if c == nil || len(c.Coding) == 0 {
			k := coding(loinc, "34133-9", "Summarization of Episode Note")
			if w.m.EventType == "VisitPush" || w.m.EventType == "VisitQueryResponse" {
				k = coding(loinc, "18842-5", "Discharge summary")
			}
			k.Extension = w.assumed()
			put(&dtpb.CodeableConcept{Coding: []*dtpb.Coding{k}, Text: str(take(f.text(1)))})
			return
		}
		at.SetZero()
		c.Text = str(take(f.text(1)))
		put(c)
	},
	read: func(r *reader, f fields, v any) {
		c := v.(*dtpb.CodeableConcept)
		give(f.text(1), c.GetText().GetValue())
		if len(c.Coding) > 0 && !r.assumed(c.Coding[0].Extension) {
			clinicalObject.read(r, f[:1], &dtpb.CodeableConcept{Coding: c.Coding, Extension: c.Extension})
		}
	},
}

var titleOrUnknown = codec{always: true,
	write: func(_ *writer, f fields, put func(any)) {
		if t := take(f.text(0)); t != "" {
			put(t)
		} else {
			put(assumedValue{"Clinical summary"})
		}
	},
	read: plainText.read,
}

var authorOrUnknown = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		done := false
		provider.write(w, f, func(v any) { put(v); done = true })
		if !done {
			put(assumedValue{&dtpb.Reference{Display: str("unknown")}})
		}
	},
	read: provider.read,
}

// documentVisitTable is the visit that a document is about.
var documentVisitTable = tableOf[DocumentVisit, *encounterpb.Encounter]("DocumentVisit",
	line{"VisitNumber", "identifier", identifier(visitNumber)},
	line{"ID", "identifier", identifier("VISITID")},
	line{"", "status", fixed(assumedValue{"finished"})},
	line{"", "class", fixed(assumedValue{&dtpb.Coding{System: uri(nullFlavor), Code: &dtpb.Code{Value: "UNK"}}})},
	line{"Type", "type", clinicalObject},
	line{"StartDateTime EndDateTime", "period", span},
	line{"Reason", "reasonCode", inText},
	line{"Location", "location", place},
	line{"DischargeDisposition", "hospitalization.dischargeDisposition", clinicalObject},
	line{"", "subject", subject},
).byIdentifier()

var documentVisit = reference(documentVisitTable, func() proto.Message {
	return &encounterpb.Encounter{Meta: profile("encounter")}
}, "visit", "StartDateTime")

// place is a Location object as a location of an Encounter.
var place = codec{
	write: func(w *writer, f fields, put func(any)) {
		if i, ok := w.location(take(f[0].(**Location))); ok {
			put(&encounterpb.Encounter_Location{Location: w.ref(i)})
		}
	},
	read: func(r *reader, f fields, v any) {
		if l := f[0].(**Location); *l == nil {
			*l = r.location(v.(*encounterpb.Encounter_Location).GetLocation())
		}
	},
}

// panelTable is the results of one order in a document.
var panelTable = tableOf[ClinicalSummaryResult, *reportpb.DiagnosticReport]("ClinicalSummaryResult",
	line{"", "category", category(v2+"0074", "LAB", "Laboratory")},
	line{"Status", "status", status(reportStatuses, "final")},
	line{codeAll, "code", codeOrUnknown},
	line{"Producer", "performer", company},
	line{"Encounter", "encounter", clinicalEncounter},
	line{"Specimen", "specimen", reference(resultSpecimenTable, func() proto.Message { return &specimenpb.Specimen{} }, "specimen", "CollectionDateTime")},
	line{"Observations", "result", observationsOf(labTable, "observation-lab")},
	line{"", "subject", subject},
)

var resultSpecimenTable = tableOf[ResultSpecimen, *specimenpb.Specimen]("ResultSpecimen",
	line{"Source.Code Source.CodeSystem Source.CodeSystemName Source.Name", "type", clinicalCode},
	line{"TargetSite", "collection.bodySite", clinicalObject},
	line{"CollectionDateTime", "collection.collectedDateTime", dateTime},
	line{"", "subject", subject},
)

// vitalsTable is what was measured at one time. US Core: us-core-vital-signs.
var vitalsTable = tableOf[VitalSign, *observationpb.Observation]("VitalSign",
	line{"", "category", category(observationCategory, "vital-signs", "Vital Signs")},
	line{"", "status", fixed("final")},
	line{"", "code", category(loinc, "85353-1", "Vital signs, weight, height, head circumference, oxygen saturation and BMI panel")},
	line{"DateTime", "effectiveDateTime", dateTime},
	line{"Observations", "hasMember", observationsOf(vitalTable, "vital-signs")},
	line{"", "subject", subject},
)

// observationsOf are the Observations of a report or a panel.
func observationsOf(t *table, of string) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			seen := map[string]int{}
			panel := w.m.Entries[w.at].Resource.GetObservation()
			for _, o := range take(f[0].(*[]Observation)) {
				if isEmpty(o) {
					continue
				}
				key := joinKey("observation", w.o.system(o.CodeSystem), o.Code, o.Name)
				seen[key]++
				if seen[key] > 1 {
					key += "|" + strconv.Itoa(seen[key])
				}
				out := &observationpb.Observation{Meta: profile(of)}
				i := w.record(t, &o, out, child(w.at, key))
				if at := panel.GetEffective().GetDateTime(); out.Effective == nil && at != nil {
					out.Effective = &observationpb.Observation_EffectiveX{Choice: &observationpb.Observation_EffectiveX_DateTime{
						DateTime: &dtpb.DateTime{ValueUs: at.ValueUs, Timezone: at.Timezone, Precision: at.Precision, Extension: w.assumed()}}}
				}
				w.noValue(out)
				put(w.ref(i))
			}
		},
		read: func(r *reader, f fields, v any) {
			in, i := target[*observationpb.Observation](r, v.(*dtpb.Reference))
			if i < 0 {
				return
			}
			o := Observation{}
			r.read(t, in, &o)
			list := f[0].(*[]Observation)
			*list = append(*list, o)
		},
	}
}

// What depends on several elements.

// ended: FHIR's invariant con-4 wants a condition that has ended not to be
// active.
func ended(w *writer, m proto.Message) {
	c := m.(*conditionpb.Condition)
	if s := c.ClinicalStatus; c.Abatement != nil && s != nil && len(s.Extension) > 0 && len(s.Coding) == 1 {
		s.Coding[0].Code = &dtpb.Code{Value: "resolved"}
	}
}

func codeKnown(w *writer, m proto.Message) {
	if c := m.(*conditionpb.Condition); c.Code == nil {
		c.Code = &dtpb.CodeableConcept{Text: str("unknown"), Extension: w.assumed()}
	}
}

func valueKnown(w *writer, m proto.Message) { w.noValue(m.(*observationpb.Observation)) }

// measuredGoal: FHIR's invariant gol-1 wants a measure for a detail.
func measuredGoal(_ *writer, m proto.Message) {
	g := m.(*goalpb.Goal)
	for _, t := range g.Target {
		if t.Detail != nil {
			t.Measure = g.Description
		}
	}
}

func effective(w *writer, m proto.Message) {
	if a := m.(*administrationpb.MedicationAdministration); a.Effective == nil {
		a.Effective = &administrationpb.MedicationAdministration_EffectiveX{
			Choice: &administrationpb.MedicationAdministration_EffectiveX_DateTime{DateTime: w.unknownTime()}}
	}
}

// moveMembers moves what both objects, given by pointers, have of the same
// name and type.
func moveMembers(from, to any) {
	a, b := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	index := members(b.Type())
	for name, i := range members(a.Type()) {
		if j, ok := index[name]; ok && a.Field(i).Type() == b.Field(j).Type() {
			b.Field(j).Set(a.Field(i))
			a.Field(i).SetZero()
		}
	}
}

// headerPatient makes the patient of a document. The groups that a person is
// of are US Core's extensions; all that the document says of them stays beside.
func (w *writer) headerPatient(in HeaderPatient, pcp *Provider) int {
	p := Patient{Object: in.Object, Identifiers: in.Identifiers, PCP: pcp}
	left := PatientDemographics{}
	if d := in.Demographics; d != nil {
		left = *d
		demographics := &Demographics{Object: take(&left.Object)}
		moveMembers(&left, demographics)
		plain := true
		for _, e := range left.EmailAddresses {
			plain = plain && (isEmpty(e) || e.Address != "" && isEmpty(e.Object))
		}
		if plain {
			for _, e := range take(&left.EmailAddresses) {
				if e.Address != "" {
					demographics.EmailAddresses = append(demographics.EmailAddresses, e.Address)
				}
			}
		}
		p.Demographics = demographics
	}
	at := w.patient(p)
	out := w.m.Entries[at].Resource.GetPatient()
	out.Extension = append(out.Extension, w.documentEthnicity(&left)...)
	out.Extension = append(out.Extension, w.rest("PatientDemographics", &left)...)
	defer func(before int) { w.at = before }(w.at)
	w.at = at
	organization.write(w, fields{&in.Organization}, func(v any) { out.ManagingOrganization = v.(*dtpb.Reference) })
	return at
}

// documentEthnicity makes us-core-ethnicity of the word and the codes.
func (w *writer) documentEthnicity(d *PatientDemographics) []*dtpb.Extension {
	word := take(&d.Ethnicity)
	e := &dtpb.Extension{Url: uri(ethnicityExtension)}
	code := ethnicities.code(word)
	for _, g := range d.EthnicGroupCodes {
		if g.Code == hispanic || g.Code == notHispanic {
			give(&code, g.Code)
		}
	}
	if code != "" {
		e.Extension = append(e.Extension, codingExtension("ombCategory", coding(cdcRace, code, ethnicities.word(code))))
	}
	if word != "" {
		e.Extension = append(e.Extension, &dtpb.Extension{Url: uri("text"), Value: stringValue(word)})
	}
	if len(e.Extension) == 0 {
		return nil
	}
	return []*dtpb.Extension{e}
}

func (r *reader) headerPatient(in *patientpb.Patient) (*HeaderPatient, *Provider) {
	p := r.patient(in)
	out := &HeaderPatient{Object: p.Object, Identifiers: p.Identifiers}
	d := &PatientDemographics{}
	r.restore("PatientDemographics", in.Extension, d)
	if p.Demographics != nil {
		d.Object = p.Demographics.Object
		restored := *d
		moveMembers(p.Demographics, d)
		d.RaceCodes, d.EthnicGroupCodes = restored.RaceCodes, restored.EthnicGroupCodes
		for _, e := range p.Demographics.EmailAddresses {
			d.EmailAddresses = append(d.EmailAddresses, EmailAddress{Address: e})
		}
	}
	for _, e := range in.Extension {
		if e.GetUrl().GetValue() == ethnicityExtension {
			give(&d.Ethnicity, ethnicityWord(e))
		}
	}
	if !isEmpty(d) {
		out.Demographics = d
	}
	organization.read(r, fields{&out.Organization}, in.ManagingOrganization)
	return out, p.PCP
}

// ethnicityWord is the text of us-core-ethnicity.
func ethnicityWord(e *dtpb.Extension) string {
	for _, m := range e.GetExtension() {
		if m.GetUrl().GetValue() == "text" {
			return m.GetValue().GetStringValue().GetValue()
		}
	}
	return ""
}
