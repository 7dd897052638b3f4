package search

import (
	"strings"

	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/store"
)

// prefixes of ordered values (R4 search, prefixes).
var prefixes = []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"}

func cutPrefix(value string) (prefix, rest string) {
	for _, p := range prefixes {
		if r, ok := strings.CutPrefix(value, p); ok {
			return p, r
		}
	}
	return "eq", value
}

// date: R4 search, date, by the bounds of the resource's value and those of
// the value searched for.
func (f field) date(value string) (store.Clause, error) {
	if f.modifier != "" {
		return nil, f.badModifier()
	}
	prefix, rest := cutPrefix(value)
	v, err := parseDate(unescape(rest))
	if err != nil {
		return nil, f.wrong("a date is written yyyy, yyyy-mm, yyyy-mm-dd or yyyy-mm-ddThh:mm[:ss][zone], with the + of a zone as %2B in a URL")
	}
	low, high := f.key(formLow), f.key(formHigh)
	at := encodeTime
	switch prefix {
	case "ne":
		return store.Or{
			store.Range{From: low, To: low + at(v.low)},
			store.Range{From: high + at(v.high) + "\x00", To: high + afterAll},
		}, nil
	case "gt":
		return store.Range{From: high + at(v.high) + "\x00", To: high + afterAll}, nil
	case "ge":
		return store.Or{
			store.Range{From: low + at(v.low), To: low + afterAll},
			store.Range{From: high + at(v.high) + "\x00", To: high + afterAll},
		}, nil
	case "lt":
		return store.Range{From: low, To: low + at(v.low)}, nil
	case "le":
		return store.Or{
			store.Range{From: low, To: low + at(v.low)},
			store.Range{From: high, To: high + at(v.high) + "\x00"},
		}, nil
	case "sa":
		return store.Range{From: low + at(v.high), To: low + afterAll}, nil
	case "eb":
		return store.Range{From: high, To: high + at(v.low) + "\x00"}, nil
	case "ap":
		// Of several values, one may begin early enough and another end late
		// enough: near enough for "approximately".
		v = v.approximate(f.p.o.Now)
		return store.And{
			store.Range{From: low, To: low + at(v.high)},
			store.Range{From: high + at(v.low) + "\x00", To: high + afterAll},
		}, nil
	}
	return f.within(v), nil
}

// within selects what has a value that lies in v with both bounds. v is an
// interval of the calendar itself, so each value that begins in v and belongs
// to a step no coarser than v's ends in v too.
func (f field) within(v interval) store.Clause {
	form, own := f.key(formWithin), v.step()
	var any store.Or
	for i := 0; i < len(steps) && steps[i] <= own; i++ {
		any = append(any, store.Range{
			From: form + steps[i:i+1] + encodeTime(v.low), To: form + steps[i:i+1] + encodeTime(v.high),
		})
	}
	if own == stepFraction {
		// Fractions of a second are one step, whatever their digits.
		high := f.key(formHigh)
		return store.And{any[0], store.Range{From: high, To: high + encodeTime(v.high) + "\x00"}}
	}
	return oneOf(any)
}

// number: R4 search, number.
func (f field) number(value string) (store.Clause, error) {
	if f.modifier != "" {
		return nil, f.badModifier()
	}
	return f.ordered(f.key(formNormal), value)
}

// quantity: R4 search, quantity: number, number|system|code, number||code.
func (f field) quantity(value string) (store.Clause, error) {
	if f.modifier != "" {
		return nil, f.badModifier()
	}
	parts := split(value, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	switch {
	case len(parts) == 1:
		return f.ordered(f.key(formNormal), parts[0])
	case len(parts) != 3 || parts[2] == "":
		return nil, f.wrong("a quantity is number, number|system|code or number||code")
	case parts[1] == "":
		return f.ordered(f.key(formCode)+bounded(parts[2])+"\x00", parts[0])
	}
	return f.ordered(f.key(formSystem)+bounded(joined(parts[1], parts[2]))+"\x00", parts[0])
}

// ordered compares decimals behind base. A value stands for what rounds to
// it: 5.40 for [5.395, 5.405), 1e2 for [50, 150). (R4's page gives that rule
// and two examples that follow it in neither direction: [95, 105) for 1e2,
// and 0.0054 give or take 0.00005 for 5.40e-3.) The other prefixes take it as
// exact.
func (f field) ordered(base store.Key, value string) (store.Clause, error) {
	const rule = "a number is written 100, 5.4 or 1.2e3, after an optional prefix"
	prefix, rest := cutPrefix(value)
	n, err := parseDecimal([]byte(rest), nil)
	switch {
	case err != nil:
		return nil, f.wrong(rule)
	case n.cut || n.exponent > maxExponent || n.exponent < -maxExponent:
		return nil, f.wrong("the number has more digits, or a greater exponent, than any value")
	}
	d, err := decimal.NewFromString(rest)
	if err != nil {
		return nil, f.wrong(rule)
	}
	half := decimal.New(5, d.Exponent()-1)
	if prefix == "ap" {
		half = decimal.Max(half, d.Abs().Div(decimal.NewFromInt(10)))
	}
	var exact, low, high string
	for to, x := range map[*string]decimal.Decimal{&exact: d, &low: d.Sub(half), &high: d.Add(half)} {
		if *to, err = encodeDecimal(x.String()); err != nil {
			return nil, f.wrong(rule)
		}
	}
	end := store.PrefixEnd(base)
	switch prefix {
	case "ne":
		return store.Or{store.Range{From: base, To: base + low}, store.Range{From: base + high, To: end}}, nil
	case "gt", "sa":
		return store.Range{From: base + exact + "\x00", To: end}, nil
	case "ge":
		return store.Range{From: base + exact, To: end}, nil
	case "lt", "eb":
		return store.Range{From: base, To: base + exact}, nil
	case "le":
		return store.Range{From: base, To: base + exact + "\x00"}, nil
	}
	return store.Range{From: base + low, To: base + high}, nil
}
