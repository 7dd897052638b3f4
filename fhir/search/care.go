package search

import (
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Care is a period of care, as $everything takes it: dates, either of which
// may be "".
type Care struct{ Start, End string }

// careDates are the parameters that say when the care was that a resource is
// about. What is recorded apart from it (authored, issued, recorded) counts
// where there is nothing else. Types that are not here, and resources without
// such a date, are about no period and always belong to it.
var careDates = map[string][]string{
	"Account": {"period"}, "AdverseEvent": {"date"}, "AllergyIntolerance": {"onset", "date", "last-date"}, "Appointment": {"date"},
	"AuditEvent": {"date"}, "CarePlan": {"date", "activity-date"}, "CareTeam": {"date"}, "ChargeItem": {"occurrence"}, "Claim": {"created"},
	"ClaimResponse": {"created"}, "ClinicalImpression": {"date"}, "Communication": {"sent", "received"}, "CommunicationRequest": {"occurrence", "authored"},
	"Composition": {"date", "period"}, "Condition": {"onset-date", "abatement-date", "recorded-date"}, "Consent": {"period", "date"},
	"CoverageEligibilityRequest": {"created"}, "CoverageEligibilityResponse": {"created"}, "DetectedIssue": {"identified"},
	"DeviceRequest": {"event-date", "authored-on"}, "DiagnosticReport": {"date"}, "DocumentManifest": {"created"}, "DocumentReference": {"period", "date"},
	"Encounter": {"date"}, "EpisodeOfCare": {"date"}, "ExplanationOfBenefit": {"created"}, "FamilyMemberHistory": {"date"}, "Flag": {"date"},
	"Goal": {"start-date", "target-date"}, "ImagingStudy": {"started"}, "Immunization": {"date"}, "ImmunizationEvaluation": {"date"},
	"ImmunizationRecommendation": {"date"}, "Invoice": {"date"}, "List": {"date"}, "MeasureReport": {"period"}, "Media": {"created"},
	"MedicationAdministration": {"effective-time"}, "MedicationDispense": {"whenhandedover", "whenprepared"}, "MedicationRequest": {"authoredon", "date"},
	"MedicationStatement": {"effective"}, "NutritionOrder": {"datetime"}, "Observation": {"date"}, "Procedure": {"date"}, "Provenance": {"when", "recorded"},
	"QuestionnaireResponse": {"authored"}, "RequestGroup": {"authored"}, "ResearchSubject": {"date"}, "RiskAssessment": {"date"}, "Schedule": {"date"},
	"ServiceRequest": {"occurrence", "authored"}, "Specimen": {"collected"}, "SupplyRequest": {"date"}, "VisionPrescription": {"datewritten"},
}

// check refuses what is no date, naming the parameter.
func (c Care) check() error {
	for _, given := range []Parameter{{"start", c.Start}, {"end", c.End}} {
		if given.Value != "" && !IsDate(given.Value) {
			return outcome.BadRequest(outcome.CodeValue, "The value of %s must be a date: 2026-01-31.", given.Name)
		}
	}
	return nil
}

// IsDate reports whether a value is one that a search by date takes.
func IsDate(s string) bool {
	_, err := parseDate(s)
	return err == nil
}

// within selects the resources of a type that belong to the period: one of
// their dates of care shares a moment with it, or they have none. All of them
// when the type, or the period, is open.
func (c Care) within(p *parser, typ string, number uint16) store.Clause {
	codes := careDates[typ]
	if len(codes) == 0 || c == (Care{}) {
		return exists(number)
	}
	var any, present store.Or
	for _, code := range codes {
		sp, ok := p.o.Base.Definitions.SearchParameter(typ, code)
		if !ok {
			continue
		}
		low, high := formKey(number, sp.Number, formLow), formKey(number, sp.Number, formHigh)
		var both store.And
		if c.Start != "" {
			start, _ := parseDate(c.Start) // checked
			both = append(both, store.Range{From: high + encodeTime(start.low) + "\x00", To: high + afterAll})
		}
		if c.End != "" {
			end, _ := parseDate(c.End) // checked
			both = append(both, store.Range{From: low, To: low + encodeTime(end.high)})
		}
		any = append(any, both)
		present = append(present, store.Prefix(paramKey(number, sp.Number)))
	}
	return append(any, store.And{exists(number), store.Not{Clause: present}})
}
