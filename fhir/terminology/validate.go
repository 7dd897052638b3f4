package terminology

import (
	"context"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Validation is whether a code is in a value set or code system.
type Validation struct {
	Result bool
	// Display is the code's own; Message says why Result is false.
	Display, Message string
	// Known says that the code is there, whatever else is wrong with it.
	Known bool
}

// Rules are what else is asked of a code.
type Rules struct {
	// Abstract says that codes that group others may be used.
	Abstract bool
	// Language is the one that displays are wanted in, where it is known.
	Language string
	// Versions are those of code systems.
	Versions Versions
}

// ValidateCode tells whether a value set has one of the codes. Without a system
// the code alone decides, if only one system of the value set has it.
func (s *Service) ValidateCode(ctx context.Context, v ValueSet, codings []Coding, r Rules) (Validation, error) {
	e := expander{s: s, ctx: ctx, versions: r.Versions, only: map[string]bool{}, asked: codings}
	for _, c := range codings {
		e.only[strings.ToLower(c.Code)] = true
	}
	set, err := e.expand(v)
	if err != nil {
		return Validation{}, err
	}
	what := name(v.Canonical)
	if v.Resource.Exists() {
		what = "The value set that is given"
	}
	return r.validate(set.list(), what, codings), nil
}

// CodeSystem is a code system by its URL and version, or as the resource.
type CodeSystem struct {
	URL, Version string
	Resource     rawjson.Node
}

// ValidateIn is ValidateCode with a code system. A code of another system is
// not one of it.
func (s *Service) ValidateIn(ctx context.Context, in CodeSystem, codings []Coding, r Rules) (Validation, error) {
	var cs *codeSystem
	var err error
	if in.Resource.Exists() {
		in.URL = text(in.Resource, "url")
		cs, err = readCodeSystem(in.Resource, in.URL)
	} else {
		cs, err = s.codeSystem(ctx, in.URL, in.Version)
		if s.goesElsewhere(in.URL, err) {
			return s.validateElsewhere(ctx, in, codings, r)
		}
	}
	if err != nil {
		return Validation{}, err
	}
	var codes []Code
	for _, c := range codings {
		if found, ok := cs.lookup(c.Code); ok {
			codes = append(codes, cs.code(found))
		}
	}
	what := "The code system " + in.URL
	if in.URL == "" {
		what = "The code system that is given"
	}
	return r.validate(codes, what, codings), nil
}

// validate answers for the first code that is right, or else for the one that
// is least wrong: R4 takes a CodeableConcept if any of its codes is valid.
func (r Rules) validate(codes []Code, in string, codings []Coding) Validation {
	var best Validation
	for i, c := range codings {
		v := r.validateOne(codes, in, c)
		if v.Result {
			return v
		}
		if i == 0 || v.Known && !best.Known {
			best = v
		}
	}
	if len(codings) > 1 && !best.Known {
		best.Message = in + " has none of the codes."
	}
	return best
}

func (r Rules) validateOne(codes []Code, in string, asked Coding) Validation {
	var found []Code
	for _, c := range codes {
		if (c.Code == asked.Code || c.fold && strings.EqualFold(c.Code, asked.Code)) && (asked.System == "" || c.System == asked.System) {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return Validation{Message: in + " does not have the code."}
	}
	c := found[0]
	v := Validation{Known: true, Display: c.DisplayIn(r.Language)}
	switch {
	case slices.ContainsFunc(found, func(o Code) bool { return o.System != c.System }):
		return Validation{Known: true, Message: in + " has the code in several systems; say which is meant."}
	case asked.Version != "" && c.Version != "" && asked.Version != c.Version:
		v.Message = in + " has the code in another version of its code system."
	case c.Abstract && !r.Abstract:
		v.Message = "The code is abstract: it groups others and is not for use."
	case asked.Display != "" && !c.called(asked.Display, r.Language):
		v.Message = "The display is not that of the code."
	default:
		v.Result = true
	}
	return v
}

// DisplayIn is the display in a language, or else the usual one.
func (c Code) DisplayIn(language string) string {
	if language == "" {
		return c.Display
	}
	for _, d := range c.Designations {
		if speaks(d.Language, language) {
			return d.Value
		}
	}
	return c.Display
}

// speaks: de-CH is de as well (BCP 47, RFC 4647 § 3.3.1).
func speaks(language, wanted string) bool {
	return len(language) >= len(wanted) && strings.EqualFold(language[:len(wanted)], wanted) &&
		(len(language) == len(wanted) || language[len(wanted)] == '-')
}

// called tells whether a display is one of the code's: its own, or one of its
// designations, in the language if one is asked for. A code without displays
// is called anything.
func (c Code) called(display, language string) bool {
	if c.Display == "" || strings.EqualFold(c.Display, display) {
		return true
	}
	return slices.ContainsFunc(c.Designations, func(d Designation) bool {
		return strings.EqualFold(d.Value, display) && (language == "" || d.Language == "" || speaks(d.Language, language))
	})
}
