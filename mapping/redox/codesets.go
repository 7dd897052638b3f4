package redox

import (
	"net/url"
	"strings"
)

// codesets are the FHIR systems of Redox's Codesets, by name or OID. Names
// match without regard to case, spaces, hyphens and underscores. Of several
// names of one system the first is the one used on the way back.
// HL7: terminology.hl7.org.
var codesets = words{
	{"LOINC", "http://loinc.org"},
	{"2.16.840.1.113883.6.1", "http://loinc.org"},
	{"SNOMED CT", snomed},
	{"SNOMED", snomed},
	{"2.16.840.1.113883.6.96", snomed},
	{"RxNorm", "http://www.nlm.nih.gov/research/umls/rxnorm"},
	{"2.16.840.1.113883.6.88", "http://www.nlm.nih.gov/research/umls/rxnorm"},
	{"ICD-10", "http://hl7.org/fhir/sid/icd-10-cm"},
	{"ICD-10-CM", "http://hl7.org/fhir/sid/icd-10-cm"},
	{"I10", "http://hl7.org/fhir/sid/icd-10-cm"},
	{"2.16.840.1.113883.6.90", "http://hl7.org/fhir/sid/icd-10-cm"},
	{"ICD-10-PCS", "http://www.cms.gov/Medicare/Coding/ICD10"},
	{"I10PCS", "http://www.cms.gov/Medicare/Coding/ICD10"},
	{"2.16.840.1.113883.6.4", "http://www.cms.gov/Medicare/Coding/ICD10"},
	{"ICD-9", "http://hl7.org/fhir/sid/icd-9-cm"},
	{"ICD-9-CM", "http://hl7.org/fhir/sid/icd-9-cm"},
	{"2.16.840.1.113883.6.103", "http://hl7.org/fhir/sid/icd-9-cm"},
	{"CPT", "http://www.ama-assn.org/go/cpt"},
	{"CPT4", "http://www.ama-assn.org/go/cpt"},
	{"2.16.840.1.113883.6.12", "http://www.ama-assn.org/go/cpt"},
	{"HCPCS", "urn:oid:2.16.840.1.113883.6.285"},
	{"NDC", "http://hl7.org/fhir/sid/ndc"},
	{"2.16.840.1.113883.6.69", "http://hl7.org/fhir/sid/ndc"},
	{"CVX", "http://hl7.org/fhir/sid/cvx"},
	{"2.16.840.1.113883.12.292", "http://hl7.org/fhir/sid/cvx"},
	{"2.16.840.1.113883.6.59", "http://hl7.org/fhir/sid/cvx"},
	{"MVX", "http://hl7.org/fhir/sid/mvx"},
	{"2.16.840.1.113883.12.227", "http://hl7.org/fhir/sid/mvx"},
	{"CDC Race and Ethnicity", cdcRace},
	{"CDC Race & Ethnicity", cdcRace},
	{"NPI", npiSystem},
	{"2.16.840.1.113883.4.6", npiSystem},
	{"HL7 HSLOC", "https://www.cdc.gov/nhsn/cdaportal/terminology/codesystem/hsloc.html"},
	{"2.16.840.1.113883.6.259", "https://www.cdc.gov/nhsn/cdaportal/terminology/codesystem/hsloc.html"},
	{"NCI Thesaurus", "http://ncithesaurus-stage.nci.nih.gov"},
	{"National Cancer Institute (NCI) Thesaurus", "http://ncithesaurus-stage.nci.nih.gov"},
	{"2.16.840.1.113883.3.26.1.1", "http://ncithesaurus-stage.nci.nih.gov"},
	{"NUCC", "http://nucc.org/provider-taxonomy"},
	{"NUCC taxonomy", "http://nucc.org/provider-taxonomy"},
	{"2.16.840.1.113883.6.101", "http://nucc.org/provider-taxonomy"},
	{"UNII", "http://fdasis.nlm.nih.gov"},
	{"2.16.840.1.113883.4.9", "http://fdasis.nlm.nih.gov"},
	{"Medispan", "urn:oid:2.16.840.1.113883.6.68"},
	{"Medi-Span GPI", "urn:oid:2.16.840.1.113883.6.68"},
	{"NCPDP", "urn:redox:codeset:ncpdp"},
	{"RoleCode", roleCode},
	{"HL7 FamilyMember", roleCode},
	{"2.16.840.1.113883.5.111", roleCode},
	{"Confidentiality", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"},
	{"2.16.840.1.113883.5.25", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"},
	{"UB04FL17", "urn:redox:codeset:ub04fl17"},
}

// Systems that the mapping itself speaks of.
const (
	snomed            = "http://snomed.info/sct"
	cdcRace           = "urn:oid:2.16.840.1.113883.6.238"
	npiSystem         = "http://hl7.org/fhir/sid/us-npi"
	ssnSystem         = "http://hl7.org/fhir/sid/us-ssn"
	v3                = "http://terminology.hl7.org/CodeSystem/v3-"
	v2                = "http://terminology.hl7.org/CodeSystem/v2-"
	roleCode          = v3 + "RoleCode"
	nullFlavor        = v3 + "NullFlavor"
	participationType = v3 + "ParticipationType"
	terminology       = "http://terminology.hl7.org/CodeSystem/"
	redoxCodeset      = "urn:redox:codeset:"
)

// system is the FHIR system of a Codeset.
func (o Options) system(codeset string) string {
	switch s := codesets.code(codeset); {
	case codeset == "":
		return "urn:redox:" + url.PathEscape(o.slug()) + ":local"
	case s != "":
		return s
	case isOID(codeset):
		return "urn:oid:" + codeset
	case isURI(codeset):
		return codeset
	}
	return redoxCodeset + url.PathEscape(codeset)
}

// codeset is the Codeset of a FHIR system.
func (o Options) codeset(system string) string {
	if system == o.system("") {
		return ""
	}
	if c := codesets.word(system); c != "" {
		return c
	}
	if oid, ok := strings.CutPrefix(system, "urn:oid:"); ok {
		return oid
	}
	if name, ok := strings.CutPrefix(system, redoxCodeset); ok {
		if plain, err := url.PathUnescape(name); err == nil {
			return plain
		}
	}
	return system
}

// codeSystem is the OID and the name of a FHIR system, for CodeSystem and
// CodeSystemName.
func (o Options) codeSystem(system string) (oid, name string) {
	if system == o.system("") {
		return "", ""
	}
	for _, c := range codesets {
		if c.code == system {
			if isOID(c.word) {
				give(&oid, c.word)
			} else {
				give(&name, c.word)
			}
		}
	}
	if known, ok := strings.CutPrefix(system, "urn:oid:"); ok {
		give(&oid, known)
	} else if oid == "" && name == "" {
		return system, ""
	}
	return oid, name
}

// identifierKinds are the identifier systems that everybody shares.
var identifierKinds = words{
	{"NPI", npiSystem}, {"TIN", "urn:oid:2.16.840.1.113883.4.4"}, {"NCT", "http://clinicaltrials.gov"},
}

// identifierTypes are the codes of v2-0203 for IDTypes.
var identifierTypes = words{
	{"NPI", "NPI"}, {"TIN", "TAX"}, {"SSN", "SS"}, {"MR", "MR"}, {"MRN", "MR"}, {visitNumber, "VN"}, {"VISIT", "VN"},
	{accountNumber, "AN"}, {memberNumber, "MB"},
}

// The IDTypes of numbers that have a field of their own in the data models.
const (
	visitNumber     = "VN"
	accountNumber   = "AN"
	memberNumber    = "MB"
	slotNumber      = "SLOT"
	guarantorNumber = "GUARANTOR"
	companyNumber   = "COMPANY"
)

// identifierSystem is the system of an IDType.
func (o Options) identifierSystem(idType string) string {
	if idType == "" {
		return ""
	}
	if s := o.Systems[idType]; s != "" {
		return s
	}
	for _, k := range identifierKinds {
		if k.word == idType {
			return k.code
		}
	}
	switch {
	case isOID(idType):
		return "urn:oid:" + idType
	case isURI(idType):
		return idType
	}
	return "urn:redox:" + url.PathEscape(o.slug()) + ":" + url.PathEscape(idType)
}

// idType is the IDType of an identifier system.
func (o Options) idType(system string) string {
	known := ""
	for t, s := range o.Systems {
		if s == system && (known == "" || t < known) { // the same at every call
			known = t
		}
	}
	if known != "" {
		return known
	}
	if k := identifierKinds.word(system); k != "" {
		return k
	}
	if oid, ok := strings.CutPrefix(system, "urn:oid:"); ok {
		return oid
	}
	if rest, ok := strings.CutPrefix(system, "urn:redox:"); ok {
		if _, name, ok := strings.Cut(rest, ":"); ok {
			if plain, err := url.PathUnescape(name); err == nil {
				return plain
			}
		}
	}
	return system
}

// isOID recognises 2.16.840.1.113883.
func isOID(s string) bool {
	if len(s) < 3 || s[0] < '0' || s[0] > '2' || s[1] != '.' {
		return false
	}
	for _, arc := range strings.Split(s, ".") {
		if arc == "" || strings.Trim(arc, "0123456789") != "" || len(arc) > 1 && arc[0] == '0' {
			return false
		}
	}
	return true
}

func isURI(s string) bool {
	return (strings.HasPrefix(s, "urn:") || strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")) &&
		!strings.ContainsAny(s, " \t\r\n")
}
