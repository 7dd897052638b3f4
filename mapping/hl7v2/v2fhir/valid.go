package v2fhir

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// validate makes sure that what a message became is FHIR: what no rule here
// has foreseen is an error of the message that names the element.
func (w *writer) validate() {
	w.at = hl7v2.Path{}
	for _, e := range w.result.Entries {
		if clean(e.Resource) {
			w.warn(hl7v2.ErrDataType, "control characters in "+text(e.Resource, "resourceType")+" were left out")
		}
		body, err := marshal(e.Resource)
		if err != nil {
			w.problem(hl7v2.ErrInternal, "the resource cannot be written")
			continue
		}
		for _, issue := range conformance.ValidateStructure(body) {
			if issue.Severity == conformance.SeverityError || issue.Severity == conformance.SeverityFatal {
				w.problem(hl7v2.ErrDataType, "what it says for "+issue.Expression+" is not valid in FHIR")
			}
		}
	}
}

// clean takes control characters, which FHIR does not allow, out of all the
// strings of a value.
func clean(x any) (changed bool) {
	switch v := x.(type) {
	case object:
		for name, member := range v {
			if s, ok := member.(string); ok {
				if plain := printable(s); plain != s {
					v[name], changed = plain, true
				}
				continue
			}
			changed = clean(member) || changed
		}
	case []any:
		for i, element := range v {
			if s, ok := element.(string); ok {
				if plain := printable(s); plain != s {
					v[i], changed = plain, true
				}
				continue
			}
			changed = clean(element) || changed
		}
	}
	return changed
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return -1
		}
		return r
	}, s)
}
