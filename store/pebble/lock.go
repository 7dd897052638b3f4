package pebble

import (
	"errors"
	"strings"
	"syscall"
)

// isLocked reports whether opening failed because another process, or another
// Open in this one, holds the folder's lock.
func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK) ||
		strings.Contains(err.Error(), "lock held by current process")
}
