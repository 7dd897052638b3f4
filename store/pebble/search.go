package pebble

import (
	"context"
	"errors"
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

// Search implements store.Searcher on a snapshot.
func (e *Engine) Search(ctx context.Context, name store.Tenant, q store.Query) (store.Page, error) {
	page := store.Page{Total: -1}
	err := e.read(ctx, name, store.CheckQuery(q), func(t *tenant) error {
		snap := e.db.NewSnapshot()
		defer snap.Close()
		s := newSearcher(ctx, e, snap, t.id)
		defer s.close()
		var err error
		page, err = s.search(q)
		return err
	})
	if errors.Is(err, errNoTenant) {
		if q.Count {
			page.Total = 0
		}
		return page, nil
	}
	return page, timeout(err)
}

// timeout gives the end of a query's time budget its identity.
func timeout(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return store.ErrTimeout
	}
	return err
}

func (s *searcher) search(q store.Query) (store.Page, error) {
	page := store.Page{Total: -1}
	where, err := s.resolve(q.Where, 0)
	if err != nil {
		return page, err
	}
	if q.Count {
		if page.Total, page.Estimated, err = s.count(where, q.Estimate); err != nil {
			return page, err
		}
	}
	if q.Limit == 0 {
		return page, nil
	}
	var found []store.Cursor
	switch {
	case len(q.Sort) > 0:
		found, err = s.bySort(where, q)
	case len(q.Along) > 0 && (q.After == nil || len(q.After.Keys) == 1):
		found, err = s.along(where, q)
	default:
		found, err = s.byNumber(where, q)
	}
	if err != nil {
		return page, err
	}
	if len(found) > q.Limit {
		found = found[:q.Limit]
		page.Next = &found[q.Limit-1]
	}
	if page.Documents, err = s.documents(found, !q.RefsOnly, q.MaxBytes); err != nil {
		return page, err
	}
	if n := len(page.Documents); n < len(found) {
		found = found[:n]
		page.Next, page.Cut = &found[n-1], true
	}
	page.Places = found
	return page, nil
}

// documents reads a page, or as much of it as maxBytes allows. One iterator
// finds documents that lie close to each other faster than a lookup of each.
func (s *searcher) documents(found []store.Cursor, body bool, maxBytes int) ([]store.Document, error) {
	if len(found) == 0 {
		return nil, nil
	}
	p := prefix(spaceDocument, s.t)
	it, err := s.iter(p, end(p))
	if err != nil {
		return nil, err
	}
	docs := make([]store.Document, len(found))
	key := slices.Clone(p)
	size := 0
	for i, c := range found {
		key = appendNumber(key[:len(p)], c.Number)
		if !it.SeekGE(key) || !slices.Equal(it.Key(), key) {
			if err := it.Error(); err != nil {
				return nil, wrap(err)
			}
			return nil, errLayout // a posting without its document
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, wrap(err)
		}
		if docs[i], _, err = decodeDocument(v, c.Number, body); err != nil {
			return nil, err
		}
		if size += len(docs[i].Body); maxBytes > 0 && i > 0 && size > maxBytes {
			return docs[:i], nil
		}
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

// byNumber takes one more than a page in the order of numbers.
func (s *searcher) byNumber(where store.Clause, q store.Query) ([]store.Cursor, error) {
	s.order = "number"
	p, err := s.plan(where, 0, "where")
	if err != nil {
		return nil, err
	}
	from := int64(0)
	if q.After != nil {
		from = q.After.Number + 1
	}
	var found []store.Cursor
	for n, err := p.seek(from); ; n, err = p.seek(n + 1) {
		if err != nil || n == none {
			return found, err
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
