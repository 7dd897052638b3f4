package pebble

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// A sorted page is found in one of two ways. Where the clauses select few
// documents, those are gathered and the least of them kept. Where they select
// many, the sort range is walked in the order of its keys and each document
// checked, until the page is full; the documents without a sort key follow in
// the order of their numbers.

func (s *searcher) bySort(where store.Clause, q store.Query) ([]store.Cursor, error) {
	s.sorting = true
	if _, ok := where.(store.And); !ok {
		// A walk by number just begins, but here it matters how many there
		// are: an And probes its parts.
		where = store.And{where}
	}
	p, err := s.plan(where, 0, "where")
	if err != nil {
		return nil, err
	}
	most := s.limits.walk
	if p.atMost != unknown {
		most = p.atMost
	}
	if p.atMost == unknown || p.atMost > s.limits.few {
		s.order = "sort walk"
		w := sortWalk{s: s, where: where, q: q, among: p.among, whole: most * look, budget: most * look}
		done, err := w.run()
		if err != nil || done {
			return w.found, err
		}
	}
	s.order = "gather and sort"
	return s.least(p, q, nil)
}

// least keeps the least of what is walked that lie behind the cursor. It
// holds no more than one page.
func (s *searcher) least(from numbers, q store.Query, found []store.Cursor) ([]store.Cursor, error) {
	top := leastOf{q: q, room: q.Limit + 1 - len(found)}
	for n, err := from.seek(0); n != none || err != nil; n, err = from.seek(n + 1) {
		if err != nil {
			return nil, err
		}
		if err := s.step(); err != nil {
			return nil, err
		}
		keys, err := s.keys(n, 0)
		if err != nil {
			return nil, err
		}
		top.add(keys)
	}
	return append(found, top.best...), nil
}

// leastOf keeps the least places behind the query's cursor, as many as there
// is room for.
type leastOf struct {
	q    store.Query
	room int
	best []store.Cursor
}

func (l *leastOf) add(keys *keySet) {
	if l.room <= 0 {
		return
	}
	full := len(l.best) == l.room
	// Most documents lose by the first key already; that takes no memory.
	if by := l.q.Sort[0]; full {
		k, ok := keys.sortKey(by)
		if worst := l.best[l.room-1].Keys[0]; worst != nil {
			if !ok || string(k) != *worst && (string(k) > *worst) != by.Descending {
				return
			}
		}
	}
	c := keys.cursor(l.q.Sort)
	if l.q.After != nil && store.CompareCursors(l.q.Sort, c, *l.q.After) <= 0 {
		return
	}
	if full && store.CompareCursors(l.q.Sort, c, l.best[l.room-1]) >= 0 {
		return
	}
	i, _ := slices.BinarySearchFunc(l.best, c, func(a, b store.Cursor) int { return store.CompareCursors(l.q.Sort, a, b) })
	if full {
		l.best = l.best[:l.room-1]
	}
	l.best = slices.Insert(l.best, i, c)
}

// sortWalk fills a page by walking the sort range, for as long as that is
// cheaper than to gather: it ends without a result when its budget is spent,
// or an eighth of it and what was found until then promises no better.
type sortWalk struct {
	s     *searcher
	where store.Clause
	q     store.Query
	// among, when it is not nil, has all documents that may match.
	among []int64
	found []store.Cursor
	// What may be spent, and what is left of it; a posting costs 1, the look
	// at a document's keys look.
	whole, budget int
}

// look is how many postings can be walked in the time of a look at the keys
// of a document.
const look = 4

func (w *sortWalk) full() bool { return len(w.found) > w.q.Limit }

// over reports whether the walk is to end.
func (w *sortWalk) over(group *leastOf) bool {
	spent := w.whole - w.budget
	if w.among == nil || spent < w.whole/8 {
		return w.budget < 0
	}
	found := len(w.found) + len(group.best)
	return w.budget < 0 || spent*(w.q.Limit+1) > w.whole*max(found, 1)
}

// run reports false when the budget ended before the page was full.
func (w *sortWalk) run() (bool, error) {
	by := w.q.Sort[0]
	if after := w.q.After; after == nil || after.Keys[0] != nil {
		lower, upper := rangeBounds(w.s.t, by.Range)
		if by.Range.From < by.Range.To {
			it, err := w.s.iter(lower, upper)
			if err != nil {
				return false, err
			}
			walk := w.ascending
			if by.Descending {
				walk = w.descending
			}
			if ended, err := walk(it); err != nil || !ended {
				return false, err
			}
		}
	}
	if w.full() {
		return true, nil
	}
	return true, w.rest()
}

// rest adds the documents without a sort key.
func (w *sortWalk) rest() error {
	without := store.And{w.where, store.Not{Clause: w.q.Sort[0].Range}}
	if and, ok := w.where.(store.And); ok {
		without = append(slices.Clone(and), store.Not{Clause: w.q.Sort[0].Range})
	}
	p, err := w.s.plan(without, 0, "rest")
	if err != nil {
		return err
	}
	if len(w.q.Sort) > 1 {
		w.found, err = w.s.least(p, w.q, w.found)
		return err
	}
	from := int64(0)
	if after := w.q.After; after != nil && after.Keys[0] == nil {
		from = after.Number + 1
	}
	for n, err := p.seek(from); n != none || err != nil; n, err = p.seek(n + 1) {
		if err != nil {
			return err
		}
		w.found = append(w.found, store.Cursor{Number: n, Keys: []*store.Key{nil}})
		if w.full() {
			return nil
		}
		if err := w.s.step(); err != nil {
			return err
		}
	}
	return nil
}

