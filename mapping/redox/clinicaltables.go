package redox

import (
	allergypb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/allergy_intolerance_go_proto"
	teampb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/care_team_go_proto"
	communicationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/communication_request_go_proto"
	conditionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/condition_go_proto"
	consentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/consent_go_proto"
	devicepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/device_go_proto"
	familypb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/family_member_history_go_proto"
	goalpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/goal_go_proto"
	immunizationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/immunization_go_proto"
	observationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/observation_go_proto"
	procedurepb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/procedure_go_proto"
)

// The tables of the sections of clinical summaries. What a document says of a
// code it says in five members.
const (
	codeNamed = "Code CodeSystem CodeSystemName Name"
	codeAll   = codeNamed + " AltCodes"
)

// allergyTable is a us-core-allergyintolerance. HL7 C-CDA: allergy observation.
var allergyTable = tableOf[Allergy, *allergypb.AllergyIntolerance]("Allergy",
	line{"Status", "clinicalStatus", clinicalStatus(terminology+"allergyintolerance-clinical", clinicalStates, "active")},
	line{"Substance " + codeAll, "code", substance},
	line{"Type", "category", hint(allergyKinds)},
	line{"Criticality", "criticality", hint(criticalities)},
	line{"Reaction", "reaction", each(reactionTable)},
	line{"StartDate", "onsetDateTime", dateTime},
	line{"Comments", "note", comments},
	line{"Comment", "note", remark},
	line{"", "patient", subject},
)

var reactionTable = tableOf[Reaction, *allergypb.AllergyIntolerance_Reaction]("Reaction",
	line{codeAll, "manifestation", codeOrUnknown},
	line{"Severity", "severity", hint(severityKinds)},
	line{"Text", "description", plainText},
)

// conditionLines are those of all kinds of conditions.
func conditionLines(system, code, display string, more ...line) []line {
	return append([]line{
		{"", "category", category(system, code, display)},
		{codeAll, "code", codeOrUnknown},
		{"", "subject", subject},
	}, more...)
}

// duration is what most conditions have besides.
var duration = []line{
	{"Status", "clinicalStatus", clinicalStatus(terminology+"condition-clinical", clinicalStates, "active")},
	{"StartDate", "onsetDateTime", dateTime},
	{"EndDate", "abatementDateTime", dateTime},
	{"Comments", "note", comments},
}

const (
	conditionCategory   = terminology + "condition-category"
	observationCategory = terminology + "observation-category"
	usCoreCategory      = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
)

var problemTable = tableOf[Problem, *conditionpb.Condition]("Problem",
	append(conditionLines(conditionCategory, "problem-list-item", "Problem List Item", duration...),
		line{"DateTime", "recordedDate", dateTime},
		line{"Comment", "note", remark})...)

var admissionDiagnosisTable = tableOf[AdmissionDiagnosis, *conditionpb.Condition]("AdmissionDiagnosis",
	conditionLines(conditionCategory, "encounter-diagnosis", "Encounter Diagnosis", duration...)...)

var dischargeDiagnosisTable = tableOf[DischargeDiagnosis, *conditionpb.Condition]("DischargeDiagnosis",
	conditionLines(conditionCategory, "encounter-diagnosis", "Encounter Diagnosis", duration...)...)

var encounterDiagnosisTable = tableOf[EncounterDiagnosis, *conditionpb.Condition]("EncounterDiagnosis",
	conditionLines(conditionCategory, "encounter-diagnosis", "Encounter Diagnosis", duration...)...)

var healthConcernTable = tableOf[HealthConcern, *conditionpb.Condition]("HealthConcern",
	append(conditionLines(usCoreCategory, "health-concern", "Health Concern", duration...),
		line{"TargetSite", "bodySite", clinicalObject})...)

var reasonForVisitTable = tableOf[ReasonForVisit, *conditionpb.Condition]("ReasonForVisit",
	conditionLines(conditionCategory, "encounter-diagnosis", "Encounter Diagnosis")...)

var assessmentTable = tableOf[AssessmentDiagnosis, *conditionpb.Condition]("AssessmentDiagnosis",
	line{"", "category", category(conditionCategory, "encounter-diagnosis", "Encounter Diagnosis")},
	line{"Value", "code", inText},
	line{"Codes", "evidence.code", clinicalList},
	line{"DateTime", "recordedDate", dateTime},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
)

