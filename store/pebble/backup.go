package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
)

// Backup writes a copy of the store, as it is at one moment, into a folder
// that must not exist yet. The store goes on meanwhile. Where the folder is on
// the same file system, files are linked and take no space until the store
// replaces its own. A backup is a store's folder: it is opened, checked and
// restored as one.
func (e *Engine) Backup(ctx context.Context, dir string) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.inUse.Done()
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("backup: %s exists already: %w", dir, fs.ErrExist)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return fmt.Errorf("backup: %w", explain(err))
	}
	if err := e.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		// What was written so far is no backup and must not be taken for one.
		return fmt.Errorf("backup: %w", errors.Join(explain(err), os.RemoveAll(dir)))
	}
	return nil
}

// Exists reports whether a folder holds a store.
func Exists(dir string) bool {
	found, err := filepath.Glob(filepath.Join(dir, "marker.manifest.*"))
	return err == nil && len(found) > 0
}
