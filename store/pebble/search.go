package pebble

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// Search implements store.Searcher on a snapshot.
func (e *Engine) Search(ctx context.Context, name store.Tenant, q store.Query) (store.Page, error) {
	page := store.Page{Total: -1}
	err := e.read(ctx, name, store.CheckQuery(q), func(t *tenant) error {
		snap := e.db.NewSnapshot()
		defer snap.Close()
		var err error
		page, err = search(ctx, snap, t.id, q)
		return err
	})
	if errors.Is(err, errNoTenant) {
		if q.Count {
			page.Total = 0
		}
		return page, nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = store.ErrTimeout
	}
	return page, err
}

func search(ctx context.Context, r pebble.Reader, t tenantID, q store.Query) (store.Page, error) {
	s := &searcher{ctx: ctx, r: r, t: t}
	defer s.close()
	page := store.Page{Total: -1}
	where, err := s.resolve(q.Where)
	if err != nil {
		return page, err
	}
	if q.Count {
		if page.Total, err = s.count(where); err != nil {
			return page, err
		}
	}
	if q.Limit == 0 {
		return page, nil
	}
	var found []store.Cursor
	if len(q.Sort) == 0 {
		found, err = s.byNumber(where, q)
	} else {
		found, err = s.bySort(where, q)
	}
	if err != nil {
		return page, err
	}
	if len(found) > q.Limit {
		found = found[:q.Limit]
		page.Next = &found[q.Limit-1]
	}
	for _, c := range found {
		doc, _, err := byNumber(r, t, c.Number, !q.RefsOnly)
		if err != nil {
			return page, err
		}
		page.Documents = append(page.Documents, doc)
	}
	return page, nil
}

// searcher runs one query on one snapshot.
type searcher struct {
	ctx   context.Context
	r     pebble.Reader
	t     tenantID
	open  []*pebble.Iterator
	steps int
}

func (s *searcher) close() {
	for _, it := range s.open {
		_ = it.Close()
	}
}

// step looks at the time budget now and then.
func (s *searcher) step() error {
	if s.steps++; s.steps&0xFF == 0 {
		return s.ctx.Err()
	}
	return nil
}

func (s *searcher) keys(number int64) ([]store.Key, error) { return keySet(s.r, s.t, number) }

// byNumber takes one more than a page in the order of numbers.
func (s *searcher) byNumber(where store.Clause, q store.Query) ([]store.Cursor, error) {
	it, err := s.numbers(where)
	if err != nil {
		return nil, err
	}
	from := int64(0)
	if q.After != nil {
		from = q.After.Number + 1
	}
	var found []store.Cursor
	for n, err := it.seek(from); ; n, err = it.seek(n + 1) {
		if err != nil {
			return nil, err
		}
		if n == none {
			return found, nil
		}
		found = append(found, store.Cursor{Number: n})
		if len(found) > q.Limit {
			return found, nil
		}
		if err := s.step(); err != nil {
			return nil, err
		}
	}
}

// bySort gathers the sort keys of all matches and keeps the least of them
// that lie behind the cursor. It holds no more than one page in memory.
func (s *searcher) bySort(where store.Clause, q store.Query) ([]store.Cursor, error) {
	it, err := s.numbers(where)
	if err != nil {
		return nil, err
	}
	order := func(a, b store.Cursor) int { return store.CompareCursors(q.Sort, a, b) }
	var best []store.Cursor
	for n, err := it.seek(0); n != none; n, err = it.seek(n + 1) {
		if err != nil {
			return nil, err
		}
		if err := s.step(); err != nil {
			return nil, err
		}
		keys, err := s.keys(n)
		if err != nil {
			return nil, err
		}
		c := store.Cursor{Number: n, Keys: make([]*store.Key, len(q.Sort))}
		for i, by := range q.Sort {
			c.Keys[i] = by.SortKey(keys)
		}
		if q.After != nil && order(c, *q.After) <= 0 {
			continue
		}
		if len(best) > q.Limit && order(c, best[len(best)-1]) >= 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(best, c, order)
		best = slices.Insert(best, i, c)
		if len(best) > q.Limit+1 {
			best = best[:q.Limit+1]
		}
	}
	return best, err
}

func (s *searcher) count(where store.Clause) (int64, error) {
	it, err := s.numbers(where)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for n, err := it.seek(0); ; n, err = it.seek(n + 1) {
		if err != nil {
			return 0, err
		}
		if n == none {
			return total, nil
		}
		total++
		if err := s.step(); err != nil {
			return 0, err
		}
	}
}

// none is the number behind all numbers.
const none int64 = math.MaxInt64
