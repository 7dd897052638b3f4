package athenahealth

import (
	"math"
	"sync"
	"time"
)

// budget spaces calls evenly, so that no second has more of them than the
// rate allows, wherever the vendor lets its seconds begin. A burst after a
// pause would be within the average and over the limit.
type budget struct {
	now      func() time.Time
	interval time.Duration

	mu   sync.Mutex
	next time.Time
}

func newBudget(perSecond float64, now func() time.Time) *budget {
	return &budget{now: now, interval: time.Duration(math.Ceil(float64(time.Second) / perSecond))}
}

// reserve takes the next place and returns how long it is away.
func (b *budget) reserve() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.next.Before(now) {
		b.next = now
	}
	wait := b.next.Sub(now)
	b.next = b.next.Add(b.interval)
	return wait
}
