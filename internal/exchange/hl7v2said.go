package exchange

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2/v2fhir"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
)

// saidInFHIR is what an HL7 v2 message says, in the form that identity and
// merging take: with the identifiers and keys that its records are known by.
func saidInFHIR(r *v2fhir.Result) (*mapping.Message, error) {
	m := &mapping.Message{
		DataModel: r.DataModel, EventType: r.EventType, Event: mapping.EventOf(r.DataModel, r.EventType),
		Time: r.Time, Test: r.Header.ProcessingID != "" && r.Header.ProcessingID != "P",
		FacilityCode: r.Header.SendingFacility, Focus: r.Focus,
	}
	keys := map[string]int{}
	for i, e := range r.Entries {
		typ, _ := e.Resource["resourceType"].(string)
		markAssumed(typ, e.Resource)
		text, err := json.Marshal(e.Resource)
		if err != nil {
			return nil, err
		}
		resource, err := mapping.UnmarshalResource(text)
		if err != nil {
			return nil, fmt.Errorf("%s of the message: %w", typ, err)
		}
		out := mapping.Entry{FullURL: e.FullURL, Resource: resource, Parent: mapping.NoParent}
		if typ != "Coverage" {
			out.Identifiers = identifiersOf(e.Resource)
		}
		if len(out.Identifiers) == 0 {
			out.Parent, out.Key = keyed(r, i)
			// The same key twice in a message is two records: values that were
			// taken one after the other without a time of their own.
			place := typ + "\x00" + strconv.Itoa(out.Parent) + "\x00" + out.Key
			if keys[place]++; keys[place] > 1 {
				out.Key += "#" + strconv.Itoa(keys[place])
			}
		}
		m.Entries = append(m.Entries, out)
	}
	return m, nil
}

// keyed is how a record without identifiers is known.
func keyed(r *v2fhir.Result, i int) (parent int, key string) {
	e := r.Entries[i]
	switch typ := e.Resource["resourceType"]; {
	case typ == "Coverage":
		// A policy's number is that of a family: the patient tells theirs apart.
		var b strings.Builder
		for _, id := range identifiersOf(e.Resource) {
			b.WriteString("|" + id.System + "|" + id.Value)
		}
		for j, p := range r.Entries {
			if p.Resource["resourceType"] == "Patient" {
				return j, "hl7v2" + b.String() + e.Key
			}
		}
	case e.Key == "" && typ == "Encounter" && len(r.Focus) > 0 && r.Focus[0] != i:
		return r.Focus[0], "hl7v2|visit"
	case e.Key == "" && e.Parent != mapping.NoParent:
		return e.Parent, "hl7v2"
	case e.Key == "":
		return mapping.NoParent, ""
	}
	return e.Parent, "hl7v2" + e.Key
}

// identifiersOf are those that name a record: with a system and a value.
func identifiersOf(resource map[string]any) []mapping.Identifier {
	var all []mapping.Identifier
	add := func(x any) {
		o, _ := x.(map[string]any)
		s, _ := o["system"].(string)
		v, _ := o["value"].(string)
		if s != "" && v != "" {
			all = append(all, mapping.Identifier{System: s, Value: v})
		}
	}
	add(resource["masterIdentifier"])
	list, _ := resource["identifier"].([]any)
	for _, x := range list {
		add(x)
	}
	return all
}

// assumedValues are what FHIR requires and a message did not say: they must
// not be laid over what is known.
var assumedValues = map[string][2]string{
	"Encounter": {"status", "unknown"}, "Observation": {"status", "unknown"}, "DiagnosticReport": {"status", "unknown"},
}

// markAssumed marks them, as mapping/redox does.
func markAssumed(typ string, resource map[string]any) {
	mark := []any{map[string]any{"url": redox.DefaultBase + "/StructureDefinition/" + redox.Assumed, "valueBoolean": true}}
	if v, ok := assumedValues[typ]; ok && resource[v[0]] == v[1] {
		resource["_"+v[0]] = map[string]any{"extension": mark}
	}
	if typ == "Encounter" {
		if class, ok := resource["class"].(map[string]any); ok && class["code"] == "UNK" {
			class["extension"] = mark
		}
	}
}
