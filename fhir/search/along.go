package search

import (
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

// along looks for ranges that a search without _sort can be answered along
// (see store.Query.Along): where its only criterion is a range of values, as
// in birthdate=ge1990 or name=smi, or two bounds of one date. What else is in
// such a search is that the resource is of the type, which the ranges say
// already, and bounds to check. With a criterion of another kind the ranges
// may select far more than that one does, so they are no way to begin.
func along(where store.Clause, b *branch) (store.Clause, []store.Range) {
	and, ok := where.(store.And)
	if !ok {
		return where, nil
	}
	all := exists(b.number)
	rest := slices.DeleteFunc(slices.Clone(and), func(c store.Clause) bool { return c == all })
	switch {
	case len(rest) == 0:
		return where, nil
	case len(rest) == 1:
	case len(b.windows) == 1 && b.windows[0].closed() && len(rest) == b.windows[0].bounds+1:
		// The last one is what addWindows put there, the others are its bounds.
	default:
		return where, nil
	}
	ranges := rangesOf(rest[len(rest)-1])
	if ranges == nil || walkable(rest[len(rest)-1]) || !selects(rest[len(rest)-1], b.prefix()) {
		return where, nil
	}
	if len(rest) == 1 {
		return rest[0], ranges
	}
	return rest, ranges
}

// rangesOf are the ranges that a clause consists of; nil for another.
func rangesOf(c store.Clause) []store.Range {
	switch c := c.(type) {
	case store.Range:
		return []store.Range{c}
	case store.Or:
		var all []store.Range
		for _, part := range c {
			r, ok := part.(store.Range)
			if !ok {
				return nil
			}
			all = append(all, r)
		}
		return all
	}
	return nil
}
