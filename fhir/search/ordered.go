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
		return f.overlapping(v.approximate(f.p.o.Now)), nil
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
		return f.both(
			func(low store.Key) store.Clause {
				return store.Range{From: low + encodeTime(v.low), To: low + encodeTime(v.high)}
			},
			func(high store.Key) store.Clause {
				return store.Range{From: high, To: high + encodeTime(v.high) + "\x00"}
			})
	}
	return oneOf(any)
}

// overlapping selects what has a value that shares a moment with v.
func (f field) overlapping(v interval) store.Clause {
	return f.both(
		func(low store.Key) store.Clause { return store.Range{From: low, To: low + encodeTime(v.high)} },
		func(high store.Key) store.Clause {
			return store.Range{From: high + encodeTime(v.low) + "\x00", To: high + afterAll}
		})
}

// both selects what has one value that both bounds are right of. With one
// value these are its two keys; with several, each has two of its own place.
// More than maxSpans share the last place.
func (f field) both(low, high func(store.Key) store.Clause) store.Clause {
	several := f.key(formSeveral)
	one := store.And{low(f.key(formLow)), high(f.key(formHigh))}
	if f.sp != nil && !f.many && f.single() {
		return one
	}
	any := store.Or{append(one, store.Not{Clause: store.Exactly(several)})}
	for place := range maxSpans {
		own := several + string(rune('0'+place))
		any = append(any, store.And{low(own + string(rune(formLow))), high(own + string(rune(formHigh)))})
	}
	return any
}
