package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirfacade/fhirfacade/store"
)

// room keeps writes off a disk that is nearly full. When pebble cannot write
// its log it cannot go on at all, so writes are refused before that, while
// there is still space for what was accepted to be flushed and compacted, and
// the store goes on to answer reads.
type room struct {
	fs     vfs.FS
	dir    string
	least  uint64 // bytes that must stay free
	logger *slog.Logger
	short  atomic.Bool
}

// usualReserve is two memtables, which may have to be flushed, as they are.
const usualReserve = 64 << 20

// check is ErrUnavailable when the disk has no room for a batch of this size,
// which is written to the log and again when it is flushed.
func (r *room) check(size int) error {
	du, err := r.fs.GetDiskUsage(r.dir)
	if err != nil {
		return nil //nolint:nilerr // a file system that cannot say; a write that fails will
	}
	switch {
	case du.AvailBytes < r.least+2*uint64(size):
		if r.short.CompareAndSwap(false, true) {
			r.logger.Error("the disk is nearly full: nothing is written until there is space again", "free MiB", du.AvailBytes>>20, "kept free MiB", r.least>>20)
		}
		return errNoRoom
	case du.AvailBytes > r.least+r.least/4: // not with each write that just fits
		if r.short.CompareAndSwap(true, false) {
			r.logger.Info("there is space on the disk again: writing goes on", "free MiB", du.AvailBytes>>20)
		}
	}
	return nil
}

var errNoRoom = fmt.Errorf("%w: the disk is nearly full", store.ErrUnavailable)

// leastToOpen is what opening a folder writes at the least.
const leastToOpen = 256 << 10

// checkRoomToOpen is an error where opening would run out of space half-way.
func checkRoomToOpen(on vfs.FS, dir string) error {
	du, err := on.GetDiskUsage(dir)
	if errors.Is(err, fs.ErrNotExist) {
		du, err = on.GetDiskUsage(filepath.Dir(dir))
	}
	if err == nil && du.AvailBytes < leastToOpen {
		return syscall.ENOSPC
	}
	return nil // where nothing can be said, opening finds out
}
