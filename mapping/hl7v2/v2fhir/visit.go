package v2fhir

const (
	actCode       = v3Tables + "ActCode"
	participation = v3Tables + "ParticipationType"
)

// role is a participant of an encounter or an appointment by their code.
func role(code, member string) string {
	return "participant[type[0].coding[0].system=" + participation + ",type[0].coding[0].code=" + code + "]." + member
}

// PV1. HL7 v2.5.1 § 3.4.3.
var pv1 = segment{name: "PV1", always: true, lines: []line{
	field("PV1-2", "class", codingOf(classes, actCode)),
	field("PV1-3", "location[status=active].location", place),
	field("PV1-4", "type[]", cwe),
	field("PV1-6", "location[status=completed].location", place),
	field("PV1-7", role("ATND", "individual"), xcn),
	field("PV1-8", role("REF", "individual"), xcn),
	field("PV1-9", role("CON", "individual"), xcn),
	field("PV1-10", "serviceType", cwe),
	field("PV1-14", "hospitalization.admitSource", cwe),
	field("PV1-17", role("ADM", "individual"), xcn),
	field("PV1-19", "identifier[type.coding[0].code=VN]", numberOf("VN")),
	field("PV1-36", "hospitalization.dischargeDisposition", cwe),
	field("PV1-44", "period.start", dateTime),
	field("PV1-45", "period.end", dateTime),
}}

// PV2. HL7 v2.5.1 § 3.4.4.
var pv2 = segment{name: "PV2", lines: []line{
	field("PV2-3", "reasonCode[]", cwe),
}}

var encounter = resource{
	typ: "Encounter", when: []string{"PV1"}, segments: []segment{pv1, pv2},
	links: [][2]string{{"subject", "Patient"}}, key: []string{"period.start"},
}

// encounterIn is the encounter of messages that are about something else; what
// it is about is known already.
func encounterIn(group string) resource {
	r := encounter
	r.group = group
	r.set = [][2]string{{"status", "unknown"}}
	return r
}

// appointment is SCH and the resources. HL7 v2.5.1 § 10.6.
var appointment = resource{
	typ: "Appointment", required: true, when: []string{"SCH"}, key: []string{"start"},
	segments: []segment{
		{name: "SCH", set: map[string]string{"10.1": "min"}, lines: []line{
			field("SCH-1", "identifier[type.coding[0].code=PLAC]", ei("PLAC")),
			field("SCH-2", "identifier[type.coding[0].code=FILL]", ei("FILL")),
			written("SCH-1", "identifier[]", plainNumber),
			written("SCH-1", "", ownNumber),
			field("SCH-6", "cancelationReason", cwe),
			field("SCH-7", "reasonCode[]", cwe),
			field("SCH-8", "appointmentType", cwe),
			field("SCH-9", "minutesDuration", minutes),
			written("SCH-9", "end", length),
			read("SCH-10", "", beside("CE")),
			field("SCH-11.4", "start", instant),
			field("SCH-11.5", "end", instant),
			field("SCH-16", role("ADM", "actor"), xcn),
			field("SCH-25", "status", coded(fillerStatuses)),
		}},
		{name: "TQ1", lines: []line{
			field("TQ1-7", "start", instant),
			field("TQ1-8", "end", instant),
		}},
		{name: "NTE", lines: []line{field("NTE-3", "comment", comment)}},
		{name: "RGS", always: true, set: map[string]string{"2": "A"}, lines: []line{read("RGS-2", "", beside("ID (0206)"))}},
		{name: "AIS", set: map[string]string{"2": "A"}, lines: []line{
			read("AIS-2", "", beside("ID (0206)")),
			field("AIS-3", "serviceType[]", cwe),
			field("AIS-4", "start", instant),
			field("AIS-7", "minutesDuration", minutes),
			read("AIS-8", "", beside("CE")),
		}},
		{name: "AIG", into: "participant[]", anchor: "AIG-3", set: map[string]string{"2": "A"}, lines: []line{
			read("AIG-2", "", beside("ID (0206)")),
			field("AIG-3", "actor", thing),
			field("AIG-4", "type[0]", cwe),
			field("AIG-14", "status", participants),
		}},
		{name: "AIL", into: "participant[]", anchor: "AIL-3", set: map[string]string{"2": "A"}, lines: []line{
			read("AIL-2", "", beside("ID (0206)")),
			field("AIL-3", "actor", placeOnly),
			field("AIL-12", "status", participants),
		}},
		{name: "AIP", into: "participant[]", anchor: "AIP-3", set: map[string]string{"2": "A"}, lines: []line{
			read("AIP-2", "", beside("ID (0206)")),
			field("AIP-3", "actor", personOnly),
			field("AIP-4", "type[0]", cwe),
			field("AIP-12", "status", participants),
		}},
	},
}
