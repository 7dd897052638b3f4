package definitions

import (
	"encoding/json"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// constraintResource is a StructureDefinition of which only the facts are held.
type constraintResource struct {
	head
	FHIRVersion    string          `json:"fhirVersion"`
	Kind           string          `json:"kind"`
	Abstract       bool            `json:"abstract"`
	Context        json.RawMessage `json:"context,omitempty"`
	Type           string          `json:"type"`
	BaseDefinition string          `json:"baseDefinition"`
	Derivation     string          `json:"derivation"`
	Differential   facts           `json:"differential"`
}

// facts are elements as the guide has them.
type facts struct {
	Element []map[string]any `json:"element"`
}

// whole adds what R4 wants of elements and is prose, which is not held: the
// text of a rule (its key stands there) and why an element is a modifier.
func (f facts) whole() facts {
	for _, e := range f.Element {
		if e["isModifier"] == true && e["isModifierReason"] == nil {
			e["isModifierReason"] = modifierReason
		}
		rules, _ := e["constraint"].([]any)
		for _, r := range rules {
			if r, ok := r.(map[string]any); ok && r["human"] == nil {
				r["human"] = r["key"]
			}
		}
	}
	return f
}

// constraint is the resource of a profile: as it is, if it is a whole one; else
// made of its facts. What those say beside the base is a differential.
func constraint(d *conformance.Definitions, p Profile, def Definition) (any, error) {
	var has struct {
		ID, Name, Status, Kind, Type, BaseDefinition, Derivation string
		Abstract                                                 bool
		Context                                                  json.RawMessage
		Snapshot                                                 facts
	}
	if err := json.Unmarshal(p.Body, &has); err != nil {
		return nil, err
	}
	if has.ID != "" && has.Name != "" && has.Status != "" {
		return json.RawMessage(p.Body), nil
	}
	return constraintResource{
		head: headOf(StructureDefinition, def.ID, def), FHIRVersion: d.Release(), Kind: has.Kind, Abstract: has.Abstract, Context: has.Context,
		Type: has.Type, BaseDefinition: has.BaseDefinition, Derivation: has.Derivation, Differential: has.Snapshot.whole(),
	}, nil
}
