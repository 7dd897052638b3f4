package polling

import (
	"errors"
	"fmt"
	"time"
)

// Errors of vendors' APIs, with identity. A *CallError is one of them.
var (
	// ErrUnauthorized: the vendor does not accept the credentials, also not
	// with a new token.
	ErrUnauthorized = errors.New("not authorized by the vendor")
	// ErrRateLimited: too many calls.
	ErrRateLimited = errors.New("over the vendor's rate limit")
	// ErrTemporary: the same call may succeed later.
	ErrTemporary = errors.New("the vendor's API failed")
	// ErrMalformed: the answer is not what the vendor documents: HTML, JSON
	// of another shape, a list that ends early.
	ErrMalformed = errors.New("malformed answer of the vendor")
	// ErrNotFound: the record does not exist.
	ErrNotFound = errors.New("not found at the vendor")
	// ErrRefused: the vendor refuses the call itself.
	ErrRefused = errors.New("refused by the vendor")
)

// CallError is a call that failed. It holds no ids and no content.
type CallError struct {
	// Kind is one of the errors above.
	Kind error
	// Call is method and path with the names of parameters, not their values.
	Call string
	// Status is that of the answer; 0 when there was none.
	Status int
	// RetryAfter is what the vendor asked for; 0 when it did not.
	RetryAfter time.Duration
	// Reason says more in words that are ours.
	Reason string
}

func (e *CallError) Error() string {
	text := fmt.Sprintf("%s: %s", e.Call, e.Kind)
	if e.Status != 0 {
		text += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Unwrap makes errors.Is find the kind.
func (e *CallError) Unwrap() error { return e.Kind }

// concernsAll reports whether an error makes all other calls pointless.
func concernsAll(err error) bool {
	return errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrRateLimited)
}

func retryAfter(err error) time.Duration {
	var call *CallError
	if errors.As(err, &call) {
		return call.RetryAfter
	}
	return 0
}
