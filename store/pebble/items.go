package pebble

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// GetItem implements store.Items.
func (e *Engine) GetItem(ctx context.Context, name store.Tenant, kind, id string) (it store.Item, err error) {
	err = e.read(ctx, name, store.CheckItem(kind, id, nil), func(t *tenant) error {
		it, err = e.item(t.id, kind, id)
		return err
	})
	return it, err
}

// item reads one that has not expired.
func (e *Engine) item(t tenantID, kind, id string) (store.Item, error) {
	v, closer, err := e.db.Get(itemKey(t, kind, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return store.Item{}, store.ErrNotFound
	}
	if err != nil {
		return store.Item{}, wrap(err)
	}
	defer closer.Close()
	it, err := decodeItem(v, kind, id)
	if err == nil && e.expired(it) {
		return store.Item{}, store.ErrNotFound
	}
	return it, err
}

func (e *Engine) expired(it store.Item) bool {
	return !it.Expires.IsZero() && !e.clock().Before(it.Expires)
}

// PutItem implements store.Items.
func (e *Engine) PutItem(ctx context.Context, name store.Tenant, item store.Item, expect int64) (store.Item, error) {
	if err := store.CheckItem(item.Kind, item.ID, item.Keys); err != nil {
		return store.Item{}, err
	}
	item.Keys = store.SortKeys(append([]store.Key(nil), item.Keys...))
	err := e.changeItem(ctx, name, item.Kind, item.ID, expect, func(b *pebble.Batch, t tenantID, old store.Item) {
		item.Version = old.Version + 1
		_ = b.Set(itemKey(t, item.Kind, item.ID), encodeItem(item), nil)
		for _, k := range item.Keys {
			_ = b.Set(itemIndexKey(t, item.Kind, k, item.ID), nil, nil)
		}
	})
	if err != nil {
		return store.Item{}, err
	}
	return item, nil
}

// DeleteItem implements store.Items.
func (e *Engine) DeleteItem(ctx context.Context, name store.Tenant, kind, id string, expect int64) error {
	if err := store.CheckItem(kind, id, nil); err != nil {
		return err
	}
	if expect == 0 { // nothing can be removed where nothing is
		expect = neverExpected
	}
	return e.changeItem(ctx, name, kind, id, expect, func(*pebble.Batch, tenantID, store.Item) {})
}

// neverExpected is a version that no item has.
const neverExpected int64 = math.MinInt64

// changeItem removes what is there of an item, if that is as expected, and
// lets write put something in its place.
func (e *Engine) changeItem(ctx context.Context, name store.Tenant, kind, id string, expect int64,
	write func(b *pebble.Batch, t tenantID, old store.Item)) error {
	if err := store.CheckTenant(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.inUse.Done()
	t, err := e.ensure(name)
	if err != nil {
		return err
	}
	b, err := e.stageItem(t, kind, id, expect, write)
	if err != nil {
		return err
	}
	// Waiting for the disk outside of the lock lets items share a sync.
	if err := b.SyncWait(); err != nil {
		return wrap(err)
	}
	return wrap(b.Close())
}

func (e *Engine) stageItem(tenant *tenant, kind, id string, expect int64,
	write func(b *pebble.Batch, t tenantID, old store.Item)) (*pebble.Batch, error) {
	e.items.Lock()
	defer e.items.Unlock()
	t := tenant.id
	old, err := e.item(t, kind, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if expect != store.ItemAny && expect != old.Version {
		return nil, &store.ConflictError{Ref: store.Ref{Type: kind, ID: id}, Current: old.Version}
	}
	b := e.db.NewBatch()
	for _, k := range e.indexedKeys(t, kind, id) {
		_ = b.Delete(itemIndexKey(t, kind, k, id), nil)
	}
	_ = b.Delete(itemKey(t, kind, id), nil)
	write(b, t, old)
	return b, e.apply(tenant, b)
}

// indexedKeys are the keys under which an item stands, expired or not.
func (e *Engine) indexedKeys(t tenantID, kind, id string) []store.Key {
	v, closer, err := e.db.Get(itemKey(t, kind, id))
	if err != nil {
		return nil
	}
	defer closer.Close()
	it, err := decodeItem(v, kind, id)
	if err != nil {
		return nil
	}
	return it.Keys
}

// ScanItems implements store.Items. Next is the database key of the last
// item, without the part that is the same for all of the scan.
func (e *Engine) ScanItems(ctx context.Context, name store.Tenant, scan store.ItemScan) (store.ItemPage, error) {
	var page store.ItemPage
	err := e.read(ctx, name, store.CheckScan(scan), func(t *tenant) error {
		var err error
		page, err = e.scan(t.id, scan)
		return err
	})
	return page, emptyIfNew(err)
}

func (e *Engine) scan(t tenantID, scan store.ItemScan) (store.ItemPage, error) {
	var page store.ItemPage
	snap := e.db.NewSnapshot()
	defer snap.Close()
	p := itemPrefix(spaceItem, t, scan.Kind)
	o := pebble.IterOptions{LowerBound: p, UpperBound: end(p)}
	if scan.Range != nil {
		p = itemPrefix(spaceItemKey, t, scan.Kind)
		o.LowerBound = escapedBound(p, scan.Range.From)
		o.UpperBound = escapedBound(p, scan.Range.To)
	}
	if scan.After != "" {
		if scan.Reverse {
			o.UpperBound = slices.Concat(p, []byte(scan.After))
		} else {
			o.LowerBound = slices.Concat(p, []byte(scan.After), []byte{0})
		}
	}
	it, err := snap.NewIter(&o)
	if err != nil {
		return page, wrap(err)
	}
	defer it.Close()
	step, ok := it.Next, it.First()
	if scan.Reverse {
		step, ok = it.Prev, it.Last()
	}
	last := ""
	for ; ok; ok = step() {
		rest := bytes.Clone(it.Key()[len(p):])
		id := string(rest)
		if scan.Range != nil {
			tail, err := cutItemKey(rest)
			if err != nil {
				return page, err
			}
			id = string(tail)
		}
		v, closer, err := snap.Get(itemKey(t, scan.Kind, id))
		if err != nil {
			return page, wrap(err)
		}
		item, err := decodeItem(v, scan.Kind, id)
		_ = closer.Close()
		if err != nil {
			return page, err
		}
		if e.expired(item) {
			continue
		}
		if len(page.Items) == scan.Limit {
			page.Next = last
			break
		}
		page.Items = append(page.Items, item)
		last = string(rest)
	}
	return page, wrap(it.Error())
}

// escapedBound is the bound of all index keys whose key is at least k.
func escapedBound(p []byte, k store.Key) []byte {
	return append(appendEscaped(bytes.Clone(p), k), 0)
}
