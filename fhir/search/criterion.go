package search

import (
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
		return p.has(typ, rest, value)
	}
	if name == "_list" {
		return p.list(typ, value)
	}
	switch own, _, _ := strings.Cut(name, ":"); own {
	case "_filter":
		if own != name {
			return nil, noModifier(own, name[len(own)+1:])
		}
		return p.filter(typ, number, value)
	case "_text", "_content":
		return p.words(typ, number, name, value)
	case "_query":
		return nil, unsupported(outcome.BadRequest(outcome.CodeNotSupported, "_query is not supported: this server has no named queries."))
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
	if modifier == "not" || modifier == "not-in" {
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
// has an expression to extract it by and a type with clauses. Those that go by
// sound do not count, and of the special ones only those that go by distance.
func Supported(sp *conformance.SearchParameter) bool {
	if sp.Expression == "" || sp.Usage == "phonetic" || sp.Type == conformance.SearchSpecial && !distances(sp) {
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
	conformance.SearchSpecial:   field.near,
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
	// whole says that the values are integers, none of them a span.
	whole bool
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
