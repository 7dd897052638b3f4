package pebble

import (
	"hash/maphash"
	"sync"

	"github.com/fhirfacade/fhirfacade/store"
)

// nameCache remembers the numbers of documents that were asked for by name.
// It holds at most nameShards*namesPerShard names, some 10 MB when full.
type nameCache struct {
	seed   maphash.Seed
	shards [nameShards]nameShard
}

const (
	nameShards    = 64
	namesPerShard = 1024
)

type nameShard struct {
	mu    sync.RWMutex
	names map[name]int64
}

type name struct {
	tenant tenantID
	ref    store.Ref
}

func (c *nameCache) shard(ref store.Ref) *nameShard {
	return &c.shards[maphash.String(c.seed, ref.ID)%nameShards]
}

func (c *nameCache) get(t tenantID, ref store.Ref) (int64, bool) {
	s := c.shard(ref)
	s.mu.RLock()
	n, ok := s.names[name{t, ref}]
	s.mu.RUnlock()
	return n, ok
}

func (c *nameCache) put(t tenantID, ref store.Ref, number int64) {
	s := c.shard(ref)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.names == nil:
		s.names = make(map[name]int64)
	case len(s.names) >= namesPerShard:
		for old := range s.names { // any one: the order of a map is random
			delete(s.names, old)
			break
		}
	}
	s.names[name{t, ref}] = number
}
