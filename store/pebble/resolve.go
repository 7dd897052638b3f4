package pebble

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

// Chains are resolved before a query is planned: the documents that the inner
// query selects are walked and what they lead to becomes a set of numbers. An
// inner query that selects more than limits.chain is not: the chain is then
// checked for each document that the other clauses select.

// numberSet is a resolved sub-query: the documents it selects, in order.
type numberSet []int64

func (s numberSet) has(n int64) bool {
	_, ok := slices.BinarySearch(s, n)
	return ok
}

// resolved takes the place of a chain; embedding the interface is what lets
// it stand among the clauses of package store.
type resolved struct {
	store.Clause
	set numberSet
}

// refersFilter is a Refers that is checked document by document.
type refersFilter struct {
	store.Clause
	prefix store.Key
	query  store.Clause
	known  map[string]bool // what was found out about a referenced document
}

// referredFilter is a ReferredBy that is checked document by document.
type referredFilter struct {
	store.Clause
	prefix store.Key
	query  store.Clause
}

// resolve prepares a clause of a query, or of a chain within it (level).
func (s *searcher) resolve(c store.Clause, level int) (store.Clause, error) {
	switch c := c.(type) {
	case store.And:
		var out store.And
		for _, part := range c {
			r, err := s.resolve(part, level)
			if err != nil {
				return nil, err
			}
			if inner, ok := r.(store.And); ok {
				out = append(out, inner...)
			} else {
				out = append(out, r)
			}
		}
		if len(out) == 1 {
			return out[0], nil
		}
		return out, nil
	case store.Or:
		var out store.Or
		for _, part := range c {
			r, err := s.resolve(part, level)
			if err != nil {
				return nil, err
			}
			if inner, ok := r.(store.Or); ok {
				out = append(out, inner...)
			} else {
				out = append(out, r)
			}
		}
		return unite(out), nil
	case store.Not:
		inner, err := s.resolve(c.Clause, level)
		return store.Not{Clause: inner}, err
	case store.Refers:
		return s.resolveRefers(c, level)
	case store.ReferredBy:
		return s.resolveReferredBy(c, level)
	}
	return c, nil
}

// unite makes one set of the sets of an Or.
func unite(parts store.Or) store.Clause {
	var set numberSet
	var others store.Or
	for _, part := range parts {
		if r, ok := part.(resolved); ok {
			set = append(set, r.set...)
		} else {
			others = append(others, part)
		}
	}
	if len(others) == len(parts) {
		return parts
	}
	one := resolved{set: sorted(set)}
	if len(others) == 0 {
		return one
	}
	return append(others, one)
}

// few walks the documents that a resolved clause selects unless there are
// more of them than limits.chain.
func (s *searcher) few(c store.Clause, level int) (numberSet, bool, error) {
	p, err := s.plan(c, level, "chain")
	if err != nil {
		return nil, false, err
	}
	var found numberSet
	for n, err := p.seek(0); n != none || err != nil; n, err = p.seek(n + 1) {
		if err != nil {
			return nil, false, err
		}
		if len(found) == s.limits.chain {
			return nil, false, nil
		}
		found = append(found, n)
		if err := s.step(); err != nil {
			return nil, false, err
		}
	}
	return found, true, nil
}

func (s *searcher) resolveRefers(c store.Refers, level int) (store.Clause, error) {
	inner, err := s.resolve(c.Query, level+1)
	if err != nil {
		return nil, err
	}
	from, complete, err := s.few(inner, level+1)
	if err != nil {
		return nil, err
	}
	lazy := &refersFilter{prefix: c.Prefix, query: inner, known: map[string]bool{}}
	if !complete {
		return lazy, nil
	}
	any := make(store.Or, 0, len(from))
	for _, n := range from {
		doc, _, err := byNumber(s.r, s.t, n, false)
		if err != nil {
			return nil, err
		}
		any = append(any, store.Exactly(c.Prefix+doc.Ref.String()))
	}
	g, _ := s.gatherer(any)
	if err := g.run(s, s.limits.gather); err != nil {
		return nil, err
	}
	if !g.done {
		return lazy, nil
	}
	return resolved{set: g.sorted().list}, nil
}

