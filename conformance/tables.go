package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// decoder reads the line format that internal/gen writes (see its write.go).
// The fields are substrings of the embedded file and take no memory of their
// own.
type decoder struct {
	d *Definitions

	typ   *Type
	el    *Element
	sp    *parameterTemplate
	cd    *CompartmentDefinition
	vs    *ValueSet
	order []*Type
	spec  []*parameterTemplate
}

// parameterTemplate is a parameter before it is spread over its bases.
type parameterTemplate struct {
	SearchParameter
	bases []*SearchParameter
}

func decode(tables, numbers string) (*Definitions, error) {
	r := decoder{d: &Definitions{
		types:              make(map[string]*Type, 700),
		typeNumbers:        make(map[string]uint16, 150),
		parametersByURL:    make(map[string][]*SearchParameter, 1400),
		parametersByNumber: make(map[uint16][]*SearchParameter, 1400),
		searchable:         make(map[string]*searchable, 150),
		compartments:       make(map[string]*CompartmentDefinition, 5),
		valueSets:          make(map[string]*ValueSet, 230),
	}}
	for number, line := 1, ""; len(tables) > 0; number++ {
		line, tables, _ = strings.Cut(tables, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := r.linkTypes(); err != nil {
		return nil, err
	}
	parameterNumbers, err := r.numbers(numbers)
	if err != nil {
		return nil, err
	}
	if err := r.linkParameters(parameterNumbers); err != nil {
		return nil, err
	}
	return r.d, nil
}

func (r *decoder) line(line string) error {
	var buf [10]string
	f := buf[:0]
	kind, rest, _ := strings.Cut(line, "\t")
	if kind == "sys" { // the one kind with any number of fields
		return r.codes(rest)
	}
	for more := true; more; {
		var field string
		field, rest, more = strings.Cut(rest, "\t")
		if len(f) == cap(f) {
			return fmt.Errorf("too many fields")
		}
		f = append(f, field)
	}
	if len(f) != fieldCount(kind) {
		return fmt.Errorf("kind %q with %d fields", kind, len(f))
	}
	return r.fields(kind, f)
}

// fieldCount is the number of fields after the kind; 0 for an unknown kind.
func fieldCount(kind string) int {
	switch kind {
	case "release", "vs":
		return 1
	case "on", "co", "cd", "in":
		return 2
	case "inv":
		return 3
	case "type", "op":
		return 4
	case "el":
		return 7
	case "sp":
		return 9
	}
	return 0
}

func (r *decoder) fields(kind string, f []string) error {
	switch kind {
	case "release":
		r.d.release = f[0]
	case "type":
		return r.typeLine(f)
	case "el":
		return r.elementLine(f)
	case "inv":
		c := Constraint{Key: f[0], Severity: f[1], Expression: f[2]}
		if r.el != nil {
			r.el.Constraints = append(r.el.Constraints, c)
		} else {
			r.typ.Constraints = append(r.typ.Constraints, c)
		}
	case "sp":
		r.sp = &parameterTemplate{SearchParameter: SearchParameter{
			URL: f[0], Code: f[1], Type: SearchType(f[2]), Usage: f[3],
			MultipleOr: !strings.Contains(f[4], "o"), MultipleAnd: !strings.Contains(f[4], "a"),
			Targets: strings.Fields(f[5]), Comparators: strings.Fields(f[6]),
			Modifiers: strings.Fields(f[7]), Chains: strings.Fields(f[8]),
		}}
		if r.sp.Usage == "" {
			r.sp.Usage = "normal"
		}
		r.spec = append(r.spec, r.sp)
	case "on":
		r.sp.bases = append(r.sp.bases, &SearchParameter{Base: f[0], Expression: f[1]})
	case "co":
		r.sp.Components = append(r.sp.Components, Component{Definition: f[0], Expression: f[1]})
	case "cd":
		r.cd = &CompartmentDefinition{Code: f[0], URL: f[1], params: map[string][]string{}}
		r.d.compartments[r.cd.Code] = r.cd
	case "in":
		r.cd.params[f[0]] = strings.Fields(f[1])
		r.cd.types = append(r.cd.types, f[0])
	case "op":
		r.d.operations = append(r.d.operations, &OperationDefinition{
			Code: f[0], URL: f[1], Resources: strings.Fields(f[3]),
			System: strings.Contains(f[2], "s"), Type: strings.Contains(f[2], "t"),
			Instance: strings.Contains(f[2], "i"), AffectsState: strings.Contains(f[2], "a"),
		})
	case "vs":
		r.vs = &ValueSet{URL: f[0], codes: map[string]map[string]struct{}{}, any: map[string]struct{}{}}
		r.d.valueSets[r.vs.URL] = r.vs
	}
	return nil
}

func (r *decoder) codes(rest string) error {
	system, rest, more := strings.Cut(rest, "\t")
	set := map[string]struct{}{}
	for more {
		var code string
		code, rest, more = strings.Cut(rest, "\t")
		set[code] = struct{}{}
		r.vs.any[code] = struct{}{}
	}
	r.vs.systems = append(r.vs.systems, system)
	r.vs.codes[system] = set
	return nil
}

func (r *decoder) typeLine(f []string) error {
	t := &Type{Name: f[0], Base: f[2], Abstract: strings.Contains(f[3], "a"), Profile: strings.Contains(f[3], "p")}
	switch f[1] {
	case "resource":
		t.Kind = KindResource
	case "complex-type":
		t.Kind = KindComplex
	case "primitive-type":
		t.Kind = KindPrimitive
	case "backbone":
		t.Kind = KindBackbone
	default:
		return fmt.Errorf("type %s of unknown kind %q", t.Name, f[1])
	}
	r.typ, r.el = t, nil
	r.d.types[t.Name] = t
	r.order = append(r.order, t)
	return nil
}

func (r *decoder) elementLine(f []string) error {
	e := &Element{Path: r.typ.Name + "." + f[0], Max: 1, ContentReference: f[6],
		Summary: strings.Contains(f[3], "s"), Modifier: strings.Contains(f[3], "m")}
	e.Name, e.Choice = strings.CutSuffix(f[0], "[x]")
	var err error
	if e.Min, err = strconv.Atoi(f[1]); err != nil {
		return err
	}
	if f[2] == "*" {
		e.Max = -1
	} else if e.Max, err = strconv.Atoi(f[2]); err != nil {
		return err
	}
	if f[5] != "" {
		strength, url, _ := strings.Cut(f[5], " ")
		e.Binding = &Binding{Strength: strength, ValueSet: url}
	}
	switch {
	case f[6] != "":
		e.Types = []string{strings.TrimPrefix(f[6], "#")}
	case f[4] == "":
		e.Types = []string{e.Path}
	default:
		for _, t := range strings.Fields(f[4]) {
			name, profile, _ := strings.Cut(strings.TrimSuffix(t, "]"), "[")
			name, targets, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
			e.Types = append(e.Types, name)
			if profile != "" {
				e.TypeProfile = profile
			}
			if targets == "" {
				continue
			}
			switch name {
			case "Reference":
				e.TargetTypes = strings.Split(targets, "|")
			case "canonical":
				e.CanonicalTypes = strings.Split(targets, "|")
			}
		}
	}
	r.typ.Elements = append(r.typ.Elements, e)
	r.el = e
	return nil
}

// linkTypes gives every type the elements of its bases and indexes their names.
func (r *decoder) linkTypes() error {
	linked := make(map[*Type]bool, len(r.order))
	var link func(t *Type) error
	link = func(t *Type) error {
		if linked[t] {
			return nil
		}
		linked[t] = true
		if t.Base != "" {
			base, ok := r.d.types[t.Base]
			if !ok {
				return fmt.Errorf("type %s: base %s is undefined", t.Name, t.Base)
			}
			if err := link(base); err != nil {
				return err
			}
			t.Elements = inherit(base.Elements, t.Elements)
		}
		t.index()
		return nil
	}
	for _, t := range r.order {
		if err := link(t); err != nil {
			return err
		}
		if t.Kind == KindResource && !t.Abstract {
			r.d.resourceTypes = append(r.d.resourceTypes, t.Name)
		}
	}
	slices.Sort(r.d.resourceTypes)
	for _, t := range r.order {
		for _, e := range t.Elements {
			for _, name := range e.Types {
				if _, ok := r.d.types[name]; !ok && !strings.HasPrefix(name, "System.") {
					return fmt.Errorf("element %s: type %s is undefined", e.Path, name)
				}
			}
		}
	}
	return nil
}

// inherit puts own elements after the base's, or in the place of the ones that
// they narrow.
func inherit(base, own []*Element) []*Element {
	all := make([]*Element, 0, len(base)+len(own))
	all = append(all, base...)
	for _, e := range own {
		at := slices.IndexFunc(base, func(b *Element) bool { return b.Name == e.Name })
		if at >= 0 {
			all[at] = e
		} else {
			all = append(all, e)
		}
	}
	return all
}
