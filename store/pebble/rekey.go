package pebble

import (
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// rekeyAtOnce is how many documents one batch gives other keys: commits wait
// while it is made.
const rekeyAtOnce = 256

// Rekey implements store.Rekeyer. It takes its turn between the batches of
// the tenant's commits, so that both see what the other wrote.
func (e *Engine) Rekey(ctx context.Context, name store.Tenant, changes []store.KeyChange) (int, error) {
	done := 0
	err := e.read(ctx, name, store.CheckKeyChanges(name, changes), func(t *tenant) error {
		for some := range slices.Chunk(changes, rekeyAtOnce) {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := e.rekey(ctx, t, some)
			if err != nil {
				return err
			}
			done += n
		}
		return nil
	})
	return done, emptyIfNew(err)
}

func (e *Engine) rekey(ctx context.Context, t *tenant, changes []store.KeyChange) (int, error) {
	b, n, err := e.applyKeys(ctx, t, changes)
	if err != nil || b == nil {
		return n, err
	}
	if err := b.SyncWait(); err != nil {
		return 0, wrap(err)
	}
	return n, b.Close()
}

// applyKeys writes a batch, which is visible then and not durable yet; nil
// when there is nothing to write. It says how many of the changes hold.
func (e *Engine) applyKeys(ctx context.Context, t *tenant, changes []store.KeyChange) (*pebble.Batch, int, error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	refs := make([]store.Ref, len(changes))
	for i, c := range changes {
		refs[i] = c.Ref
	}
	states, err := view{e, t}.States(ctx, refs)
	if err != nil {
		return nil, 0, err
	}
	w := writer{engine: e, tenant: t.id}
	n := 0
	for _, c := range changes {
		s, ok := states[c.Ref]
		if !ok || s.Deleted || s.Version != c.Version {
			continue
		}
		old, err := storedKeys(e.db, t.id, s.Number)
		if err != nil {
			return nil, 0, wrap(err)
		}
		w.reindex(s.Number, old, store.SortKeys(slices.Clone(c.Keys)))
		n++
	}
	if n == 0 {
		return nil, 0, nil
	}
	b, err := w.batch()
	if err != nil {
		return nil, 0, wrap(err)
	}
	if len(w.ops) == 0 {
		// Who gave them these keys may still be waiting for them to be durable.
		_ = b.LogData(nil, nil) // fails on indexed batches only
	}
	return b, n, e.apply(t, b)
}
