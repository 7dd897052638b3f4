package repository

import (
	"context"
	"errors"
	"time"

	"encoding/json"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// maxLook is how many pages of the store one page of a history by _at looks
// at. What lies behind comes with the next page.
const maxLook = 200

// History returns a page of versions, newest first, and the token of the next
// page. The history of a resource that never existed is ErrNotFound.
func (r *Repository) History(ctx context.Context, t store.Tenant, q store.HistoryQuery, token string) (page store.HistoryPage, next string, err error) {
	return r.history(ctx, t, q, token, []any{"history", t, q.Type, q.ID, q.Since}, r.o.Store.History)
}

// HistoryAt is History of the versions that were current at some time from a
// moment up to but without another (https://hl7.org/fhir/R4/http.html#history,
// _at). A delete counts if it happened then. A page may hold less than the
// limit, and even nothing, before the last.
func (r *Repository) HistoryAt(ctx context.Context, t store.Tenant, q store.HistoryQuery, from, to time.Time, token string) (store.HistoryPage, string, error) {
	at := past{store: r.o.Store, from: from, to: to, replaced: map[store.Ref]time.Time{}}
	return r.history(ctx, t, q, token, []any{"history", t, q.Type, q.ID, q.Since, from, to}, at.page)
}

type reader func(ctx context.Context, t store.Tenant, q store.HistoryQuery) (store.HistoryPage, error)

func (r *Repository) history(ctx context.Context, t store.Tenant, q store.HistoryQuery, token string, scope []any, read reader) (page store.HistoryPage, next string, err error) {
	if q.Limit == 0 {
		q.Limit = r.o.DefaultCount
	}
	q.Limit = min(q.Limit, r.o.MaxCount)
	if token != "" {
		place, ok := r.o.Pages.Open(token, scope...)
		if !ok || json.Unmarshal(place, &q.Before) != nil {
			return page, "", outcome.BadRequest(outcome.CodeValue, "The page link does not belong to this history.")
		}
	}
	if page, err = read(ctx, t, q); err != nil {
		return page, "", err
	}
	if q.ID != "" && len(page.Versions) == 0 {
		// None then, or none ever?
		if _, err = r.o.Store.Get(ctx, t, store.Ref{Type: q.Type, ID: q.ID}); err != nil {
			return page, "", err
		}
	}
	if page.Next != (store.HistoryCursor{}) {
		place, _ := json.Marshal(page.Next) // two numbers: cannot fail
		next = r.o.Pages.Seal(place, scope...)
	}
	return page, next, nil
}

// past reads the versions that were current at some time.
type past struct {
	store    store.Store
	from, to time.Time
	// replaced is when the version was made that came next, of the versions
	// that were looked at.
	replaced map[store.Ref]time.Time
}

func (p *past) page(ctx context.Context, t store.Tenant, q store.HistoryQuery) (store.HistoryPage, error) {
	var page store.HistoryPage
	if q.Before == (store.HistoryCursor{}) {
		var err error
		if q.Before, err = p.start(ctx, t); err != nil {
			return page, err
		}
	}
	limit := q.Limit
	for range maxLook {
		// Never more than still fit, so that the place behind them is known.
		q.Limit = limit - len(page.Versions)
		found, err := p.store.History(ctx, t, q)
		if err != nil {
			return page, err
		}
		for _, v := range found.Versions {
			current, err := p.current(ctx, t, v)
			if err != nil {
				return page, err
			}
			if current {
				page.Versions = append(page.Versions, v)
			}
		}
		q.Before, page.Next = found.Next, found.Next
		if page.Next == (store.HistoryCursor{}) || len(page.Versions) == limit {
			break
		}
	}
	return page, nil
}

// start is a place in the history not before the first version that was made
// at the end or later. Times never decrease along the log, so it is found by
// halving; where the log was trimmed, it is the log's beginning.
func (p *past) start(ctx context.Context, t store.Tenant) (store.HistoryCursor, error) {
	low, err := p.store.Head(ctx, t)
	if err != nil {
		return store.HistoryCursor{}, err
	}
	// Every entry after high was made at the end or later.
	high := low
	for low = 0; low < high; {
		middle := (low + high) / 2
		entries, err := p.store.ReadLog(ctx, t, middle, 1)
		if err != nil {
			return store.HistoryCursor{}, err
		}
		if len(entries) == 0 || !entries[0].Time.Before(p.to) {
			high = middle
			continue
		}
		low = entries[0].Seq
	}
	return store.HistoryCursor{Seq: high + 1}, nil
}

// current reports whether a version was current at some time of the period.
func (p *past) current(ctx context.Context, t store.Tenant, v store.Version) (bool, error) {
	replaced, known := p.replaced[v.Ref]
	p.replaced[v.Ref] = v.Time
	switch {
	case !v.Time.Before(p.to):
		return false, nil
	case !v.Time.Before(p.from):
		return true, nil
	case v.Deleted:
		return false, nil
	case known:
		return replaced.After(p.from), nil
	}
	next, err := p.store.GetVersion(ctx, t, v.Ref, v.Version+1)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return err == nil && next.Time.After(p.from), err
}
