package fhirxml

import (
	"strings"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// The namespaces of FHIR XML.
const (
	namespace      = "http://hl7.org/fhir"
	namespaceXHTML = "http://www.w3.org/1999/xhtml"
	namespaceXSI   = "http://www.w3.org/2001/XMLSchema-instance"
)

// form is how an element is written.
type form uint8

const (
	formObject    form = iota // children, in JSON an object
	formString                // a primitive: a JSON string
	formBoolean               // a primitive: true or false
	formNumber                // a primitive: a JSON number
	formAttribute             // an XML attribute: Element.id, Extension.url
	formXHTML                 // Narrative.div
	formResource              // any resource
)

// shape is a type as its elements are written.
type shape struct {
	name     string
	resource bool
	byName   map[string]*element
	// url is the attribute that stands between children: Extension.url.
	url *element
}

// element is one name that the JSON and XML of a type may have. Those of a
// choice share their order.
type element struct {
	name string // valueQuantity
	// order is the place in the definition.
	order   int
	repeats bool
	form    form
	// shape is what children the element has; of a primitive, its id and
	// extensions.
	shape *shape
}

func (e *element) primitive() bool {
	return e.form == formString || e.form == formBoolean || e.form == formNumber
}

// shapes are those of all types, by name, and of the concrete resources.
type shapes struct {
	types, resources map[string]*shape
}

var r4 = sync.OnceValue(func() *shapes { return compile(conformance.R4()) })

func compile(d *conformance.Definitions) *shapes {
	c := compiler{definitions: d, shapes: &shapes{types: map[string]*shape{}, resources: map[string]*shape{}}}
	for _, name := range d.ResourceTypes() {
		c.shapes.resources[name] = c.typ(name)
	}
	return c.shapes
}

type compiler struct {
	definitions *conformance.Definitions
	shapes      *shapes
}

// typ returns the shape of a type, making it and those that it leads to first.
func (c *compiler) typ(name string) *shape {
	if s, ok := c.shapes.types[name]; ok {
		return s
	}
	t, ok := c.definitions.Type(name)
	if !ok {
		return nil
	}
	s := &shape{name: name, resource: t.Kind == conformance.KindResource, byName: map[string]*element{}}
	c.shapes.types[name] = s
	for order, e := range t.Elements {
		if t.Kind == conformance.KindPrimitive && e.Name == "value" {
			continue // an attribute of its own element in XML, no member in JSON
		}
		for _, typeName := range e.Types {
			el := &element{name: e.Name, order: order, repeats: e.Repeats()}
			if e.Choice {
				el.name += strings.ToUpper(typeName[:1]) + typeName[1:]
			}
			c.link(el, e, typeName)
			s.byName[el.name] = el
			if e.Path == "Extension.url" {
				s.url = el
			}
		}
	}
	return s
}

func (c *compiler) link(el *element, e *conformance.Element, typeName string) {
	t, _ := c.definitions.Type(typeName)
	switch {
	case e.Path == "Element.id" || e.Path == "Extension.url":
		el.form = formAttribute
		return
	case t.Kind == conformance.KindResource:
		el.form = formResource
		return
	case typeName == "xhtml":
		el.form = formXHTML
		return
	case t.Kind == conformance.KindPrimitive:
		el.form = primitiveForm(typeName)
	}
	el.shape = c.typ(typeName)
}

// primitiveForm: https://hl7.org/fhir/R4/json.html#primitive.
func primitiveForm(typeName string) form {
	switch typeName {
	case "boolean":
		return formBoolean
	case "decimal", "integer", "positiveInt", "unsignedInt":
		return formNumber
	}
	return formString
}
