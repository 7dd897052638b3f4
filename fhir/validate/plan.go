package validate

import (
	"fmt"
	"slices"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
)

// rule is one invariant, compiled.
type rule struct {
	keys       string // dom-6, or several of one expression: txt-1, txt-2
	severity   conformance.Severity
	expression *fhirpath.Expression
	// containedOnly: it says something of contained resources only.
	containedOnly bool
	// notContained: it is not asked of contained resources.
	notContained bool
}

// shape is a type with what is to be checked of its elements.
type shape struct {
	name    string
	typ     *fhirpath.Type
	rules   []*rule // its own and those of its bases
	members map[string]*member

	reference, extension, elementDefinition bool
}

// member is what a JSON member means in a shape.
type member struct {
	element *conformance.Element
	shape   *shape // nil where any resource may stand
	rules   []*rule
	// primitive: shape has what its underscore member may hold.
	primitive, under bool
	// other is the member's name with the underscore, or without.
	other string
	// local: the type is one that refers to contained resources by #id.
	local bool
	// id: Element.id or Resource.id.
	id bool
}

// plan is all of a release's shapes.
type plan struct {
	model     *r4model.Model
	shapes    map[string]*shape
	resources map[string]*shape
	rules     int // different expressions
}

var r4Plan = sync.OnceValue(func() *plan {
	p, err := compile(conformance.R4(), r4model.R4())
	if err != nil {
		panic("validate: " + err.Error()) // the tables are part of the program
	}
	return p
})

// compiler shares expressions between the elements that have the same.
type compiler struct {
	definitions *conformance.Definitions
	plan        *plan
	expressions map[string]*fhirpath.Expression
	corrected   map[string]bool
	taken       map[string]bool // constraints, by path and key
}

func compile(d *conformance.Definitions, model *r4model.Model) (*plan, error) {
	c := &compiler{
		definitions: d,
		plan:        &plan{model: model, shapes: map[string]*shape{}, resources: map[string]*shape{}},
		expressions: map[string]*fhirpath.Expression{}, corrected: map[string]bool{}, taken: map[string]bool{},
	}
	for _, name := range d.ResourceTypes() {
		s, err := c.shape(name)
		if err != nil {
			return nil, err
		}
		c.plan.resources[name] = s
	}
	for at := range errata {
		if !c.corrected[at] {
			return nil, fmt.Errorf("the erratum of %s corrects nothing", at)
		}
	}
	c.plan.rules = len(c.expressions)
	return c.plan, c.complete()
}

// complete makes sure that no invariant of the tables was left out. Those of
// types that no resource has are compiled, to know that they could be asked.
func (c *compiler) complete() error {
	for name := range c.definitions.TypeNames() {
		t, _ := c.definitions.Type(name)
		if c.plan.shapes[name] == nil {
			if _, err := c.rules(nil, t.Name, t.Constraints); err != nil {
				return err
			}
		}
		if err := c.took(t.Name, t.Constraints); err != nil {
			return err
		}
		for _, e := range t.Elements {
			if err := c.took(e.Path, e.Constraints); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *compiler) took(path string, constraints []conformance.Constraint) error {
	for _, constraint := range constraints {
		if at := path + " " + constraint.Key; !c.taken[at] && !inCode[constraint.Key] {
			return fmt.Errorf("%s is asked of nothing", at)
		}
	}
	return nil
}

func (c *compiler) shape(name string) (*shape, error) {
	if s, ok := c.plan.shapes[name]; ok {
		return s, nil
	}
	t, ok := c.definitions.Type(name)
	typ := c.plan.model.Type(name)
	if !ok || typ == nil {
		return nil, fmt.Errorf("type %s", name)
	}
	s := &shape{
		name: name, typ: typ, members: map[string]*member{},
		reference: name == "Reference", extension: name == "Extension", elementDefinition: name == "ElementDefinition",
	}
	c.plan.shapes[name] = s
	for base, ok := t, true; ok; base, ok = c.definitions.Type(base.Base) {
		var err error
		if s.rules, err = c.rules(s.rules, base.Name, base.Constraints); err != nil {
			return nil, err
		}
	}
	for _, e := range t.Elements {
		if t.Kind == conformance.KindPrimitive && e.Name == "value" {
			continue
		}
		for _, typeName := range e.Types {
			if err := c.member(s, e, typeName); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (c *compiler) member(s *shape, e *conformance.Element, typeName string) error {
	m := &member{element: e, id: e.Path == "Element.id" || e.Path == "Resource.id"}
	name := e.Name
	if e.Choice {
		name = conformance.ChoiceName(e.Name, typeName)
	}
	t, ok := c.definitions.Type(typeName)
	if !ok {
		return fmt.Errorf("%s: type %s", e.Path, typeName)
	}
	var err error
	if m.rules, err = c.rules(nil, e.Path, e.Constraints); err != nil {
		return err
	}
	if e.ContentReference != "" {
		// What is said at the element that it refers to is said of it, too.
		if of := c.referenced(e.ContentReference[1:]); of != nil {
			if m.rules, err = c.rules(m.rules, of.Path, of.Constraints); err != nil {
				return err
			}
		}
	}
	if p, ok := c.definitions.Type(e.TypeProfile); ok && p.Base == typeName {
		if m.rules, err = c.rules(m.rules, p.Name, p.Constraints); err != nil {
			return err
		}
	}
	if t.Kind == conformance.KindResource {
		s.members[name] = m
		return nil
	}
	if m.shape, err = c.shape(typeName); err != nil {
		return err
	}
	if t.Kind == conformance.KindPrimitive {
		m.primitive, m.other = true, "_"+name
		m.local = typeName == "canonical" || typeName == "uri" || typeName == "url"
		under := *m
		under.under, under.other = true, name
		s.members["_"+name] = &under
	}
	s.members[name] = m
	return nil
}

// referenced is the element with a path: Questionnaire.item.
func (c *compiler) referenced(path string) *conformance.Element {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' {
			e, _ := c.definitions.Element(path[:i], path[i+1:])
			return e
		}
	}
	return nil
}

// rules adds the constraints at a path to what is asked of an element already.
// One expression is asked once, under both keys.
func (c *compiler) rules(rules []*rule, path string, constraints []conformance.Constraint) ([]*rule, error) {
	for _, constraint := range constraints {
		if inCode[constraint.Key] {
			continue
		}
		text := constraint.Expression
		at := path + " " + constraint.Key
		c.taken[at] = true
		if e, ok := errata[at]; ok {
			if e.was != text {
				return nil, fmt.Errorf("the erratum of %s is about another text", at)
			}
			text, c.corrected[at] = e.is, true
		}
		expression, ok := c.expressions[text]
		if !ok {
			var err error
			if expression, err = fhirpath.Compile(text); err != nil {
				return nil, fmt.Errorf("%s: %w", at, err)
			}
			c.expressions[text] = expression
		}
		if i := slices.IndexFunc(rules, func(r *rule) bool { return r.expression == expression }); i >= 0 {
			rules[i].keys += ", " + constraint.Key
			continue
		}
		rules = append(rules, &rule{
			keys: constraint.Key, severity: conformance.Severity(constraint.Severity), expression: expression,
			containedOnly: constraint.Key == "dom-4" || constraint.Key == "dom-5",
			notContained:  constraint.Key == "dom-6", // narrative is for the container's to have (R4 narrative)
		})
	}
	return rules, nil
}
