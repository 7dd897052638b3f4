package store

import (
	"errors"
	"fmt"
)

// Errors with identity. An engine wraps them; callers ask with errors.Is.
var (
	// ErrNotFound: no such document, version or item.
	ErrNotFound = errors.New("not found")
	// ErrConflict: an expectation on a document's or an item's version did
	// not hold. errors.As with *ConflictError tells which.
	ErrConflict = errors.New("version conflict")
	// ErrGuard: a guard did not hold. errors.As with *GuardError tells which.
	ErrGuard = errors.New("guard does not hold")
	// ErrTooLarge: a body or a commit is larger than the engine takes.
	ErrTooLarge = errors.New("too large")
	// ErrInvalid: the call itself is wrong; repeating it cannot help.
	ErrInvalid = errors.New("invalid call of the store")
	// ErrUnavailable: the store cannot serve now and may be able to later.
	ErrUnavailable = errors.New("store unavailable")
	// ErrTimeout: a query's time budget ended.
	ErrTimeout = errors.New("query took too long")
	// ErrTrimmed: the log entries asked for were trimmed (see LogTrimmer).
	ErrTrimmed = errors.New("log entries were trimmed")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
)

// ConflictError says which change's expectation failed.
type ConflictError struct {
	Ref Ref
	// Current is the version found; 0 when there is none or it is deleted.
	Current int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s: current version of the %s is %d", ErrConflict, e.Ref.Type, e.Current)
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// GuardError says which guard failed and what it found.
type GuardError struct {
	Index int
	// Found are documents that match now, at most a few more than the guard
	// names.
	Found []Ref
}

func (e *GuardError) Error() string {
	return fmt.Sprintf("%s: guard %d found %d documents", ErrGuard, e.Index, len(e.Found))
}

// Is makes errors.Is(err, ErrGuard) true.
func (e *GuardError) Is(target error) bool { return target == ErrGuard }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
