package conformance

import (
	"fmt"
	"slices"
	"sync"
)

// shape is a type compiled for the validator: which JSON members its objects
// may have and what each must be.
type shape struct {
	name     string
	elements []*Element // by slot
	table    []*member  // open-addressed by memberHash; length a power of two

	required uint64 // slots that must be present
	idSlot   uint64 // bit of Element.id, 0 for resources
	kind     shapeKind

	// Of an Extension.
	extensionSlot, valueSlot uint64
}

type shapeKind uint8

const (
	plainShape shapeKind = iota
	resourceShape
	extensionShape
	referenceShape
)

// member is what one JSON member name means in a shape.
type member struct {
	name    string   // in JSON: valueQuantity, _birthDate
	bare    string   // name without the underscore
	element *Element // value[x], birthDate
	bit     uint64   // of the element's slot
	repeats bool

	// under is true for the member that carries a primitive's id and extensions
	// (https://hl7.org/fhir/R4/json.html#primitive).
	under bool
	// forbidden: a profile set max to 0.
	forbidden bool

	// choice is the place of the type among those of a choice element, from 1;
	// 0 for other elements. choiceIndex numbers the choice elements of a shape.
	choice      uint8
	choiceIndex uint8

	// Exactly one of these is set.
	primitive primitive
	shape     *shape
	resource  bool // any resource

	typeName  string
	codes     *ValueSet // of a required binding that can be checked
	targets   map[string]struct{}
	reference bool // Reference.reference
}

// maxChoices is the number of choice elements that one shape can have;
// ElementDefinition has five.
const maxChoices = 8

// shapes are the compiled shapes of a release, by type name.
type shapes struct {
	byName map[string]*shape
	// resources are the concrete ones.
	resources map[string]*shape
}

var r4Shapes = sync.OnceValue(func() *shapes {
	s, err := compile(R4())
	if err != nil {
		panic("conformance: " + err.Error()) // broken build, as in R4
	}
	return s
})

func compile(d *Definitions) (*shapes, error) {
	all := &shapes{
		byName:    make(map[string]*shape, len(d.types)),
		resources: make(map[string]*shape, len(d.resourceTypes)),
	}
	for name, t := range d.types {
		s := &shape{name: name}
		all.byName[name] = s
		switch {
		case t.Kind == KindResource:
			s.kind = resourceShape
		case name == "Extension":
			s.kind = extensionShape
		case name == "Reference":
			s.kind = referenceShape
		}
		if t.Kind == KindResource && !t.Abstract {
			all.resources[name] = s
		}
	}
	for name, s := range all.byName {
		if err := s.compile(d, all, d.types[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

func (s *shape) compile(d *Definitions, all *shapes, t *Type) error {
	var members []*member
	choices := uint8(0)
	for _, e := range t.Elements {
		// A primitive's value is what its member holds, no member of its own.
		if t.Kind == KindPrimitive && e.Name == "value" {
			continue
		}
		if len(s.elements) == 64 {
			return fmt.Errorf("more than 64 elements")
		}
		bit := uint64(1) << len(s.elements)
		s.elements = append(s.elements, e)
		if e.Min > 0 {
			s.required |= bit
		}
		if e.Min > 1 {
			return fmt.Errorf("%s: min %d is not provided for", e.Path, e.Min)
		}
		switch {
		case e.Name == "id" && s.kind != resourceShape:
			s.idSlot = bit
		case e.Name == "extension" && s.kind == extensionShape:
			s.extensionSlot = bit
		case e.Name == "value" && s.kind == extensionShape:
			s.valueSlot = bit
		}
		if e.Choice {
			choices++
			if choices > maxChoices || len(e.Types) > 255 {
				return fmt.Errorf("more choices than provided for")
			}
		}
		for i, typeName := range e.Types {
			m := &member{name: e.Name, element: e, bit: bit, typeName: typeName, repeats: e.Repeats(), forbidden: e.Max == 0}
			if e.Choice {
				m.name, m.choice, m.choiceIndex = jsonChoiceName(e.Name, typeName), uint8(i+1), choices-1
			}
			m.bare = m.name
			under, err := m.link(d, all)
			if err != nil {
				return fmt.Errorf("%s: %w", e.Path, err)
			}
			members = append(members, m)
			if under != nil {
				members = append(members, under)
			}
		}
	}
	s.fill(members)
	return nil
}

// link resolves what the member's value must be; under is the member that
// belongs to it if it is a primitive.
func (m *member) link(d *Definitions, all *shapes) (under *member, err error) {
	t, ok := d.types[m.typeName]
	if !ok {
		return nil, fmt.Errorf("type %s", m.typeName)
	}
	e := m.element
	if e.Binding != nil && e.Binding.Strength == "required" {
		if t.Name != "code" && t.Name != "CodeableConcept" {
			return nil, fmt.Errorf("required binding of type %s is not provided for: R4 has none", t.Name)
		}
		m.codes = d.valueSets[e.Binding.ValueSet]
	}
	switch {
	case t.Kind == KindResource:
		m.resource = true
	case t.Kind == KindPrimitive:
		if m.primitive, ok = primitives[t.Name]; !ok {
			return nil, fmt.Errorf("primitive type %s", t.Name)
		}
		m.reference = e.Path == "Reference.reference"
		// These two are attributes in XML and cannot be extended.
		if e.Path == "Element.id" || e.Path == "Extension.url" {
			return nil, nil
		}
		u := *m
		u.name, u.under, u.primitive = "_"+m.name, true, 0
		u.shape = all.byName[t.Name]
		return &u, nil
	default:
		m.shape = all.byName[t.Name]
		if e.TypeProfile != "" && d.types[e.TypeProfile].Base == t.Name {
			m.shape = all.byName[e.TypeProfile]
		}
		if t.Name == "Reference" && len(e.TargetTypes) > 0 && !slices.Contains(e.TargetTypes, "Resource") {
			m.targets = make(map[string]struct{}, len(e.TargetTypes))
			for _, target := range e.TargetTypes {
				m.targets[target] = struct{}{}
			}
		}
	}
	return nil, nil
}

// fill builds the lookup table, at most a quarter full so that a name that is
// not in it meets an empty place at once.
func (s *shape) fill(members []*member) {
	size := 8
	for size < 4*len(members) {
		size *= 2
	}
	s.table = make([]*member, size)
	for _, m := range members {
		at := memberHash([]byte(m.name)) & uint32(size-1)
		for s.table[at] != nil {
			at = (at + 1) & uint32(size-1)
		}
		s.table[at] = m
	}
}

// lookup finds the member by its name. It is a quarter of the validator's work,
// which is why it is not a map.
func (s *shape) lookup(name []byte) *member {
	if len(name) == 0 {
		return nil
	}
	mask := uint32(len(s.table) - 1)
	for at := memberHash(name) & mask; ; at = (at + 1) & mask {
		m := s.table[at]
		if m == nil || m.name == string(name) {
			return m
		}
	}
}

// memberHash mixes the length and a few letters: enough to tell the at most a
// few dozen names of a shape apart, and independent of a name's length.
func memberHash(name []byte) uint32 {
	n := len(name)
	h := uint32(n)*0x9E3779B1 ^ uint32(name[0])*0x85EBCA6B ^ uint32(name[n-1])*0xC2B2AE35 ^ uint32(name[n/2])*0x27D4EB2F ^ uint32(name[n/4*3])*0x165667B1
	return h ^ h>>15
}
