package search

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

// lean is an And without the clause that every resource of the type meets,
// where another one selects nothing but that type, by whole keys: they begin
// with it. An engine then walks these keys, and has nothing to check. An
// equality search took half the time. Where there are only ranges, which may
// select nearly all of the type, walking the type remains an engine's choice.
func lean(parts store.And, typ uint16) store.Clause {
	all := exists(typ)
	rest := slices.DeleteFunc(slices.Clone(parts), func(c store.Clause) bool { return c == all })
	prefix := paramKey(typ, 0)[:2]
	if !slices.ContainsFunc(rest, func(c store.Clause) bool { return walkable(c) && selects(c, prefix) }) {
		return parts
	}
	if len(rest) == 1 {
		return rest[0]
	}
	return rest
}

// maxWalked is how many keys are walked side by side.
const maxWalked = 8

// walkable reports whether what a clause selects is walked in the order of
// documents by the keys that it names.
func walkable(c store.Clause) bool {
	switch c := c.(type) {
	case store.Range:
		_, single := c.Single()
		return single
	case store.Refers:
		return true
	case store.And:
		return slices.ContainsFunc(c, walkable)
	case store.Or:
		return len(c) <= maxWalked && !slices.ContainsFunc(c, func(part store.Clause) bool { return !walkable(part) })
	}
	return false
}

// selects reports whether a clause selects only by keys that begin so.
func selects(c store.Clause, prefix store.Key) bool {
	switch c := c.(type) {
	case store.Range:
		return strings.HasPrefix(c.From, prefix) && strings.HasPrefix(c.To, prefix)
	case store.Refers:
		return strings.HasPrefix(c.Prefix, prefix)
	case store.And:
		return slices.ContainsFunc(c, func(part store.Clause) bool { return selects(part, prefix) })
	case store.Or:
		return !slices.ContainsFunc(c, func(part store.Clause) bool { return !selects(part, prefix) })
	}
	return false
}
