package redox

import (
	"math/big"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	encounterpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/encounter_go_proto"
)

// visitEvents are the PatientAdmin events about a visit: the status of the
// Encounter, and the class where the message does not say one.
var visitEvents = map[string]struct {
	status codes_go_proto.EncounterStatusCode_Value
	class  string
}{
	"PreAdmit":     {codes_go_proto.EncounterStatusCode_PLANNED, "PRENC"},
	"Registration": {codes_go_proto.EncounterStatusCode_IN_PROGRESS, "AMB"},
	"Arrival":      {codes_go_proto.EncounterStatusCode_IN_PROGRESS, ""},
	"Transfer":     {codes_go_proto.EncounterStatusCode_IN_PROGRESS, ""},
	"Discharge":    {codes_go_proto.EncounterStatusCode_FINISHED, ""},
	"VisitUpdate":  {codes_go_proto.EncounterStatusCode_INVALID_UNINITIALIZED, ""},
	"VisitMerge":   {codes_go_proto.EncounterStatusCode_INVALID_UNINITIALIZED, ""},
	"Cancel":       {codes_go_proto.EncounterStatusCode_CANCELLED, ""},
}

// encounter makes the us-core-encounter of a visit (HL7 v2-to-FHIR: PV1, PV2)
// with its coverages, account and conditions.
func (w *writer) encounter(v Visit, diagnoses []Diagnosis, canceled string, patient int) int {
	e := &encounterpb.Encounter{Meta: profile("encounter"), Subject: w.ref(patient)}
	entry := w.visitNumbers(&v, &e.Identifier)
	if len(entry.Identifiers) == 0 {
		entry = child(patient, "visit|"+v.VisitDateTime)
	}
	at := w.add(e, entry)

	e.ClassValue = w.patientClass(&v)
	e.Status = w.encounterStatus(&v, canceled, e.ClassValue.GetCode().GetValue())
	start, end := w.dateTime(&v.VisitDateTime), w.dateTime(&v.DischargeDateTime)
	if start != nil || end != nil {
		e.Period = &dtpb.Period{Start: start, End: end}
	}
	if isDecimal(v.Duration) {
		e.Length = &dtpb.Duration{Value: &dtpb.Decimal{Value: string(take(&v.Duration))},
			Unit: str("min"), System: uri("http://unitsofmeasure.org"), Code: &dtpb.Code{Value: "min"}}
	}
	if kind := take(&v.Type); kind != "" {
		e.Type = []*dtpb.CodeableConcept{inWords(kind)}
	}
	if reason := take(&v.Reason); reason != "" {
		e.ReasonCode = []*dtpb.CodeableConcept{inWords(reason)}
	}
	e.Hospitalization = w.hospitalization(&v)
	for _, place := range []struct {
		location *Location
		status   codes_go_proto.EncounterLocationStatusCode_Value
	}{
		{take(&v.Location), codes_go_proto.EncounterLocationStatusCode_ACTIVE},
		{take(&v.PreviousLocation), codes_go_proto.EncounterLocationStatusCode_COMPLETED},
	} {
		if i, ok := w.location(place.location); ok {
			e.Location = append(e.Location, &encounterpb.Encounter_Location{
				Location: w.ref(i), Status: &encounterpb.Encounter_Location_StatusCode{Value: place.status}})
		}
	}
	for _, p := range w.providers(&v, at) {
		e.Participant = append(e.Participant, &encounterpb.Encounter_Participant{
			Type: p.types, Period: p.period, Individual: p.actor, Extension: p.rest})
	}
	for _, d := range w.conditions(diagnoses, patient, w.ref(at)) {
		e.Diagnosis = append(e.Diagnosis, &encounterpb.Encounter_Diagnosis{Condition: w.ref(d.index), Use: d.use})
	}
	coverages := w.coverages(take(&v.Insurances), patient)
	if i, ok := w.account(take(&v.AccountNumber), take(&v.Guarantor), coverages, patient, at); ok {
		e.Account = []*dtpb.Reference{w.ref(i)}
	}
	e.Extension = append(e.Extension, w.rest("Visit", &v)...)
	return at
}

func isDecimal(n Number) bool {
	_, ok := new(big.Rat).SetString(string(n))
	return ok && len(n) < 20
}

