package r4model_test

import (
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
)

func TestTypes(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   fhirpath.TypeKind
		system fhirpath.Kind
		isA    string
	}{
		{"Patient", fhirpath.ResourceType, 0, "DomainResource"},
		{"Resource", fhirpath.ResourceType, 0, "Resource"},
		{"Bundle", fhirpath.ResourceType, 0, "Resource"},
		{"Patient.contact", fhirpath.ComplexType, 0, "BackboneElement"},
		{"Timing", fhirpath.ComplexType, 0, "Element"},
		{"ElementDefinition", fhirpath.ComplexType, 0, "Element"},
		{"MarketingStatus", fhirpath.ComplexType, 0, "Element"},
		{"Age", fhirpath.ComplexType, 0, "Quantity"},
		{"boolean", fhirpath.PrimitiveType, fhirpath.KindBoolean, "Element"},
		{"positiveInt", fhirpath.PrimitiveType, fhirpath.KindInteger, "integer"},
		{"decimal", fhirpath.PrimitiveType, fhirpath.KindDecimal, "Element"},
		{"date", fhirpath.PrimitiveType, fhirpath.KindDate, "Element"},
		{"instant", fhirpath.PrimitiveType, fhirpath.KindDateTime, "Element"},
		{"time", fhirpath.PrimitiveType, fhirpath.KindTime, "Element"},
		{"code", fhirpath.PrimitiveType, fhirpath.KindString, "string"},
		{"canonical", fhirpath.PrimitiveType, fhirpath.KindString, "uri"},
		{"base64Binary", fhirpath.PrimitiveType, fhirpath.KindString, "Element"},
		{"xhtml", fhirpath.PrimitiveType, fhirpath.KindString, "Element"},
	} {
		typ := r4model.R4().Type(c.name)
		if typ == nil || typ.Name != c.name || typ.Kind != c.kind || typ.System != c.system || !typ.Is(c.isA) {
			t.Errorf("%s: %+v", c.name, typ)
		}
	}
	if r4model.R4().Type("string1") != nil {
		t.Error("a type that does not exist is found")
	}
}

// What an element is defined as leads to a type of the model, and every type of
// the definitions that an element or a base names is in it.
func TestEveryTypeIsReached(t *testing.T) {
	model, definitions := r4model.R4(), conformance.R4()
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		typ := model.Type(name)
		if typ == nil {
			t.Errorf("%s is not in the model", name)
			return
		}
		if seen[name] {
			return
		}
		seen[name] = true
		for _, e := range typ.Elements {
			if len(e.Types) == 0 {
				t.Errorf("%s.%s has no type", name, e.Name)
			}
			definition, ok := definitions.Element(name, e.Name)
			if !ok || definition.Choice != e.Choice || len(definition.Types) != len(e.Types) {
				t.Errorf("%s.%s: %d types, defined with %v", name, e.Name, len(e.Types), definition)
			}
			for _, child := range e.Types {
				visit(child.Name)
			}
		}
		if typ.Base != nil {
			visit(typ.Base.Name)
		}
	}
	for _, name := range definitions.ResourceTypes() {
		visit(name)
	}
	if len(seen) < 680 {
		t.Errorf("only %d types: the definitions have shrunk", len(seen))
	}
}

// Elements that the definitions give a type of FHIRPath's have a FHIR type.
func TestIDsAndURLs(t *testing.T) {
	for _, c := range []struct{ typ, element, want string }{
		{"Patient", "id", "id"}, {"HumanName", "id", "string"}, {"string", "id", "string"}, {"Extension", "url", "uri"},
	} {
		for _, e := range r4model.R4().Type(c.typ).Elements {
			if e.Name == c.element && e.Types[0].Name != c.want {
				t.Errorf("%s.%s is a %s", c.typ, c.element, e.Types[0].Name)
			}
		}
	}
}
