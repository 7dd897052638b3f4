package search

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/store"
)

// Terminology answers what the modifiers of tokens ask
// (https://hl7.org/fhir/R4/search.html#modifiers).
type Terminology interface {
	// Expand returns the codes of a value set.
	Expand(valueSet string) ([]terminology.Code, error)
	// Below and Above return a code and those below or above it.
	Below(system, code string) ([]terminology.Code, error)
	Above(system, code string) ([]terminology.Code, error)
}

// inValueSet: :in and :not-in, with the value set's canonical URL or
// ValueSet/id. Codes are compared with their systems; an element of type code
// has the one that it implies.
func (f field) inValueSet(value string) (store.Clause, error) {
	v := unescape(value)
	switch {
	case f.p.o.Terminology == nil:
		return nil, f.badModifier()
	case strings.HasPrefix(v, "ValueSet/") && !ValidID(strings.TrimPrefix(v, "ValueSet/")),
		!strings.HasPrefix(v, "ValueSet/") && !strings.Contains(v, ":"):
		return nil, f.wrong(":" + f.modifier + " takes the canonical URL of a value set or ValueSet/id")
	}
	if base := f.p.o.Base.URL; base != "" {
		v = strings.TrimPrefix(v, base+"/")
	}
	codes, err := f.p.o.Terminology.Expand(v)
	if err != nil {
		return nil, err
	}
	return f.anyOf(codes)
}

// related: :above and :below, of system|code or of a code whose system the
// elements imply.
func (f field) related(value string) (store.Clause, error) {
	if f.modifier == "below" && len(split(value, '|')) == 1 && f.ofMediaTypes() {
		return f.mediaType(unescape(value))
	}
	if f.p.o.Terminology == nil {
		return nil, f.badModifier()
	}
	parts := split(value, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	if len(parts) == 1 {
		if system, ok := f.impliedSystem(); ok {
			parts = []string{system, parts[0]}
		}
	}
	if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
		return nil, f.wrong(":" + f.modifier + " takes system|code")
	}
	ask := f.p.o.Terminology.Below
	if f.modifier == "above" {
		ask = f.p.o.Terminology.Above
	}
	codes, err := ask(parts[0], parts[1])
	if err != nil {
		return nil, err
	}
	return f.anyOf(codes)
}

// mediaType: R4 search, searching mime types: :below finds a media type
// whatever its parameters, text/xml; charset=UTF-8 by text/xml.
func (f field) mediaType(v string) (store.Clause, error) {
	if strings.Contains(v, ";") || len(v) >= maxText {
		return nil, f.wrong(":below takes a media type without parameters")
	}
	code := f.key(formCode) + v
	return store.Or{store.Exactly(code), store.Prefix(code + ";"), store.Prefix(code + " ")}, nil
}

// anyOf selects what has one of the codes.
func (f field) anyOf(codes []terminology.Code) (store.Clause, error) {
	if len(codes) > maxRanges {
		return nil, outcome.BadRequest(outcome.CodeTooCostly, "The value of the search parameter %s stands for more than %d codes.", f.sp.Code, maxRanges)
	}
	any := make(store.Or, 0, len(codes))
	for _, c := range codes {
		any = append(any, store.Exactly(f.key(formSystem)+bounded(joined(c.System, c.Code))))
		if f.implies(c.System, c.Code) {
			any = append(any, store.Exactly(f.key(formSystem)+bounded(joined("", c.Code))))
		}
	}
	return any, nil
}

// impliedSystem is the only system that the elements' binding has.
func (f field) impliedSystem() (string, bool) {
	for element := range f.p.leads(f.sp) {
		if element.Types[0] != "code" || element.Binding == nil {
			continue
		}
		if values, ok := f.p.o.Base.Definitions.ValueSet(element.Binding.ValueSet); ok && len(values.Systems()) == 1 {
			return values.Systems()[0], true
		}
	}
	return "", false
}
