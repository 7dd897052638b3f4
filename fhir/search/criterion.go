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

// maxDepth is how many chains may hang on each other.
const maxDepth = 8

// criterion turns one name=value into a clause on resources of typ: a plain
// parameter, a chain or a reverse chain.
func (p *parser) criterion(typ string, number uint16, name, value string) (store.Clause, error) {
	if rest, ok := strings.CutPrefix(name, "_has:"); ok {
		return p.has(typ, rest, value)
	}
	if name == "_list" {
		return p.list(typ, value)
	}
	head, chain, chained := strings.Cut(name, ".")
	code, modifier, modified := strings.Cut(head, ":")
	sp, ok := p.o.Base.Definitions.SearchParameter(typ, code)
	if !ok {
		return nil, p.unknown(typ, "search", code)
	}
	if chained {
		return p.chain(number, sp, modifier, chain, value)
	}
	f := field{p: p, sp: sp, modifier: modifier, prefix: paramKey(number, sp.Number)}
	switch {
	case value == "":
		return nil, outcome.BadRequest(outcome.CodeValue, "The search parameter %s has no value.", sp.Code)
	case modified && modifier == "":
		return nil, f.badModifier()
	case !Supported(sp):
		return nil, unsupported(outcome.BadRequest(outcome.CodeNotSupported, "The search parameter %s of %s, of type %s, is not supported.", sp.Code, typ, sp.Type))
	case modifier == "missing":
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
		c, err := f.clause(v)
		if err != nil {
			return nil, err
		}
		if err := p.spend(leaves(c)); err != nil {
			return nil, err
		}
		any = append(any, c)
	}
	if modifier == "not" {
		return store.Not{Clause: oneOf(any)}, nil
	}
	return oneOf(any), nil
}

// oneOf is an Or, unless there is only one to choose from.
func oneOf(any store.Or) store.Clause {
	if len(any) == 1 {
		return any[0]
	}
	return any
}

// Supported reports whether a search parameter can be searched by: whether it
// has an expression to extract it by and a type with clauses. Those that mean
// more than their type does, by sound or by distance, do not count.
func Supported(sp *conformance.SearchParameter) bool {
	if sp.Expression == "" || sp.Usage == "phonetic" || sp.Usage == "nearby" {
		return false
	}
	return clauses[sp.Type] != nil || sp.Type == conformance.SearchComposite && composable(sp)
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

// clause is of one value. (Composites are made of the other types and so
// cannot stand in clauses.)
func (f field) clause(value string) (store.Clause, error) {
	if f.sp.Type == conformance.SearchComposite {
		return f.composite(value)
	}
	return clauses[f.sp.Type](f, value)
}

// field is a parameter with its modifier, about to get values.
type field struct {
	p        *parser
	sp       *conformance.SearchParameter
	modifier string
	// prefix begins the keys of the parameter.
	prefix store.Key
	// many says that there may be several values whatever sp says, as in a
	// composite of repeating elements.
	many bool
}

func (f field) key(form byte) store.Key { return f.prefix + string(rune(form)) }

func (f field) wrong(rule string) error {
	return outcome.BadRequest(outcome.CodeValue, "The value of the search parameter %s is wrong: %s.", f.sp.Code, rule)
}

// badModifier is no case for lenient handling: a server must refuse a
// modifier that it does not support (R4 search, modifiers).
func (f field) badModifier() error {
	return outcome.BadRequest(outcome.CodeNotSupported, "The modifier :%s of the search parameter %s is not supported.", printable(f.modifier), f.sp.Code)
}

// missing: R4 search, :missing.
func (f field) missing(value string) (store.Clause, error) {
	present := store.Prefix(f.prefix)
	switch value {
	case "true":
		return store.Not{Clause: present}, nil
	case "false":
		return present, nil
	}
	return nil, f.wrong(":missing takes true or false")
}

// deeper counts a chain; surface must follow.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return outcome.BadRequest(outcome.CodeTooCostly, "The search chains more than %d references.", maxDepth)
	}
	return nil
}

func (p *parser) surface() { p.depth-- }

// chain: R4 search, chained parameters. "patient.name=x" selects what refers to a
// Patient that name=x selects. Where the reference may lead to several types,
// those that know the rest of the chain are asked.
func (p *parser) chain(number uint16, sp *conformance.SearchParameter, target, rest, value string) (store.Clause, error) {
	defer p.surface()
	if err := p.deeper(); err != nil {
		return nil, err
	}
	if sp.Type != conformance.SearchReference {
		return nil, unsupported(outcome.BadRequest(outcome.CodeValue, "%s is not a reference parameter, so nothing can be chained to it.", sp.Code))
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
		if err := p.spend(1); err != nil {
			return nil, err
		}
		c, err := p.criterion(t, tn, rest, value)
		if err != nil {
			if !ignorable(err) || target != "" {
				return nil, err
			}
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		any = append(any, store.Refers{
			Prefix: formKey(number, sp.Number, formReference),
			Query:  lean(store.And{exists(tn), c}, tn),
		})
	}
	if len(any) == 0 {
		return nil, firstErr
	}
	return oneOf(any), nil
}

// has: R4 search, reverse chaining. "_has:Observation:patient:code=x" selects what
// an Observation with code=x refers to as its patient.
func (p *parser) has(typ, rest, value string) (store.Clause, error) {
	defer p.surface()
	if err := p.deeper(); err != nil {
		return nil, err
	}
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
	if !slices.Contains(p.targets(sp), typ) {
		return nil, unsupported(outcome.BadRequest(outcome.CodeValue, "_has: %s of %s does not refer to %s.", sp.Code, parts[0], typ))
	}
	c, err := p.criterion(parts[0], number, parts[2], value)
	if err != nil {
		return nil, err
	}
	return store.ReferredBy{
		Prefix: formKey(number, sp.Number, formReference),
		Query:  lean(store.And{exists(number), c}, number),
	}, nil
}

// list: R4 search, _list: what the entries of a List refer to.
func (p *parser) list(typ, value string) (store.Clause, error) {
	if strings.HasPrefix(value, "$") {
		return nil, outcome.BadRequest(outcome.CodeNotSupported, "_list takes the id of a List here, and no functional list.")
	}
	return p.has(typ, "List:item:_id", strings.TrimPrefix(value, "List/"))
}

// targets are the types that a reference parameter may lead to.
func (p *parser) targets(sp *conformance.SearchParameter) []string {
	if len(sp.Targets) == 0 || slices.Contains(sp.Targets, "Resource") {
		return p.o.Base.Definitions.ResourceTypes()
	}
	return sp.Targets
}

// onlyReferences reports whether a parameter's elements are References, as
// far as its expression tells: a plain path to one. Others may be canonicals.
func (p *parser) onlyReferences(sp *conformance.SearchParameter) bool {
	typ := ""
	for i, name := range strings.Split(strings.TrimSuffix(sp.Expression, ".where(resolve() is Patient)"), ".") {
		if i == 0 {
			typ = name
			continue
		}
		element, ok := p.o.Base.Definitions.Element(typ, name)
		if !ok || len(element.Types) != 1 {
			return false
		}
		typ = element.Types[0]
	}
	return typ == "Reference"
}

// split cuts at separators that are not escaped by a backslash
// (R4 search, escaping); the escapes stay for unescape.
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
