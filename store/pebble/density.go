package pebble

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/fhirfacade/fhirfacade/store"
)

// density remembers how many postings the probes of earlier searches saw of a
// clause, so that the dense ones are not read again to find out that they are.
// What it says is a hint for the planner and never an answer.
type density struct {
	seed maphash.Seed
	uses atomic.Uint64
	mu   sync.RWMutex
	seen map[densityKey]int32
}

// densityKey names a clause by a hash of its ranges, which may name patients.
type densityKey struct {
	tenant tenantID
	ranges uint64
}

// remembered hints, some 300 KB.
const maxDensities = 8192

func (d *density) key(t tenantID, ranges []store.Range) densityKey {
	var h maphash.Hash
	h.SetSeed(d.seed)
	for _, r := range ranges {
		for _, k := range [...]store.Key{r.From, r.To} {
			_, _ = h.WriteString(k) // never fails
			_ = h.WriteByte(byte(len(k)))
			_ = h.WriteByte(byte(len(k) >> 8))
		}
	}
	return densityKey{t, h.Sum64()}
}

// atLeast is how many postings a clause is known to have had. Now and then it
// claims to know nothing, so that one that became rare is found out.
func (d *density) atLeast(k densityKey) int {
	if d.uses.Add(1)&0x3F == 0 {
		return 0
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return int(d.seen[k])
}

func (d *density) saw(k densityKey, n int) {
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
	d.seen[k] = int32(n)
}
