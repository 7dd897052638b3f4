package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// literal is a value in a definition: fixed[x], pattern[x], minValue[x],
// maxValue[x].
type literal struct {
	// typ is the type as the member's name has it: Uri, CodeableConcept.
	typ   string
	value rawjson.Node
}

// newLiteral copies a value, so that the definition's text can be let go.
func newLiteral(typ string, value rawjson.Node) (*literal, error) {
	doc, err := rawjson.Parse(bytes.Clone(value.Raw()), nil)
	if err != nil {
		return nil, err
	}
	return &literal{strings.Clone(typ), doc.Root()}, nil
}

// same tells whether two values are exactly the same (ElementDefinition.fixed):
// the members of objects in any order, everything else as it is written.
func same(a, b rawjson.Node) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case rawjson.KindString:
		return sameText(a, b)
	case rawjson.KindNumber:
		return bytes.Equal(a.Raw(), b.Raw())
	case rawjson.KindArray:
		if a.Len() != b.Len() {
			return false
		}
		x, ok := a.Child()
		for y, more := b.Child(); ok && more; {
			if !same(x, y) {
				return false
			}
			x, ok = x.Next()
			y, more = y.Next()
		}
	case rawjson.KindObject:
		if a.Len() != b.Len() {
			return false
		}
		for x := range a.Members() {
			y, ok := b.Member(x.Name())
			if !ok || !same(x, y) {
				return false
			}
		}
	}
	return true
}

func sameText(a, b rawjson.Node) bool {
	if !a.Escaped() && !b.Escaped() {
		return bytes.Equal(a.Bytes(), b.Bytes())
	}
	return a.String() == b.String()
}

// matches tells whether a value has at least what a pattern has
// (ElementDefinition.pattern): each item of an array anywhere in the value's.
func matches(value, pattern rawjson.Node) bool {
	if value.Kind() != pattern.Kind() {
		return false
	}
	switch pattern.Kind() {
	case rawjson.KindArray:
		for p := range pattern.Elements() {
			found := false
			for v := range value.Elements() {
				if found = matches(v, p); found {
					break
				}
			}
			if !found {
				return false
			}
		}
		return true
	case rawjson.KindObject:
		for p, ok := pattern.Child(); ok; p, ok = p.Next() {
			v, found := value.Member(p.Name())
			if !found || !matches(v, p) {
				return false
			}
		}
		return true
	}
	return same(value, pattern)
}

// below are the parts of a literal at a path of names: of {"coding":[{"code":
// "x"}]} at coding.code, "x".
func below(n rawjson.Node, path []string) []rawjson.Node {
	if n.Kind() == rawjson.KindArray {
		var all []rawjson.Node
		for item := range n.Elements() {
			all = append(all, below(item, path)...)
		}
		return all
	}
	if len(path) == 0 {
		return []rawjson.Node{n}
	}
	m, ok := n.Member(path[0])
	if !ok {
		return nil
	}
	return below(m, path[1:])
}

// quoted is a string as a literal.
func quoted(s string) (*literal, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	doc, err := rawjson.Parse(raw, nil)
	if err != nil {
		return nil, err
	}
	return &literal{"Uri", doc.Root()}, nil
}

// errNotOrdered: values of the type have no order.
var errNotOrdered = errors.New("values of the type have no order")

// compare compiles the comparison of a value with a minValue or maxValue.
func (l *literal) compare(operator string) (*fhirpath.Expression, error) {
	text := l.value.String()
	switch l.typ {
	case "Date":
		text = "@" + text
	case "DateTime", "Instant":
		if !strings.Contains(text, "T") {
			text += "T"
		}
		text = "@" + text
	case "Time":
		text = "@T" + text
	case "Decimal", "Integer", "PositiveInt", "UnsignedInt":
		if strings.HasPrefix(text, "-") {
			text = "(" + text + ")"
		}
	case "Quantity":
		value, _ := l.value.Member("value")
		code, ok := l.value.Member("code")
		if !value.Exists() {
			return nil, errNotOrdered
		}
		if !ok {
			return fhirpath.Compile("value " + operator + " (" + value.String() + ")")
		}
		unit, err := json.Marshal(code.String())
		if err != nil || bytes.ContainsAny(unit, `'\`) {
			return nil, errNotOrdered
		}
		text = "(" + value.String() + " '" + string(unit[1:len(unit)-1]) + "')"
	default:
		return nil, errNotOrdered
	}
	return fhirpath.Compile("$this " + operator + " " + text)
}
