package pebble

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// along walks the postings of some ranges until a page is full, where the
// order is of no matter. To gather what selects very many documents, so that
// their numbers can be put in order, costs in proportion to them.
func (s *searcher) along(where store.Clause, q store.Query) ([]store.Cursor, error) {
	s.order = "along keys"
	w := alongWalk{s: s, where: where, q: q, ranges: joinRanges(q.Along)}
	for i, r := range w.ranges {
		if q.After != nil && r.To <= *q.After.Keys[0] {
			continue
		}
		if err := w.walk(i); err != nil || w.full() {
			return w.found, err
		}
	}
	return w.found, nil
}

// alongWalk fills a page.
type alongWalk struct {
	s      *searcher
	where  store.Clause
	q      store.Query
	ranges []store.Range // disjoint, in order
	it     *pebble.Iterator
	found  []store.Cursor
}

func (w *alongWalk) full() bool { return len(w.found) > w.q.Limit }

// walk looks at the postings of a range, from the query's place on if that
// lies in it.
func (w *alongWalk) walk(i int) error {
	lower, upper := rangeBounds(w.s.t, w.ranges[i])
	if after := w.q.After; after != nil && w.ranges[i].Contains(*after.Keys[0]) {
		lower = postingKey(w.s.t, *after.Keys[0], after.Number+1)
	}
	if w.it == nil {
		var err error
		if w.it, err = w.s.iter(lower, upper); err != nil {
			return err
		}
	} else {
		w.it.SetBounds(lower, upper)
	}
	behind := len(prefix(spaceKey, w.s.t))
	for ok := w.it.First(); ok; ok = w.it.Next() {
		if err := w.s.step(); err != nil {
			return err
		}
		escaped, n, err := cutPosting(w.it.Key()[behind:])
		if err != nil {
			return err
		}
		if err := w.take(i, escaped, n); err != nil || w.full() {
			return err
		}
	}
	return wrap(w.it.Error())
}

// take adds a document at the least of its keys that lie in the ranges.
func (w *alongWalk) take(i int, escaped []byte, n int64) error {
	keys, err := w.s.keys(n, 0)
	if err != nil {
		return err
	}
	for _, r := range w.ranges[:i] {
		if keys.has(r) {
			return nil
		}
	}
	least, ok := keys.first(w.ranges[i])
	if !ok || !sameKey(escaped, least) {
		return nil
	}
	key := string(least)
	if ok, err := w.s.holds(w.where, keys, 0); !ok || err != nil {
		return err
	}
	w.found = append(w.found, store.Cursor{Number: n, Keys: []*store.Key{&key}})
	return nil
}

// joinRanges are the same keys as disjoint ranges in order.
func joinRanges(ranges []store.Range) []store.Range {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b store.Range) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
	var out []store.Range
	for _, r := range ranges {
		switch last := len(out) - 1; {
		case r.From >= r.To:
		case last >= 0 && r.From <= out[last].To:
			out[last].To = max(out[last].To, r.To)
		default:
			out = append(out, r)
		}
	}
	return out
}
