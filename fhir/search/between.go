package search

import (
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// A search between two times, date=ge2026-03&date=lt2026-04, asks for a high
// bound above the one and a low bound below the other. Each half selects most
// of the store, and only what both select is little. So a third clause is put
// beside them, which selects little by itself: the values whose smallest
// interval of the calendar overlaps the time between, by one range for each
// step. It selects at least what both halves do. A resource with several
// values may meet one half by one value and the other by another; it has a key
// that says so, and is left to the halves.

// window is the time that a branch's criteria on one date parameter leave.
type window struct {
	sp *conformance.SearchParameter
	// after and before are the greatest lower and the least upper bound: a
	// value's high bound is above the one, its low bound below the other.
	after, before time.Time
	bounded       [2]bool
	// bounds is how many criteria set them.
	bounds int
}

// between takes note of the bounds that a parameter sets, if it is a plain
// date.
func (b *branch) between(p *parser, name, value string) {
	sp, ok := p.o.Base.Definitions.SearchParameter(b.typ, name)
	if !ok || sp.Type != conformance.SearchDate || strings.ContainsRune(value, ',') {
		return
	}
	prefix, rest := cutPrefix(value)
	v, err := parseDate(unescape(rest))
	if err != nil {
		return
	}
	w := b.window(sp)
	switch prefix {
	case "gt", "sa":
		w.above(v.high)
	case "ge":
		w.above(v.low)
	case "lt", "eb":
		w.below(v.low)
	case "le":
		w.below(v.high)
	case "ap":
		v = v.approximate(p.o.Now)
		w.above(v.low)
		w.below(v.high)
	default:
		return
	}
	w.bounds++
}

func (b *branch) window(sp *conformance.SearchParameter) *window {
	for i := range b.windows {
		if b.windows[i].sp.Number == sp.Number {
			return &b.windows[i]
		}
	}
	b.windows = append(b.windows, window{sp: sp})
	return &b.windows[len(b.windows)-1]
}

// closed reports whether the window has both ends.
func (w *window) closed() bool { return w.bounded[0] && w.bounded[1] }

func (w *window) above(t time.Time) {
	if !w.bounded[0] || t.After(w.after) {
		w.after, w.bounded[0] = t, true
	}
}

func (w *window) below(t time.Time) {
	if !w.bounded[1] || t.Before(w.before) {
		w.before, w.bounded[1] = t, true
	}
}

// addWindows adds the clauses of the windows that are bounded on both sides.
func (p *parser) addWindows() {
	if len(p.branches) == 0 {
		return
	}
	// The same parameters were put to all branches.
	for i, w := range p.branches[0].windows {
		if !w.closed() {
			continue
		}
		clauses := make([]store.Clause, len(p.branches))
		for k, b := range p.branches {
			if len(b.windows) <= i || b.windows[i].sp.Code != w.sp.Code {
				return // not a date in all of them
			}
			clauses[k] = b.windows[i].clause(field{p: p, sp: b.windows[i].sp, prefix: paramKey(b.number, b.windows[i].sp.Number)})
		}
		p.add(clauses)
	}
}

// clause selects whatever may have a value in the window.
func (w *window) clause(f field) store.Clause {
	within := f.key(formWithin)
	any := store.Or{store.Exactly(f.key(formSeveral))}
	for _, step := range []byte(steps + string(stepNone)) {
		from, to := within+string(step)+encodeTime(floor(step, w.after)), within+string(step)+encodeTime(w.before)
		if from < to {
			any = append(any, store.Range{From: from, To: to})
		}
	}
	return any
}

// floor is where the calendar's interval of a step begins that holds t.
func floor(step byte, t time.Time) time.Time {
	t = t.UTC()
	switch step {
	case stepFraction, stepSecond:
		return t.Truncate(time.Second)
	case stepMinute:
		return t.Truncate(time.Minute)
	case stepDay:
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	case stepMonth:
		return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	case stepYear:
		return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return beginning // of no step: it may have begun at any time
}
