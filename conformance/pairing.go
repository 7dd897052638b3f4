package conformance

import "github.com/fhirfacade/fhirfacade/conformance/rawjson"

// A primitive and its id and extensions are two members, birthDate and
// _birthDate. For a repeating primitive both are arrays in step, with null
// where the one or the other has nothing
// (https://hl7.org/fhir/R4/json.html#primitive).

const ruleEmptyPrimitive = "ele-1: a primitive must have a value or extensions"

// pairOne checks the underscore member of a primitive that does not repeat.
func (v *validator) pairOne(parent, n rawjson.Node, m *member) {
	if n.Kind() != rawjson.KindObject || n.Len() == 0 || hasExtension(n) {
		return
	}
	if _, ok := parent.Member(m.bare); !ok {
		v.report(n.Offset(), IssueInvariant, ruleEmptyPrimitive)
	}
}

// pairMany checks the two arrays of a repeating primitive against each other. It
// is called for the underscore array, and for the value array if it has nulls.
func (v *validator) pairMany(parent, n rawjson.Node, m *member) {
	name := m.bare
	if !m.under {
		name = "_" + name
	}
	other, ok := parent.Member(name)
	if ok && !m.under {
		return // the underscore array's turn checks both
	}
	top := len(v.path) - 1
	if ok && other.Kind() == rawjson.KindArray && other.Len() != n.Len() {
		v.path[top].Index = -1
		v.report(n.Offset(), IssueStructure, "the arrays of values and of their extensions must have the same length")
		return
	}
	match, have := other.Child()
	i := 0
	for item, ok := n.Child(); ok; item, ok = item.Next() {
		v.path[top].Index = i
		i++
		switch {
		case have && match.Kind() != rawjson.KindNull: // a value, whatever n has for it
		case item.Kind() == rawjson.KindNull, m.under && !hasExtension(item):
			v.report(item.Offset(), IssueInvariant, ruleEmptyPrimitive)
		}
		if have {
			match, have = match.Next()
		}
	}
}

func hasExtension(n rawjson.Node) bool {
	_, ok := n.Member("extension")
	return ok
}
