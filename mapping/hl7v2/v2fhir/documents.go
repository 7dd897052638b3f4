package v2fhir

// documentReference is TXA with what the document says in OBX.
// HL7 v2.5.1 § 9.6.1.
var documentReference = resource{
	typ: "DocumentReference", required: true, when: []string{"TXA"},
	links: [][2]string{subject, {"context.encounter[0]", "Encounter"}},
	segments: []segment{
		{name: "TXA", lines: []line{
			required(field("TXA-2", "type", localType)),
			field("TXA-4", "context.period.start", dateTime),
			field("TXA-6", "date", instant),
			field("TXA-9", "author[]", xcn),
			field("TXA-10", "authenticator", xcn),
			read("TXA-5", "author[]", xcn),
			read("TXA-22", "authenticator", xcn),
			field("TXA-12", "masterIdentifier", document),
			written("TXA-12", "identifier[]", firstNumber),
			written("TXA-12", "", ownNumber),
			field("TXA-13", "relatesTo[].target.identifier", document),
			read("TXA-3", "", beside("ID (0191)")),
			read("TXA-16", "", beside("ST")),
			written("TXA-16", "content[0].attachment.title", st),
			required(field("TXA-17", "docStatus", coded(completions))),
			field("TXA-18", "securityLabel[]", concept(confidentiality, v3Tables+"Confidentiality")),
			field("TXA-19", "status", coded(availabilities)),
		}},
		{name: "OBX", into: "content[]", anchor: "OBX-5", set: map[string]string{"11": "F"}, lines: []line{
			written("OBX-2", "attachment", attachmentType),
			read("OBX-2", "", beside("ID (0125)")), read("OBX-3", "", beside("CE")), read("OBX-11", "", beside("ID (0085)")),
			written("OBX-3.2", "attachment.title", st),
			field("OBX-5", "attachment", attachment),
		}},
	},
}

// charge is FT1. HL7 v2.5.1 § 6.5.1.
var charge = resource{
	typ: "ChargeItem", required: true, group: "FINANCIAL", when: []string{"FT1"},
	set: [][2]string{{"status", "billable"}}, links: [][2]string{subject, {"context", "Encounter"}},
	key: []string{"code.coding[].code", "occurrenceDateTime", "occurrencePeriod.start"},
	segments: []segment{
		{name: "FT1", set: map[string]string{"6": "CG"}, lines: []line{
			field("FT1-2", "identifier[0]", transaction),
			required(field("FT1-4", "occurrenceDateTime", dateTime)),
			field("FT1-5", "enteredDate", dateTime),
			field("FT1-6", "extension[url="+transactionURL+"].valueCode", st),
			required(field("FT1-7", "code", cwe)),
			field("FT1-10", "quantity", amount),
			field("FT1-11", "priceOverride", money),
			field("FT1-13", "performingOrganization", department),
			field("FT1-19", "reason[]", cwe),
			field("FT1-20", "performer[function.coding[0].code=PPRF].actor", xcn),
			field("FT1-21", "performer[function.coding[0].code=REF].actor", xcn),
			field("FT1-25", "productCodeableConcept", cwe),
		}},
		{name: "NTE", into: "note[]", lines: []line{field("NTE-3", "text", ft)}},
	},
}

// transactionURL is the extension of FT1-6, the transaction's type.
const transactionURL = "https://github.com/fhirfacade/fhirfacade/StructureDefinition/FT1.TransactionType"

// referral is RF1 and PRD. HL7 v2.5.1 § 11.6.
var referral = resource{
	typ: "ServiceRequest", required: true, when: []string{"RF1"},
	set:   [][2]string{{"intent", "order"}, {"category[0].text", "Referral"}},
	links: [][2]string{subject},
	segments: []segment{
		{name: "RF1", lines: []line{
			field("RF1-1", "status", concept1(referralStatuses)),
			field("RF1-2", "priority", concept1(referralPriority)),
			field("RF1-3", "code", cwe),
			field("RF1-6", "identifier[type.coding[0].code=PLAC]", ei("PLAC")),
			written("RF1-6", "identifier[]", plainNumber),
			written("RF1-6", "", ownNumber),
			field("RF1-7", "authoredOn", dateTime),
			field("RF1-8", "occurrencePeriod.end", dateTime),
			field("RF1-10", "reasonCode[]", cwe),
		}},
		{name: "PRD", lines: []line{
			field("PRD-2", "requester", provider("RP")),
			read("PRD-1", "", beside("CE (0286)")), read("PRD-7", "", beside("PLN")),
		}},
		{name: "PRD", lines: []line{
			field("PRD-2", "performer[]", provider("RT")),
		}},
		{name: "NTE", into: "note[]", lines: []line{field("NTE-3", "text", ft)}},
	},
}
