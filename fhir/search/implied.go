package search

import (
	"iter"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// leads are the elements that a parameter's expression leads to, as far as it is
// made of plain paths: Patient.gender, but not a choice or a condition.
func (p *parser) leads(sp *conformance.SearchParameter) iter.Seq[*conformance.Element] {
	return func(yield func(*conformance.Element) bool) {
		for _, path := range strings.Split(sp.Expression, " | ") {
			names := strings.Split(path, ".")
			typ := names[0]
			var element *conformance.Element
			for _, name := range names[1:] {
				var ok bool
				if element, ok = p.o.Base.Definitions.Element(typ, name); !ok || len(element.Types) != 1 {
					element = nil
					break
				}
				typ = element.Types[0]
			}
			if element != nil && !yield(element) {
				return
			}
		}
	}
}

// booleans reports whether a system is the one that elements of type boolean
// imply: as it is called, and as R4's search page calls it.
func booleans(system string) bool {
	return system == "http://terminology.hl7.org/CodeSystem/special-values" || system == "http://hl7.org/fhir/special-values"
}

// implies reports whether a system is the one that the parameter's elements
// imply: an element of type code has no system of its own but is bound to the
// codes of one, as Patient.gender is (R4 search, token). With a code, the
// system must have that code.
func (f field) implies(system, code string) bool {
	if system == "" {
		return false
	}
	for element := range f.p.leads(f.sp) {
		if element.Types[0] == "boolean" && booleans(system) && (code == "" || code == "true" || code == "false") {
			return true
		}
		if element.Types[0] != "code" || element.Binding == nil {
			continue
		}
		values, ok := f.p.o.Base.Definitions.ValueSet(element.Binding.ValueSet)
		switch {
		case !ok:
		case code != "" && values.Contains(system, code):
			return true
		case code == "":
			if systems := values.Systems(); len(systems) == 1 && systems[0] == system {
				return true
			}
		}
	}
	return false
}

// ofNames reports whether a string parameter's elements are names of people,
// or the family names of these.
func (f field) ofNames() bool {
	for element := range f.p.leads(f.sp) {
		if element.Types[0] == "HumanName" || element.Path == "HumanName.family" {
			return true
		}
	}
	return false
}

// ofMediaTypes reports whether a token parameter's elements are media types:
// DocumentReference's contenttype.
func (f field) ofMediaTypes() bool {
	for element := range f.p.leads(f.sp) {
		if element.Binding != nil && strings.HasPrefix(element.Binding.ValueSet, "http://hl7.org/fhir/ValueSet/mimetypes") {
			return true
		}
	}
	return false
}

// ofStrings reports whether a token parameter's elements are strings, which
// are compared without regard to case (R4 search, token): Medication's
// lot-number, a canonical resource's version.
func (f field) ofStrings() bool {
	for element := range f.p.leads(f.sp) {
		if element.Types[0] == "string" {
			return true
		}
	}
	return false
}

// ofOthers reports whether it is known which elements a parameter is of, and
// that none is of a type.
func (f field) ofOthers(typ string) bool {
	known := false
	for element := range f.p.leads(f.sp) {
		if slices.Contains(element.Types, typ) {
			return false
		}
		known = true
	}
	return known
}
