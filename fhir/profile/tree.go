package profile

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// node is an element in the tree of a structure, or a slice of one. What is
// not in the tree is not constrained beyond R4.
type node struct {
	// id is the element's: "Patient.extension:race".
	id       string
	name     string // "value" of value[x]
	slice    string // its name, "" for none
	choice   string // the type that a name such as valueQuantity says
	min, max int

	types          []typeRef
	fixed, pattern *literal
	// least and most are expressions of minValue and maxValue.
	least, most *fhirpath.Expression
	maxLength   int
	binding     *binding
	rules       []*rule

	slicing  *slicing
	slices   []*node
	children []*node
	// same is the element whose children it has, by contentReference.
	same    *node
	content string

	// criteria are what makes an item one of this slice, one for each
	// discriminator.
	criteria []*criterion
}

// rule is an invariant of the profile.
type rule struct {
	constraint
	path *fhirpath.Expression
}

// compile makes the tree of the elements.
func (s *Structure) compile() error {
	s.root = &node{id: s.Type, min: unset, max: unset}
	for _, e := range s.elements {
		n := s.at(e.id, true)
		if err := s.fill(n, e); err != nil {
			return err
		}
	}
	if err := s.prune(); err != nil {
		return err
	}
	s.root.simplify()
	if err := s.link(s.root); err != nil {
		return err
	}
	s.root.trim(map[*node]bool{})
	return nil
}

// at is the node of an id. Those on the way to it are made if they are missing.
func (s *Structure) at(id string, make bool) *node {
	n := s.root
	for _, step := range parts(id) {
		name, slice, _ := strings.Cut(step, ":")
		n = n.child(strings.TrimSuffix(name, "[x]"), n.id+"."+name, make)
		if n == nil {
			return nil
		}
		// a/b is a slice of the slice a (R4 profiling § 5.1.0.11).
		for end := 0; slice != "" && n != nil; {
			next := strings.IndexByte(slice[end:], '/')
			if next < 0 {
				n = n.sliceOf(slice, make)
				break
			}
			n = n.sliceOf(slice[:end+next], make)
			end += next + 1
		}
		if n == nil {
			return nil
		}
	}
	return n
}

func (n *node) child(name, id string, make bool) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	if !make {
		return nil
	}
	c := &node{id: id, name: name, min: unset, max: unset}
	n.children = append(n.children, c)
	return c
}

func (n *node) sliceOf(slice string, make bool) *node {
	for _, c := range n.slices {
		if c.slice == slice {
			return c
		}
	}
	if !make {
		return nil
	}
	id := n.id
	if n.slice != "" {
		id = strings.TrimSuffix(id, ":"+n.slice)
	}
	c := &node{id: id + ":" + slice, name: n.name, slice: slice, min: unset, max: unset}
	n.slices = append(n.slices, c)
	return c
}

// fill takes over what an element says.
func (s *Structure) fill(n *node, e *element) error {
	n.min, n.max, n.types, n.slicing, n.binding, n.content = e.min, e.max, e.types, e.slicing, e.binding, e.content
	n.fixed, n.pattern, n.maxLength = e.fixed, e.pattern, e.maxLength
	fail := func(rule string) error { return &Error{URL: s.URL, Element: n.id, Rule: rule} }
	var err error
	for _, bound := range []struct {
		of       *literal
		into     **fhirpath.Expression
		operator string
		name     string
	}{{e.minValue, &n.least, ">=", "minValue"}, {e.maxValue, &n.most, "<=", "maxValue"}} {
		if bound.of == nil {
			continue
		}
		if *bound.into, err = bound.of.compare(bound.operator); err != nil {
			return fail(bound.name + " must be a date, a time, a number or a Quantity")
		}
	}
	for _, c := range e.constraints {
		if c.expression == "" {
			continue // R4: then a person has to look
		}
		if c.severity != "error" && c.severity != "warning" {
			return fail("the severity of a constraint must be error or warning")
		}
		path, err := fhirpath.Compile(c.expression)
		if err != nil {
			return fail("the expression of the constraint " + shorten(c.key) + " is no FHIRPath")
		}
		n.rules = append(n.rules, &rule{c, path})
	}
	return nil
}

// simplify takes off what a slice repeats of the element that it is a slice
// of: an item is checked against both.
func (n *node) simplify() {
	for _, c := range n.children {
		c.simplify()
	}
	for _, slice := range n.slices {
		slice.simplify()
		slice.less(n, true)
	}
}

