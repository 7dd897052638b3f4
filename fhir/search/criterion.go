package search

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// maxOr is the most values one parameter may list.
const maxOr = 1000

// criterion turns one name=value into a clause on resources of typ: a plain
// parameter, a chain or a reverse chain.
func (p *parser) criterion(typ string, number uint16, name, value string) (store.Clause, error) {
	if rest, ok := strings.CutPrefix(name, "_has:"); ok {
		return p.has(rest, value)
	}
	head, chain, chained := strings.Cut(name, ".")
	code, modifier, _ := strings.Cut(head, ":")
	sp, ok := p.o.Base.Definitions.SearchParameter(typ, code)
	if !ok {
		return nil, p.unknown(typ, "search", code)
	}
	if chained {
		return p.chain(number, sp, modifier, chain, value)
	}
	if value == "" {
		return nil, outcome.BadRequest(outcome.CodeValue, "The search parameter %s has no value.", sp.Code)
	}
	f := field{p: p, typ: number, sp: sp, modifier: modifier}
	if !Supported(sp) {
		return nil, outcome.BadRequest(outcome.CodeNotSupported, "The search parameter %s, of type %s, is not supported.", sp.Code, sp.Type)
	}
	if modifier == "missing" {
		return f.missing(value)
	}
	values := split(value, ',')
	if len(values) > maxOr {
		return nil, outcome.BadRequest(outcome.CodeTooCostly, "The search parameter %s lists more than %d values.", sp.Code, maxOr)
	}
	var any store.Or
	for _, v := range values {
		if v == "" {
			return nil, f.wrong("a value between commas is empty")
		}
		c, err := clauses[sp.Type](f, v)
		if err != nil {
			return nil, err
		}
		any = append(any, c)
	}
	if modifier == "not" {
		return store.Not{Clause: any}, nil
	}
	if len(any) == 1 {
		return any[0], nil
	}
	return any, nil
}

// Supported reports whether a search parameter can be searched by: whether it
// is of a type with clauses and has an expression to extract it by.
func Supported(sp *conformance.SearchParameter) bool {
	return sp.Expression != "" && clauses[sp.Type] != nil
}

// clauses turns one value of a parameter into a clause, by the parameter's type.
var clauses = map[conformance.SearchType]func(f field, value string) (store.Clause, error){
	conformance.SearchToken:     field.token,
	conformance.SearchReference: field.reference,
	conformance.SearchString:    field.text,
	conformance.SearchDate:      field.date,
	conformance.SearchNumber:    field.number,
	conformance.SearchQuantity:  field.quantity,
	conformance.SearchURI:       field.uri,
}

// field is a parameter with its modifier, about to get values.
type field struct {
	p        *parser
	typ      uint16
	sp       *conformance.SearchParameter
	modifier string
}

func (f field) key(form byte) store.Key { return formKey(f.typ, f.sp.Number, form) }

func (f field) wrong(rule string) error {
	return outcome.BadRequest(outcome.CodeValue, "The value of the search parameter %s is wrong: %s.", f.sp.Code, rule)
}

func (f field) badModifier() error {
	return outcome.BadRequest(outcome.CodeNotSupported, "The modifier :%s of the search parameter %s is not supported.", printable(f.modifier), f.sp.Code)
}

// missing: R4 search §3.1.1.4.4.
func (f field) missing(value string) (store.Clause, error) {
	present := store.Prefix(paramKey(f.typ, f.sp.Number))
	switch value {
	case "true":
		return store.Not{Clause: present}, nil
	case "false":
		return present, nil
	}
	return nil, f.wrong(":missing takes true or false")
}

// chain: R4 search §3.1.1.4.13. "patient.name=x" selects what refers to a
// Patient that name=x selects. Where the reference may lead to several types,
// those that know the rest of the chain are asked.
func (p *parser) chain(number uint16, sp *conformance.SearchParameter, target, rest, value string) (store.Clause, error) {
	if sp.Type != conformance.SearchReference {
		return nil, outcome.BadRequest(outcome.CodeValue, "%s is not a reference parameter, so nothing can be chained to it.", sp.Code)
	}
	targets := p.targets(sp)
	if target != "" {
		if !slices.Contains(targets, target) {
			return nil, outcome.BadRequest(outcome.CodeValue, "%s does not refer to %s.", sp.Code, printable(target))
		}
		targets = []string{target}
	}
	var any store.Or
	var firstErr error
	for _, t := range targets {
		tn, ok := p.o.Base.Definitions.TypeNumber(t)
		if !ok {
			continue
		}
		c, err := p.criterion(t, tn, rest, value)
		if err != nil {
			if !ignorable(err) {
				return nil, err
			}
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		any = append(any, store.Refers{
			Prefix: formKey(number, sp.Number, formReference),
			Query:  store.And{exists(tn), c},
		})
	}
	switch len(any) {
	case 0:
		return nil, firstErr
	case 1:
		return any[0], nil
	}
	return any, nil
}

// has: R4 search §3.1.1.4.14. "_has:Observation:patient:code=x" selects what
// an Observation with code=x refers to as its patient.
func (p *parser) has(rest, value string) (store.Clause, error) {
	parts := strings.SplitN(rest, ":", 3)
	if len(parts) != 3 {
		return nil, outcome.BadRequest(outcome.CodeValue, "_has must be written _has:Type:reference:parameter=value.")
	}
	number, ok := p.o.Base.Definitions.TypeNumber(parts[0])
	if !ok {
		return nil, outcome.BadRequest(outcome.CodeValue, "_has names %s, which is not a resource type.", printable(parts[0]))
	}
	sp, ok := p.o.Base.Definitions.SearchParameter(parts[0], parts[1])
	if !ok {
		return nil, p.unknown(parts[0], "_has", parts[1])
	}
	if sp.Type != conformance.SearchReference {
		return nil, outcome.BadRequest(outcome.CodeValue, "_has names %s, which is not a reference parameter of %s.", sp.Code, parts[0])
	}
	c, err := p.criterion(parts[0], number, parts[2], value)
	if err != nil {
		return nil, err
	}
	return store.ReferredBy{
		Prefix: formKey(number, sp.Number, formReference),
		Query:  store.And{exists(number), c},
	}, nil
}

// targets are the types that a reference parameter may lead to.
func (p *parser) targets(sp *conformance.SearchParameter) []string {
	if len(sp.Targets) == 0 || slices.Contains(sp.Targets, "Resource") {
		return p.o.Base.Definitions.ResourceTypes()
	}
	return sp.Targets
}

// split cuts at separators that are not escaped by a backslash
// (R4 search §3.1.1.4.1); the escapes stay for unescape.
func split(s string, separator byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}
