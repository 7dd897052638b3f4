package conformance

import (
	"iter"
	"maps"
	"strings"
)

// TypeKind tells what a [Type] is.
type TypeKind uint8

// The kinds of types (https://hl7.org/fhir/R4/valueset-structure-definition-kind.html),
// and backbone for the types that a resource or datatype defines in place.
const (
	KindResource TypeKind = iota + 1
	KindComplex
	KindPrimitive
	KindBackbone
)

// Type is a resource type ("Patient"), a datatype ("HumanName", "dateTime"), a
// backbone, named by its path ("Patient.contact"), or a profile on a datatype
// that elements give as their type ("SimpleQuantity").
type Type struct {
	Name     string
	Kind     TypeKind
	Base     string // the type it specializes or constrains; "" for Element and Resource
	Abstract bool
	Profile  bool // constrains Base instead of being a type of its own

	// Constraints are the type's own invariants, without those of its bases.
	Constraints []Constraint

	// Elements are the children in the order of the definition, inherited ones
	// first.
	Elements []*Element

	byName  map[string]*Element
	choices map[string]jsonChoice
}

type jsonChoice struct {
	element  *Element
	typeName string
}

// Element is one child of a [Type] (https://hl7.org/fhir/R4/elementdefinition.html).
type Element struct {
	// Path is the path where the element is defined: "Observation.value[x]",
	// and "Resource.id" for the id of any resource.
	Path string
	// Name is the element's name in FHIRPath: "value" for "value[x]".
	Name string
	Min  int
	Max  int // -1 for *

	// Types are the allowed types. An element whose children are defined in
	// place has one, its own path ("Patient.contact"), and an element defined
	// by a content reference has the path it refers to ("Questionnaire.item"),
	// so a type always leads to the next children. Elements that are mere
	// strings in FHIRPath (the value of a primitive) have a System type.
	Types []string
	// Choice is true for a choice of types (value[x]), even of one type.
	Choice bool
	// ContentReference is "#Questionnaire.item" where the content is defined
	// elsewhere in the resource, else "".
	ContentReference string
	// TypeProfile is the profile that a value of the Quantity type must meet
	// ("SimpleQuantity"), else "".
	TypeProfile string

	// TargetTypes are the resource types that a Reference may refer to, sorted;
	// ["Resource"] stands for any; empty where the element takes no Reference
	// or leaves the target open (Extension.value[x]).
	TargetTypes []string
	// CanonicalTypes are the same for a canonical.
	CanonicalTypes []string

	// Binding is nil for bindings weaker than extensible.
	Binding *Binding

	Summary  bool // in the response to _summary=true (https://hl7.org/fhir/R4/search.html#summary)
	Modifier bool // isModifier (https://hl7.org/fhir/R4/conformance-rules.html#isModifier)

	// Constraints are the invariants given at this element, without those of
	// its type.
	Constraints []Constraint
}

// Repeats reports whether the element may occur more than once, which makes it
// an array in JSON.
func (e *Element) Repeats() bool { return e.Max < 0 || e.Max > 1 }

// Binding ties a coded element to a value set
// (https://hl7.org/fhir/R4/terminologies.html#strength).
type Binding struct {
	Strength string // required or extensible
	ValueSet string // canonical URL without version
}

// Constraint is an invariant (https://hl7.org/fhir/R4/conformance-rules.html#constraints).
type Constraint struct {
	Key        string // "pat-1"
	Severity   string // error or warning
	Expression string // FHIRPath, evaluated on the element; true means met
}

// Type returns the type of that name: a resource type, a datatype, or a
// backbone's path.
func (d *Definitions) Type(name string) (*Type, bool) {
	t, ok := d.types[name]
	return t, ok
}

// TypeNames are the names of all types, in no order: resource types,
// datatypes, profiles on them, and the paths of backbones.
func (d *Definitions) TypeNames() iter.Seq[string] { return maps.Keys(d.types) }

// Element returns the child element of a type: ("Patient", "name"),
// ("HumanName", "given"), ("Patient.contact", "name"). Inherited children are
// found too: ("Patient", "id"), ("Age", "value"). A choice of types is named
// without its type, as in FHIRPath: ("Observation", "value").
func (d *Definitions) Element(typeName, element string) (*Element, bool) {
	t, ok := d.types[typeName]
	if !ok {
		return nil, false
	}
	e, ok := t.byName[element]
	return e, ok
}

// ChoiceElement resolves the JSON name of a choice of types
// (https://hl7.org/fhir/R4/formats.html#choice): ("Observation",
// "valueQuantity") is the element value and the type Quantity.
func (d *Definitions) ChoiceElement(typeName, jsonName string) (e *Element, choice string, ok bool) {
	t, ok := d.types[typeName]
	if !ok {
		return nil, "", false
	}
	c, ok := t.choices[jsonName]
	return c.element, c.typeName, ok
}

// IsA reports whether typeName is base or is derived from it: Age from
// Quantity, Patient from DomainResource and Resource, Patient.contact from
// BackboneElement and Element.
func (d *Definitions) IsA(typeName, base string) bool {
	for t, ok := d.types[typeName]; ok; t, ok = d.types[t.Base] {
		if t.Name == base {
			return true
		}
	}
	return false
}

// ChoiceName is the JSON member name of a choice element for one of its types:
// ("value", "Quantity") is valueQuantity.
func ChoiceName(element, typeName string) string { return jsonChoiceName(element, typeName) }

func jsonChoiceName(element, typeName string) string {
	return element + strings.ToUpper(typeName[:1]) + typeName[1:]
}

// index resolves the names of a type's elements.
func (t *Type) index() {
	t.byName = make(map[string]*Element, len(t.Elements))
	for _, e := range t.Elements {
		t.byName[e.Name] = e
		if !e.Choice {
			continue
		}
		if t.choices == nil {
			t.choices = make(map[string]jsonChoice, len(e.Types))
		}
		for _, name := range e.Types {
			t.choices[jsonChoiceName(e.Name, name)] = jsonChoice{e, name}
		}
	}
}
