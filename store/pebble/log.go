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
	if err := e.enter(); err != nil {
		return 0, err
	}
	t, err := e.ensure(name)
	e.inUse.Done() // Close must not wait for waiters; they are woken by done
	if err != nil {
		return 0, err
	}
	for {
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
