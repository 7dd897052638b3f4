package api

import (
	"math"
	"sync"
	"time"
)

// Limit is the most calls in a span of time.
type Limit struct {
	Calls float64
	Per   time.Duration
}

// Budget keeps calls within limits. A limit of a second spaces calls evenly,
// so that no second has more of them than allowed, wherever the vendor lets
// its seconds begin. A longer limit counts the calls of the last span.
type Budget struct {
	now    func() time.Time
	limits []Limit

	mu    sync.Mutex
	next  []time.Time   // of the spaced limits
	spans [][]time.Time // of the counted ones: when calls were made
}

// NewBudget returns a budget; limits without calls do not count.
func NewBudget(now func() time.Time, limits ...Limit) *Budget {
	b := &Budget{now: now}
	for _, l := range limits {
		if l.Calls > 0 && l.Per > 0 {
			b.limits = append(b.limits, l)
		}
	}
	b.next, b.spans = make([]time.Time, len(b.limits)), make([][]time.Time, len(b.limits))
	return b
}

// Reserve takes the next place, and returns how long it is away. exhausted
// says that a counted limit has been reached: then no place was taken, and
// wait is when there will be one.
func (b *Budget) Reserve() (wait time.Duration, exhausted bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for i, l := range b.limits {
		if l.Per <= time.Second {
			continue
		}
		calls := b.spans[i]
		for len(calls) > 0 && now.Sub(calls[0]) >= l.Per {
			calls = calls[1:]
		}
		b.spans[i] = calls
		if len(calls) >= int(math.Max(1, l.Calls)) {
			return calls[0].Add(l.Per).Sub(now), true
		}
	}
	for i, l := range b.limits {
		if l.Per > time.Second {
			b.spans[i] = append(b.spans[i], now)
			continue
		}
		if b.next[i].Before(now) {
			b.next[i] = now
		}
		wait = max(wait, b.next[i].Sub(now))
		b.next[i] = b.next[i].Add(time.Duration(math.Ceil(float64(l.Per) / l.Calls)))
	}
	return wait, false
}