func (w *writer) patientClass(v *Visit) *dtpb.Coding {
	said := v.PatientClass
	if code := patientClasses.take(&v.PatientClass); code != "" {
		return coding(v3+"ActCode", code, actNames.word(code))
	}
	code := visitEvents[w.m.EventType].class
	if said != "" || code == "" {
		return &dtpb.Coding{System: uri(nullFlavor), Code: &dtpb.Code{Value: "UNK"}, Display: str("unknown"), Extension: w.assumed()}
	}
	c := coding(v3+"ActCode", code, actNames.word(code))
	c.Extension = w.assumed()
	return c
}

// encounterStatus follows the event. An update says nothing of the status, so
// what it gets is marked as assumed; a cancelled discharge or transfer leaves
// the patient in the house.
func (w *writer) encounterStatus(v *Visit, canceled, class string) *encounterpb.Encounter_StatusCode {
	out := &encounterpb.Encounter_StatusCode{Value: visitEvents[w.m.EventType].status}
	switch {
	// The messages of other data models name a visit and do not say how it is.
	case w.m.EventType == "Cancel" && (canceled == "Discharge" || canceled == "Transfer"):
		out.Value = codes_go_proto.EncounterStatusCode_IN_PROGRESS
	case class == "AMB" && (w.m.EventType == "Arrival" || w.m.EventType == "Registration"):
		out.Value = codes_go_proto.EncounterStatusCode_ARRIVED
	case w.m.DataModel != "PatientAdmin" && v.DischargeDateTime != "":
		out.Value, out.Extension = codes_go_proto.EncounterStatusCode_FINISHED, w.assumed()
	case w.m.EventType == "VisitMerge", w.m.DataModel != "PatientAdmin":
		out.Value, out.Extension = codes_go_proto.EncounterStatusCode_UNKNOWN, w.assumed()
	case w.m.EventType == "VisitUpdate" && v.DischargeDateTime != "":
		out.Value, out.Extension = codes_go_proto.EncounterStatusCode_FINISHED, w.assumed()
	case w.m.EventType == "VisitUpdate":
		out.Value, out.Extension = codes_go_proto.EncounterStatusCode_IN_PROGRESS, w.assumed()
	}
	return out
}

func (w *writer) hospitalization(v *Visit) *encounterpb.Encounter_Hospitalization {
	h := &encounterpb.Encounter_Hospitalization{DischargeDisposition: w.concept(take(&v.DischargeStatus))}
	if i, ok := w.location(take(&v.DischargeLocation)); ok {
		h.Destination = w.ref(i)
	}
	if h.DischargeDisposition == nil && h.Destination == nil {
		return nil
	}
	return h
}

// encounter reads an Encounter.
func (r *reader) encounter(e *encounterpb.Encounter) *Visit {
	v := &Visit{}
	r.restore("Visit", e.Extension, v)
	give(&v.VisitNumber, r.visitNumber(e.Identifier))
	if c := e.ClassValue; !r.assumed(c.GetExtension()) && c.GetSystem().GetValue() == v3+"ActCode" {
		patientClasses.give(&v.PatientClass, c.GetCode().GetValue())
	}
	start, ok := ofDateTime(e.GetPeriod().GetStart())
	r.giveTime(&v.VisitDateTime, start, ok)
	end, ok := ofDateTime(e.GetPeriod().GetEnd())
	r.giveTime(&v.DischargeDateTime, end, ok)
	if l := e.Length; l.GetCode().GetValue() == "min" && v.Duration == "" {
		v.Duration = Number(l.GetValue().GetValue())
	}
	if len(e.Type) > 0 {
		give(&v.Type, wordsOf(e.Type[0]))
	}
	if len(e.ReasonCode) > 0 {
		give(&v.Reason, wordsOf(e.ReasonCode[0]))
	}
	v.DischargeStatus = r.concept(e.GetHospitalization().GetDischargeDisposition(), true)
	if d := e.GetHospitalization().GetDestination(); d != nil {
		v.DischargeLocation = r.location(d)
	}
	for _, l := range e.Location {
		switch status := l.GetStatus().GetValue(); {
		case status == codes_go_proto.EncounterLocationStatusCode_COMPLETED && v.PreviousLocation == nil:
			v.PreviousLocation = r.location(l.Location)
		case status != codes_go_proto.EncounterLocationStatusCode_COMPLETED && v.Location == nil:
			v.Location = r.location(l.Location)
		}
	}
	var providers []participant
	for _, p := range e.Participant {
		providers = append(providers, participant{types: p.Type, period: p.Period, actor: p.Individual, rest: p.Extension})
	}
	r.providers(providers, v)
	v.Insurances = r.coverages()
	v.AccountNumber, v.Guarantor = r.account(e.Account)
	return v
}
