package conformance

import (
	"bytes"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// concept checks the required binding of a CodeableConcept: one of its codings
// must be in the value set (https://hl7.org/fhir/R4/terminologies.html#bindings).
// Text alone is no code of it. But where there is an extension instead, such as
// data-absent-reason, it may say why there is no code.
func (v *validator) concept(n rawjson.Node, m *member) {
	codings, ok := n.Member("coding")
	if !ok && hasExtension(n) {
		return
	}
	for coding, ok := codings.Child(); ok; coding, ok = coding.Next() {
		code, ok := coding.Member("code")
		if !ok && hasExtension(coding) {
			return
		}
		system, _ := coding.Member("system")
		if m.codes.Contains(string(system.Bytes()), string(code.Bytes())) {
			return
		}
	}
	v.reportBinding(n, m)
}

func (v *validator) reportBinding(n rawjson.Node, m *member) {
	v.report(n.Offset(), IssueCodeInvalid, m.element.Path+" must have a code of the value set "+m.codes.URL+" (required binding)")
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
