package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/fhirfacade/fhirfacade/conformance/internal/union"
)

// FirstCustomParameterNumber is the lowest number of a search parameter that
// a tenant defined. Those of numbers.txt stay below it.
const FirstCustomParameterNumber = 0x8000

// With returns definitions that have these search parameters as well, each for
// its Base and the types that inherit from it. The receiver does not change,
// and what is not a search parameter is shared with it. The parameters must
// not change afterwards. Their numbers are FirstCustomParameterNumber or
// greater, and no resource type may get a second parameter of the same code.
func (d *Definitions) With(parameters []*SearchParameter) (*Definitions, error) {
	if len(parameters) == 0 {
		return d, nil
	}
	all := *d
	all.parameters = append(slices.Clone(d.parameters), parameters...)
	all.parametersByURL, all.parametersByNumber = maps.Clone(d.parametersByURL), maps.Clone(d.parametersByNumber)
	added := map[string][]*SearchParameter{}
	for _, p := range parameters {
		if p.Number < FirstCustomParameterNumber {
			return nil, fmt.Errorf("search parameter %s: number %d is among those of numbers.txt", p.Code, p.Number)
		}
		if t, ok := d.types[p.Base]; !ok || t.Kind != KindResource {
			return nil, fmt.Errorf("search parameter %s: %s is no resource type", p.Code, p.Base)
		}
		added[p.Base] = append(added[p.Base], p)
		all.parametersByURL[p.URL] = append(slices.Clone(all.parametersByURL[p.URL]), p)
		all.parametersByNumber[p.Number] = append(slices.Clone(all.parametersByNumber[p.Number]), p)
	}
	all.searchable = maps.Clone(d.searchable)
	for name, was := range d.searchable {
		var own []*SearchParameter
		for t, ok := d.types[name], true; ok; t, ok = d.types[t.Base] {
			own = append(own, added[t.Name]...)
		}
		if len(own) == 0 {
			continue
		}
		s := &searchable{sorted: append(slices.Clone(was.sorted), own...), byCode: maps.Clone(was.byCode)}
		slices.SortFunc(s.sorted, func(a, b *SearchParameter) int { return cmp.Compare(a.Code, b.Code) })
		for _, p := range own {
			if _, twice := s.byCode[p.Code]; twice {
				return nil, fmt.Errorf("%s has two search parameters with code %s", name, p.Code)
			}
			s.byCode[p.Code] = p
		}
		all.searchable[name] = s
	}
	return &all, nil
}

// Inherits reports whether a resource type is another one or is derived from
// it: every resource is a Resource.
func (d *Definitions) Inherits(resourceType, base string) bool {
	for t, ok := d.types[resourceType], true; ok && t != nil; t, ok = d.types[t.Base] {
		if t.Name == base {
			return true
		}
	}
	return false
}

// SplitByBase gives each base type the parts of a search parameter's
// expression that start with it, as R4's own parameters are compiled
// (https://hl7.org/fhir/R4/searchparameter.html): the types of a shared
// parameter are joined by "|". A part that names no type is for all of them.
func SplitByBase(expression string, bases []string) (map[string]string, error) {
	parts, err := union.SplitByBase(expression, bases)
	if err != nil {
		return nil, err
	}
	of := make(map[string]string, len(parts))
	for _, p := range parts {
		of[p.Base] = p.Expression
	}
	return of, nil
}
