package pebble

import (
	"sync"
	"sync/atomic"

	"github.com/fhirfacade/fhirfacade/store"
)

// density remembers how many postings the probes of earlier searches saw of a
// key, so that the dense ones are not read again to find out that they are.
// What it says is a hint for the planner and never an answer.
type density struct {
	uses atomic.Uint64
	mu   sync.RWMutex
	seen map[densityKey]int32
}

type densityKey struct {
	tenant tenantID
	key    store.Range
}

// remembered hints, some 2 MB.
const maxDensities = 8192

// atLeast is how many postings a range is known to have had. Now and then it
// claims to know nothing, so that a range that became rare is found out.
func (d *density) atLeast(t tenantID, r store.Range) int {
	if d.uses.Add(1)&0x3F == 0 {
		return 0
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return int(d.seen[densityKey{t, r}])
}

func (d *density) saw(t tenantID, r store.Range, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen = map[densityKey]int32{}
	}
	if len(d.seen) >= maxDensities {
		for old := range d.seen { // any one: the order of a map is random
			delete(d.seen, old)
			break
		}
	}
	d.seen[densityKey{t, r}] = int32(n)
}
