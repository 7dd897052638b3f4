package pebble

import "context"

// Compact rewrites the whole folder in its most compact form. The store goes
// on meanwhile.
func (e *Engine) Compact(ctx context.Context) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.inUse.Done()
	return wrap(e.db.Compact(ctx, []byte{0}, []byte{0xFF}, true))
}
