package pebble

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

var errDropped = fmt.Errorf("%w: the tenant was dropped meanwhile", store.ErrUnavailable)

// DropTenant implements store.TenantDropper. The data is gone at once and its
// place on the disk is free after the next compaction of it.
func (e *Engine) DropTenant(ctx context.Context, name store.Tenant) error {
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
	t := e.lookup(name)
	if t == nil {
		return nil
	}
	t.gate.Lock() // behind writes under way, before all others
	defer t.gate.Unlock()
	if t.dropped {
		return nil
	}
	b := e.db.NewBatch()
	_ = b.Delete(append([]byte{spaceTenant}, name...), nil) // fails on indexed batches only
	for _, space := range []byte(tenantSpaces) {
		p := prefix(space, t.id)
		_ = b.DeleteRange(p, end(p), nil)
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return wrap(err)
	}
	t.dropped = true
	e.mu.Lock()
	delete(e.tenants, name)
	e.mu.Unlock()
	t.wake()
	return nil
}

// wake lets waiters look again.
func (t *tenant) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.grown)
	t.grown = make(chan struct{})
}
