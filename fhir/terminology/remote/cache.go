package remote

import (
	"container/list"
	"sync"
	"time"
)

// cache remembers answers for a time, up to a number of bytes: what was used
// longest ago goes first.
type cache struct {
	mu    sync.Mutex
	max   int
	life  time.Duration
	now   func() time.Time
	size  int
	byKey map[string]*list.Element
	used  *list.List // of *entry, the last used in front
}

type entry struct {
	key   string
	body  []byte
	until time.Time
}

// overhead is what an entry takes beside its texts.
const overhead = 200

func (e *entry) size() int { return len(e.key) + len(e.body) + overhead }

func newCache(max int, life time.Duration, now func() time.Time) *cache {
	return &cache{max: max, life: life, now: now, byKey: map[string]*list.Element{}, used: list.New()}
}

func (c *cache) get(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[key]
	if !ok {
		return nil, false
	}
	e := el.Value.(*entry)
	if !c.now().Before(e.until) {
		c.remove(el)
		return nil, false
	}
	c.used.MoveToFront(el)
	return e.body, true
}

func (c *cache) put(key string, body []byte) {
	e := &entry{key, body, c.now().Add(c.life)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.byKey[key]; ok {
		c.remove(old)
	}
	if e.size() > c.max/4 {
		return // one answer must not push out all others
	}
	c.byKey[key] = c.used.PushFront(e)
	for c.size += e.size(); c.size > c.max; {
		c.remove(c.used.Back())
	}
}

func (c *cache) remove(el *list.Element) {
	e := c.used.Remove(el).(*entry)
	delete(c.byKey, e.key)
	c.size -= e.size()
}
