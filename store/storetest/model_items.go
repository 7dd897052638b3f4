package storetest

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/fhirfacade/fhirfacade/store"
)

// item is an item that exists now.
func (m *Model) item(mt *modelTenant, kind, id string) (store.Item, bool) {
	it, ok := mt.items[[2]string{kind, id}]
	if !ok || !it.Expires.IsZero() && !m.clock().Before(it.Expires) {
		return store.Item{}, false
	}
	it.Body, it.Keys = bytes.Clone(it.Body), slices.Clone(it.Keys)
	return it, true
}

// GetItem returns the item from the map.
func (m *Model) GetItem(ctx context.Context, t store.Tenant, kind, id string) (store.Item, error) {
	if err := store.CheckItem(kind, id, nil); err != nil {
		return store.Item{}, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return store.Item{}, err
	}
	defer m.mu.Unlock()
	it, ok := m.item(mt, kind, id)
	if !ok {
		return store.Item{}, store.ErrNotFound
	}
	return it, nil
}

// PutItem compares and sets.
func (m *Model) PutItem(ctx context.Context, t store.Tenant, it store.Item, expect int64) (store.Item, error) {
	if err := store.CheckItem(it.Kind, it.ID, it.Keys); err != nil {
		return store.Item{}, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return store.Item{}, err
	}
	defer m.mu.Unlock()
	old, _ := m.item(mt, it.Kind, it.ID)
	if expect != store.ItemAny && expect != old.Version {
		return store.Item{}, &store.ConflictError{Ref: store.Ref{Type: it.Kind, ID: it.ID}, Current: old.Version}
	}
	it.Version = old.Version + 1
	it.Body, it.Keys = bytes.Clone(it.Body), store.SortKeys(slices.Clone(it.Keys))
	mt.items[[2]string{it.Kind, it.ID}] = it
	it, _ = m.item(mt, it.Kind, it.ID)
	return it, nil
}

// DeleteItem compares and removes.
func (m *Model) DeleteItem(ctx context.Context, t store.Tenant, kind, id string, expect int64) error {
	if err := store.CheckItem(kind, id, nil); err != nil {
		return err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	old, ok := m.item(mt, kind, id)
	if expect != store.ItemAny && (!ok || expect != old.Version) {
		return &store.ConflictError{Ref: store.Ref{Type: kind, ID: id}, Current: old.Version}
	}
	delete(mt.items, [2]string{kind, id})
	return nil
}

// ScanItems lists, sorts, cuts.
func (m *Model) ScanItems(ctx context.Context, t store.Tenant, scan store.ItemScan) (store.ItemPage, error) {
	if err := store.CheckScan(scan); err != nil {
		return store.ItemPage{}, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return store.ItemPage{}, err
	}
	defer m.mu.Unlock()
	type place struct {
		key string
		store.Item
	}
	var found []place
	for name := range mt.items {
		it, ok := m.item(mt, name[0], name[1])
		if !ok || it.Kind != scan.Kind {
			continue
		}
		if scan.Range == nil {
			found = append(found, place{"", it})
			continue
		}
		for _, k := range it.Keys {
			if scan.Range.Contains(k) {
				found = append(found, place{k, it})
			}
		}
	}
	compare := func(a, b place) int {
		c := cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.ID, b.ID))
		if scan.Reverse {
			return -c
		}
		return c
	}
	slices.SortFunc(found, compare)
	if scan.After != "" {
		var after place
		after.key, after.ID = splitPlace(scan.After)
		found = slices.DeleteFunc(found, func(p place) bool { return compare(p, after) <= 0 })
	}
	var page store.ItemPage
	for i, p := range found {
		if i == scan.Limit {
			page.Next = itemPlace(found[i-1].key, found[i-1].ID)
			break
		}
		page.Items = append(page.Items, p.Item)
	}
	return page, nil
}
