package pebble

import "github.com/fhirfacade/fhirfacade/store"

// count counts what a resolved clause selects. A range alone is counted by
// its postings, which is far quicker than looking at the documents.
//
// An estimate counts as many documents as limits.estimate allows to be looked
// at and takes the rest of the log for as dense in matches as what it saw.
func (s *searcher) count(where store.Clause, estimate bool) (total int64, estimated bool, err error) {
	if r, ok := where.(store.Range); ok && !estimate {
		if _, single := r.Single(); !single {
			total, err = s.countRange(r)
			return total, false, err
		}
	}
	p, err := s.plan(where, 0, "count")
	if err != nil {
		return 0, false, err
	}
	steps := s.steps
	for n, err := p.seek(0); ; n, err = p.seek(n + 1) {
		if err != nil || n == none {
			return total, false, err
		}
		total++
		if err := s.step(); err != nil {
			return 0, false, err
		}
		if estimate && s.steps-steps > s.limits.estimate {
			return s.extrapolate(total, n), true, nil
		}
	}
}

// extrapolate is how many documents match in all when so many do up to n. The
// entries of the log are the measure of how far that is.
func (s *searcher) extrapolate(total, n int64) int64 {
	last, err := s.lastNumber()
	seen := n>>indexBits + 1
	if err != nil || last < n {
		return total
	}
	return total + int64(float64(total)/float64(seen)*float64(last>>indexBits-n>>indexBits))
}

// lastNumber is the greatest number of a document.
func (s *searcher) lastNumber() (int64, error) {
	p := prefix(spaceKeySet, s.t)
	it, err := s.iter(p, end(p))
	if err != nil || !it.Last() {
		return 0, err
	}
	n, _, err := cutNumber(it.Key()[len(p):])
	return n, err
}

// countRange counts the documents of a range, each once.
func (s *searcher) countRange(r store.Range) (int64, error) {
	g, _ := s.gatherer(r)
	var seen bitmap
	total := int64(0)
	for {
		n, err := g.next(s)
		if err != nil || n == none {
			return total, err
		}
		if seen.add(uint64(n)) {
			total++
		}
		if err := s.step(); err != nil {
			return 0, err
		}
	}
}
