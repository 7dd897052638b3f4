package search

import (
	"strings"

	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/fhir/ucum"
	"github.com/fhirfacade/fhirfacade/store"
)

// number: R4 search, number.
func (f field) number(value string) (store.Clause, error) {
	if f.modifier != "" {
		return nil, f.badModifier()
	}
	return f.ordered(formNormal, "", nil, value)
}

// quantity: R4 search, quantity: number, number|system|code, number||code. A
// unit of UCUM stands for all units that measure the same.
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
		return f.ordered(formNormal, "", nil, parts[0])
	case len(parts) != 3 || parts[2] == "":
		return nil, f.wrong("a quantity is number, number|system|code or number||code")
	case parts[1] == "":
		return f.ordered(formCode, bounded(parts[2])+"\x00", nil, parts[0])
	}
	if parts[1] == ucum.System {
		if u, err := ucum.Parse(parts[2]); err == nil {
			return f.ordered(formCanonical, u.Dimension()+"\x00", u, parts[0])
		}
	}
	return f.ordered(formSystem, bounded(joined(parts[1], parts[2]))+"\x00", nil, parts[0])
}

// amount is the number of a search: itself, and what it stands for, from low
// up to but without high; as keys hold them.
type amount struct{ exact, low, high string }

// around is what a number stands for: for what rounds to it, 5.40 for
// [5.395, 5.405), 1e2 for [50, 150). (R4's page gives that rule and two
// examples that follow it in neither direction: [95, 105) for 1e2, and 0.0054
// give or take 0.00005 for 5.40e-3.) For ap it stands for a tenth of it to
// either side, or for that if it is more.
func around(prefix string, d decimal.Decimal) (low, high decimal.Decimal) {
	half := decimal.New(5, d.Exponent()-1)
	if prefix == "ap" {
		half = decimal.Max(half, d.Abs().Mul(decimal.New(1, -1)))
	}
	return d.Sub(half), d.Add(half)
}

// amount reads a number after its prefix, and what it stands for. The bounds
// are converted as the value is.
func (f field) amount(prefix, text string, unit *ucum.Unit) (amount, error) {
	const rule = "a number is written 100, 5.4 or 1.2e3, after an optional prefix"
	var a amount
	n, err := parseDecimal([]byte(text), nil)
	switch {
	case err != nil:
		return a, f.wrong(rule)
	case n.cut || n.exponent > maxExponent || n.exponent < -maxExponent:
		return a, f.wrong("the number has more digits, or a greater exponent, than any value")
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return a, f.wrong(rule)
	}
	low, high := around(prefix, d)
	for to, x := range map[*string]decimal.Decimal{&a.exact: d, &a.low: low, &a.high: high} {
		v, err := parseDecimal([]byte(x.String()), nil)
		if err != nil {
			return a, f.wrong(rule)
		}
		if unit != nil {
			v = canonical(unit, v, nil)
		}
		*to = string(appendNumber(nil, v))
	}
	return a, nil
}

// ordered compares numbers of a form and unit (R4 search, prefixes). A value
// that is a span (a Range, one with a comparator) lies within what is searched
// for when all of it does, and is greater or less when some of it is; sa and
// eb want all of it. The prefixes but eq, ne and ap take what is searched for
// as exact.
func (f field) ordered(form byte, unit string, u *ucum.Unit, value string) (store.Clause, error) {
	prefix, rest := cutPrefix(value)
	a, err := f.amount(prefix, rest, u)
	if err != nil {
		return nil, err
	}
	base := f.key(form) + unit
	any := points(prefix, base, a)
	for place := range f.spans() {
		kind := string([]byte{byte('0' + place), form}) + unit
		any = append(any, spans(prefix, f.key(formLow)+kind, f.key(formHigh)+kind, a)...)
	}
	return oneOf(any), nil
}

// points are the clauses of values that are one number.
func points(prefix string, base store.Key, a amount) store.Or {
	end := store.PrefixEnd(base)
	switch prefix {
	case "ne":
		return store.Or{store.Range{From: base, To: base + a.low}, store.Range{From: base + a.high, To: end}}
	case "gt", "sa":
		return store.Or{store.Range{From: base + a.exact + "\x00", To: end}}
	case "ge":
		return store.Or{store.Range{From: base + a.exact, To: end}}
	case "lt", "eb":
		return store.Or{store.Range{From: base, To: base + a.exact}}
	case "le":
		return store.Or{store.Range{From: base, To: base + a.exact + "\x00"}}
	}
	return store.Or{store.Range{From: base + a.low, To: base + a.high}}
}

// spans are the clauses of values between two numbers, by the keys of their
// low and high ends.
func spans(prefix string, low, high store.Key, a amount) store.Or {
	const at, above = "\x02", "\x03"
	lowEnd, highEnd := store.PrefixEnd(low), store.PrefixEnd(high)
	switch prefix {
	case "ne":
		return store.Or{store.Range{From: low, To: low + a.low + at}, store.Range{From: high + a.high + at, To: highEnd}}
	case "gt":
		return store.Or{store.Range{From: high + a.exact + above, To: highEnd}}
	case "ge":
		return store.Or{store.Range{From: high + a.exact + at, To: highEnd}}
	case "lt":
		return store.Or{store.Range{From: low, To: low + a.exact + at}}
	case "le":
		return store.Or{store.Range{From: low, To: low + a.exact + above}}
	case "sa":
		return store.Or{store.Range{From: low + a.exact + above, To: lowEnd}}
	case "eb":
		return store.Or{store.Range{From: high, To: high + a.exact + at}}
	case "ap":
		return store.Or{store.And{
			store.Range{From: low, To: low + a.high + at},
			store.Range{From: high + a.low + at, To: highEnd},
		}}
	}
	return store.Or{store.And{
		store.Range{From: low + a.low + at, To: low + a.high + at},
		store.Range{From: high, To: high + a.high + at},
	}}
}

// spans is how many places of spans there are to look at: one when the
// parameter can have one value only.
func (f field) spans() int {
	if f.whole {
		return 0
	}
	if f.p == nil || !f.many && f.single() {
		return 1
	}
	return maxSpans
}

// single reports whether all paths of the parameter lead to one and the same
// element, none of whose parents repeats.
func (f field) single() bool {
	only := ""
	for _, path := range strings.Split(f.sp.Expression, "|") {
		path, _, _ = strings.Cut(strings.Trim(path, " ()"), " as ")
		path, _, _ = strings.Cut(path, ".as(")
		typ, rest, _ := strings.Cut(path, ".")
		if typ != f.sp.Base {
			continue
		}
		if only != "" && only != path {
			return false
		}
		only = path
		for _, name := range strings.Split(rest, ".") {
			e, ok := f.p.o.Base.Definitions.Element(typ, name)
			if !ok || e.Repeats() {
				return false
			}
			typ = e.Types[0]
		}
	}
	return only != ""
}
