package fhirpath

import "strings"

// Model knows the types of a FHIR release. Type returns nil for a name that is
// no type of it. Equal names give the same *Type; types never change.
type Model interface {
	Type(name string) *Type
}

// TypeKind tells what a Type is.
type TypeKind uint8

// The kinds of FHIR types.
const (
	ComplexType TypeKind = iota
	PrimitiveType
	ResourceType
)

// Type is a FHIR type: a resource type, a datatype, or an element's own type
// such as Patient.contact. A Model builds its types, links them and then calls
// Seal on each.
type Type struct {
	Name     string
	Base     *Type // nil for Element and Resource
	Kind     TypeKind
	Abstract bool
	// System is what a primitive's value converts to (R4 § 2.9.2, "Using FHIR
	// types in expressions").
	System Kind
	// Elements are the children, inherited ones included.
	Elements []*Element

	byName map[string]*Element
	byJSON map[string]jsonMember
	// isQuantity: Quantity and what specializes it convert to System.Quantity.
	isQuantity bool
}

// Element is one child of a Type.
type Element struct {
	Name   string  // as in a path: value
	Choice bool    // the JSON name is the Name and the type: valueQuantity
	Types  []*Type // the types of a choice, or one

	owner *Type
}

type jsonMember struct {
	element *Element
	typ     *Type
}

// Seal prepares the type for use, once its Base and Elements are complete.
func (t *Type) Seal() {
	t.byName = make(map[string]*Element, len(t.Elements))
	t.byJSON = make(map[string]jsonMember, len(t.Elements))
	for _, e := range t.Elements {
		e.owner = t
		t.byName[e.Name] = e
		if !e.Choice {
			t.byJSON[e.Name] = jsonMember{e, e.typ()}
			continue
		}
		for _, typ := range e.Types {
			t.byJSON[e.Name+strings.ToUpper(typ.Name[:1])+typ.Name[1:]] = jsonMember{e, typ}
		}
	}
	t.isQuantity = t.Is("Quantity")
}

// Is tells whether t is the named type or derived from it.
func (t *Type) Is(name string) bool {
	for ; t != nil; t = t.Base {
		if t.Name == name {
			return true
		}
	}
	return false
}

func (e *Element) typ() *Type {
	if len(e.Types) == 0 {
		return nil
	}
	return e.Types[0]
}

// typeSpecifier names a type in an expression: Patient, FHIR.Patient,
// System.String.
type typeSpecifier struct {
	namespace, name string
	pos             int
}

// matches tells whether v is of the type: derived types count, unless exactly
// is set and v is a primitive. A code is a string (so "is" says yes), but "as"
// and "ofType" with string pass over codes: dom-3 lists uri, url and canonical
// side by side, and a choice of code or string has to be told apart.
func (s *typeSpecifier) matches(m *machine, v *Value, exactly bool) (bool, error) {
	if v.kind != KindElement {
		if s.namespace == "FHIR" {
			return false, nil
		}
		if s.namespace == "" && m.ctx.Model.Type(s.name) == nil && !isSystemType(s.name) {
			return false, m.errorf(SemanticError, s.pos, "unknown type %s", s.name)
		}
		return v.kind.systemName() == s.name || s.name == "Any", nil
	}
	if s.namespace == "System" {
		return false, nil
	}
	if exactly && v.typ.Kind == PrimitiveType {
		if v.typ.Name == s.name {
			return true, nil
		}
	} else if v.typ.Is(s.name) {
		return true, nil
	}
	// Only a mismatch asks the model whether there is such a type at all.
	if m.ctx.Model.Type(s.name) == nil && (s.namespace != "" || !isSystemType(s.name)) {
		return false, m.errorf(SemanticError, s.pos, "unknown type %s", s.name)
	}
	return false, nil
}

func isSystemType(name string) bool {
	switch name {
	case "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "Any":
		return true
	}
	return false
}
