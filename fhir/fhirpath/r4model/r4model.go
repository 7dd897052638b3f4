// Package r4model gives package fhirpath the types of FHIR R4 from the compiled
// definitions of package conformance.
package r4model

import (
	"strings"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// Model holds the types of a set of definitions. It implements fhirpath.Model.
type Model struct {
	types map[string]*fhirpath.Type
}

var r4 = sync.OnceValue(func() *Model { return New(conformance.R4()) })

// R4 is the model of R4's own definitions, built at the first call.
func R4() *Model { return r4() }

// Type returns the type of that name, or nil.
func (m *Model) Type(name string) *fhirpath.Type { return m.types[name] }

// New builds the model of definitions: the resource types and every type that can
// be reached from them; Extension alone leads to nearly all datatypes.
func New(d *conformance.Definitions) *Model {
	m := &Model{types: map[string]*fhirpath.Type{}}
	b := &builder{definitions: d, model: m}
	for _, name := range d.ResourceTypes() {
		b.typ(name)
	}
	for _, t := range m.types {
		t.Seal()
	}
	return m
}

type builder struct {
	definitions *conformance.Definitions
	model       *Model
}

// typ returns the type of that name, making it and what it refers to first.
func (b *builder) typ(name string) *fhirpath.Type {
	if t, ok := b.model.types[name]; ok {
		return t
	}
	def, ok := b.definitions.Type(name)
	if !ok {
		return nil
	}
	if def.Profile {
		// SimpleQuantity and MoneyQuantity say more about a Quantity; for
		// FHIRPath the value is a Quantity.
		return b.typ(def.Base)
	}
	t := &fhirpath.Type{Name: name, Abstract: def.Abstract}
	b.model.types[name] = t
	if def.Base != "" {
		t.Base = b.typ(def.Base)
	}
	switch def.Kind {
	case conformance.KindResource:
		t.Kind = fhirpath.ResourceType
	case conformance.KindPrimitive:
		t.Kind = fhirpath.PrimitiveType
		t.System = systemType(name, t.Base)
	}
	for _, e := range def.Elements {
		if t.Kind == fhirpath.PrimitiveType && e.Name == "value" {
			continue // the value itself, which JSON does not name
		}
		element := &fhirpath.Element{Name: e.Name, Choice: e.Choice}
		for _, typeName := range e.Types {
			if typ := b.typ(elementType(e, typeName)); typ != nil {
				element.Types = append(element.Types, typ)
			}
		}
		t.Elements = append(t.Elements, element)
	}
	return t
}

// elementType is the FHIR type of an element that R4's definitions give a type
// of FHIRPath's: there the real one is in the extension structuredefinition-fhir-type.
func elementType(e *conformance.Element, typeName string) string {
	if !strings.HasPrefix(typeName, "System.") {
		return typeName
	}
	switch e.Path {
	case "Resource.id":
		return "id" // R4 § 2.26.3.1; the extension says string
	case "Extension.url":
		return "uri"
	}
	return "string"
}

// systemType tells what a primitive's value converts to (R4 § 2.9.2).
func systemType(name string, base *fhirpath.Type) fhirpath.Kind {
	switch name {
	case "boolean":
		return fhirpath.KindBoolean
	case "integer", "unsignedInt", "positiveInt":
		return fhirpath.KindInteger
	case "decimal":
		return fhirpath.KindDecimal
	case "date":
		return fhirpath.KindDate
	case "dateTime", "instant":
		return fhirpath.KindDateTime
	case "time":
		return fhirpath.KindTime
	}
	if base != nil && base.Kind == fhirpath.PrimitiveType {
		return base.System
	}
	return fhirpath.KindString
}
