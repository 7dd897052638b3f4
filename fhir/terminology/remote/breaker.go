package remote

import (
	"sync"
	"time"
)

// breaker leaves a server alone for a pause after failures in a row. Then one
// call tries; if it fails, the pause begins again.
type breaker struct {
	mu       sync.Mutex
	limit    int
	pause    time.Duration
	now      func() time.Time
	failures int
	until    time.Time
	trying   bool
}

type verdict int

const (
	good verdict = iota
	bad
	unknown
)

func newBreaker(limit int, pause time.Duration, now func() time.Time) *breaker {
	return &breaker{limit: limit, pause: pause, now: now}
}

// enter reports whether a call may be made; leave follows if so.
func (b *breaker) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures < b.limit {
		return true
	}
	if b.trying || b.now().Before(b.until) {
		return false
	}
	b.trying = true
	return true
}

func (b *breaker) leave(v verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	switch v {
	case good:
		b.failures = 0
	case bad:
		if b.failures++; b.failures >= b.limit {
			b.until = b.now().Add(b.pause)
		}
	}
}
