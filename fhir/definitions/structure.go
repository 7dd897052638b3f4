package definitions

import (
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
)

type structureResource struct {
	head
	FHIRVersion    string `json:"fhirVersion"`
	Kind           string `json:"kind"`
	Abstract       bool   `json:"abstract"`
	Type           string `json:"type"`
	BaseDefinition string `json:"baseDefinition,omitempty"`
	Derivation     string `json:"derivation,omitempty"`
	Differential   struct {
		Element []element `json:"element"`
	} `json:"differential"`
}

type element struct {
	ID               string        `json:"id"`
	Path             string        `json:"path"`
	Min              *int          `json:"min,omitempty"`
	Max              string        `json:"max,omitempty"`
	ContentReference string        `json:"contentReference,omitempty"`
	Type             []elementType `json:"type,omitempty"`
	IsModifier       bool          `json:"isModifier,omitempty"`
	IsModifierReason string        `json:"isModifierReason,omitempty"`
	IsSummary        bool          `json:"isSummary,omitempty"`
	Binding          *binding      `json:"binding,omitempty"`
}

type elementType struct {
	Code          string   `json:"code"`
	Profile       []string `json:"profile,omitempty"`
	TargetProfile []string `json:"targetProfile,omitempty"`
}

type binding struct {
	Strength string `json:"strength"`
	ValueSet string `json:"valueSet"`
}

// modifierReason stands where R4 wants the reason (eld-18), which the tables do
// not have.
const modifierReason = "It can change the meaning of what contains it."

var kinds = map[conformance.TypeKind]string{
	conformance.KindResource: "resource", conformance.KindComplex: "complex-type", conformance.KindPrimitive: "primitive-type",
}

func structure(d *conformance.Definitions, t *conformance.Type, def Definition) structureResource {
	r := structureResource{
		head: headOf(StructureDefinition, t.Name, def), FHIRVersion: d.Release(), Kind: kinds[t.Kind], Abstract: t.Abstract, Type: t.Name,
	}
	r.Name = t.Name // as HL7 has it, "string" too
	if t.Base != "" {
		r.BaseDefinition, r.Derivation = structures+t.Base, "specialization"
	}
	if t.Profile {
		r.Type, r.Derivation = t.Base, "constraint"
	}
	w := writer{d: d, from: t.Name, as: r.Type}
	w.elements = append(w.elements, element{ID: r.Type, Path: r.Type})
	w.children(t)
	r.Differential.Element = w.elements
	return r
}

// writer writes the elements of a type depth first, as R4 orders them. The
// elements of a profile are named by the type that it constrains.
type writer struct {
	d        *conformance.Definitions
	from, as string
	elements []element
}

func (w *writer) children(t *conformance.Type) {
	for _, e := range t.Elements {
		if !strings.HasPrefix(e.Path, t.Name+".") {
			continue // inherited
		}
		w.element(e)
		if len(e.Types) == 1 && e.Types[0] == e.Path {
			if backbone, ok := w.d.Type(e.Path); ok {
				w.children(backbone)
			}
		}
	}
}

func (w *writer) element(e *conformance.Element) {
	path := w.as + strings.TrimPrefix(e.Path, w.from)
	least := e.Min
	el := element{ID: path, Path: path, Min: &least, Max: "*", ContentReference: e.ContentReference, IsModifier: e.Modifier, IsSummary: e.Summary}
	if e.Max >= 0 {
		el.Max = strconv.Itoa(e.Max)
	}
	if e.Modifier {
		el.IsModifierReason = modifierReason
	}
	if e.Binding != nil {
		el.Binding = &binding{e.Binding.Strength, e.Binding.ValueSet}
	}
	w.elements = append(w.elements, el)
	if e.ContentReference != "" {
		return
	}
	types := make([]elementType, 0, len(e.Types))
	for _, name := range e.Types {
		of := elementType{Code: name}
		switch {
		case name == e.Path: // its children follow
			backbone, _ := w.d.Type(name)
			of.Code = backbone.Base
		case strings.HasPrefix(name, "System."):
			of.Code = "http://hl7.org/fhirpath/" + name
		case name == "Reference":
			of.TargetProfile = profiles(e.TargetTypes)
		case name == "canonical":
			of.TargetProfile = profiles(e.CanonicalTypes)
		case e.TypeProfile != "":
			of.Profile = []string{structures + e.TypeProfile}
		}
		types = append(types, of)
	}
	w.elements[len(w.elements)-1].Type = types
}

func profiles(types []string) []string {
	var all []string
	for _, t := range types {
		all = append(all, structures+t)
	}
	return all
}
