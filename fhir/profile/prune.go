package profile

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// pruneBelow goes through the children of a node whose value is of one of the
// types; none if that cannot be told.
func (s *Structure) pruneBelow(n *node, types []*conformance.Type) error {
	for _, t := range types {
		if n.content != "" {
			break // what it refers to has them
		}
		// What a profile says of Questionnaire.item holds for items of items.
		for _, e := range t.Elements {
			if id, ok := strings.CutPrefix(e.ContentReference, "#"+s.Type+"."); ok && s.at(id, false) != nil {
				if c := n.child(e.Name, n.id+"."+e.Name, true); len(c.children) == 0 {
					c.content = id
				}
			}
		}
	}
	for _, c := range n.children {
		var found *conformance.Element
		for _, t := range types {
			e, ok := conformance.R4().Element(t.Name, c.name)
			if !ok {
				var choice string
				if e, choice, ok = conformance.R4().ChoiceElement(t.Name, c.name); ok {
					// A short form: valueQuantity for value[x] of that type.
					c.name, c.choice = e.Name, choice
				}
			}
			if ok {
				found = e
				break
			}
		}
		if found == nil {
			if len(types) > 0 && !slices.ContainsFunc(types, func(t *conformance.Type) bool { return t.Abstract }) {
				return &Error{URL: s.URL, Element: c.id, Rule: "R4 has no such element"}
			}
			if err := s.pruneBelow(c, nil); err != nil {
				return err
			}
			continue
		}
		if err := s.pruneElement(c, found); err != nil {
			return err
		}
	}
	return nil
}

func (s *Structure) pruneElement(n *node, e *conformance.Element) error {
	// What lies below depends on the type that the profile leaves.
	if err := s.pruneBelow(n, n.typesBelow(e)); err != nil {
		return err
	}
	inherited := n.types
	for _, slice := range n.slices {
		if typ, ok := strings.CutPrefix(slice.slice, e.Name); ok && e.Choice && len(slice.types) == 0 {
			// A slice that is named valueQuantity is of that type.
			if i := slices.IndexFunc(e.Types, func(t string) bool { return conformance.ChoiceName("", t) == typ }); i >= 0 {
				slice.types = []typeRef{{code: e.Types[i]}}
			}
		}
		if len(slice.types) == 0 {
			slice.types = inherited
		}
		if err := s.pruneElement(slice, e); err != nil {
			return err
		}
	}
	if len(n.slices) == 1 && n.slicing == nil && !e.Repeats() && !e.Choice {
		// A name for the one value that there is.
		n.slicing, n.slices[0].slice = &slicing{rules: "open", discriminators: []discriminator{{"value", "$this"}}}, defaultSlice
	}
	if n.slice == "" {
		if n.min != unset && n.min <= e.Min {
			n.min = unset
		}
		if n.max == e.Max || n.max >= 0 && e.Max >= 0 && n.max >= e.Max {
			n.max = unset
		}
	} else if n.max == unbounded {
		n.max = unset
	}
	n.pruneTypes(e)
	if n.choice != "" {
		n.types = append(n.types, typeRef{code: n.choice})
	}
	if b := n.binding; b != nil {
		url, _, _ := strings.Cut(b.valueSet, "|")
		switch {
		case b.strength != "required" && b.strength != "extensible" && b.strength != "preferred":
			n.binding = nil
		case e.Binding != nil && e.Binding.Strength == b.strength && e.Binding.ValueSet == url && b.max == "":
			n.binding = nil
		}
	}
	if e.ContentReference != "" && n.content == "" && len(n.children) == 0 {
		n.content = strings.TrimPrefix(e.ContentReference, "#")
	}
	known := keysOf(e)
	n.rules = slices.DeleteFunc(n.rules, func(r *rule) bool { return known[r.key] == r.expression })
	return nil
}

// typesBelow are the types that a value of an element may have.
func (n *node) typesBelow(e *conformance.Element) []*conformance.Type {
	names := e.Types
	switch {
	case n.choice != "":
		names = []string{n.choice}
	case len(n.types) > 0 && !strings.Contains(e.Types[0], "."):
		names = nil
		for _, t := range n.types {
			names = append(names, t.code)
		}
	}
	var types []*conformance.Type
	for _, name := range names {
		if t, ok := conformance.R4().Type(name); ok {
			types = append(types, t)
		}
	}
	return types
}

// pruneTypes takes off types that are no narrower than R4's.
func (n *node) pruneTypes(e *conformance.Element) {
	if len(n.types) == 0 {
		return
	}
	if strings.Contains(e.Types[0], ".") { // a backbone, of which there is one
		n.types = nil
		return
	}
	for i := range n.types {
		t := &n.types[i]
		t.profiles = slices.DeleteFunc(slices.Clone(t.profiles), func(p string) bool {
			name, ok := Core(p)
			p, _, _ = strings.Cut(p, "|")
			return ok && name == t.code || p == coreDefinition+e.TypeProfile && e.TypeProfile != ""
		})
		if t.code == "Reference" && sameTargets(t.targets, e.TargetTypes) || t.code == "canonical" {
			t.targets = nil // where a canonical leads is not looked at
		}
	}
	for _, name := range e.Types {
		if !slices.ContainsFunc(n.types, func(t typeRef) bool { return t.code == name || t.code == "" }) && !strings.HasPrefix(name, "System.") {
			return // narrower
		}
	}
	if !slices.ContainsFunc(n.types, func(t typeRef) bool { return len(t.profiles) > 0 || len(t.targets) > 0 }) {
		n.types = nil
	}
}

// sameTargets tells whether target profiles are R4's own: the definitions of
// the same types.
func sameTargets(targets, types []string) bool {
	if len(targets) == 0 {
		return true
	}
	if len(targets) == 1 && targets[0] == coreDefinition+"Resource" {
		return true
	}
	if len(targets) != len(types) {
		return false
	}
	for _, target := range targets {
		if name, ok := Core(target); !ok || !slices.Contains(types, name) {
			return false
		}
	}
	return true
}

// keysOf are the invariants that R4 has on an element and on its types, by key.
func keysOf(e *conformance.Element) map[string]string {
	known := map[string]string{}
	add := func(all []conformance.Constraint) {
		for _, c := range all {
			known[c.Key] = c.Expression
		}
	}
	add(e.Constraints)
	for _, name := range e.Types {
		for t, ok := conformance.R4().Type(name); ok; t, ok = conformance.R4().Type(t.Base) {
			add(t.Constraints)
		}
	}
	return known
}
