package search

import (
	"strings"
)

// implies reports whether a system is the one that the parameter's elements
// imply: an element of type code has no system of its own but is bound to the
// codes of one, as Patient.gender is (R4 search, token). With a code, the
// system must have that code.
func (f field) implies(system, code string) bool {
	if system == "" {
		return false
	}
	for _, path := range strings.Split(f.sp.Expression, " | ") {
		names := strings.Split(path, ".")
		typ := names[0]
		for i, name := range names[1:] {
			element, ok := f.p.o.Base.Definitions.Element(typ, name)
			if !ok || len(element.Types) != 1 {
				break
			}
			if typ = element.Types[0]; typ != "code" || i != len(names)-2 || element.Binding == nil {
				continue
			}
			values, ok := f.p.o.Base.Definitions.ValueSet(element.Binding.ValueSet)
			if !ok {
				continue
			}
			if code == "" {
				systems := values.Systems()
				return len(systems) == 1 && systems[0] == system
			}
			return values.Contains(system, code)
		}
	}
	return false
}
