package pebble

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// floor is how far a log was trimmed: entries below kept are not to be read,
// and those below reduced have lost what only readers of the log want. The
// tenant's history needs the rest of them.
type floor struct{ kept, reduced int64 }

func (e *Engine) loadFloor(t *tenant) error {
	t.floor = floor{1, 1}
	v, closer, err := e.db.Get(prefix(spaceFloor, t.id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return wrap(err)
	}
	defer closer.Close()
	d := decoder{b: v}
	t.floor = floor{d.int(), d.int()}
	return d.err
}

func (t *tenant) logFloor() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.floor.kept
}

// LogFloor implements store.LogTrimmer.
func (e *Engine) LogFloor(ctx context.Context, name store.Tenant) (int64, error) {
	at := int64(1)
	err := e.read(ctx, name, nil, func(t *tenant) error {
		at = t.logFloor()
		return nil
	})
	return at, emptyIfNew(err)
}

// TrimLog implements store.LogTrimmer. When it is cut short, by its context
// or a crash, the next one goes on with the rest.
func (e *Engine) TrimLog(ctx context.Context, name store.Tenant, below int64) error {
	return emptyIfNew(e.read(ctx, name, nil, func(t *tenant) error {
		t.trimming.Lock()
		defer t.trimming.Unlock()
		t.mu.Lock()
		f := t.floor
		f.kept = max(f.kept, min(below, t.durable+1))
		t.mu.Unlock()
		for first := true; first || f.reduced < f.kept; first = false {
			if err := ctx.Err(); err != nil {
				return err
			}
			next, err := e.reduce(t, f)
			if err != nil {
				return err
			}
			f = next
			t.mu.Lock()
			t.floor = f
			t.mu.Unlock()
		}
		return nil
	}))
}

// reduceAtOnce is how many entries one batch reduces.
const reduceAtOnce = 1000

// reduce writes the floor and reduces some of the entries below it.
func (e *Engine) reduce(t *tenant, f floor) (floor, error) {
	p := prefix(spaceLog, t.id)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: logKey(t.id, f.reduced), UpperBound: logKey(t.id, f.kept)})
	if err != nil {
		return f, wrap(err)
	}
	defer it.Close()
	b := e.db.NewBatch()
	n := 0
	for ok := it.First(); ok && n < reduceAtOnce; ok = it.Next() {
		seq, _, err := cutOrdered(it.Key()[len(p):])
		if err != nil {
			return f, err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return f, wrap(err)
		}
		if v, err = trimEntry(v, int64(seq)); err != nil {
			return f, err
		}
		_ = b.Set(it.Key(), v, nil) // fails on indexed batches only
		f.reduced = int64(seq) + 1
		n++
	}
	if err := it.Error(); err != nil {
		return f, wrap(err)
	}
	if n < reduceAtOnce {
		f.reduced = f.kept
	}
	enc := encoder{}
	enc.int(f.kept)
	enc.int(f.reduced)
	_ = b.Set(prefix(spaceFloor, t.id), enc.b, nil)
	if err := e.apply(t, b); err != nil {
		return f, err
	}
	if err := b.SyncWait(); err != nil {
		return f, wrap(err)
	}
	return f, b.Close()
}
