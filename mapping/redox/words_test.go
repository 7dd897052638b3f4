package redox

import "testing"

// TestWords checks every table both ways: a word has its code, and the code
// the first of its words.
func TestWords(t *testing.T) {
	for name, table := range map[string]words{
		"genders": genders, "races": races, "otherRaces": otherRaces, "unknownRaces": unknownRaces, "ethnicities": ethnicities,
		"maritalStatuses": maritalStatuses, "patientClasses": patientClasses, "actNames": actNames,
		"appointmentStatuses": appointmentStatuses, "contactRoles": contactRoles, "relations": relations,
		"subscriberRelationships": subscriberRelationships, "priorities": priorities, "diagnosisUses": diagnosisUses,
		"allergyStatuses": allergyStatuses, "allergyCategories": allergyCategories, "severities": severities,
		"appointmentTypes": appointmentTypes, "codesets": codesets, "identifierKinds": identifierKinds, "identifierTypes": identifierTypes,
	} {
		seen := map[string]bool{}
		for _, e := range table {
			if seen[fold(e.word)] {
				t.Errorf("%s has %q twice", name, e.word)
			}
			seen[fold(e.word)] = true
			if got := table.code(e.word); got != e.code {
				t.Errorf("%s.code(%q) = %q, want %q", name, e.word, got, e.code)
			}
			if w := table.word(e.code); table.code(w) != e.code {
				t.Errorf("%s.word(%q) = %q, which does not lead back", name, e.code, w)
			}
		}
		if table.code("") != "" || table.code("no such word") != "" || table.word("") != "" || table.word("no such code") != "" {
			t.Errorf("%s knows what it does not have", name)
		}
	}
}

func TestWordsInPractice(t *testing.T) {
	for _, test := range []struct {
		rule  string
		table words
		word  string
		code  string
	}{
		{"OMB category", races, "Black or African American", "2054-5"},
		{"real messages shorten", races, "Black", "2054-5"},
		{"case and hyphens", maritalStatuses, "common-LAW", "C"},
		{"HL7 v2-0004", patientClasses, "Inpatient", "IMP"},
		{"HL7 v2-0004", patientClasses, "Preadmit", "PRENC"},
		{"the subscriber's mother insures her child", subscriberRelationships, "Mother", "child"},
		{"spelling", appointmentStatuses, "Cancelled", "cancelled"},
		{"spelling", appointmentStatuses, "NoShow", "noshow"},
		{"OID", codesets, "2.16.840.1.113883.6.96", "http://snomed.info/sct"},
		{"spelling", codesets, "SNOMED-CT", "http://snomed.info/sct"},
		{"spelling", codesets, "SnomedCT", "http://snomed.info/sct"},
		{"spelling", codesets, "icd10cm", "http://hl7.org/fhir/sid/icd-10-cm"},
	} {
		if got := test.table.code(test.word); got != test.code {
			t.Errorf("%s: code(%q) = %q, want %q", test.rule, test.word, got, test.code)
		}
	}
}

func TestSystems(t *testing.T) {
	o := Options{Slug: "health-one", Systems: map[string]string{"MPI": "urn:oid:1.2.3.4"}}
	for _, test := range []struct{ idType, system string }{
		{"MR", "urn:redox:health-one:MR"},
		{"Payor ID", "urn:redox:health-one:Payor%20ID"},
		{"a/b:c", "urn:redox:health-one:a%2Fb:c"},
		{"NPI", "http://hl7.org/fhir/sid/us-npi"},
		{"TIN", "urn:oid:2.16.840.1.113883.4.4"},
		{"NCT", "http://clinicaltrials.gov"},
		{"1.3.6.1.4.1.21367", "urn:oid:1.3.6.1.4.1.21367"},
		{"MPI", "urn:oid:1.2.3.4"},
		{"https://ids.example/x", "https://ids.example/x"},
		{"", ""},
	} {
		if got := o.identifierSystem(test.idType); got != test.system {
			t.Errorf("identifierSystem(%q) = %q, want %q", test.idType, got, test.system)
		}
		if got := o.idType(test.system); got != test.idType {
			t.Errorf("idType(%q) = %q, want %q", test.system, got, test.idType)
		}
	}
	for _, test := range []struct{ codeset, system string }{
		{"LOINC", "http://loinc.org"},
		{"Redox EHR Codes", "urn:redox:codeset:Redox%20EHR%20Codes"},
		{"1.2.3", "urn:oid:1.2.3"},
		{"urn:x:y", "urn:x:y"},
		{"", "urn:redox:health-one:local"},
	} {
		if got := o.system(test.codeset); got != test.system {
			t.Errorf("system(%q) = %q, want %q", test.codeset, got, test.system)
		}
		if got := o.codeset(test.system); got != test.codeset {
			t.Errorf("codeset(%q) = %q, want %q", test.system, got, test.codeset)
		}
	}
}
