package pebble

import (
	"encoding/binary"

	"github.com/fhirfacade/fhirfacade/store"
)

// keySet is a document's sorted keys as they are stored (see encodeKeySet),
// with a note of where each begins. Checking a range takes one walk over the
// notes, makes no key and allocates nothing: most of what a search costs are
// such checks.
type keySet struct {
	number int64 // of the document; none when nothing is loaded
	raw    []byte
	parts  []keyPart
	buf    []byte // the key that was made last
	made   int    // which one that is, -1 for none
}

// keyPart is a key: what it shares with the one before it, and where in raw
// the rest stands.
type keyPart struct{ shared, from, to int32 }

func (p keyPart) len() int32 { return p.shared + p.to - p.from }

// load takes an encoded key set.
func (k *keySet) load(number int64, v []byte) error {
	k.number, k.raw, k.parts, k.made = number, append(k.raw[:0], v...), k.parts[:0], -1
	length := int32(0)
	for at := 0; at < len(v); {
		shared, n := binary.Uvarint(v[at:])
		if n <= 0 || shared > uint64(length) {
			return errLayout
		}
		at += n
		rest, n := binary.Uvarint(v[at:])
		if n <= 0 || rest > uint64(len(v)-at-n) {
			return errLayout
		}
		at += n
		p := keyPart{int32(shared), int32(at), int32(at + int(rest))}
		k.parts = append(k.parts, p)
		length = p.len()
		at += int(rest)
	}
	return nil
}

func (k *keySet) len() int { return len(k.parts) }

// at makes a key. It is good until another one is made.
func (k *keySet) at(i int) []byte {
	p := k.parts[i]
	if k.made < 0 || k.made != i-1 && k.made != i {
		// From what precedes it only the shared bytes are wanted, each from
		// the last key that has it as its own.
		if cap(k.buf) < int(p.shared) {
			k.buf = make([]byte, 0, max(p.len(), 128))
		}
		k.buf = k.buf[:p.shared]
		need := p.shared
		for j := i - 1; need > 0; j-- {
			if q := k.parts[j]; q.shared < need {
				copy(k.buf[q.shared:need], k.raw[q.from:])
				need = q.shared
			}
		}
	}
	if k.made != i {
		k.buf = append(k.buf[:p.shared], k.raw[p.from:p.to]...)
		k.made = i
	}
	return k.buf
}

// search is the index of the first key that is at least s, and whether that
// key is s. Keys in order that share a prefix need not be made to be compared:
// it is known how much of s the key before has, and how much of that one.
func (k *keySet) search(s store.Key) (int, bool) {
	has := int32(0) // of s, as its beginning, the key before, which is less
	for i, p := range k.parts {
		if p.shared > has {
			continue // differs from s where the key before does
		}
		if p.shared < has {
			return i, false // greater than the key before where that one has s
		}
		rest, want := k.raw[p.from:p.to], s[has:]
		n := 0
		for n < len(rest) && n < len(want) && rest[n] == want[n] {
			n++
		}
		if n == len(want) {
			return i, n == len(rest)
		}
		if n < len(rest) && rest[n] > want[n] {
			return i, false
		}
		has += int32(n)
	}
	return len(k.parts), false
}

// has reports whether a key lies in r.
func (k *keySet) has(r store.Range) bool {
	_, ok := k.least(r)
	return ok
}

// least is the index of the least key in r.
func (k *keySet) least(r store.Range) (int, bool) {
	i, same := k.search(r.From)
	switch {
	case i == len(k.parts):
		return 0, false
	case same:
		return i, r.From < r.To
	}
	if _, single := r.Single(); single {
		return 0, false
	}
	end, _ := k.search(r.To)
	return i, i < end
}

// first is the least key in r.
func (k *keySet) first(r store.Range) ([]byte, bool) {
	i, ok := k.least(r)
	if !ok {
		return nil, false
	}
	return k.at(i), true
}

// last is the greatest key in r.
func (k *keySet) last(r store.Range) ([]byte, bool) {
	end, _ := k.search(r.To)
	if from, _ := k.search(r.From); from >= end {
		return nil, false
	}
	return k.at(end - 1), true
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
