package profile

import (
	"context"
	"errors"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
)

// valueSet is what is known of a value set: all its codes, or what its compose
// says of those that cannot be listed.
type valueSet struct {
	whole bool
	codes map[[2]string]struct{} // system and code
	any   map[string]struct{}    // codes of any system

	include, exclude []include
}

// include is one include or exclude of a compose.
type include struct {
	system   string
	codes    map[string]struct{} // nil: not listed
	filtered bool
	sets     []string
}

// maxImports is how deep value sets may import each other.
const maxImports = 30

// Member implements Source.
func (l *Library) Member(ctx context.Context, canonical, system, code string, implied bool) (Membership, error) {
	return l.member(ctx, canonical, system, code, implied, 0)
}

func (l *Library) member(ctx context.Context, canonical, system, code string, implied bool, depth int) (Membership, error) {
	if depth == maxImports {
		return Unknown, nil
	}
	v, err := l.valueSet(ctx, canonical)
	if v == nil || err != nil {
		return Unknown, err
	}
	if v.whole {
		return v.has(system, code, implied), nil
	}
	in := Out
	for i := range v.include {
		m, err := l.included(ctx, &v.include[i], system, code, implied, depth)
		if err != nil {
			return Unknown, err
		}
		if m == In {
			in = In
			break
		}
		if m == Unknown {
			in = Unknown
		}
	}
	for i := range v.exclude {
		if in == Out {
			break
		}
		switch m, err := l.included(ctx, &v.exclude[i], system, code, implied, depth); {
		case err != nil:
			return Unknown, err
		case m == In:
			in = Out
		case m == Unknown:
			in = Unknown
		}
	}
	return in, nil
}

func (v *valueSet) has(system, code string, implied bool) Membership {
	found := false
	if implied {
		_, found = v.any[code]
	} else {
		_, found = v.codes[[2]string{system, code}]
	}
	if found {
		return In
	}
	return Out
}

// included tells whether an include has a code: in its system, and in every
// value set that it names.
func (l *Library) included(ctx context.Context, i *include, system, code string, implied bool, depth int) (Membership, error) {
	in := In
	switch {
	case i.system == "":
	case !implied && i.system != system:
		return Out, nil
	case i.codes != nil:
		if _, ok := i.codes[code]; !ok {
			return Out, nil
		}
	case i.filtered:
		in = Unknown
	default:
		var err error
		if in, err = l.inSystem(ctx, i.system, code); err != nil || in == Out {
			return in, err
		}
	}
	for _, set := range i.sets {
		switch m, err := l.member(ctx, set, system, code, implied, depth+1); {
		case err != nil || m == Out:
			return m, err
		case m == Unknown:
			in = Unknown
		}
	}
	return in, nil
}

func (l *Library) inSystem(ctx context.Context, system, code string) (Membership, error) {
	v, err := l.service.ValidateIn(ctx, terminology.CodeSystem{URL: system}, []terminology.Coding{{Code: code}}, terminology.Rules{})
	switch {
	case errors.Is(err, terminology.ErrNotHeld) || errors.Is(err, terminology.ErrInvalid) || errors.Is(err, terminology.ErrTooCostly):
		return Unknown, nil
	case err != nil:
		return Unknown, err
	case v.Known:
		return In, nil
	}
	return Out, nil
}

// valueSet is what is known of a value set, worked out once; nil for one that
// is not held.
func (l *Library) valueSet(ctx context.Context, canonical string) (*valueSet, error) {
	if known, ok := l.sets.Load(canonical); ok {
		return known.(*valueSet), nil
	}
	url, version, _ := strings.Cut(canonical, "|")
	body, ok, err := l.Canonical(ctx, "ValueSet", url, version)
	if err != nil {
		return nil, err
	}
	if _, own := conformance.R4().ValueSet(url); !ok && !own {
		return nil, nil
	}
	v := &valueSet{}
	codes, err := l.service.Expand(ctx, canonical)
	var unanswered *terminology.Error
	switch {
	case err == nil:
		v.whole, v.codes, v.any = true, make(map[[2]string]struct{}, len(codes)), make(map[string]struct{}, len(codes))
		for _, c := range codes {
			v.codes[[2]string{c.System, c.Code}] = struct{}{}
			v.any[c.Code] = struct{}{}
		}
	case !errors.As(err, &unanswered):
		return nil, err
	case !ok:
		return nil, nil // R4's, of another version
	default:
		doc, err := rawjson.Parse(body, nil)
		if err != nil {
			return nil, err
		}
		compose, ok := doc.Root().Member("compose")
		if !ok {
			return nil, nil // an expansion that is not whole
		}
		v.include, v.exclude = readIncludes(compose, "include"), readIncludes(compose, "exclude")
	}
	known, _ := l.sets.LoadOrStore(canonical, v)
	return known.(*valueSet), nil
}

func readIncludes(compose rawjson.Node, member string) []include {
	var all []include
	list, _ := compose.Member(member)
	for n := range list.Elements() {
		i := include{system: text(n, "system"), sets: stringsOf(n, "valueSet")}
		if concepts, ok := n.Member("concept"); ok {
			i.codes = make(map[string]struct{}, concepts.Len())
			for c := range concepts.Elements() {
				i.codes[text(c, "code")] = struct{}{}
			}
		}
		filters, _ := n.Member("filter")
		i.filtered = filters.Len() > 0
		all = append(all, i)
	}
	return all
}
