package pebble

import (
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// none is the number behind all numbers.
const none int64 = math.MaxInt64

// numbers is a set of document numbers in ascending order. seek returns the
// least one that is at least n, or none; n never goes down.
type numbers interface {
	seek(n int64) (int64, error)
}

// postings walks the documents that have one key, which lie in order.
func (s *searcher) postings(k store.Key) (*postingIter, error) {
	p := postingPrefix(s.t, k)
	it, err := s.iter(p, postingEnd(p))
	if err != nil {
		return nil, err
	}
	return &postingIter{it: it, prefix: p, at: -1}, nil
}

type postingIter struct {
	it     *pebble.Iterator
	prefix []byte
	at     int64
	buf    []byte
}

// nearby is how many postings are stepped over before a seek is worth it.
const nearby = 2

func (p *postingIter) seek(n int64) (int64, error) {
	if n <= p.at {
		return p.at, nil
	}
	if p.at >= 0 {
		for range nearby {
			if err := p.land(p.it.Next()); err != nil || p.at >= n {
				return p.at, err
			}
		}
	}
	p.buf = appendNumber(append(p.buf[:0], p.prefix...), n)
	err := p.land(p.it.SeekGE(p.buf))
	return p.at, err
}

func (p *postingIter) land(valid bool) error {
	if !valid {
		p.at = none
		return wrap(p.it.Error())
	}
	var err error
	p.at, _, err = cutNumber(p.it.Key()[len(p.prefix):])
	return err
}

type unionOf []numbers

func (u unionOf) seek(n int64) (int64, error) {
	least := none
	for _, part := range u {
		m, err := part.seek(n)
		if err != nil {
			return 0, err
		}
		least = min(least, m)
	}
	return least, nil
}

// intersectionOf leaps from one to the next.
type intersectionOf []numbers

func (in intersectionOf) seek(n int64) (int64, error) {
	agreed := 0
	for i := 0; agreed < len(in); i = (i + 1) % len(in) {
		m, err := in[i].seek(n)
		if err != nil || m == none {
			return none, err
		}
		if m == n {
			agreed++
			continue
		}
		n, agreed = m, 1
	}
	return n, nil
}

// filtered lets through what a clause selects, by the key sets.
type filtered struct {
	s     *searcher
	from  numbers
	check store.Clause
	level int
}

func (f *filtered) seek(n int64) (int64, error) {
	for {
		m, err := f.from.seek(n)
		if err != nil || m == none {
			return none, err
		}
		ok, err := f.s.matches(f.check, m, f.level)
		if ok || err != nil {
			return m, err
		}
		if err := f.s.step(); err != nil {
			return none, err
		}
		n = m + 1
	}
}

// everything walks the documents that have keys, in order: those are the ones
// that a clause can select. It shares the iterator over the key sets with the
// check of what it finds.
type everything struct {
	s  *searcher
	at int64
}

func (e *everything) seek(n int64) (int64, error) {
	if n <= e.at {
		return e.at, nil
	}
	it, err := e.s.setIter()
	if err != nil {
		return 0, err
	}
	behind := len(prefix(spaceKeySet, e.s.t))
	ok := false
	if it.Valid() && e.at >= 0 && n == e.at+1 {
		// The check may have moved the iterator, though never further than at.
		if m, _, err := cutNumber(it.Key()[behind:]); err == nil && m == e.at {
			ok = it.Next()
		} else {
			ok = it.SeekGE(numberKey(spaceKeySet, e.s.t, n))
		}
	} else {
		ok = it.SeekGE(numberKey(spaceKeySet, e.s.t, n))
	}
	if !ok {
		e.at = none
		return none, wrap(it.Error())
	}
	e.at, _, err = cutNumber(it.Key()[behind:])
	return e.at, err
}
