package v2fhir

var (
	subject = [2]string{"subject", "Patient"}
	visit   = [2]string{"encounter", "Encounter"}
)

// observation is OBX with its notes. HL7 v2.5.1 § 7.4.2.
func observation(group, back string) resource {
	return resource{
		typ: "Observation", group: group, when: []string{"OBX"}, back: back,
		links: [][2]string{subject, visit},
		key:   []string{"code.coding[].code", "code.text", "effectiveDateTime"},
		segments: []segment{
			{name: "OBX", lines: []line{
				written("OBX-2", "", valueType),
				read("OBX-2", "", beside("ID (0125)")),
				required(field("OBX-3", "code", cwe)),
				field("OBX-5", "", observed),
				field("OBX-6", "valueQuantity", unit),
				field("OBX-7", "referenceRange[0]", referenceRange),
				field("OBX-8", "interpretation[]", concept(flags, v3Tables+"ObservationInterpretation")),
				required(field("OBX-11", "status", coded(resultStatuses))),
				field("OBX-14", "effectiveDateTime", dateTime),
				field("OBX-16", "performer[]", xcn),
				field("OBX-17", "method", cwe),
				field("OBX-19", "issued", instant),
				read("OBX-23", "performer[]", xon),
			}},
			{name: "NTE", into: "note[]", lines: []line{field("NTE-3", "text", ft)}},
		},
	}
}

// report is ORC and OBR of a result. HL7 v2.5.1 § 7.4.1.
var report = resource{
	typ: "DiagnosticReport", required: true, group: "ORDER_OBSERVATION", when: []string{"OBR"},
	links: [][2]string{subject, visit}, key: []string{"code.coding[].code", "effectiveDateTime"},
	segments: []segment{
		{name: "ORC", set: map[string]string{"1": "RE"}, lines: []line{
			read("ORC-1", "", beside("ID (0119)")),
			field("ORC-2", "basedOn[]", placer),
			field("ORC-3", "identifier[type.coding[0].code=FILL]", ei("FILL")),
		}},
		{name: "OBR", lines: []line{
			field("OBR-2", "basedOn[]", placer),
			field("OBR-3", "identifier[type.coding[0].code=FILL]", ei("FILL")),
			written("OBR-3", "identifier[]", plainNumber),
			written("OBR-3", "", ownNumber),
			required(field("OBR-4", "code", cwe)),
			read("OBR-7", "", collected), read("OBR-8", "", beside("TS")),
			written("OBR-7", "effectiveDateTime", dateTime),
			written("OBR-7", "effectivePeriod.start", dateTime),
			written("OBR-8", "effectivePeriod.end", dateTime),
			field("OBR-22", "issued", instant),
			field("OBR-24", "category[]", diagnosticSection),
			required(field("OBR-25", "status", coded(reportStatuses))),
			field("OBR-32", "resultsInterpreter[]", interpreter),
		}},
		{name: "NTE", lines: []line{read("NTE-3", "conclusion", ft)}},
	},
	under: []resource{observation("OBSERVATION", "result[]")},
}

// order is ORC and OBR of an order. HL7 v2.5.1 § 4.5.1, § 4.5.3.
var order = resource{
	typ: "ServiceRequest", required: true, group: "ORDER", when: []string{"OBR"},
	set: [][2]string{{"intent", "order"}}, links: [][2]string{subject, visit}, key: []string{"code.coding[].code", "authoredOn"},
	segments: []segment{
		{name: "ORC", lines: []line{
			read("ORC-1", "status", control),
			written("ORC-1", "status", controlWritten),
			field("ORC-2", "identifier[type.coding[0].code=PLAC]", ei("PLAC")),
			written("ORC-2", "identifier[]", plainNumber),
			written("ORC-2", "", ownNumber),
			field("ORC-3", "identifier[type.coding[0].code=FILL]", ei("FILL")),
			field("ORC-4", "requisition", ei("PGN")),
			field("ORC-5", "status", coded(orderStatuses)),
			field("ORC-9", "authoredOn", dateTime),
			field("ORC-12", "requester", xcn),
		}},
		{name: "OBR", lines: []line{
			field("OBR-2", "identifier[type.coding[0].code=PLAC]", ei("PLAC")),
			written("OBR-2", "identifier[]", plainNumber),
			written("OBR-2", "", ownNumber),
			field("OBR-3", "identifier[type.coding[0].code=FILL]", ei("FILL")),
			required(field("OBR-4", "code", cwe)),
			field("OBR-5", "priority", coded(orderPriorities)),
			field("OBR-7", "occurrenceDateTime", dateTime),
			field("OBR-16", "requester", xcn),
			read("OBR-27.6", "priority", coded(orderPriorities)),
			field("OBR-31", "reasonCode[]", cwe),
		}},
		{name: "NTE", into: "note[]", lines: []line{field("NTE-3", "text", ft)}},
	},
	under: []resource{observation("OBSERVATION", "supportingInfo[]")},
}

// immunization is ORC, RXA and RXR. HL7 v2.5.1 § 4.14.7, § 4.14.2.
var immunization = resource{
	typ: "Immunization", required: true, group: "ORDER", when: []string{"RXA"},
	links: [][2]string{{"patient", "Patient"}, visit}, key: []string{"vaccineCode.coding[].code", "occurrenceDateTime"},
	segments: []segment{
		{name: "ORC", set: map[string]string{"1": "RE"}, lines: []line{
			read("ORC-1", "", beside("ID (0119)")),
			field("ORC-2", "identifier[type.coding[0].code=PLAC]", ei("PLAC")),
			field("ORC-3", "identifier[type.coding[0].code=FILL]", ei("FILL")),
			written("ORC-3", "identifier[]", plainNumber),
			written("ORC-3", "", ownNumber),
			field("ORC-12", "performer[function.coding[0].code=OP].actor", xcn),
		}},
		{name: "RXA", set: map[string]string{"1": "0", "2": "1", "6": "999", "21": "A"}, lines: []line{
			read("RXA-1", "", beside("NM")), read("RXA-2", "", beside("NM")),
			required(field("RXA-3", "occurrenceDateTime", dateTime)),
			read("RXA-4", "occurrenceDateTime", dateTime),
			required(field("RXA-5", "vaccineCode", cwe)),
			field("RXA-6", "doseQuantity", dose),
			field("RXA-7", "doseQuantity", doseUnit),
			field("RXA-9", "primarySource", recorded),
			field("RXA-10", "performer[function.coding[0].code=AP].actor", xcn),
			field("RXA-11", "location", place),
			field("RXA-15", "lotNumber", st),
			field("RXA-16", "expirationDate", date),
			field("RXA-17", "manufacturer", maker),
			field("RXA-18", "statusReason", cwe),
			field("RXA-20", "status", coded(vaccinations)),
			read("RXA-21", "status", action),
		}},
		{name: "RXR", lines: []line{
			field("RXR-1", "route", cwe),
			field("RXR-2", "site", cwe),
		}},
	},
}
