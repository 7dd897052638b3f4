package conformance

import (
	"bytes"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// coded checks the required binding of an element that is not a plain code
// (https://hl7.org/fhir/R4/terminologies.html#bindings): of a CodeableConcept
// one coding must be in the value set, of a Coding and a Quantity its code.
func (v *validator) coded(n rawjson.Node, m *member) {
	switch m.typeName {
	case "Coding", "Quantity":
		if v.codingFails(n, m.codes) {
			v.reportBinding(n, m)
		}
	case "CodeableConcept":
		codings, ok := n.Member("coding")
		if !ok {
			// Text alone is no code of the value set; but an extension, such as
			// data-absent-reason, may say why there is none.
			if !hasExtension(n) {
				v.reportBinding(n, m)
			}
			return
		}
		for coding, ok := codings.Child(); ok; coding, ok = coding.Next() {
			if !v.codingFails(coding, m.codes) {
				return
			}
		}
		v.reportBinding(n, m)
	}
}

func (v *validator) reportBinding(n rawjson.Node, m *member) {
	v.report(n.Offset(), IssueCodeInvalid, m.element.Path+" must have a code of the value set "+m.codes.URL+" (required binding)")
}

// codingFails reports whether a coding has a code that is not in the value set.
// A coding without a code does not fail: its extension may say why, and its
// shape was checked.
func (v *validator) codingFails(n rawjson.Node, set *ValueSet) bool {
	code, ok := n.Member("code")
	if !ok || code.Kind() != rawjson.KindString {
		return !hasExtension(n)
	}
	system, _ := n.Member("system")
	return !set.Contains(string(system.Bytes()), string(code.Bytes()))
}

func (v *ValueSet) containsCode(code []byte) bool {
	_, ok := v.any[string(code)]
	return ok
}

// referenceTarget checks that a relative reference (Type/id, or the Type?query
// of a transaction's conditional reference) names a type that the element may
// refer to. Fragments and absolute URLs do not reliably tell the type
// (https://hl7.org/fhir/R4/references.html#literal).
func (v *validator) referenceTarget(n rawjson.Node, text []byte, context *member) {
	end := bytes.IndexAny(text, "/?#:")
	if end <= 0 || text[end] == '#' || text[end] == ':' {
		return
	}
	name := text[:end]
	if v.shapes.resources[string(name)] == nil {
		v.report(n.Offset(), IssueValue, "a relative reference must start with the name of a resource type")
		return
	}
	if context == nil || context.targets == nil {
		return
	}
	if _, ok := context.targets[string(name)]; !ok {
		v.report(n.Offset(), IssueValue, context.element.Path+" must not refer to a resource of that type")
	}
}
