package pebble

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// ErrLocked: another process, or another Open in this one, has the folder.
var ErrLocked = errors.New("another process has it open; stop that one or choose another folder")

// explain words what most often keeps a folder from being opened.
func explain(err error) error {
	switch {
	case isLocked(err):
		return fmt.Errorf("%w (%w)", ErrLocked, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("this user cannot write there (%w)", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the disk is full (%w)", err)
	}
	return err
}

// isLocked reports whether opening failed because another process, or another
// Open in this one, holds the folder's lock.
func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK) ||
		strings.Contains(err.Error(), "lock held by current process")
}
