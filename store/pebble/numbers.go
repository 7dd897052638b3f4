package pebble

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// numbers is a set of document numbers in ascending order. seek returns the
// least one that is at least n, or none; n never goes down.
type numbers interface {
	seek(n int64) (int64, error)
}

// gatherLimit is how many postings of a range are gathered and sorted. A
// range with more is, within an And, checked against the key sets of what the
// other clauses select.
const gatherLimit = 4096

// numbers builds the set that a resolved clause selects.
func (s *searcher) numbers(c store.Clause) (numbers, error) {
	switch c := c.(type) {
	case store.Range:
		if k, ok := c.Single(); ok {
			return s.postings(k)
		}
		list, _, err := s.gather(c, -1)
		return list, err
	case resolved:
		return &sortedList{list: c.set}, nil
	case store.Or:
		return s.union(c)
	case store.And:
		return s.intersection(c)
	}
	return nil, store.CheckClause(c)
}

// postings walks the documents that have one key, which lie in order.
func (s *searcher) postings(k store.Key) (numbers, error) {
	p := postingPrefix(s.t, k)
	it, err := s.r.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: postingEnd(p)})
	if err != nil {
		return nil, wrap(err)
	}
	s.open = append(s.open, it)
	return &postingIter{it: it, prefix: p, at: -1}, nil
}

type postingIter struct {
	it     *pebble.Iterator
	prefix []byte
	at     int64
	buf    []byte
}

func (p *postingIter) seek(n int64) (int64, error) {
	if n <= p.at {
		return p.at, nil
	}
	ok := false
	if p.at >= 0 && n == p.at+1 {
		ok = p.it.Next()
	} else {
		p.buf = appendNumber(append(p.buf[:0], p.prefix...), n)
		ok = p.it.SeekGE(p.buf)
	}
	if !ok {
		p.at = none
		return none, wrap(p.it.Error())
	}
	var err error
	p.at, _, err = cutNumber(p.it.Key()[len(p.prefix):])
	return p.at, err
}

// gather collects the documents of a range. With a limit of at least 0 it
// stops when there are more postings than that and says so.
func (s *searcher) gather(r store.Range, limit int) (*sortedList, bool, error) {
	lower, upper := rangeBounds(s.t, r)
	list := &sortedList{}
	if r.From >= r.To {
		return list, true, nil
	}
	it, err := s.r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, false, wrap(err)
	}
	defer it.Close()
	behind := len(prefix(spaceKey, s.t))
	for ok := it.First(); ok; ok = it.Next() {
		if limit >= 0 && len(list.list) == limit {
			return nil, false, nil
		}
		_, n, err := cutPosting(it.Key()[behind:])
		if err != nil {
			return nil, false, err
		}
		list.list = append(list.list, n)
		if err := s.step(); err != nil {
			return nil, false, err
		}
	}
	slices.Sort(list.list)
	list.list = slices.Compact(list.list)
	return list, true, wrap(it.Error())
}

type sortedList struct {
	list []int64
	at   int
}

func (l *sortedList) seek(n int64) (int64, error) {
	if l.at < len(l.list) && l.list[l.at] < n {
		i, _ := slices.BinarySearch(l.list[l.at:], n)
		l.at += i
	}
	if l.at == len(l.list) {
		return none, nil
	}
	return l.list[l.at], nil
}

func (s *searcher) union(parts store.Or) (numbers, error) {
	u := make(unionOf, 0, len(parts))
	for _, c := range parts {
		n, err := s.numbers(c)
		if err != nil {
			return nil, err
		}
		u = append(u, n)
	}
	if len(u) == 1 {
		return u[0], nil
	}
	return u, nil
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

// intersection leaps from clause to clause over those that can be walked in
// order, and checks the dense ranges and the Nots against the key sets of
// what is left.
func (s *searcher) intersection(parts store.And) (numbers, error) {
	var in intersectionOf
	var dense store.And
	in.s = s
	for _, c := range parts {
		switch c := c.(type) {
		case store.Not:
			in.check = append(in.check, c)
			continue
		case store.Range:
			if _, ok := c.Single(); !ok {
				list, complete, err := s.gather(c, gatherLimit)
				if err != nil {
					return nil, err
				}
				if !complete {
					dense = append(dense, c)
					continue
				}
				in.walk = append(in.walk, list)
				continue
			}
		}
		n, err := s.numbers(c)
		if err != nil {
			return nil, err
		}
		in.walk = append(in.walk, n)
	}
	if len(in.walk) == 0 { // dense ranges only: one of them must be walked
		list, _, err := s.gather(dense[0].(store.Range), -1)
		if err != nil {
			return nil, err
		}
		in.walk, dense = append(in.walk, list), dense[1:]
	}
	in.check = append(in.check, dense...)
	return &in, nil
}

type intersectionOf struct {
	s     *searcher
	walk  []numbers
	check store.And
}

func (in *intersectionOf) seek(n int64) (int64, error) {
	for {
		agreed := 0
		for i := 0; agreed < len(in.walk); i = (i + 1) % len(in.walk) {
			m, err := in.walk[i].seek(n)
			if err != nil || m == none {
				return none, err
			}
			if m == n {
				agreed++
				continue
			}
			n, agreed = m, 1
		}
		if len(in.check) == 0 {
			return n, nil
		}
		ok, err := in.s.matches(in.check, n)
		if err != nil {
			return none, err
		}
		if ok {
			return n, nil
		}
		if err := in.s.step(); err != nil {
			return none, err
		}
		n++
	}
}
