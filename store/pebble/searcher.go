package pebble

import (
	"bytes"
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// searcher runs one query on one snapshot.
//
// What it holds in memory is bounded whatever the query: lists of document
// numbers of at most limits.gather entries for each range, key sets one at a
// time for each level of a chain, one page of places. Counting a range packs
// the numbers that it has seen (see bitmap). The set of a chain that cannot
// be checked document by document grows with what the chain selects.
type searcher struct {
	ctx    context.Context
	r      pebble.Reader
	e      *Engine
	t      tenantID
	limits limits
	open   []*pebble.Iterator
	steps  int

	// sets walks the key sets and levels hold them decoded: the first those
	// of the documents that the query asks for, each next those that a chain
	// leads to from there.
	sets   *pebble.Iterator
	setKey []byte
	levels []*keySet

	sorting bool // the number of matches decides how

	explaining bool
	notes      []store.ExplainedClause
	order      string
}

func newSearcher(ctx context.Context, e *Engine, r pebble.Reader, t tenantID) *searcher {
	return &searcher{ctx: ctx, r: r, e: e, t: t, limits: e.limits}
}

func (s *searcher) close() {
	for _, it := range s.open {
		_ = it.Close()
	}
}

// iter opens an iterator that closes with the searcher.
func (s *searcher) iter(lower, upper []byte) (*pebble.Iterator, error) {
	it, err := s.r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, wrap(err)
	}
	s.open = append(s.open, it)
	return it, nil
}

// step looks at the time budget now and then.
func (s *searcher) step() error {
	if s.steps++; s.steps&0x3F == 0 {
		return s.ctx.Err()
	}
	return nil
}

func (s *searcher) setIter() (*pebble.Iterator, error) {
	if s.sets == nil {
		p := prefix(spaceKeySet, s.t)
		var err error
		if s.sets, err = s.iter(p, end(p)); err != nil {
			return nil, err
		}
		s.setKey = p
	}
	return s.sets, nil
}

// keys loads the keys of a document; none when it is deleted.
func (s *searcher) keys(number int64, level int) (*keySet, error) {
	for len(s.levels) <= level {
		s.levels = append(s.levels, &keySet{number: none})
	}
	k := s.levels[level]
	if k.number == number {
		return k, nil
	}
	it, err := s.setIter()
	if err != nil {
		return nil, err
	}
	s.setKey = appendNumber(s.setKey[:len(prefix(spaceKeySet, s.t))], number)
	if it.Valid() && bytes.Equal(it.Key(), s.setKey) || it.SeekGE(s.setKey) && bytes.Equal(it.Key(), s.setKey) {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, wrap(err)
		}
		return k, k.load(number, v)
	}
	if err := it.Error(); err != nil {
		return nil, wrap(err)
	}
	return k, k.load(number, nil)
}

// matches checks a resolved clause against one document.
func (s *searcher) matches(c store.Clause, n int64, level int) (bool, error) {
	keys, err := s.keys(n, level)
	if err != nil {
		return false, err
	}
	return s.holds(c, keys, level)
}

// holds checks a resolved clause against a loaded key set.
func (s *searcher) holds(c store.Clause, keys *keySet, level int) (bool, error) {
	switch c := c.(type) {
	case store.Range:
		return keys.has(c), nil
	case resolved:
		return c.set.has(keys.number), nil
	case *refersFilter:
		return s.refersHolds(c, keys, level)
	case *referredFilter:
		return s.referredHolds(c, keys, level)
	case store.And:
		for _, part := range c {
			if ok, err := s.holds(part, keys, level); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case store.Or:
		for _, part := range c {
			if ok, err := s.holds(part, keys, level); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	case store.Not:
		ok, err := s.holds(c.Clause, keys, level)
		return !ok, err
	}
	return false, store.CheckClause(c)
}

// drop closes an iterator before the searcher ends.
func (s *searcher) drop(it *pebble.Iterator) {
	if i := slices.Index(s.open, it); i >= 0 {
		s.open = slices.Delete(s.open, i, i+1)
	}
	_ = it.Close()
}
