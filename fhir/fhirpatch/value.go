package fhirpatch

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// value is what an operation puts in: the JSON of one element.
type value struct {
	element *conformance.Element
	// name is the member's: valueQuantity.
	name string
	// repeats: the member is a list, of which this is one element.
	repeats bool
	// text is the value, under what a primitive has besides; "" for none.
	text, under string
}

// valueFor reads a part as the value of an element of a type.
func (p *patcher) valueFor(typ, name string, part rawjson.Node) (value, error) {
	name = strings.TrimSuffix(name, "[x]")
	e, ok := p.Definitions.Element(typ, name)
	choice := ""
	if !ok {
		if e, choice, ok = p.Definitions.ChoiceElement(typ, name); !ok {
			return value{}, p.impossible("The part name, or the path, names no element of %s.", typ)
		}
	}
	if strings.HasPrefix(e.Types[0], "System.") {
		return value{}, p.impossible("A primitive's value is replaced, with its element.")
	}
	v := value{element: e, name: e.Name, repeats: e.Repeats()}
	given, under, is := p.given(part)
	parts, anonymous := part.Member("part")
	resource, isResource := part.Member("resource")
	switch {
	case anonymous && !given.Exists() && !under.Exists() && !isResource:
		if choice == "" {
			if choice = e.Types[0]; len(e.Types) > 1 {
				return value{}, p.impossible("The value of a choice needs a type: value[x] instead of parts.")
			}
		}
		if t, _ := p.Definitions.Type(choice); t.Kind == conformance.KindPrimitive || t.Kind == conformance.KindResource {
			return value{}, p.wrongType(e)
		}
		if e.Choice {
			v.name = choiceName(e, choice)
		}
		var err error
		v.text, err = p.object(choice, parts)
		return v, err
	case isResource && !given.Exists() && !under.Exists():
		if !p.Definitions.IsA(e.Types[0], "Resource") {
			return value{}, p.wrongType(e)
		}
		v.text = string(resource.Raw())
		return v, nil
	case is == "":
		return value{}, p.invalid("A value is a value[x], a resource, or parts.")
	}
	if e.Choice {
		v.name = choiceName(e, is)
		if _, _, ok := p.Definitions.ChoiceElement(typ, v.name); !ok || choice != "" && choice != is {
			return value{}, p.wrongType(e)
		}
	} else if !p.fits(is, e.Types[0]) {
		return value{}, p.wrongType(e)
	}
	if given.Exists() {
		v.text = string(given.Raw())
	}
	if under.Exists() {
		v.under = string(under.Raw())
	}
	return v, nil
}

func choiceName(e *conformance.Element, typ string) string {
	return e.Name + strings.ToUpper(typ[:1]) + typ[1:]
}

func (p *patcher) wrongType(e *conformance.Element) error {
	return p.impossible("The value is of a type that %s does not take.", e.Path)
}

// given is the value[x] of a part and its type.
func (p *patcher) given(part rawjson.Node) (v, under rawjson.Node, typ string) {
	for m := range part.Members() {
		name := m.Name()
		if _, is, ok := p.Definitions.ChoiceElement("Parameters.parameter", bare(name)); ok {
			if typ = is; name[0] == '_' {
				under = m
			} else {
				v = m
			}
		}
	}
	return v, under, typ
}

// fits reports whether a value of one type may stand for another.
func (p *patcher) fits(is, want string) bool {
	x, _ := p.Definitions.Type(is)
	y, ok := p.Definitions.Type(want)
	if !ok {
		return false
	}
	if x.Kind == conformance.KindPrimitive && y.Kind == conformance.KindPrimitive {
		return jsonKind(is) == jsonKind(want)
	}
	return p.Definitions.IsA(is, want) || p.Definitions.IsA(want, is)
}

// jsonKind tells primitives apart by how JSON writes them
// (https://hl7.org/fhir/R4/json.html#primitive).
func jsonKind(primitive string) rawjson.Kind {
	switch primitive {
	case "boolean":
		return rawjson.KindTrue
	case "decimal", "integer", "positiveInt", "unsignedInt":
		return rawjson.KindNumber
	}
	return rawjson.KindString
}

// object makes the JSON of an element whose type has no value[x] from parts.
func (p *patcher) object(typ string, parts rawjson.Node) (string, error) {
	var order []*members
	byName := map[string]*members{}
	for part := range parts.Elements() {
		name, _ := part.Member("name")
		v, err := p.valueFor(typ, name.String(), part)
		if err != nil {
			return "", err
		}
		m := byName[v.name]
		if m == nil {
			m = &members{is: v.name, repeats: v.repeats}
			byName[v.name] = m
			order = append(order, m)
		} else if !v.repeats {
			return "", p.impossible("The value has an element twice that does not repeat.")
		}
		m.insert(m.len(), v)
	}
	var b strings.Builder
	for _, m := range order {
		m.writeTo(&b)
	}
	if b.Len() == 0 {
		return "", p.invalid("A value has no parts.")
	}
	return b.String() + "}", nil
}

// typeOf is the type of an object of the resource.
func (p *patcher) typeOf(object rawjson.Node) string {
	typ := ""
	for _, n := range p.chain(object) {
		if t, ok := n.Member("resourceType"); ok && n.Kind() == rawjson.KindObject {
			typ = t.String()
			continue
		}
		if n.Kind() == rawjson.KindArray || n.Name() != "" {
			name := bare(n.Name())
			if e, ok := p.Definitions.Element(typ, name); ok {
				typ = e.Types[0]
			} else if _, choice, ok := p.Definitions.ChoiceElement(typ, name); ok {
				typ = choice
			}
		}
	}
	return typ
}