func (n *node) less(of *node, root bool) {
	if !root {
		if n.min != unset && n.min <= max(of.min, 0) {
			n.min = unset
		}
		if n.max == of.max {
			n.max = unset
		}
	}
	if !root {
		// The slice itself keeps what it may be known by.
		if slices.EqualFunc(n.types, of.types, typeRef.equal) {
			n.types = nil
		}
	}
	if n.binding != nil && of.binding != nil && *n.binding == *of.binding {
		n.binding = nil
	}
	n.rules = slices.DeleteFunc(n.rules, func(r *rule) bool {
		return slices.ContainsFunc(of.rules, func(o *rule) bool { return o.constraint == r.constraint })
	})
	for _, c := range n.children {
		if o := of.child(c.name, "", false); o != nil {
			c.less(o, false)
		}
	}
}

func (t typeRef) equal(o typeRef) bool {
	return t.code == o.code && slices.Equal(t.profiles, o.profiles) && slices.Equal(t.targets, o.targets)
}

// link resolves content references and the criteria of slices.
func (s *Structure) link(n *node) error {
	if n.content != "" {
		id := strings.TrimPrefix(strings.TrimPrefix(n.content, s.Type), ".")
		n.same = s.at(id, false)
	}
	if err := s.discriminators(n); err != nil {
		return err
	}
	for _, list := range [][]*node{n.children, n.slices} {
		for _, c := range list {
			if err := s.link(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// discriminators gives the slices of an element their criteria.
func (s *Structure) discriminators(n *node) error {
	if len(n.slices) == 0 {
		if n.slicing != nil && n.slicing.rules != "closed" {
			n.slicing = nil
		}
		return nil
	}
	if n.slicing == nil || len(n.slicing.discriminators) == 0 {
		// Without discriminators only people can tell slices apart (R4 profiling
		// § 5.1.0.10), but for those that need no saying.
		implied := n.implied()
		if n.slicing != nil {
			implied.rules, implied.ordered = n.slicing.rules, n.slicing.ordered
		}
		n.slicing = implied
	}
	for _, slice := range n.slices {
		for _, d := range n.slicing.discriminators {
			c, rule := newCriterion(slice, d)
			if rule != "" {
				return &Error{URL: s.URL, Element: n.id, Rule: rule}
			}
			slice.criteria = append(slice.criteria, c)
		}
	}
	return nil
}

// implied is the slicing that needs no saying: extensions by url, choices by
// type.
func (n *node) implied() *slicing {
	switch {
	case n.name == "extension" || n.name == "modifierExtension":
		return &slicing{discriminators: []discriminator{{"value", "url"}}, rules: "open"}
	case n.slices[0].choiceSlice():
		return &slicing{discriminators: []discriminator{{"type", "$this"}}, rules: "open"}
	}
	return &slicing{rules: "open"}
}

func (n *node) choiceSlice() bool {
	return strings.HasSuffix(strings.TrimSuffix(n.id, ":"+n.slice), "[x]")
}

// trim takes off what constrains nothing and tells whether anything is left.
func (n *node) trim(seen map[*node]bool) bool {
	if seen[n] {
		return true
	}
	seen[n] = true
	keep := func(c *node) bool { return c.trim(seen) }
	n.children = slices.DeleteFunc(n.children, func(c *node) bool { return !keep(c) })
	for _, slice := range n.slices {
		keep(slice)
	}
	if n.same != nil && n.same != n && !n.same.trim(seen) {
		n.same = nil
	}
	return n.min > 0 || n.max != unset || len(n.types) > 0 || n.fixed != nil || n.pattern != nil || n.least != nil || n.most != nil ||
		n.maxLength > 0 || n.binding != nil || len(n.rules) > 0 || n.slicing != nil || len(n.slices) > 0 || len(n.children) > 0 || n.same != nil
}

// prune takes off what R4's own definitions say already, and refuses elements
// that R4 does not have.
func (s *Structure) prune() error {
	t, _ := conformance.R4().Type(s.Type)
	s.root.types, s.root.min, s.root.max, s.root.content = nil, unset, unset, ""
	known := keysOf(&conformance.Element{Types: []string{s.Type}})
	s.root.rules = slices.DeleteFunc(s.root.rules, func(r *rule) bool { return known[r.key] == r.expression })
	return s.pruneBelow(s.root, []*conformance.Type{t})
}
