package mongo

import (
	"cmp"
	"context"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// History reads one version more than asked for, to know whether any follow.
func (e *engine) History(ctx context.Context, t store.Tenant, q store.HistoryQuery) (store.HistoryPage, error) {
	s, err := e.enter(ctx, t)
	if err == nil {
		err = store.CheckHistory(q)
	}
	if err != nil {
		return store.HistoryPage{}, err
	}
	if q.Before == (store.HistoryCursor{}) {
		q.Before.Seq = math.MaxInt64 >> 1
	}
	h := historyReader{e: e, scope: s, q: q, since: bson.NewDateTimeFromTime(q.Since)}
	if !q.Since.IsZero() && q.Since.After(h.since.Time()) {
		h.since++ // times in the store are whole milliseconds
	}
	if q.Since.IsZero() {
		h.since = math.MinInt64
	}
	var rows []docRow
	switch {
	case q.ID != "":
		rows, err = h.ofDocument(ctx)
	case q.Type != "":
		rows, err = h.ofType(ctx)
	default:
		rows, err = h.ofTenant(ctx)
	}
	if err != nil {
		return store.HistoryPage{}, wrapQuery(ctx, err)
	}
	var page store.HistoryPage
	for i := range rows {
		if i == q.Limit {
			last := &rows[i-1]
			page.Next = store.HistoryCursor{Seq: last.Seq, Index: int(last.Index)}
			break
		}
		d, err := e.document(ctx, s, &rows[i])
		if err != nil {
			return store.HistoryPage{}, err
		}
		page.Versions = append(page.Versions, store.Version{Document: d, Method: store.Method(rows[i].Method)})
	}
	return page, nil
}

type historyReader struct {
	e     *engine
	scope scope
	q     store.HistoryQuery
	since bson.DateTime
}

// keep puts rows in order and drops what is before Since, at or behind
// Before, or there twice: a version that is being replaced is both current
// and in the history.
func (h *historyReader) keep(rows []docRow) []docRow {
	rows = slices.DeleteFunc(rows, func(r docRow) bool {
		b := h.q.Before
		return r.Time < h.since || r.Seq > b.Seq || r.Seq == b.Seq && int(r.Index) >= b.Index
	})
	slices.SortFunc(rows, func(a, b docRow) int {
		return cmp.Or(cmp.Compare(b.Seq, a.Seq), cmp.Compare(b.Index, a.Index))
	})
	return slices.CompactFunc(rows, func(a, b docRow) bool { return a.Seq == b.Seq && a.Index == b.Index })
}

// ofDocument reads the current version first: if it is replaced meanwhile, it
// is found in the history too, and what replaced it is seen next time.
func (h *historyReader) ofDocument(ctx context.Context) ([]docRow, error) {
	ref := store.Ref{Type: h.q.Type, ID: h.q.ID}
	if err := store.CheckRef(ref); err != nil {
		return nil, err
	}
	id := h.scope.docID(ref)
	rows, err := h.e.find(ctx, h.e.reads, idsFilter(bson.A{id}))
	if err != nil {
		return nil, err
	}
	older, err := h.e.find(ctx, h.e.reads, bson.D{
		{Key: "_id", Value: bson.D{{Key: "$gt", Value: id + separator}, {Key: "$lt", Value: id + separatorEnd}}},
		{Key: "s", Value: bson.D{{Key: "$lte", Value: h.q.Before.Seq}}},
	}, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(int64(h.q.Limit)+2))
	return h.keep(append(rows, older...)), err
}

// ofType walks down the index of the type's history until it has enough or
// comes to what is too old.
func (h *historyReader) ofType(ctx context.Context) ([]docRow, error) {
	from := h.scope.typeID(h.q.Type)
	to := h.scope.typeOrder(h.q.Type, h.q.Before.Seq, h.q.Before.Index)
	var out []docRow
	for {
		n := h.q.Limit + 2 - len(out)
		// The ids of a type lie together too.
		filter := h.e.targeted(scope{prefix: from}, bson.D{{Key: "h", Value: bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: to}}}})
		rows, err := h.e.find(ctx, h.e.reads, filter,
			options.Find().SetSort(bson.D{{Key: "h", Value: -1}}).SetLimit(int64(n)))
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			last := rows[len(rows)-1]
			to = h.scope.typeOrder(h.q.Type, last.Seq, int(last.Index))
		}
		tooOld := len(rows) > 0 && rows[len(rows)-1].Time < h.since
		out = h.keep(append(out, rows...))
		if len(out) > h.q.Limit || len(rows) < n || tooOld {
			return out, nil
		}
	}
}

// ofTenant follows the log downwards, which names every version in order, and
// reads the versions by their ids. So no index is kept for this rare question.
func (h *historyReader) ofTenant(ctx context.Context) ([]docRow, error) {
	head, err := h.e.ledger(h.scope).refresh(ctx)
	if err != nil {
		return nil, err
	}
	var out []docRow
	// Entries above Before, and above what is applied, are passed over.
	for before := min(h.q.Before.Seq, head); before > 0 && len(out) <= h.q.Limit; {
		rows, err := h.e.logBelow(ctx, h.scope, before, 32)
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			break
		}
		for i := range rows {
			entries, err := decodeEntries(&rows[i])
			if err != nil {
				return nil, err
			}
			before = firstOf(rows[i].ID) - 1
			if rows[i].Time < h.since {
				return out, nil
			}
			more, err := h.versions(ctx, entries, min(h.q.Before.Seq, head), h.q.Limit+1-len(out))
			if err != nil {
				return nil, err
			}
			if out = append(out, more...); len(out) > h.q.Limit {
				break
			}
		}
	}
	return out, nil
}

// versions reads the last n changes of these entries that the query wants.
func (h *historyReader) versions(ctx context.Context, entries []store.Entry, upTo int64, n int) ([]docRow, error) {
	var ids bson.A
	want := map[store.Ref]map[int64]bool{}
	for _, entry := range slices.Backward(entries) {
		if entry.Seq > upTo {
			continue
		}
		for j, c := range slices.Backward(entry.Changes) {
			if entry.Seq == h.q.Before.Seq && j >= h.q.Before.Index || len(ids) >= 2*n {
				continue
			}
			ids = append(ids, h.scope.docID(c.Ref), h.scope.versionID(c.Ref, c.Version))
			if want[c.Ref] == nil {
				want[c.Ref] = map[int64]bool{}
			}
			want[c.Ref][c.Version] = true
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := h.e.find(ctx, h.e.reads, idsFilter(ids))
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r docRow) bool { return !want[h.scope.ref(r.ID)][r.Version] })
	rows = h.keep(rows)
	if 2*len(rows) < len(ids) {
		// A version moved to the history between the server's looks.
		if rows, err = h.e.find(ctx, h.e.reads, idsFilter(ids)); err != nil {
			return nil, err
		}
		rows = h.keep(slices.DeleteFunc(rows, func(r docRow) bool { return !want[h.scope.ref(r.ID)][r.Version] }))
	}
	return rows, nil
}
