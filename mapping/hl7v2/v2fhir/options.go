package v2fhir

import (
	"net/url"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// Options are what a translation needs to know about the connection.
type Options struct {
	// Slug names the organization in systems: urn:hl7v2:<slug>:<name space>.
	Slug string
	// Zone is the time zone of times without an offset; nil is that of MSH-7,
	// where it says one, else UTC.
	Zone *time.Location
	// Systems are the FHIR systems of assigning authorities and of local code
	// systems, by their names in messages: {"GOOD": "urn:oid:1.2.3"}.
	Systems map[string]string
	// Codes are local codes with what they are in FHIR, by table:
	// {"0001": {"W": "female"}}. They go before the standard's.
	Codes map[string]map[string]string

	// What is written in MSH of messages that are made: the time and the
	// control id, at most 20 characters, and who sends to whom.
	Now                                     time.Time
	ControlID                               string
	SendingApplication, SendingFacility     string
	ReceivingApplication, ReceivingFacility string
}

const (
	v2Tables    = "http://terminology.hl7.org/CodeSystem/v2-"
	v3Tables    = "http://terminology.hl7.org/CodeSystem/v3-"
	terminology = "http://terminology.hl7.org/CodeSystem/"
)

// codeSystems are the names of coding systems in component 3, table 0396. Of
// several names of one system the first is the one that is written.
var codeSystems = [][2]string{
	{"LN", "http://loinc.org"}, {"LOINC", "http://loinc.org"},
	{"SCT", "http://snomed.info/sct"}, {"SNOMED-CT", "http://snomed.info/sct"}, {"SNM", "http://snomed.info/sct"},
	{"I10C", "http://hl7.org/fhir/sid/icd-10-cm"}, {"I10", "http://hl7.org/fhir/sid/icd-10"}, {"ICD10", "http://hl7.org/fhir/sid/icd-10"},
	{"I9C", "http://hl7.org/fhir/sid/icd-9-cm"}, {"I9", "http://hl7.org/fhir/sid/icd-9-cm"},
	{"C4", "http://www.ama-assn.org/go/cpt"}, {"CPT", "http://www.ama-assn.org/go/cpt"},
	{"NDC", "http://hl7.org/fhir/sid/ndc"}, {"RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"},
	{"CVX", "http://hl7.org/fhir/sid/cvx"}, {"MVX", "http://hl7.org/fhir/sid/mvx"},
	{"UCUM", "http://unitsofmeasure.org"}, {"CDCREC", "urn:oid:2.16.840.1.113883.6.238"},
	{"HCPCS", "urn:oid:2.16.840.1.113883.6.285"}, {"NUBC", "https://www.nubc.org/CodeSystem/RevenueCodes"},
}

func (o Options) urn(kind, name string) string {
	slug := o.Slug
	if slug == "" {
		slug = "local"
	}
	return "urn:hl7v2:" + url.PathEscape(slug) + ":" + kind + url.PathEscape(name)
}

// codeSystem is the FHIR system of a coding system's name.
func (o Options) codeSystem(name string) string {
	if name == "" {
		return ""
	}
	if s := o.Systems[name]; s != "" {
		return s
	}
	for _, c := range codeSystems {
		if strings.EqualFold(c[0], name) {
			return c[1]
		}
	}
	if n, ok := strings.CutPrefix(strings.ToUpper(name), "HL7"); ok && len(n) == 4 && strings.Trim(n, "0123456789") == "" {
		return v2Tables + n
	}
	if isURI(name) {
		return name
	}
	return o.urn("codes:", name)
}

// codeSystemName is the name of a FHIR system.
func (o Options) codeSystemName(system string) string {
	if n := o.named(system); n != "" {
		return n
	}
	for _, c := range codeSystems {
		if c[1] == system {
			return c[0]
		}
	}
	if n, ok := strings.CutPrefix(system, v2Tables); ok {
		return "HL7" + n
	}
	return o.bare("codes:", system)
}

// named is the connection's own name of a system, the first in order.
func (o Options) named(system string) string {
	known := ""
	for name, s := range o.Systems {
		if s == system && (known == "" || name < known) {
			known = name
		}
	}
	return known
}

// bare takes a name out of a URN that was made of it.
func (o Options) bare(kind, system string) string {
	if n, ok := strings.CutPrefix(system, o.urn(kind, "")); ok {
		if plain, err := url.PathUnescape(n); err == nil {
			return plain
		}
	}
	return system
}

// authority is the FHIR system of an assigning authority: an HD, as the
// subcomponents of a component.
func (o Options) authority(hd hl7v2.Value) string {
	space, id, kind := hd.Subcomponent(1).String(), hd.Subcomponent(2).String(), hd.Subcomponent(3).String()
	switch {
	case o.Systems[space] != "":
		return o.Systems[space]
	case id != "" && kind == "ISO":
		return "urn:oid:" + id
	case isURI(id):
		return id
	case kind == "UUID" && id != "":
		return "urn:uuid:" + strings.ToLower(id)
	case space == "" && id == "":
		return ""
	case space == "":
		space = id
	}
	for _, k := range knownAuthorities {
		if k[0] == space {
			return k[1]
		}
	}
	return o.urn("", space)
}

// knownAuthorities have systems that everybody shares.
var knownAuthorities = [][2]string{
	{"NPI", "http://hl7.org/fhir/sid/us-npi"}, {"SSA", "http://hl7.org/fhir/sid/us-ssn"},
}

// authorityCells are an assigning authority in component c.
func (o Options) authorityCells(c int, system string) []cell {
	if system == "" {
		return nil
	}
	if n := o.named(system); n != "" {
		return []cell{{c: c, s: 1, text: n}}
	}
	for _, k := range knownAuthorities {
		if k[1] == system {
			return []cell{{c: c, s: 1, text: k[0]}}
		}
	}
	if oid, ok := strings.CutPrefix(system, "urn:oid:"); ok {
		return []cell{{c: c, s: 2, text: oid}, {c: c, s: 3, text: "ISO"}}
	}
	if strings.HasPrefix(system, o.urn("type:", "")) {
		return nil // the type says it
	}
	if n := o.bare("", system); n != system {
		return []cell{{c: c, s: 1, text: n}}
	}
	return []cell{{c: c, s: 2, text: system}, {c: c, s: 3, text: "URI"}}
}

func isURI(s string) bool {
	return (strings.HasPrefix(s, "urn:") || strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")) &&
		!strings.ContainsAny(s, " \t\r\n")
}
