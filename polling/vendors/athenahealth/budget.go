package athenahealth

import (
	"sync"
	"time"
)

// budget spaces calls so that there are never more than a rate allows in any
// second. It is the generic cell rate algorithm: of everything that was
// spent, it remembers when it will have been earned back.
type budget struct {
	now      func() time.Time
	interval time.Duration
	burst    time.Duration

	mu     sync.Mutex
	earned time.Time
}

func newBudget(perSecond float64, now func() time.Time) *budget {
	interval := time.Duration(float64(time.Second) / perSecond)
	// Half a second's worth may go at once: a burst and what follows in the
	// same second then stay within the vendor's limit.
	return &budget{now: now, interval: interval, burst: max(0, time.Second/2-interval)}
}

// reserve spends one call and returns how long to wait before making it.
func (b *budget) reserve() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.earned.Before(now) {
		b.earned = now
	}
	wait := b.earned.Sub(now) - b.burst
	b.earned = b.earned.Add(b.interval)
	return max(0, wait)
}
