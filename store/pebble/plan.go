package pebble

import (
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

// A clause becomes a set of numbers to walk. The part of an And that drives
// the walk is the one that bounded probes find to be rarest; the others are
// leapt over (one key's postings lie in order) or checked against the key
// sets of what the driver selects. A range that is too dense to be gathered
// never drives: documents are walked in their order and checked.

// plan is a way to walk what a clause selects.
type plan struct {
	numbers
	// atMost is how many documents are walked at the most; unknown when no
	// probe got to the end.
	atMost int
	// among, when it is not nil, has all documents that are walked, in order.
	among []int64
}

const unknown = -1

// listed walks a sorted list.
func listed(list []int64) plan { return plan{&sortedList{list: list}, len(list), list} }

// plan builds the walk of a resolved clause. where says where in the query
// the clause stands.
func (s *searcher) plan(c store.Clause, level int, where string) (plan, error) {
	switch c := c.(type) {
	case resolved:
		s.note(where, "set", len(c.set), true, "drive")
		return listed(c.set), nil
	case store.Range:
		if k, ok := c.Single(); ok {
			it, err := s.postings(k)
			s.note(where, "key", 0, false, "drive")
			return plan{numbers: it, atMost: unknown}, err
		}
		return s.planGathered(c, level, where)
	case store.Or:
		return s.planOr(c, level, where)
	case store.And:
		return s.planAnd(c, level, where)
	case *refersFilter:
		// Whatever refers to anything by this prefix is looked at.
		p, err := s.planGathered(store.Prefix(c.prefix), level, where)
		p.numbers = &filtered{s, p.numbers, c, level}
		return p, err
	case *referredFilter:
		set, err := s.referredSet(c, level)
		if err != nil {
			return plan{}, err
		}
		return s.plan(resolved{set: set}, level, where)
	}
	return plan{}, store.CheckClause(c)
}

// planGathered gathers what a clause selects, or walks all documents when
// that is too much.
func (s *searcher) planGathered(c store.Clause, level int, where string) (plan, error) {
	g, _ := s.gatherer(c)
	if err := g.run(s, s.limits.gather); err != nil {
		return plan{}, err
	}
	if !g.done {
		if or, ok := c.(store.Or); ok && !needsKey(c) {
			return s.planUnion(or, level, where)
		}
		return s.scan(c, level, where), nil
	}
	s.note(where, g.kind, len(g.list), true, "drive")
	return listed(g.sorted().list), nil
}

// needsKey reports whether a clause selects no document without keys. Only a
// chain selects those: they may be referred to.
func needsKey(c store.Clause) bool {
	switch c := c.(type) {
	case store.Range, *refersFilter:
		return true
	case store.And:
		return slices.ContainsFunc(c, needsKey)
	case store.Or:
		return !slices.ContainsFunc(c, func(part store.Clause) bool { return !needsKey(part) })
	}
	return false
}

// scan walks all documents that have keys and checks each.
func (s *searcher) scan(c store.Clause, level int, where string) plan {
	s.note(where, "dense", s.limits.gather, false, "scan")
	return plan{numbers: &filtered{s, &everything{s: s, at: -1}, c, level}, atMost: unknown}
}

func (s *searcher) planOr(c store.Or, level int, where string) (plan, error) {
	if _, ok := s.gatherer(c); ok {
		if len(c) > s.limits.leaps || !allSingle(c) {
			return s.planGathered(c, level, where)
		}
	}
	return s.planUnion(c, level, where)
}

// planUnion walks the parts of an Or side by side.
func (s *searcher) planUnion(c store.Or, level int, where string) (plan, error) {
	var u unionOf
	p := plan{}
	for i, part := range c {
		q, err := s.plan(part, level, s.place(where, "or", i))
		if err != nil {
			return plan{}, err
		}
		u = append(u, q.numbers)
		if p.atMost == unknown || q.atMost == unknown {
			p.atMost = unknown
		} else {
			p.atMost += q.atMost
		}
	}
	p.numbers = u
	if len(u) == 1 {
		p.numbers = u[0]
	}
	return p, nil
}

func allSingle(c store.Or) bool {
	for _, part := range c {
		if _, ok := single(part); !ok {
			return false
		}
	}
	return true
}

func single(c store.Clause) (store.Key, bool) {
	r, ok := c.(store.Range)
	if !ok {
		return "", false
	}
	return r.Single()
}

func (s *searcher) planAnd(parts store.And, level int, where string) (plan, error) {
	var cands []*gatherer
	var keys, nested, lazy []int // places in parts
	for i, c := range parts {
		switch c.(type) {
		case store.Not:
			continue
		case *refersFilter, *referredFilter:
			lazy = append(lazy, i)
			continue
		}
		if g, ok := s.gatherer(c); ok {
			g.part = i
			cands = append(cands, g)
		} else {
			nested = append(nested, i)
		}
		if _, ok := single(c); ok {
			keys = append(keys, i)
		}
	}
	defer s.remember(cands)
	driver, err := s.rarest(cands, s.limits.probe)
	if err != nil {
		return plan{}, err
	}
	at := func(i int) string { return s.place(where, "and", i) }
	used := map[int]bool{}
	var p plan
	var dense []*gatherer
	switch {
	case driver != nil:
		used[driver.part] = true
		s.note(at(driver.part), driver.kind, len(driver.list), true, "drive")
		p = listed(driver.sorted().list)
		if len(driver.list) > s.limits.worth {
			p, err = s.narrow(driver, cands, keys, parts, at, used)
		}
	case len(keys) > 0:
		p, err = s.leap(plan{atMost: unknown}, parts, keys, at, used)
		dense = slices.DeleteFunc(slices.Clone(cands), func(g *gatherer) bool { return used[g.part] })
	case len(cands) > 0:
		p, err = s.planFirstGathered(parts, cands, level, where, used)
	default:
		i := append(nested, lazy...)[0]
		used[i] = true
		p, err = s.plan(parts[i], level, at(i))
	}
	if err != nil {
		return plan{}, err
	}
	var check store.And
	for i, c := range parts {
		if !used[i] {
			s.note(at(i), "clause", 0, false, "check")
			check = append(check, c)
		}
	}
	if len(check) > 0 {
		p.numbers = s.adaptive(p.numbers, check, dense, level)
	}
	return p, nil
}

// leap adds the postings of single keys to a walk.
func (s *searcher) leap(p plan, parts store.And, keys []int, at func(int) string, used map[int]bool) (plan, error) {
	var in intersectionOf
	if p.numbers != nil {
		in = append(in, p.numbers)
	}
	for _, i := range keys {
		k, _ := single(parts[i])
		it, err := s.postings(k)
		if err != nil {
			return plan{}, err
		}
		used[i] = true
		s.note(at(i), "key", 0, false, "leap")
		in = append(in, it)
	}
	p.numbers = in
	if len(in) == 1 {
		p.numbers = in[0]
	}
	return p, nil
}

// planFirstGathered drives by the first part that can be gathered at all, or
// walks all documents.
func (s *searcher) planFirstGathered(parts store.And, cands []*gatherer, level int, where string, used map[int]bool) (plan, error) {
	for _, g := range cands {
		if err := g.run(s, s.limits.gather); err != nil {
			return plan{}, err
		}
		if g.done {
			used[g.part] = true
			s.note(s.place(where, "and", g.part), g.kind, len(g.list), true, "drive")
			return listed(g.sorted().list), nil
		}
	}
	if !needsKey(parts) {
		i := cands[0].part
		used[i] = true
		return s.plan(parts[i], level, s.place(where, "and", i))
	}
	for i := range parts {
		used[i] = true
	}
	return s.scan(parts, level, where), nil
}

// rarest reads a posting of each candidate in turn until one ends. So it
// costs as many postings as the rarest has, times the candidates, less what
// earlier searches are known to have seen. It is nil when none ends within
// limit.
func (s *searcher) rarest(cands []*gatherer, limit int) (*gatherer, error) {
	for _, g := range cands {
		g.recall(s)
	}
	for n := 1; n <= limit; n++ {
		for _, g := range cands {
			if g.known > n {
				continue
			}
			if err := g.run(s, n); err != nil {
				return nil, err
			}
			if g.done && len(g.list) <= n { // a set is done before it begins
				return g, nil
			}
		}
	}
	return nil, nil
}

// remember lets later searches know what this one saw.
func (s *searcher) remember(cands []*gatherer) {
	for _, g := range cands {
		if n := len(g.list); g.hinted && n > g.known && n >= s.limits.worth {
			s.e.densities.saw(g.asked, n)
		}
	}
}

// overlap is how many times the driver's postings another part may have for
// its postings to be read, too, and intersected in memory.
const overlap = 4

// narrow spares a driver of many documents the look at the key set of each.
// Parts that are not much larger are gathered, too. And leaping to and fro
// between the driver and one other key passes over what only one of them has.
func (s *searcher) narrow(driver *gatherer, cands []*gatherer, keys []int, parts store.And, at func(int) string, used map[int]bool) (plan, error) {
	list := driver.list
	for _, g := range cands {
		bound := overlap * len(driver.list)
		if g == driver || g.known > bound {
			continue
		}
		if err := g.run(s, bound); err != nil {
			return plan{}, err
		}
		if g.done && len(g.list) <= bound {
			used[g.part] = true
			s.note(at(g.part), g.kind, len(g.list), true, "gather")
			list = intersect(list, g.sorted().list)
		}
	}
	p := listed(list)
	i, ok := s.rarestKey(cands, keys, used)
	if !ok || len(list) <= s.limits.worth {
		return p, nil
	}
	k, _ := single(parts[i])
	it, err := s.postings(k)
	if err != nil {
		return plan{}, err
	}
	s.note(at(i), "key", 0, false, "leap")
	p.numbers = &leaping{list: &sortedList{list: list}, key: it}
	return p, nil
}

func intersect(a, b []int64) []int64 {
	both := make([]int64, 0, min(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			a = a[1:]
		case a[0] > b[0]:
			b = b[1:]
		default:
			both = append(both, a[0])
			a, b = a[1:], b[1:]
		}
	}
	return both
}

// rarestKey is the key, not in use yet, that is known to be least dense; of
// unknown ones the last, since the first is what every document of a type has.
func (s *searcher) rarestKey(cands []*gatherer, keys []int, used map[int]bool) (int, bool) {
	best, at := 0, -1
	for _, g := range cands {
		if used[g.part] || !slices.Contains(keys, g.part) {
			continue
		}
		if n := max(g.known, len(g.list)); at < 0 || n <= best {
			best, at = n, g.part
		}
	}
	return at, at >= 0
}

// leaping walks a list and leaps over a key's postings. When nearly all of
// the list has the key, leaping is given up: the key is checked afterwards in
// any case.
type leaping struct {
	list *sortedList
	key  *postingIter
	// tries and hits count what was looked up and found.
	tries, hits int
}

func (l *leaping) seek(n int64) (int64, error) {
	for {
		m, _ := l.list.seek(n)
		if m == none || l.tries >= 16 && l.hits*4 > l.tries*3 {
			return m, nil
		}
		var err error
		if n, err = l.key.seek(m); err != nil || n == none {
			return none, err
		}
		l.tries++
		if n == m {
			l.hits++
			return n, nil
		}
	}
}
