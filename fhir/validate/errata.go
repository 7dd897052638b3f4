package validate

// erratum is R4's text of an invariant that does not say what its rule means,
// and what is evaluated instead.
type erratum struct {
	// was is R4's text: when the tables change, the correction is looked at
	// again.
	was, is string
	reason  string
}

// computerName is the rule for the names of definitions.
var computerName = erratum{
	was:    `name.matches('[A-Z]([A-Za-z0-9_]){0,254}')`,
	is:     `name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')`,
	reason: "the rule is about a name that is there, and about all of it (corrected so in R5)",
}

// errata are the corrections, by the path of the element and the key.
var errata = map[string]erratum{
	"Questionnaire.item.enableWhen que-7": {
		`operator = 'exists' implies (answer is Boolean)`, `operator = 'exists' implies (answer is boolean)`,
		"an element is a FHIR.boolean, never a System.Boolean",
	},
	"Period per-1": {
		`start.hasValue().not() or end.hasValue().not() or (start <= end)`,
		`start.hasValue().not() or end.hasValue().not() or iif((start <= end).exists(), start <= end, start.lowBoundary() <= end.highBoundary())`,
		"dates of different precision may not compare: 2020-01 to 2020 is a period",
	},
	"Range rng-2": {
		`low.empty() or high.empty() or (low <= high)`,
		`low.value.empty() or high.value.empty() or low.comparable(high).not() or (low <= high)`,
		"quantities without a value or of different units do not compare (corrected so in R5)",
	},
	"MedicationDispense mdd-1": {
		`whenHandedOver.empty() or whenPrepared.empty() or whenHandedOver >= whenPrepared`,
		`whenHandedOver.hasValue().not() or whenPrepared.hasValue().not() or iif((whenHandedOver >= whenPrepared).exists(), whenHandedOver >= whenPrepared, whenHandedOver.highBoundary() >= whenPrepared.lowBoundary())`,
		"times of different precision may not compare",
	},
	"Task inv-1": {
		`lastModified.exists().not() or authoredOn.exists().not() or lastModified >= authoredOn`,
		`lastModified.hasValue().not() or authoredOn.hasValue().not() or iif((lastModified >= authoredOn).exists(), lastModified >= authoredOn, lastModified.highBoundary() >= authoredOn.lowBoundary())`,
		"times of different precision may not compare",
	},
	"Timing.repeat tim-9": {
		`offset.empty() or (when.exists() and ((when in ('C' | 'CM' | 'CD' | 'CV')).not()))`,
		`offset.empty() or (when.exists() and when.all(($this in ('C' | 'CM' | 'CD' | 'CV')).not()))`,
		"when may repeat, and in takes one item (corrected so in R5)",
	},
	"Condition con-3": {
		`clinicalStatus.exists() or verificationStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() or category.select($this='problem-list-item').empty()`,
		`clinicalStatus.exists() or verificationStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() or category.coding.where(code = 'problem-list-item').empty()`,
		"a CodeableConcept is compared with a string, which any category fails",
	},
	"Bundle.entry bdl-8": {
		`fullUrl.contains('/_history/').not()`, `fullUrl.empty() or fullUrl.contains('/_history/').not()`,
		"fullUrl is 0..1",
	},
	"RiskAssessment.prediction ras-2": {
		`probability is decimal implies (probability as decimal) <= 100`,
		`probability.empty() or (probability is decimal implies (probability as decimal) <= 100)`,
		"probability is 0..1",
	},
	"MessageDefinition.focus md-1": {
		`max='*' or (max.toInteger() > 0)`, `max.empty() or max='*' or (max.toInteger() > 0)`,
		"max is 0..1",
	},

	"ActivityDefinition adf-0":        computerName,
	"CapabilityStatement cpb-0":       computerName,
	"ChargeItemDefinition cid-0":      computerName,
	"CodeSystem csd-0":                computerName,
	"CompartmentDefinition cpd-0":     computerName,
	"ConceptMap cmd-0":                computerName,
	"EffectEvidenceSynthesis ees-0":   computerName,
	"EventDefinition evd-0":           computerName,
	"Evidence evi-0":                  computerName,
	"EvidenceVariable evv-0":          computerName,
	"ExampleScenario esc-0":           computerName,
	"GraphDefinition gdf-0":           computerName,
	"ImplementationGuide ig-0":        computerName,
	"Library lib-0":                   computerName,
	"Measure mea-0":                   computerName,
	"MessageDefinition msd-0":         computerName,
	"NamingSystem nsd-0":              computerName,
	"OperationDefinition opd-0":       computerName,
	"PlanDefinition pdf-0":            computerName,
	"Questionnaire que-0":             computerName,
	"ResearchDefinition rsd-0":        computerName,
	"ResearchElementDefinition red-0": computerName,
	"RiskEvidenceSynthesis rvs-0":     computerName,
	"SearchParameter spd-0":           computerName,
	"StructureDefinition sdf-0":       computerName,
	"StructureMap smp-0":              computerName,
	"TerminologyCapabilities tcp-0":   computerName,
	"TestScript tst-0":                computerName,
	"ValueSet vsd-0":                  computerName,
}

// inCode are the invariants that are checked by code; the text stands in
// doc.go.
var inCode = map[string]bool{"ele-1": true, "ext-1": true, "dom-2": true, "dom-3": true, "ref-1": true}
