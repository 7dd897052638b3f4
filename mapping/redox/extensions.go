package redox

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	basicpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/basic_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// A Redox extension is {"<name>": {"url": U, "<type>": value}}; FHIR's is
// {"url": U, "value<Type>": value}. The name is the last part of the URL.
// Redox: Extensions.

// foreignExtension makes the FHIR extension; nil when it cannot be one or
// would come back under another name.
func foreignExtension(name string, value jsontext.Value) *dtpb.Extension {
	var members map[string]jsontext.Value
	if json.Unmarshal(value, &members) != nil {
		return nil
	}
	address := text(members["url"])
	if !isURI(address) || address[strings.LastIndexByte(address, '/')+1:] != name || len(members) != 2 || mappedExtensions[address] {
		return nil
	}
	wire := map[string]jsontext.Value{"url": members["url"]}
	for m, v := range members {
		if m != "url" && m != "" {
			wire["value"+strings.ToUpper(m[:1])+m[1:]] = v
		}
	}
	// The library reads whole resources only, so the extension travels in one.
	resource, err := json.Marshal(map[string]any{
		"resourceType": "Basic",
		"code":         map[string]string{"text": "extension"},
		"extension":    []any{wire},
	})
	if err != nil {
		return nil
	}
	c, err := mapping.UnmarshalResource(resource)
	if err != nil || len(c.GetBasic().GetExtension()) != 1 {
		return nil
	}
	e := c.GetBasic().GetExtension()[0]
	if back, v := redoxExtension(e); back != name || !sameJSON(v, value) {
		return nil
	}
	return e
}

// redoxExtension makes the Redox extension of a FHIR one; an empty name means
// that it has no plain value.
func redoxExtension(e *dtpb.Extension) (name string, value jsontext.Value) {
	if e.GetValue() == nil {
		return "", nil
	}
	data, err := mapping.MarshalResource(mapping.Contain(&basicpb.Basic{Code: inWords("extension"), Extension: []*dtpb.Extension{e}}))
	if err != nil {
		return "", nil
	}
	var basic struct {
		Extension []map[string]jsontext.Value `json:"extension"`
	}
	if json.Unmarshal(data, &basic) != nil || len(basic.Extension) != 1 {
		return "", nil
	}
	out := map[string]jsontext.Value{}
	for m, v := range basic.Extension[0] {
		if t, ok := strings.CutPrefix(m, "value"); ok && t != "" {
			m = strings.ToLower(t[:1]) + t[1:]
		}
		out[m] = v
	}
	address := text(out["url"])
	value, err = json.Marshal(out, json.Deterministic(true))
	if err != nil {
		return "", nil
	}
	return address[strings.LastIndexByte(address, '/')+1:], value
}

func sameJSON(a, b jsontext.Value) bool {
	x, y := a.Clone(), b.Clone()
	return x.Canonicalize() == nil && y.Canonicalize() == nil && string(x) == string(y)
}

// The extensions of HL7 that the mapping reads and writes itself.
const (
	raceExtension        = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
	ethnicityExtension   = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity"
	religionExtension    = "http://hl7.org/fhir/StructureDefinition/patient-religion"
	citizenshipExtension = "http://hl7.org/fhir/StructureDefinition/patient-citizenship"
)

var mappedExtensions = map[string]bool{
	raceExtension: true, ethnicityExtension: true, religionExtension: true, citizenshipExtension: true,
}
