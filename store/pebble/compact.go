package pebble

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// Compact rewrites the whole folder in its most compact form. The store goes
// on meanwhile.
func (e *Engine) Compact(ctx context.Context) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.inUse.Done()
	least, greatest := []byte{0}, []byte{0xFF}
	if err := e.db.Compact(ctx, least, greatest, true); err != nil {
		return wrap(err)
	}
	// Files that nothing else overlapped were moved to the last level as they
	// were, lightly compressed. What spans the whole folder overlaps them.
	b := e.db.NewBatch()
	_ = b.Delete(least, nil) // fails on indexed batches only
	_ = b.Delete(greatest, nil)
	if err := b.Commit(pebble.Sync); err != nil {
		return wrap(err)
	}
	return wrap(e.db.Compact(ctx, least, append(greatest, 0), true))
}