// refersHolds checks whether a document has a reference key of a match.
func (s *searcher) refersHolds(c *refersFilter, keys *keySet, level int) (bool, error) {
	for i, _ := keys.search(c.prefix); i < keys.len() && bytes.HasPrefix(keys.at(i), []byte(c.prefix)); i++ {
		name := string(keys.at(i)[len(c.prefix):])
		ok, known := c.known[name]
		if !known {
			var err error
			if ok, err = s.matchesNamed(c.query, name, level+1); err != nil {
				return false, err
			}
			if len(c.known) == s.limits.remembered {
				clear(c.known)
			}
			c.known[name] = ok
		}
		if ok {
			return true, nil
		}
	}
	return false, nil
}

// matchesNamed checks a clause against the document that a reference names.
func (s *searcher) matchesNamed(c store.Clause, name string, level int) (bool, error) {
	n, ok, err := s.named(name)
	if !ok || err != nil {
		return false, err
	}
	if err := s.step(); err != nil {
		return false, err
	}
	return s.matches(c, n, level)
}

// named is the number of the document "Type/id".
func (s *searcher) named(name string) (int64, bool, error) {
	typ, id, ok := strings.Cut(name, "/")
	if !ok {
		return 0, false, nil
	}
	n, err := s.e.numberOf(s.r, s.t, store.Ref{Type: typ, ID: id})
	if errors.Is(err, store.ErrNotFound) {
		return 0, false, nil
	}
	return n, err == nil, err
}

// live reads the head of a document that exists and is not deleted. A number
// may be of a document that was committed after the snapshot was taken.
func (s *searcher) live(n int64) (store.Document, bool, error) {
	doc, _, err := byNumber(s.r, s.t, n, false)
	if errors.Is(err, store.ErrNotFound) {
		return doc, false, nil
	}
	return doc, err == nil && !doc.Deleted, err
}

func (s *searcher) resolveReferredBy(c store.ReferredBy, level int) (store.Clause, error) {
	inner, err := s.resolve(c.Query, level+1)
	if err != nil {
		return nil, err
	}
	from, complete, err := s.few(inner, level+1)
	if err != nil {
		return nil, err
	}
	if !complete {
		return &referredFilter{prefix: c.Prefix, query: inner}, nil
	}
	set, err := s.referencesOf(c.Prefix, &sortedList{list: from}, level)
	return resolved{set: set}, err
}

// referredHolds checks whether a match has a reference key of a document.
func (s *searcher) referredHolds(c *referredFilter, keys *keySet, level int) (bool, error) {
	doc, ok, err := s.live(keys.number)
	if !ok || err != nil {
		return false, err
	}
	it, err := s.postings(c.prefix + doc.Ref.String())
	if err != nil {
		return false, err
	}
	defer s.drop(it.it)
	for n, err := it.seek(0); n != none || err != nil; n, err = it.seek(n + 1) {
		if err != nil {
			return false, err
		}
		if ok, err := s.matches(c.query, n, level+1); ok || err != nil {
			return ok, err
		}
		if err := s.step(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// referredSet gathers all documents that the matches refer to, where nothing
// else limits what is to be checked.
func (s *searcher) referredSet(c *referredFilter, level int) (numberSet, error) {
	p, err := s.plan(c.query, level+1, "chain")
	if err != nil {
		return nil, err
	}
	return s.referencesOf(c.prefix, p, level)
}

// referencesOf is the set of existing documents that those in from have
// reference keys of.
func (s *searcher) referencesOf(p store.Key, from numbers, level int) (numberSet, error) {
	seen := map[string]struct{}{}
	for n, err := from.seek(0); n != none || err != nil; n, err = from.seek(n + 1) {
		if err != nil {
			return nil, err
		}
		keys, err := s.keys(n, level+1)
		if err != nil {
			return nil, err
		}
		for i, _ := keys.search(p); i < keys.len() && bytes.HasPrefix(keys.at(i), []byte(p)); i++ {
			seen[string(keys.at(i)[len(p):])] = struct{}{}
		}
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	set := make(numberSet, 0, len(seen))
	for name := range seen {
		n, ok, err := s.named(name)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		// A reference may name what was deleted meanwhile.
		if _, ok, err = s.live(n); err != nil {
			return nil, err
		}
		if ok {
			set = append(set, n)
		}
		if err := s.step(); err != nil {
			return nil, err
		}
	}
	return sorted(set), nil
}

func sorted(list []int64) []int64 {
	slices.Sort(list)
	return slices.Compact(list)
}
