package pebble

import (
	"sort"

	"github.com/fhirfacade/fhirfacade/store"
)

// keySet is a document's sorted keys, decoded into memory that is used again
// for the next document: checking a clause against it allocates nothing.
type keySet struct {
	number int64 // of the document; none when nothing is loaded
	buf    []byte
	ends   []int32
}

// load decodes an encoded key set (see encodeKeySet).
func (k *keySet) load(number int64, v []byte) error {
	k.number, k.buf, k.ends = number, k.buf[:0], k.ends[:0]
	d := decoder{b: v}
	from := int32(0)
	for len(d.b) > 0 {
		shared := d.uint()
		rest := d.bytes()
		if d.err != nil || shared > uint64(int32(len(k.buf))-from) {
			return errLayout
		}
		at := int32(len(k.buf))
		k.buf = append(k.buf, k.buf[from:from+int32(shared)]...)
		k.buf = append(k.buf, rest...)
		k.ends = append(k.ends, int32(len(k.buf)))
		from = at
	}
	return nil
}

func (k *keySet) len() int { return len(k.ends) }

func (k *keySet) at(i int) []byte {
	from := int32(0)
	if i > 0 {
		from = k.ends[i-1]
	}
	return k.buf[from:k.ends[i]]
}

// search is the index of the first key that is at least s.
func (k *keySet) search(s store.Key) int {
	return sort.Search(len(k.ends), func(i int) bool { return string(k.at(i)) >= s })
}

// first is the least key in r.
func (k *keySet) first(r store.Range) ([]byte, bool) {
	i := k.search(r.From)
	if i == k.len() || string(k.at(i)) >= r.To {
		return nil, false
	}
	return k.at(i), true
}

// last is the greatest key in r.
func (k *keySet) last(r store.Range) ([]byte, bool) {
	i := k.search(r.To)
	if i == 0 || string(k.at(i-1)) < r.From {
		return nil, false
	}
	return k.at(i - 1), true
}

// sortKey is the key by which by orders the document.
func (k *keySet) sortKey(by store.Sort) ([]byte, bool) {
	if by.Descending {
		return k.last(by.Range)
	}
	return k.first(by.Range)
}

// cursor is the document's place in a sorted order.
func (k *keySet) cursor(sorts []store.Sort) store.Cursor {
	c := store.Cursor{Number: k.number, Keys: make([]*store.Key, len(sorts))}
	for i, by := range sorts {
		if b, ok := k.sortKey(by); ok {
			s := string(b)
			c.Keys[i] = &s
		}
	}
	return c
}
