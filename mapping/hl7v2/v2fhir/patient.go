package v2fhir

// Extensions that have a field.
const (
	raceURL      = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
	ethnicityURL = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity"
	religionURL  = "http://hl7.org/fhir/StructureDefinition/patient-religion"
	mothersURL   = "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName"
)

// PID. HL7 v2.5.1 § 3.4.2.
var pid = segment{name: "PID", lines: []line{
	required(field("PID-3", "identifier[]", cx)),
	read("PID-2", "identifier[]", numberOf("PT")),
	read("PID-4", "identifier[]", numberOf("PI")),
	read("PID-19", "identifier[system=http://hl7.org/fhir/sid/us-ssn]", ssn),
	required(field("PID-5", "name[]", xpn)),
	read("PID-9", "name[]", xpn),
	field("PID-6.1", "extension[url="+mothersURL+"].valueString", st),
	field("PID-7", "birthDate", date),
	field("PID-8", "gender", coded(sexes)),
	field("PID-10", "extension[url="+raceURL+"]", races),
	field("PID-11", "address[]", xad),
	field("PID-13", "telecom[use=home]", xtn("home")),
	written("PID-13", "telecom[use=mobile]", xtn("")),
	written("PID-13", "telecom[]", unusedTelecom),
	field("PID-14", "telecom[use=work]", xtn("work")),
	field("PID-15", "communication[].language", cwe),
	field("PID-16", "maritalStatus", concept(maritalStatuses, v3Tables+"MaritalStatus")),
	field("PID-17", "extension[url="+religionURL+"].valueCodeableConcept", cwe),
	field("PID-22", "extension[url="+ethnicityURL+"]", ethnicities),
	field("PID-24", "multipleBirthBoolean", yesNo),
	field("PID-29", "deceasedDateTime", dateTime),
	field("PID-30", "deceasedBoolean", yesNo),
}}

// PD1. HL7 v2.5.1 § 3.4.10.
var pd1 = segment{name: "PD1", lines: []line{
	field("PD1-3", "managingOrganization", xon),
	field("PD1-4", "generalPractitioner[]", xcn),
}}

// NK1. HL7 v2.5.1 § 3.4.5.
var nk1 = segment{name: "NK1", into: "contact[]", lines: []line{
	field("NK1-2", "name", xpn),
	field("NK1-3", "relationship[0]", cwe),
	field("NK1-4", "address", xad),
	field("NK1-5", "telecom[]", xtn("home")),
	read("NK1-6", "telecom[]", xtn("work")),
	field("NK1-7", "relationship[1]", concept(contactRoles, v2Tables+"0131")),
	field("NK1-13", "organization", xon),
	field("NK1-15", "gender", coded(sexes)),
	field("NK1-8", "period.start", date),
	field("NK1-9", "period.end", date),
}}

var patient = resource{typ: "Patient", required: true, when: []string{"PID"}, segments: []segment{pid, pd1, nk1}}

// survivor and retired are the two patients of a merge. HL7 v2.5.1 § 3.4.9.
var survivor = resource{
	typ: "Patient", required: true, group: "PATIENT", when: []string{"PID"}, set: [][2]string{{"active", "true"}},
	segments: []segment{pid, pd1},
	under: []resource{{
		typ: "Patient", required: true, when: []string{"MRG"}, set: [][2]string{{"active", "false"}},
		segments: []segment{{name: "MRG", lines: []line{
			required(field("MRG-1", "identifier[]", cx)),
			field("MRG-7", "name[]", xpn),
		}}},
		links: [][2]string{{"link[type=replaced-by].other", "Patient"}}, back: "link[type=replaces].other",
	}},
}

// AL1. HL7 v2.5.1 § 3.4.6.
var allergy = resource{
	typ: "AllergyIntolerance", each: "AL1",
	set:   [][2]string{{"clinicalStatus.coding[0].system", terminology + "allergyintolerance-clinical"}, {"clinicalStatus.coding[0].code", "active"}},
	links: [][2]string{{"patient", "Patient"}}, key: []string{"code.coding[].code", "code.text"},
	segments: []segment{{name: "AL1", lines: []line{
		field("AL1-2", "category[0]", coded(allergyTypes)),
		required(field("AL1-3", "code", cwe)),
		field("AL1-5", "reaction[0].manifestation[]", words),
		field("AL1-4", "reaction[0].severity", coded(severities)),
		field("AL1-6", "onsetDateTime", date),
	}}},
}

// DG1. HL7 v2.5.1 § 6.5.2.
var diagnosis = resource{
	typ: "Condition", each: "DG1",
	set: [][2]string{
		{"category[0].coding[0].system", terminology + "condition-category"}, {"category[0].coding[0].code", "encounter-diagnosis"},
	},
	links: [][2]string{{"subject", "Patient"}, {"encounter", "Encounter"}}, key: []string{"code.coding[].code", "code.text"},
	segments: []segment{{name: "DG1", set: map[string]string{"6": "W"}, lines: []line{
		required(field("DG1-3", "code", cwe)),
		read("DG1-4", "code.text", st),
		field("DG1-5", "onsetDateTime", dateTime),
		read("DG1-6", "category[]", concept(diagnosisTypes, terminology+"diagnosis-role")),
		field("DG1-16", "asserter", xcn),
		field("DG1-19", "recordedDate", dateTime),
	}}},
}

// IN1. HL7 v2.5.1 § 6.5.6.
var coverage = resource{
	typ: "Coverage", group: "INSURANCE", when: []string{"IN1"},
	set:   [][2]string{{"status", "active"}},
	links: [][2]string{{"beneficiary", "Patient"}},
	segments: []segment{{name: "IN1", lines: []line{
		field("IN1-2", "type", cwe),
		field("IN1-3", "payor[0]", companyID),
		field("IN1-4", "payor[0]", company),
		field("IN1-8", "class[type.coding[0].code=group].value", st),
		field("IN1-9", "class[type.coding[0].code=group].name", st),
		field("IN1-12", "period.start", date),
		field("IN1-13", "period.end", date),
		field("IN1-17", "relationship", cwe),
		field("IN1-22", "order", nm),
		field("IN1-36", "identifier[]", numberOf("MB")),
		field("IN1-49", "subscriberId", st),
	}}},
}
