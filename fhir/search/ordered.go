package search

import (
	"strings"

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