// immunizationTable is a us-core-immunization.
var immunizationTable = tableOf[Immunization, *immunizationpb.Immunization]("Immunization",
	line{"Status", "status", status(immunizationStatuses, "completed")},
	line{"Product.Code Product.CodeSystem Product.CodeSystemName Product.Name Product.AltCodes", "vaccineCode", codeOrUnknown},
	line{"Product.LotNumber", "lotNumber", plainText},
	line{"Product.Manufacturer", "manufacturer.display", plainText},
	line{"DateTime", "occurrenceDateTime", dateTimeOrUnknown},
	line{"Route", "route", clinicalObject},
	line{"Dose", "doseQuantity", amount},
	line{"", "patient", subject},
)

// procedureTable is a us-core-procedure.
var procedureTable = tableOf[Procedure, *procedurepb.Procedure]("Procedure",
	line{"Status", "status", status(procedureStatuses, "completed")},
	line{codeAll, "code", codeOrUnknown},
	line{"DateTime", "performedDateTime", dateTime},
	line{"TargetSite", "bodySite", clinicalObject},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
)

var serviceTable = tableOf[ProceduresService, *procedurepb.Procedure]("ProceduresService",
	line{"Status", "status", status(procedureStatuses, "completed")},
	line{codeAll, "code", codeOrUnknown},
	line{"DateTime", "performedDateTime", dateTime},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
)

// observationLines are those of the observations of a category.
func observationLines(system, code, display string) []line {
	return []line{
		{"", "category", category(system, code, display)},
		{"Status", "status", status(resultStatuses, "final")},
		{codeAll, "code", codeOrUnknown},
		{"DateTime", "effectiveDateTime", dateTime},
		{"ReferenceRange Units", "referenceRange", normalRange}, // before the value, which takes the units
		{"CodedValue Value Units", "value", clinicalValue},
		{"Interpretation", "interpretation", interpretation},
		{"TargetSite", "bodySite", clinicalObject},
		{"Comments", "note", comments},
		{"", "subject", subject},
	}
}

var labTable = tableOf[Observation, *observationpb.Observation]("Observation", observationLines(observationCategory, "laboratory", "Laboratory")...)
var vitalTable = tableOf[Observation, *observationpb.Observation]("Observation", observationLines(observationCategory, "vital-signs", "Vital Signs")...)
var procedureObservationTable = tableOf[Observation, *observationpb.Observation]("Observation", observationLines(observationCategory, "procedure", "Procedure")...)

