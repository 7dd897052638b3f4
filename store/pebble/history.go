package pebble

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// History implements store.Reader.
func (e *Engine) History(ctx context.Context, name store.Tenant, q store.HistoryQuery) (store.HistoryPage, error) {
	var page store.HistoryPage
	err := e.read(ctx, name, store.CheckHistory(q), func(t *tenant) error {
		snap := e.db.NewSnapshot()
		defer snap.Close()
		h := history{e: e, r: snap, t: t.id, q: q, page: &page}
		var err error
		switch {
		case q.ID != "":
			if err = h.ofDocument(); errors.Is(err, store.ErrNotFound) {
				err = nil
			}
		case q.Type != "":
			err = h.ofType()
		default:
			err = h.ofTenant()
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
	return page, emptyIfNew(err)
}

// history gathers one page.
type history struct {
	e    *Engine
	r    pebble.Reader
	t    tenantID
	q    store.HistoryQuery
	page *store.HistoryPage
	last store.HistoryCursor
}

var errEnough = errors.New("page is full")

// take adds a version, which comes in descending order of its place.
func (h *history) take(number, version int64) error {
	doc, how, err := byNumber(h.r, h.t, number, true)
	if err == nil && doc.Version != version {
		doc, how, err = decoded(h.r, versionKey(h.t, number, version), number, true)
	}
	if err != nil {
		return err
	}
	if !h.before(doc.Seq, how.index) {
		return nil
	}
	if !h.q.Since.IsZero() && doc.Time.Before(h.q.Since) {
		return errEnough
	}
	if len(h.page.Versions) == h.q.Limit {
		h.page.Next = h.last
		return errEnough
	}
	h.page.Versions = append(h.page.Versions, store.Version{Document: doc, Method: how.method})
	h.last = store.HistoryCursor{Seq: doc.Seq, Index: how.index}
	return nil
}

// before reports whether a place lies behind the cursor that the page starts at.
func (h *history) before(seq int64, index int) bool {
	b := h.q.Before
	return b == (store.HistoryCursor{}) || seq < b.Seq || seq == b.Seq && index < b.Index
}

// ofDocument walks a document's versions downwards.
func (h *history) ofDocument() error {
	doc, err := h.e.document(h.r, h.t, store.Ref{Type: h.q.Type, ID: h.q.ID}, false)
	if err != nil {
		return err
	}
	for v := doc.Version; v >= 1; v-- {
		if err := h.take(doc.Number, v); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) ofType() error {
	p := historyPrefix(h.t, h.q.Type)
	upper := end(p)
	if h.q.Before != (store.HistoryCursor{}) {
		upper = historyKey(h.t, h.q.Type, h.q.Before.Seq, h.q.Before.Index)
	}
	it, err := h.r.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: upper})
	if err != nil {
		return wrap(err)
	}
	defer it.Close()
	for it.Last(); it.Valid(); it.Prev() {
		v, err := it.ValueAndErr()
		if err != nil {
			return wrap(err)
		}
		d := decoder{b: v}
		number, version := d.int(), d.int()
		if d.err != nil {
			return d.err
		}
		if err := h.take(number, version); err != nil {
			return err
		}
	}
	return wrap(it.Error())
}

func (h *history) ofTenant() error {
	p := prefix(spaceLog, h.t)
	it, err := h.r.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: end(p)})
	if err != nil {
		return wrap(err)
	}
	defer it.Close()
	ok := false
	if h.q.Before == (store.HistoryCursor{}) {
		ok = it.Last()
	} else {
		ok = it.SeekLT(logKey(h.t, h.q.Before.Seq+1))
	}
	for ; ok; ok = it.Prev() {
		v, err := it.ValueAndErr()
		if err != nil {
			return wrap(err)
		}
		seq, _, err := cutOrdered(it.Key()[len(p):])
		if err != nil {
			return err
		}
		_, changes, err := decodeEntry(v, int64(seq))
		if err != nil {
			return err
		}
		for i := len(changes) - 1; i >= 0; i-- {
			if err := h.take(changes[i].number, changes[i].Version); err != nil {
				return err
			}
		}
	}
	return wrap(it.Error())
}