// take looks at one posting of the sort range. With one sort key, postings
// come in the order of the answer; with several, the documents of one key are
// ordered among themselves when all of them were seen.
func (w *sortWalk) take(escaped []byte, n int64, group *leastOf) error {
	if err := w.s.step(); err != nil {
		return err
	}
	w.budget--
	if w.among != nil {
		if _, ok := slices.BinarySearch(w.among, n); !ok {
			return nil
		}
	}
	w.budget -= look
	keys, err := w.s.keys(n, 0)
	if err != nil {
		return err
	}
	// A document stands where its least (greatest) key is, not at the others.
	k, ok := keys.sortKey(w.q.Sort[0])
	if !ok || !sameKey(escaped, k) {
		return nil
	}
	if ok, err := w.s.holds(w.where, keys, 0); !ok || err != nil {
		return err
	}
	group.add(keys)
	return nil
}

// sameKey compares a key as it stands in a posting with a plain one.
func sameKey(escaped, k []byte) bool {
	if bytes.IndexByte(escaped, 0) < 0 {
		return bytes.Equal(escaped, k)
	}
	return unescape(escaped) == string(k)
}

// close adds what was found of the documents of one key.
func (w *sortWalk) close(group *leastOf) {
	w.found = append(w.found, group.best...)
	group.best = group.best[:0]
	group.room = w.q.Limit + 1 - len(w.found)
}

// enough reports whether looking at further postings of the same key can be
// left out: their numbers only grow.
func (w *sortWalk) enough(group *leastOf) bool {
	return len(w.q.Sort) == 1 && len(group.best) == group.room
}

func (w *sortWalk) group() *leastOf { return &leastOf{q: w.q, room: w.q.Limit + 1} }

// ascending reports whether it came to the end, of the page or the range.
func (w *sortWalk) ascending(it *pebble.Iterator) (bool, error) {
	behind := len(prefix(spaceKey, w.s.t))
	ok := false
	if w.q.After == nil {
		ok = it.First()
	} else {
		ok = it.SeekGE(w.start())
	}
	group := w.group()
	var key []byte
	for ; ok; ok = it.Next() {
		escaped, n, err := cutPosting(it.Key()[behind:])
		if err != nil {
			return false, err
		}
		if !bytes.Equal(escaped, key) {
			if w.close(group); w.full() {
				return true, nil
			}
			key = append(key[:0], escaped...)
		}
		if err := w.take(escaped, n, group); err != nil {
			return false, err
		}
		if w.enough(group) {
			break
		}
		if w.over(group) {
			return false, nil
		}
	}
	w.close(group)
	return true, wrap(it.Error())
}

// start is the posting at which a page begins: behind the cursor's document
// or, with several sorts, at the first document of the cursor's key.
func (w *sortWalk) start() []byte {
	k := *w.q.After.Keys[0]
	if len(w.q.Sort) > 1 {
		return postingPrefix(w.s.t, k)
	}
	return postingKey(w.s.t, k, w.q.After.Number+1)
}

// descending walks the keys downwards and the documents of each key upwards.
func (w *sortWalk) descending(it *pebble.Iterator) (bool, error) {
	behind := len(prefix(spaceKey, w.s.t))
	ok := false
	if w.q.After == nil {
		ok = it.Last()
	} else {
		ok = it.SeekLT(postingEnd(postingPrefix(w.s.t, *w.q.After.Keys[0])))
	}
	group := w.group()
	var here []byte // where the postings of a key begin
	for ok {
		escaped, n, err := cutPosting(it.Key()[behind:])
		if err != nil {
			return false, err
		}
		here = append(append(here[:0], it.Key()[:behind+len(escaped)]...), 0)
		ok = it.Prev()
		if ok && isPostingOf(it.Key(), here) {
			// More than one document has this key: once upwards.
			for more := it.SeekGE(here); more && isPostingOf(it.Key(), here); more = it.Next() {
				if n, _, err = cutNumber(it.Key()[len(here):]); err != nil {
					return false, err
				}
				if err := w.take(here[behind:len(here)-1], n, group); err != nil {
					return false, err
				}
				if w.enough(group) {
					break
				}
				if w.over(group) {
					return false, nil
				}
			}
			ok = it.SeekLT(here)
		} else if err := w.take(here[behind:len(here)-1], n, group); err != nil {
			return false, err
		}
		if w.close(group); w.full() {
			break
		}
		if w.over(group) {
			return false, nil
		}
	}
	return true, wrap(it.Error())
}

// isPostingOf reports whether a key is a posting of the key with this prefix,
// not of a longer one that goes on with an escaped zero.
func isPostingOf(key, prefix []byte) bool {
	return bytes.HasPrefix(key, prefix) && len(key) > len(prefix) && key[len(prefix)] != 0xFF
}