var functionalTable = tableOf[FunctionalStatusObservation, *observationpb.Observation]("FunctionalStatusObservation",
	line{"", "category", category("http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "functional-status", "Functional Status")},
	line{"", "status", fixed("final")},
	line{codeAll, "code", codeOrUnknown},
	line{"DateTime", "effectiveDateTime", dateTime},
	line{"ReferenceRange Units", "referenceRange", normalRange},
	line{"CodedValue Value Units", "value", clinicalValue},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
)

var socialTable = tableOf[SocialHistoryObservation, *observationpb.Observation]("SocialHistoryObservation",
	line{"", "category", category(observationCategory, "social-history", "Social History")},
	line{"", "status", fixed("final")},
	line{codeAll, "code", codeOrUnknown},
	line{"StartDate EndDate", "effectivePeriod", span},
	line{"Value ValueText Units", "value", clinicalValue},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
)

// tobaccoTable is a us-core-smokingstatus, or another use of tobacco.
var tobaccoTable = tableOf[TobaccoUse, *observationpb.Observation]("TobaccoUse",
	line{"", "category", category(observationCategory, "social-history", "Social History")},
	line{"", "status", fixed("final")},
	line{"IsSmokingStatus", "code", tobaccoCode},
	line{codeAll, "valueCodeableConcept", clinicalCode},
	line{"StartDate EndDate", "effectivePeriod", span},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
)

var pregnancyTable = tableOf[Pregnancy, *observationpb.Observation]("Pregnancy",
	line{"", "category", category(observationCategory, "social-history", "Social History")},
	line{"", "status", fixed("final")},
	line{"", "code", category("http://loinc.org", "82810-3", "Pregnancy status")},
	line{"", "valueCodeableConcept", category(snomed, "77386006", "Pregnant")},
	line{"StartDate EndDate", "effectivePeriod", span},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
)

var familyTable = tableOf[FamilyHistory, *familypb.FamilyMemberHistory]("FamilyHistory",
	line{"", "status", fixed("completed")},
	line{"Relation.Code Relation.CodeSystem Relation.CodeSystemName Relation.Name", "relationship", codeOrUnknown},
	line{"Relation.Demographics.Sex", "sex", wordsIn("http://hl7.org/fhir/administrative-gender", genders, genders)},
	line{"Relation.Demographics.DOB", "bornDate", date},
	line{"Relation.IsDeceased", "deceasedBoolean", yesNo},
	line{"Problems", "condition", each(familyProblemTable)},
	line{"", "patient", subject},
)

var familyProblemTable = tableOf[Problem, *familypb.FamilyMemberHistory_Condition]("Problem",
	line{codeAll, "code", codeOrUnknown},
	line{"AgeAtOnset", "onsetAge", years},
	line{"IsCauseOfDeath", "contributedToDeath", yesNo},
	line{"Comments", "note", comments},
	line{"Comment", "note", remark},
)

// goalTable is a us-core-goal.
var goalTable = tableOf[Goal, *goalpb.Goal]("Goal",
	line{"", "lifecycleStatus", fixed(assumedValue{"active"})},
	line{"AchievementStatus", "achievementStatus", clinicalObject},
	line{"Priority", "priority", clinicalObject},
	line{codeAll, "description", codeOrUnknown},
	line{"StartDate", "startDate", date},
	line{"EndDate", "target.dueDate", date},
	line{"Value Units", "target.detailQuantity", quantified},
	line{"Comments", "note", comments},
	line{"", "subject", subject},
)

var directiveTable = tableOf[AdvanceDirective, *consentpb.Consent]("AdvanceDirective",
	line{"", "status", fixed(assumedValue{"active"})},
	line{"", "scope", category(terminology+"consentscope", "adr", "Advanced Care Directive")},
	line{"Type", "category", objectOrUnknown},
	line{codeAll, "provision.code", clinicalCode},
	line{"StartDate EndDate", "provision.period", span},
	line{"", "policyRule", fixed(assumedValue{inWords("unknown")})},
	line{"", "patient", subject},
)

var teamTable = tableOf[CareTeam, *teampb.CareTeam]("CareTeam",
	line{"Status", "status", code(teamStatuses)},
	line{"Types", "category", clinicalList},
	line{"Name", "name", plainText},
	line{"Members", "participant", each(teamMemberTable)},
	line{"Encounter", "encounter", clinicalEncounter},
	line{"Organization", "managingOrganization", organization},
	line{"", "subject", subject},
)

var teamMemberTable = tableOf[Member, *teampb.CareTeam_Participant]("Member",
	line{"Roles", "role", clinicalList},
	line{"FirstName MiddleName LastName Credentials Address Identifiers", "member", memberPerson},
	line{"StartDateTime EndDateTime", "period", span},
)

// equipmentTable is a us-core-implantable-device, as far as the product says
// that it is one.
var equipmentTable = tableOf[MedicalEquipment, *devicepb.Device]("MedicalEquipment",
	line{"Product.Code Product.CodeSystem Product.CodeSystemName Product.Name Product.AltCodes", "type", codeOrUnknown},
	line{"Product.Identifiers", "identifier", identifiers},
	line{"Product.DeviceID", "udiCarrier.deviceIdentifier", plainText},
	line{"Product.DistinctID", "distinctIdentifier", plainText},
	line{"Product.ManufacturerName", "manufacturer", plainText},
	line{"Product.ManufactureDate", "manufactureDate", dateTime},
	line{"Product.ExpirationDate", "expirationDate", dateTime},
	line{"Product.LotNumber", "lotNumber", plainText},
	line{"Product.SerialNumber", "serialNumber", plainText},
	line{"Product.ModelNumber", "modelNumber", plainText},
	line{"Product.SafetyObservations", "safety", clinicalList},
	line{"Comments", "note", comments},
	line{"", "patient", subject},
)

var instructionTable = tableOf[Instruction, *communicationpb.CommunicationRequest]("Instruction",
	line{"", "status", fixed("active")},
	line{codeAll, "category", clinicalCode},
	line{"Text", "payload.contentString", plainText},
	line{"", "subject", subject},
)
