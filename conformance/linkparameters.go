package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// numbers reads numbers.txt; the parameters' numbers are returned by URL.
func (r *decoder) numbers(file string) (map[string]uint16, error) {
	parameters := make(map[string]uint16, 1400)
	for i := 1; len(file) > 0; i++ {
		var line string
		line, file, _ = strings.Cut(file, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		kind, rest, _ := strings.Cut(line, "\t")
		digits, name, _ := strings.Cut(rest, "\t")
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("numbers: line %d: %w", i, err)
		}
		number := uint16(n)
		switch kind {
		case "type":
			r.d.typeNumbers[name] = number
			for len(r.d.typeNames) <= int(number) {
				r.d.typeNames = append(r.d.typeNames, "")
			}
			r.d.typeNames[number] = name
		case "param":
			parameters[name] = number
		default:
			return nil, fmt.Errorf("numbers: line %d: kind %q", i, kind)
		}
	}
	for _, name := range r.d.resourceTypes {
		if r.d.typeNumbers[name] == 0 {
			return nil, fmt.Errorf("resource type %s has no number: run go generate", name)
		}
	}
	return parameters, nil
}

// linkParameters numbers the parameters, spreads each over its base types and
// gives every resource type its own and the inherited ones.
func (r *decoder) linkParameters(numbers map[string]uint16) error {
	byURL := make(map[string]*parameterTemplate, len(r.spec))
	for _, p := range r.spec {
		p.Number = numbers[p.URL]
		if p.Number < FirstParameterNumber {
			return fmt.Errorf("search parameter %s has no number: run go generate", p.URL)
		}
		byURL[p.URL] = p
	}
	own := make(map[string][]*SearchParameter, 150)
	for _, p := range r.spec {
		for i, c := range p.Components {
			def, ok := byURL[c.Definition]
			if !ok {
				return fmt.Errorf("search parameter %s: component %s is undefined", p.URL, c.Definition)
			}
			p.Components[i].Code, p.Components[i].Number, p.Components[i].Type = def.Code, def.Number, def.Type
		}
		for _, b := range p.bases {
			base, expression := b.Base, b.Expression
			*b = p.SearchParameter
			b.Base, b.Expression = base, expression
			own[base] = append(own[base], b)
		}
		r.d.parameters = append(r.d.parameters, p.bases...)
		r.d.parametersByURL[p.URL] = p.bases
		r.d.parametersByNumber[p.Number] = p.bases
	}
	for _, t := range r.order {
		if t.Kind != KindResource {
			continue
		}
		s := &searchable{}
		for a, ok := t, true; ok; a, ok = r.d.types[a.Base] {
			s.sorted = append(s.sorted, own[a.Name]...)
		}
		slices.SortFunc(s.sorted, func(a, b *SearchParameter) int { return cmp.Compare(a.Code, b.Code) })
		s.byCode = make(map[string]*SearchParameter, len(s.sorted))
		for _, p := range s.sorted {
			if _, twice := s.byCode[p.Code]; twice {
				return fmt.Errorf("%s has two search parameters with code %s", t.Name, p.Code)
			}
			s.byCode[p.Code] = p
		}
		r.d.searchable[t.Name] = s
	}
	return nil
}
