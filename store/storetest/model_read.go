package storetest

import (
	"context"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

// Get returns the last version in the list.
func (m *Model) Get(ctx context.Context, t store.Tenant, ref store.Ref) (store.Document, error) {
	if err := store.CheckRef(ref); err != nil {
		return store.Document{}, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return store.Document{}, err
	}
	defer m.mu.Unlock()
	v, ok := mt.current(ref)
	if !ok {
		return store.Document{}, store.ErrNotFound
	}
	return cloneDocument(v.Document), nil
}

// GetVersion returns the version from the list.
func (m *Model) GetVersion(ctx context.Context, t store.Tenant, ref store.Ref, version int64) (store.Document, error) {
	if err := store.CheckRef(ref); err != nil {
		return store.Document{}, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return store.Document{}, err
	}
	defer m.mu.Unlock()
	for _, v := range mt.versions {
		if v.Ref == ref && v.Version == version {
			return cloneDocument(v.Document), nil
		}
	}
	return store.Document{}, store.ErrNotFound
}

// GetMany is Get for each.
func (m *Model) GetMany(ctx context.Context, t store.Tenant, refs []store.Ref) ([]store.Document, error) {
	for _, ref := range refs {
		if err := store.CheckRef(ref); err != nil {
			return nil, err
		}
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []store.Document
	for _, ref := range refs {
		if v, ok := mt.current(ref); ok {
			out = append(out, cloneDocument(v.Document))
		}
	}
	return out, nil
}

// GetSome takes as much of what GetMany returns as fits.
func (m *Model) GetSome(ctx context.Context, t store.Tenant, refs []store.Ref, maxBytes int) (docs []store.Document, done int, err error) {
	size := 0
	for i := range refs {
		one, err := m.GetMany(ctx, t, refs[i:i+1])
		if err != nil {
			return nil, 0, err
		}
		for _, d := range one {
			if size += len(d.Body); size > maxBytes && len(docs) > 0 {
				return docs, i, nil
			}
			docs = append(docs, d)
		}
	}
	return docs, len(refs), nil
}

// History walks the list backwards.
func (m *Model) History(ctx context.Context, t store.Tenant, q store.HistoryQuery) (store.HistoryPage, error) {
	if err := store.CheckHistory(q); err != nil {
		return store.HistoryPage{}, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return store.HistoryPage{}, err
	}
	defer m.mu.Unlock()
	var page store.HistoryPage
	var last store.HistoryCursor
	for _, v := range slices.Backward(mt.versions) {
		before := q.Before == store.HistoryCursor{} ||
			v.Seq < q.Before.Seq || v.Seq == q.Before.Seq && v.index < q.Before.Index
		if q.Type != "" && v.Ref.Type != q.Type || q.ID != "" && v.Ref.ID != q.ID || !before || v.Time.Before(q.Since) {
			continue
		}
		if len(page.Versions) == q.Limit {
			page.Next = last
			break
		}
		page.Versions = append(page.Versions, store.Version{Document: cloneDocument(v.Document), Method: v.method})
		last = store.HistoryCursor{Seq: v.Seq, Index: v.index}
	}
	return page, nil
}

// live is every document that is not deleted, with its keys.
func (mt *modelTenant) live() []modelVersion {
	latest := map[store.Ref]modelVersion{}
	for _, v := range mt.versions {
		latest[v.Ref] = v
	}
	var out []modelVersion
	for _, v := range latest {
		if !v.Deleted {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b modelVersion) int { return int(a.Number - b.Number) })
	return out
}

func (mt *modelTenant) selected(c store.Clause) []store.Ref {
	var out []store.Ref
	for _, v := range mt.selectedVersions(c) {
		out = append(out, v.Ref)
	}
	return out
}

func (mt *modelTenant) selectedVersions(c store.Clause) []modelVersion {
	selects := mt.test(c)
	return slices.DeleteFunc(mt.live(), func(v modelVersion) bool { return !selects(v) })
}

// test is the clause as a function of a document.
func (mt *modelTenant) test(c store.Clause) func(modelVersion) bool {
	switch c := c.(type) {
	case store.Range:
		return func(v modelVersion) bool { return slices.ContainsFunc(v.keys, c.Contains) }
	case store.And:
		parts := mapped(c, mt.test)
		return func(v modelVersion) bool {
			return !slices.ContainsFunc(parts, func(p func(modelVersion) bool) bool { return !p(v) })
		}
	case store.Or:
		parts := mapped(c, mt.test)
		return func(v modelVersion) bool {
			return slices.ContainsFunc(parts, func(p func(modelVersion) bool) bool { return p(v) })
		}
	case store.Not:
		part := mt.test(c.Clause)
		return func(v modelVersion) bool { return !part(v) }
	case store.Refers:
		named := map[store.Key]bool{}
		for _, r := range mt.selected(c.Query) {
			named[c.Prefix+r.String()] = true
		}
		return func(v modelVersion) bool {
			return slices.ContainsFunc(v.keys, func(k store.Key) bool { return named[k] })
		}
	case store.ReferredBy:
		naming := map[store.Key]bool{}
		for _, v := range mt.selectedVersions(c.Query) {
			for _, k := range v.keys {
				naming[k] = true
			}
		}
		return func(v modelVersion) bool { return naming[c.Prefix+v.Ref.String()] }
	}
	panic("no such clause")
}

// Explain says no more than the model does: it looks at everything.
func (m *Model) Explain(ctx context.Context, t store.Tenant, q store.Query) (store.Explanation, error) {
	page, err := m.Search(ctx, t, q)
	return store.Explanation{
		Order: "gather and sort", Clauses: []store.ExplainedClause{{Where: "where", Kind: "clause", Use: "scan"}}, Documents: len(page.Documents),
	}, err
}

// Search selects, sorts, cuts.
func (m *Model) Search(ctx context.Context, t store.Tenant, q store.Query) (store.Page, error) {
	if err := store.CheckQuery(q); err != nil {
		return store.Page{}, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return store.Page{}, err
	}
	defer m.mu.Unlock()
	type place struct {
		store.Cursor
		v modelVersion
	}
	var found []place
	for _, v := range mt.selectedVersions(q.Where) {
		p := place{v: v, Cursor: store.Cursor{Number: v.Number}}
		for _, s := range q.Sort {
			p.Keys = append(p.Keys, s.SortKey(v.keys))
		}
		found = append(found, p)
	}
	page := store.Page{Total: -1}
	if q.Count {
		page.Total = int64(len(found))
	}
	slices.SortFunc(found, func(a, b place) int { return store.CompareCursors(q.Sort, a.Cursor, b.Cursor) })
	if q.After != nil {
		found = slices.DeleteFunc(found, func(p place) bool { return store.CompareCursors(q.Sort, p.Cursor, *q.After) <= 0 })
	}
	size := 0
	for i, p := range found {
		if i == q.Limit {
			if i > 0 {
				page.Next = &found[i-1].Cursor
			}
			break
		}
		d := cloneDocument(p.v.Document)
		if q.RefsOnly {
			d.Body = nil
		}
		if size += len(d.Body); q.MaxBytes > 0 && i > 0 && size > q.MaxBytes {
			page.Next, page.Cut = &found[i-1].Cursor, true
			break
		}
		page.Documents = append(page.Documents, d)
		page.Places = append(page.Places, p.Cursor)
	}
	return page, nil
}

// Head is the length of the log.
func (m *Model) Head(ctx context.Context, t store.Tenant) (int64, error) {
	mt, err := m.enter(ctx, t)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return int64(len(mt.log)), nil
}

// ReadLog is a part of the log.
func (m *Model) ReadLog(ctx context.Context, t store.Tenant, after int64, limit int) ([]store.Entry, error) {
	mt, err := m.enter(ctx, t)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if limit > 0 && max(after, 0) < mt.trimmed {
		return nil, store.ErrTrimmed
	}
	rest := mt.log[min(max(after, 0), int64(len(mt.log))):]
	return mapped(rest[:min(limit, len(rest))], cloneEntry), nil
}

// WaitLog waits for the channel that each commit closes.
func (m *Model) WaitLog(ctx context.Context, t store.Tenant, after int64) (int64, error) {
	for {
		mt, err := m.enter(ctx, t)
		if err != nil {
			return 0, err
		}
		head, grown := int64(len(mt.log)), mt.grown
		m.mu.Unlock()
		if head > after {
			return head, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// itemPlace is where an item stands in a scan.
func itemPlace(key, id string) string { return key + "\x00\x00" + id }

// splitPlace undoes itemPlace; ids hold no NUL byte.
func splitPlace(p string) (key, id string) {
	i := strings.LastIndex(p, "\x00\x00")
	return p[:i], p[i+2:]
}
