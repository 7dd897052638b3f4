package pebble

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// gatherer collects the documents of some ranges, as far as it is told to at
// a time.
type gatherer struct {
	kind   string
	part   int // which part of an And this is
	ranges []store.Range
	asked  densityKey // names the clause where hinted
	hinted bool
	known  int // how many postings it had at least
	it     *pebble.Iterator
	behind int // length of what comes before the key
	single bool

	list []int64
	done bool
}

// gatherer returns one for a clause that is a set, a range, or an Or of
// ranges; false for another.
func (s *searcher) gatherer(c store.Clause) (*gatherer, bool) {
	switch c := c.(type) {
	case resolved:
		return &gatherer{kind: "set", list: c.set, done: true}, true
	case store.Range:
		if _, ok := c.Single(); ok {
			return &gatherer{kind: "key", ranges: []store.Range{c}}, true
		}
		return &gatherer{kind: "range", ranges: []store.Range{c}}, true
	case store.Or:
		g := &gatherer{kind: "or"}
		for _, part := range c {
			switch part := part.(type) {
			case store.Range:
				g.ranges = append(g.ranges, part)
			case resolved:
				g.list = append(g.list, part.set...)
			default:
				return nil, false
			}
		}
		return g, true
	}
	return nil, false
}

// recall asks what earlier searches saw of the clause.
func (g *gatherer) recall(s *searcher) {
	if len(g.list) == 0 && len(g.ranges) > 0 {
		g.asked, g.hinted = s.e.densities.key(s.t, g.ranges), true
		g.known = s.e.densities.atLeast(g.asked)
	}
}

// run goes on until it has more than n postings or all of them.
func (g *gatherer) run(s *searcher, n int) error {
	for !g.done && len(g.list) <= n {
		number, err := g.next(s)
		if err != nil {
			return err
		}
		if number == none {
			g.done = true
			return nil
		}
		g.list = append(g.list, number)
		if err := s.step(); err != nil {
			return err
		}
	}
	return nil
}

// next is the document of the next posting.
func (g *gatherer) next(s *searcher) (int64, error) {
	ok := g.it != nil && g.it.Next()
	for !ok {
		if g.it != nil {
			if err := g.it.Error(); err != nil {
				return 0, wrap(err)
			}
		}
		if len(g.ranges) == 0 {
			return none, nil
		}
		r := g.ranges[0]
		g.ranges = g.ranges[1:]
		if r.From >= r.To {
			continue
		}
		lower, upper := rangeBounds(s.t, r)
		g.behind = len(prefix(spaceKey, s.t))
		if _, g.single = r.Single(); g.single {
			upper = postingEnd(lower)
			g.behind = len(lower)
		}
		if g.it == nil {
			var err error
			if g.it, err = s.iter(lower, upper); err != nil {
				return 0, err
			}
		} else {
			g.it.SetBounds(lower, upper)
		}
		ok = g.it.First()
	}
	key := g.it.Key()[g.behind:]
	if g.single {
		number, _, err := cutNumber(key)
		return number, err
	}
	_, number, err := cutPosting(key)
	return number, err
}

// sorted is what was gathered, as numbers to walk.
func (g *gatherer) sorted() *sortedList {
	if !slices.IsSorted(g.list) {
		slices.Sort(g.list)
	}
	g.list = slices.Compact(g.list)
	return &sortedList{list: g.list}
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
