package profile

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// derive makes the elements of a definition that has a differential only: the
// elements of the profile that it is derived from, each with what the
// differential changes of it. R4's own definition of the type adds nothing to
// check, so it is not laid below.
func (s *Structure) derive(resource rawjson.Node, base func(canonical string) (*Structure, error)) error {
	differential, ok := resource.Member("differential")
	if !ok {
		return &Error{URL: s.URL, Rule: "it has neither a snapshot nor a differential"}
	}
	own, err := s.readElements(differential)
	if err != nil {
		return err
	}
	if name, ok := Core(s.Base); ok {
		if name != s.Type {
			return &Error{URL: s.URL, Rule: "it has no snapshot, and baseDefinition is of another type"}
		}
		s.elements = own
		return nil
	}
	var b *Structure
	if base != nil && s.Base != "" {
		if b, err = base(s.Base); err != nil {
			return err
		}
	}
	if b == nil {
		return &Error{URL: s.URL, Rule: "it has no snapshot, and its baseDefinition " + shorten(s.Base) + " is not held"}
	}
	if b.Type != s.Type {
		return &Error{URL: s.URL, Rule: "it has no snapshot, and baseDefinition is of another type"}
	}
	s.elements = merge(b.elements, own)
	if len(s.elements) > MaxElements {
		return &Error{URL: s.URL, Rule: "it has too many elements with those of its bases"}
	}
	return nil
}

// merge lays a differential over the elements of a base. A slice begins as
// what the base says of the element that it is a slice of, which holds for
// each of its items anyway, and so does a child of a slice.
func merge(base, own []*element) []*element {
	at := make(map[string]int, len(base)+len(own))
	all := make([]*element, len(base), len(base)+len(own))
	for i, e := range base {
		copied := *e
		all[i], at[e.id] = &copied, i
	}
	for _, e := range own {
		i, ok := at[e.id]
		if !ok {
			copied := *e
			at[e.id] = len(all)
			all = append(all, &copied)
			continue
		}
		all[i].refine(e)
	}
	return all
}

// refine takes over what a differential says of an element.
func (e *element) refine(d *element) {
	if d.min != unset {
		e.min = d.min
	}
	if d.max != unset {
		e.max = d.max
	}
	if d.types != nil {
		e.types = d.types
	}
	if d.slicing != nil {
		e.slicing = d.slicing
	}
	for _, l := range []struct{ to, from **literal }{
		{&e.fixed, &d.fixed}, {&e.pattern, &d.pattern}, {&e.minValue, &d.minValue}, {&e.maxValue, &d.maxValue},
	} {
		if *l.from != nil {
			*l.to = *l.from
		}
	}
	if d.maxLength != 0 {
		e.maxLength = d.maxLength
	}
	if d.binding != nil {
		e.binding = d.binding
	}
	if d.content != "" {
		e.content = d.content
	}
	for _, c := range d.constraints {
		if !slices.ContainsFunc(e.constraints, func(o constraint) bool { return o.key == c.key }) {
			e.constraints = append(slices.Clip(e.constraints), c)
		}
	}
	e.mustSupport = e.mustSupport || d.mustSupport
	e.modifier = e.modifier || d.modifier
}

// parts cuts an id into its steps, each a name and the name of a slice.
func parts(id string) []string {
	if id == "" {
		return nil
	}
	return strings.Split(id, ".")
}
