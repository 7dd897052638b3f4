package redox

// Redox: Status of problems, allergies and concerns, by SNOMED CT code or in
// words; FHIR: condition-clinical and allergyintolerance-clinical.
var clinicalStates = words{
	{"Active", "active"}, {"55561003", "active"}, {"Inactive", "inactive"}, {"73425007", "inactive"},
	{"Resolved", "resolved"}, {"413322009", "resolved"}, {"Completed", "resolved"}, {"Complete", "resolved"},
}

// Redox: Allergy.Type, by SNOMED CT code or in words; FHIR:
// AllergyIntolerance.category.
var allergyKinds = append(words{
	{"419511003", "medication"}, {"416098002", "medication"}, {"59037007", "medication"},
	{"414285001", "food"}, {"418471000", "food"}, {"235719002", "food"},
	{"426232007", "environment"}, {"232350006", "environment"},
}, allergyCategories...)

// Redox: Allergy.Criticality, by the code of HL7 ObservationValue; FHIR:
// AllergyIntolerance.criticality.
var criticalities = words{
	{"High criticality", "high"}, {"CRITH", "high"}, {"High", "high"}, {"Low criticality", "low"}, {"CRITL", "low"}, {"Low", "low"},
	{"Unable to assess criticality", "unable-to-assess"}, {"CRITU", "unable-to-assess"},
}

// Redox: Reaction.Severity, by SNOMED CT code or in words; FHIR:
// AllergyIntolerance.reaction.severity.
var severityKinds = words{
	{"Mild", "mild"}, {"255604002", "mild"}, {"371923003", "mild"}, {"Mild to moderate", "mild"},
	{"Moderate", "moderate"}, {"6736007", "moderate"}, {"371924009", "moderate"}, {"Moderate to severe", "moderate"},
	{"Severe", "severe"}, {"24484000", "severe"}, {"Fatal", "severe"}, {"399166001", "severe"},
}

// Redox: Immunizations[].Status; FHIR: immunization-status.
var immunizationStatuses = words{
	{"Completed", "completed"}, {"Complete", "completed"}, {"Active", "completed"}, {"Not done", "not-done"}, {"Aborted", "not-done"},
	{"Refused", "not-done"}, {"Cancelled", "not-done"}, {"Canceled", "not-done"}, {"Entered in error", "entered-in-error"},
}

// Redox: Status of procedures (HL7 ActStatus); FHIR: event-status.
var procedureStatuses = words{
	{"Completed", "completed"}, {"Complete", "completed"}, {"Active", "in-progress"}, {"In progress", "in-progress"},
	{"Aborted", "stopped"}, {"Stopped", "stopped"}, {"Cancelled", "not-done"}, {"Canceled", "not-done"}, {"Not done", "not-done"},
	{"Suspended", "on-hold"}, {"Held", "on-hold"}, {"New", "preparation"}, {"Intent", "preparation"}, {"Unknown", "unknown"},
	{"Entered in error", "entered-in-error"},
}

// Redox: Status of supplies; FHIR: supplydelivery-status.
var supplyStatuses = words{
	{"Completed", "completed"}, {"Complete", "completed"}, {"Active", "in-progress"}, {"In progress", "in-progress"},
	{"Aborted", "abandoned"}, {"Cancelled", "abandoned"}, {"Canceled", "abandoned"}, {"Entered in error", "entered-in-error"},
}

// Redox: Status of what is planned (HL7 ActMood); FHIR: request-intent.
var planMoods = words{
	{"Intent", "plan"}, {"Request", "order"}, {"Proposal", "proposal"}, {"Promise", "plan"}, {"Goal", "plan"}, {"Order", "order"}, {"Plan", "plan"},
}

// Redox: CareTeams[].Status; FHIR: care-team-status.
var teamStatuses = words{
	{"Active", "active"}, {"Proposed", "proposed"}, {"Suspended", "suspended"}, {"Inactive", "inactive"}, {"Completed", "inactive"},
	{"Entered in error", "entered-in-error"},
}

// Redox: Encounters[].Status; FHIR: encounter-status.
var encounterStatuses = words{
	{"Completed", "finished"}, {"Complete", "finished"}, {"Finished", "finished"}, {"Active", "in-progress"}, {"In progress", "in-progress"},
	{"Arrived", "arrived"}, {"Planned", "planned"}, {"Intent", "planned"}, {"Cancelled", "cancelled"}, {"Canceled", "cancelled"},
	{"Aborted", "cancelled"}, {"Unknown", "unknown"},
}

// Redox: Medications[].Status; FHIR: medicationrequest-status.
var medicationStatuses = words{
	{"Active", "active"}, {"Completed", "completed"}, {"Complete", "completed"}, {"On hold", "on-hold"}, {"Suspended", "on-hold"},
	{"Aborted", "stopped"}, {"Stopped", "stopped"}, {"Discontinued", "stopped"}, {"Cancelled", "cancelled"}, {"Canceled", "cancelled"},
	{"Draft", "draft"}, {"Unknown", "unknown"}, {"Entered in error", "entered-in-error"},
}

// Redox: Status of what was administered; FHIR: medication-admin-status.
var administrationStatuses = words{
	{"Complete", "completed"}, {"Completed", "completed"}, {"Given", "completed"}, {"Active", "in-progress"}, {"In progress", "in-progress"},
	{"Not given", "not-done"}, {"Held", "not-done"}, {"Refused", "not-done"}, {"Not done", "not-done"}, {"Cancelled", "not-done"}, {"Canceled", "not-done"},
	{"On hold", "on-hold"}, {"Suspended", "on-hold"}, {"Stopped", "stopped"}, {"Aborted", "stopped"}, {"Partial", "completed"},
	{"Unknown", "unknown"}, {"Entered in error", "entered-in-error"},
}
