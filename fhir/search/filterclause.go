package search

import (
	"errors"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// filter is the clause of a _filter on resources of a type. Its tests become
// what the parameters, prefixes and modifiers of a plain search become, so
// they mean the same.
func (p *parser) filter(typ string, number uint16, text string) (store.Clause, error) {
	f, err := parseFilter(text)
	if err != nil {
		return nil, err
	}
	c, err := p.filtered(typ, number, f)
	var e *outcome.Error
	if p.depth == 0 && ignorable(err) && errors.As(err, &e) {
		// One test cannot be left out of a filter, whatever is lenient. (In a
		// chain, the error tells that a type does not have the parameter.)
		return nil, &outcome.Error{Status: e.Status, Issues: e.Issues}
	}
	return c, err
}

func (p *parser) filtered(typ string, number uint16, f filter) (store.Clause, error) {
	switch f := f.(type) {
	case filterAnd:
		left, right, err := p.both(typ, number, f.left, f.right)
		return store.And{left, right}, err
	case filterOr:
		left, right, err := p.both(typ, number, f.left, f.right)
		return store.Or{left, right}, err
	case filterNot:
		c, err := p.filtered(typ, number, f.part)
		return p.refuse(number, c), err
	}
	c, err := p.test(typ, number, f.(*filterTest))
	if not, ok := c.(store.Not); ok {
		c = p.refuse(number, not.Clause)
	}
	return c, err
}

func (p *parser) both(typ string, number uint16, f, g filter) (left, right store.Clause, err error) {
	if left, err = p.filtered(typ, number, f); err != nil {
		return nil, nil, err
	}
	right, err = p.filtered(typ, number, g)
	return left, right, err
}

// refuse selects the resources of a type that a clause does not select.
func (p *parser) refuse(number uint16, c store.Clause) store.Clause {
	return store.And{exists(number), store.Not{Clause: c}}
}

// test is one comparison, behind as many references as its path has.
func (p *parser) test(typ string, number uint16, t *filterTest) (store.Clause, error) {
	step, rest := t.path[0], t.path[1:]
	if reverse, ok := strings.CutPrefix(step.name, "_has:"); ok {
		return p.hasThen(typ, reverse, func(source string, sn uint16, name string) (store.Clause, error) {
			inner := filterTest{append([]filterStep{{name, step.within}}, rest...), t.operator, t.value}
			return p.filtered(source, sn, &inner)
		})
	}
	code, modifier, _ := strings.Cut(step.name, ":")
	if code == "_list" && len(rest) == 0 && t.operator == "eq" {
		return p.list(typ, t.value)
	}
	sp, ok := p.o.Base.Definitions.SearchParameter(typ, code)
	if !ok && code == "id" {
		sp, ok = p.o.Base.Definitions.SearchParameter(typ, "_id")
	}
	if !ok {
		return nil, p.unknown(typ, "_filter", code)
	}
	if len(rest) == 0 {
		if modifier != "" {
			return nil, outcome.BadRequest(outcome.CodeNotSupported, "_filter takes operators, and no modifiers as in %s:%s.", sp.Code, printable(modifier))
		}
		c, err := p.compare(typ, number, sp, t)
		if err == nil {
			err = p.spend(leaves(c))
		}
		return c, err
	}
	if sp.Type == conformance.SearchComposite && step.within != nil {
		return p.compareComponents(number, sp, step.within, rest, t)
	}
	return p.through(number, sp, modifier, func(target string, tn uint16) (store.Clause, error) {
		inner := filterTest{rest, t.operator, t.value}
		c, err := p.filtered(target, tn, &inner)
		if err != nil || step.within == nil {
			return c, err
		}
		within, err := p.filtered(target, tn, step.within)
		return store.And{within, c}, err
	})
}

// asModifier are the operators that are a modifier, or none, of a plain
// search on parameters of a type; the others are in compare.
var asModifier = map[conformance.SearchType]map[string]string{
	conformance.SearchString:    {"sw": "", "co": "contains"},
	conformance.SearchToken:     {"eq": "", "in": "in", "ss": "below", "sb": "above"},
	conformance.SearchURI:       {"eq": "", "ss": "below", "sb": "above"},
	conformance.SearchReference: {"eq": "", "re": ""},
	conformance.SearchComposite: {"eq": ""},
	conformance.SearchSpecial:   {"eq": ""},
}

// ordering are the operators that are a prefix of a plain search.
var ordering = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

// compare is the clause of an operator and a value.
func (p *parser) compare(typ string, number uint16, sp *conformance.SearchParameter, t *filterTest) (store.Clause, error) {
	f := field{p: p, sp: sp, prefix: paramKey(number, sp.Number)}
	if !Supported(sp) {
		return nil, unsupported(outcome.BadRequest(outcome.CodeNotSupported, "The search parameter %s of %s, of type %s, is not supported.", sp.Code, typ, sp.Type))
	}
	if t.operator == "pr" {
		switch t.value {
		case "true":
			return store.Prefix(f.prefix), nil
		case "false":
			return store.Not{Clause: store.Prefix(f.prefix)}, nil
		}
		return nil, f.wrong("the operator pr takes true or false")
	}
	if t.value == "" {
		return nil, f.wrong("it is empty")
	}
	// A value of a filter has no escapes: each backslash is meant.
	value := strings.ReplaceAll(t.value, `\`, `\\`)
	switch sp.Type {
	case conformance.SearchDate:
		if t.operator == "po" {
			return f.overlaps(value)
		}
		fallthrough
	case conformance.SearchNumber, conformance.SearchQuantity:
		if slices.Contains(ordering, t.operator) {
			return f.clause(t.operator + value)
		}
		return nil, f.badOperator(t.operator)
	}
	if modifier, ok := asModifier[sp.Type][t.operator]; ok {
		f.modifier = modifier
		return f.clause(value)
	}
	switch {
	case sp.Type == conformance.SearchString:
		return f.compareText(t.operator, t.value)
	case sp.Type == conformance.SearchURI && t.operator == "sw":
		return store.Prefix(f.key(formURL) + cut(t.value)), nil
	case t.operator == "ne" && unequal[sp.Type] != "":
		c, err := f.clause(value)
		if err != nil {
			return nil, err
		}
		return f.others(c)
	}
	return nil, f.badOperator(t.operator)
}

func (f field) badOperator(operator string) error {
	return outcome.BadRequest(outcome.CodeNotSupported, "_filter: the operator %s does not go with %s, which is of type %s.", operator, f.sp.Code, f.sp.Type)
}

// compareText: a text equals, ends with, or is ordered as it is sorted by.
func (f field) compareText(operator, value string) (store.Clause, error) {
	n := normalise(value)
	if n == "" {
		return nil, f.wrong("nothing is left of it without white space, accents and punctuation")
	}
	all := f.key(formNormal)
	whole := all + bounded(n)
	switch operator {
	case "eq":
		return store.Exactly(whole), nil
	case "ne":
		return f.others(store.Exactly(whole))
	case "gt":
		return store.Range{From: whole + "\x00", To: store.PrefixEnd(all)}, nil
	case "ge":
		return store.Range{From: whole, To: store.PrefixEnd(all)}, nil
	case "lt":
		return store.Range{From: all, To: whole}, nil
	case "le":
		return store.Range{From: all, To: whole + "\x00"}, nil
	case "ew":
		// The last part of a text is a key of its own unless it was cut.
		if len(n) >= maxPart {
			return nil, f.wrong("the operator ew takes a shorter text")
		}
		return store.Or{store.Exactly(whole), store.Exactly(f.key(formPart) + n)}, nil
	}
	return nil, f.badOperator(operator)
}

// overlaps selects periods that share a moment with the value.
func (f field) overlaps(value string) (store.Clause, error) {
	v, err := parseDate(unescape(value))
	if err != nil {
		return nil, f.wrong("a date is written yyyy, yyyy-mm, yyyy-mm-dd or yyyy-mm-ddThh:mm[:ss][zone]")
	}
	return f.overlapping(v), nil
}

// unequal are the forms whose keys are a parameter's values as ne compares
// them.
var unequal = map[conformance.SearchType]string{
	conformance.SearchString: string(formNormal), conformance.SearchURI: string(formURL),
	conformance.SearchToken: string(formCode) + string(formSystem), conformance.SearchReference: string(formReference) + string(formURL),
}

// others selects what has a value that a clause of exact values does not
// select: the gaps between its ranges.
func (f field) others(c store.Clause) (store.Clause, error) {
	or, ok := c.(store.Or)
	if !ok {
		or = store.Or{c}
	}
	var ranges []store.Range
	for _, part := range or {
		r, ok := part.(store.Range)
		if !ok {
			return nil, f.badOperator("ne")
		}
		ranges = append(ranges, r)
	}
	slices.SortFunc(ranges, func(a, b store.Range) int { return strings.Compare(a.From, b.From) })
	var any store.Or
	for _, form := range []byte(unequal[f.sp.Type]) {
		all := store.Prefix(f.key(form))
		if f.sp.Type == conformance.SearchToken && !all.Contains(ranges[0].From) {
			continue // a code is compared with codes, system|code with both
		}
		from := all.From
		for _, r := range ranges {
			if all.Contains(r.From) && r.To > from {
				any = append(any, store.Range{From: from, To: r.From})
				from = r.To
			}
		}
		any = append(any, store.Range{From: from, To: all.To})
	}
	return any, nil
}

// compareComponents: composite[first eq a].second gt b, on one element of the
// resource, is the composite's a$gtb.
func (p *parser) compareComponents(number uint16, sp *conformance.SearchParameter, within filter, rest []filterStep, t *filterTest) (store.Clause, error) {
	f := field{p: p, sp: sp, prefix: paramKey(number, sp.Number)}
	first, ok := within.(*filterTest)
	if !ok || !Supported(sp) || len(sp.Components) != 2 || first.operator != "eq" || len(first.path) != 1 || len(rest) != 1 || rest[0].within != nil ||
		first.path[0].name != sp.Components[0].Code || rest[0].name != sp.Components[1].Code {
		names := []string{"first", "second"}
		for i, c := range sp.Components[:min(2, len(sp.Components))] {
			names[i] = c.Code
		}
		return nil, outcome.BadRequest(outcome.CodeNotSupported, "_filter: a composite is written %s[%s eq value].%s operator value.", sp.Code, names[0], names[1])
	}
	escape := strings.NewReplacer(`\`, `\\`, `$`, `\$`).Replace
	prefix := ""
	switch sp.Components[1].Type {
	case conformance.SearchDate, conformance.SearchNumber, conformance.SearchQuantity:
		if !slices.Contains(ordering, t.operator) {
			return nil, f.badOperator(t.operator)
		}
		prefix = t.operator
	default:
		if t.operator != "eq" {
			return nil, f.badOperator(t.operator)
		}
	}
	c, err := f.clause(escape(first.value) + "$" + prefix + escape(t.value))
	if err == nil {
		err = p.spend(leaves(c))
	}
	return c, err
}
