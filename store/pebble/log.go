package pebble

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// Head implements store.Log.
func (e *Engine) Head(ctx context.Context, name store.Tenant) (int64, error) {
	var head int64
	err := e.read(ctx, name, nil, func(t *tenant) error {
		head = t.head()
		return nil
	})
	return head, emptyIfNew(err)
}

// ReadLog implements store.Log.
func (e *Engine) ReadLog(ctx context.Context, name store.Tenant, after int64, limit int) ([]store.Entry, error) {
	var entries []store.Entry
	err := e.read(ctx, name, nil, func(t *tenant) error {
		if after+1 < t.logFloor() {
			return store.ErrTrimmed
		}
		p := prefix(spaceLog, t.id)
		it, err := e.db.NewIter(&pebble.IterOptions{
			LowerBound: logKey(t.id, after+1),
			UpperBound: logKey(t.id, t.head()+1),
		})
		if err != nil {
			return wrap(err)
		}
		defer it.Close()
		for ok := it.First(); ok && len(entries) < limit; ok = it.Next() {
			v, err := it.ValueAndErr()
			if err != nil {
				return wrap(err)
			}
			seq, _, err := cutOrdered(it.Key()[len(p):])
			if err != nil {
				return err
			}
			entry, _, err := decodeEntry(v, int64(seq))
			if err != nil {
				return err
			}
			entries = append(entries, entry)
		}
		return wrap(it.Error())
	})
	return entries, emptyIfNew(err)
}

// WaitLog implements store.Log: it waits for a signal of this process, which
// is the only one that can write.
func (e *Engine) WaitLog(ctx context.Context, name store.Tenant, after int64) (int64, error) {
	if err := store.CheckTenant(name); err != nil {
		return 0, err
	}
	for { // outside of enter: Close must not wait for waiters, it wakes them by done
		t, err := e.waitable(name)
		if err != nil {
			return 0, err
		}
		head, grown := t.watch()
		if head > after {
			return head, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-e.done:
			return 0, store.ErrClosed
		}
	}
}

// waitable is the tenant to wait for. It may be another one the next time,
// when the first was dropped.
func (e *Engine) waitable(name store.Tenant) (*tenant, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.inUse.Done()
	return e.ensure(name)
}
