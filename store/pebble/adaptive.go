package pebble

import (
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

// adaptive walks documents by their keys and checks each, while nobody knows
// how many of them the check lets through. When few do, gathering one of the
// ranges of the check is better, as far as that has an end. So the two take
// turns: for each time that the checks have doubled, as much is spent on
// gathering. Together they cost at most twice what the better one would.
type adaptive struct {
	s     *searcher
	walk  numbers
	check store.And
	level int
	// ranges are those parts of the check that may be gathered.
	ranges []*gatherer

	checks, turn int
	// gathered is what is walked once a range came to its end.
	gathered numbers
}

// checkCost is how many postings are read in the time of a check.
const checkCost = 8

func (s *searcher) adaptive(walk numbers, check store.And, ranges []*gatherer, level int) numbers {
	if len(ranges) == 0 || s.sorting {
		return &filtered{s, walk, check, level}
	}
	return &adaptive{s: s, walk: walk, check: check, ranges: ranges, level: level, turn: s.limits.turn}
}

func (a *adaptive) seek(n int64) (int64, error) {
	for a.gathered == nil {
		m, err := a.walk.seek(n)
		if err != nil || m == none {
			return none, err
		}
		ok, err := a.s.matches(a.check, m, a.level)
		if ok || err != nil {
			return m, err
		}
		if err := a.s.step(); err != nil {
			return none, err
		}
		n = m + 1
		if a.checks++; a.checks == a.turn {
			if err := a.gather(); err != nil {
				return none, err
			}
		}
	}
	return a.gathered.seek(n)
}

// gather goes on with each range for as long as the checks took since the
// last turn.
func (a *adaptive) gather() error {
	budget := a.turn * checkCost
	a.turn *= 2
	for i := 0; i < len(a.ranges); {
		g := a.ranges[i]
		if err := g.run(a.s, len(g.list)+budget/len(a.ranges)); err != nil {
			return err
		}
		switch {
		case g.done:
			both := intersectionOf{g.sorted(), a.walk}
			a.gathered = &filtered{a.s, both, a.check, a.level}
			return nil
		case len(g.list) > a.s.limits.gather:
			a.ranges = slices.Delete(a.ranges, i, i+1)
		default:
			i++
		}
	}
	return nil
}
