package pebble

import (
	"errors"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

// numberSet is a resolved sub-query: the documents it selects.
type numberSet []int64

// resolved takes the place of a clause after resolve; embedding the
// interface is what lets it stand among the clauses of package store.
type resolved struct {
	store.Clause
	set numberSet
}

// resolve replaces the sub-queries of a clause by what they select.
func (s *searcher) resolve(c store.Clause) (store.Clause, error) {
	switch c := c.(type) {
	case store.And:
		return mapClauses(c, s.resolve)
	case store.Or:
		out, err := mapClauses(store.And(c), s.resolve)
		return store.Or(out), err
	case store.Not:
		inner, err := s.resolve(c.Clause)
		return store.Not{Clause: inner}, err
	case store.Refers:
		return s.refers(c)
	case store.ReferredBy:
		return s.referredBy(c)
	}
	return c, nil
}

func mapClauses(in store.And, f func(store.Clause) (store.Clause, error)) (store.And, error) {
	out := make(store.And, len(in))
	for i, c := range in {
		var err error
		if out[i], err = f(c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// refers selects the documents that have a reference key of some match.
func (s *searcher) refers(c store.Refers) (store.Clause, error) {
	var set numberSet
	err := s.each(c.Query, func(n int64) error {
		doc, _, err := byNumber(s.r, s.t, n, false)
		if err != nil {
			return err
		}
		list, _, err := s.gather(store.Exactly(c.Prefix+doc.Ref.String()), -1)
		if err != nil {
			return err
		}
		set = append(set, list.list...)
		return nil
	})
	return asClause(set), err
}

// referredBy selects the documents that the matches have reference keys of.
func (s *searcher) referredBy(c store.ReferredBy) (store.Clause, error) {
	var set numberSet
	err := s.each(c.Query, func(n int64) error {
		keys, err := s.keys(n)
		if err != nil {
			return err
		}
		i, _ := slices.BinarySearch(keys, c.Prefix)
		for ; i < len(keys) && strings.HasPrefix(keys[i], c.Prefix); i++ {
			typ, id, ok := strings.Cut(keys[i][len(c.Prefix):], "/")
			if !ok {
				continue
			}
			number, err := numberOf(s.r, s.t, store.Ref{Type: typ, ID: id})
			switch {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				return err
			default:
				set = append(set, number)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// A reference may name what was deleted meanwhile.
	live := set[:0]
	for _, n := range set {
		doc, _, err := byNumber(s.r, s.t, n, false)
		if err != nil {
			return nil, err
		}
		if !doc.Deleted {
			live = append(live, n)
		}
	}
	return asClause(live), nil
}

func asClause(set numberSet) store.Clause {
	slices.Sort(set)
	return resolved{set: slices.Compact(set)}
}

// each calls f with every match of an inner query.
func (s *searcher) each(c store.Clause, f func(n int64) error) error {
	inner, err := s.resolve(c)
	if err != nil {
		return err
	}
	it, err := s.numbers(inner)
	if err != nil {
		return err
	}
	for n, err := it.seek(0); ; n, err = it.seek(n + 1) {
		if err != nil || n == none {
			return err
		}
		if err := f(n); err != nil {
			return err
		}
		if err := s.step(); err != nil {
			return err
		}
	}
}

// matches checks a resolved clause against one document.
func (s *searcher) matches(c store.Clause, n int64) (bool, error) {
	keys, err := s.keys(n)
	if err != nil {
		return false, err
	}
	return holds(c, n, keys), nil
}

func holds(c store.Clause, n int64, keys []store.Key) bool {
	switch c := c.(type) {
	case resolved:
		_, ok := slices.BinarySearch(c.set, n)
		return ok
	case store.And:
		return !slices.ContainsFunc(c, func(p store.Clause) bool { return !holds(p, n, keys) })
	case store.Or:
		return slices.ContainsFunc(c, func(p store.Clause) bool { return holds(p, n, keys) })
	case store.Not:
		return !holds(c.Clause, n, keys)
	}
	return store.MatchKeys(c, keys)
}
