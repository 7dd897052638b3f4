package pebble

import (
	"encoding/binary"
	"errors"

	"github.com/fhirfacade/fhirfacade/store"
)

// Every key begins with a letter for its space and the tenant's number (four
// bytes), so that a tenant is a contiguous range of each space.
//
//	space  key                                   value                        read by
//	t      name                                  number                       opening a tenant
//	a      tenant type 0 id                      number                       Get: name → document
//	d      tenant number                         document (see codec.go)      Get, results of a search
//	v      tenant number version                 superseded document          GetVersion, History of one
//	f      tenant number                         key set                      checking clauses, sorting, unindexing
//	k      tenant esc(key) number                -                            ranges of a search
//	h      tenant type 0 seq index               number version               History of a type
//	l      tenant seq                            log entry                    ReadLog, History of a tenant
//	s      tenant kind 0 id                      item                         items by id
//	x      tenant kind 0 esc(key) id             -                            items by key
//	m      name                                  meta (layout version)        Open
//
// Numbers, versions and sequence numbers are 8 bytes, big endian.
const (
	spaceTenant   = 't'
	spaceName     = 'a'
	spaceDocument = 'd'
	spaceVersion  = 'v'
	spaceKeySet   = 'f'
	spaceKey      = 'k'
	spaceHistory  = 'h'
	spaceLog      = 'l'
	spaceItem     = 's'
	spaceItemKey  = 'x'
	spaceMeta     = 'm'
)

type tenantID uint32

func prefix(space byte, t tenantID) []byte {
	b := make([]byte, 0, 64)
	b = append(b, space)
	return binary.BigEndian.AppendUint32(b, uint32(t))
}

func nameKey(t tenantID, r store.Ref) []byte {
	b := prefix(spaceName, t)
	b = append(b, r.Type...)
	b = append(b, 0)
	return append(b, r.ID...)
}

func numberKey(space byte, t tenantID, number int64) []byte {
	return binary.BigEndian.AppendUint64(prefix(space, t), uint64(number))
}

func versionKey(t tenantID, number, version int64) []byte {
	return binary.BigEndian.AppendUint64(numberKey(spaceVersion, t, number), uint64(version))
}

func logKey(t tenantID, seq int64) []byte { return numberKey(spaceLog, t, seq) }

func historyPrefix(t tenantID, typ string) []byte {
	b := append(prefix(spaceHistory, t), typ...)
	return append(b, 0)
}

func historyKey(t tenantID, typ string, seq int64, index int) []byte {
	b := binary.BigEndian.AppendUint64(historyPrefix(t, typ), uint64(seq))
	return binary.BigEndian.AppendUint32(b, uint32(index))
}

// postingPrefix is where the postings of a key begin: the key escaped and
// closed, so that no key's postings mix with those of another.
func postingPrefix(t tenantID, k store.Key) []byte {
	return appendEscaped(prefix(spaceKey, t), k)
}

func postingKey(t tenantID, k store.Key, number int64) []byte {
	return binary.BigEndian.AppendUint64(postingPrefix(t, k), uint64(number))
}

func itemPrefix(space byte, t tenantID, kind string) []byte {
	b := append(prefix(space, t), kind...)
	return append(b, 0)
}

func itemKey(t tenantID, kind, id string) []byte {
	return append(itemPrefix(spaceItem, t, kind), id...)
}

func itemIndexKey(t tenantID, kind string, k store.Key, id string) []byte {
	return append(appendEscaped(itemPrefix(spaceItemKey, t, kind), k), id...)
}

// appendEscaped appends s so that byte order stays the order of the strings
// and the end can be found: 0x00 becomes 0x00 0xFF, the end is 0x00 0x01.
func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		b = append(b, s[i])
		if s[i] == 0 {
			b = append(b, 0xFF)
		}
	}
	return append(b, 0, 1)
}

var errLayout = errors.New("pebble: key or value not in this layout")

// cutEscaped undoes appendEscaped and returns what follows.
func cutEscaped(b []byte) (s string, rest []byte, err error) {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != 0 {
			out = append(out, b[i])
			continue
		}
		i++
		if i == len(b) {
			break
		}
		switch b[i] {
		case 0xFF:
			out = append(out, 0)
		case 1:
			return string(out), b[i+1:], nil
		default:
			return "", nil, errLayout
		}
	}
	return "", nil, errLayout
}

// end is the least key greater than all keys with this prefix.
func end(p []byte) []byte { return []byte(store.PrefixEnd(string(p))) }

// rangeBounds are the bounds of the postings of all keys in r.
func rangeBounds(t tenantID, r store.Range) (lower, upper []byte) {
	// Without the closing bytes: from "a" on are "a\x00\x01…" and everything
	// behind it; To itself is excluded together with all that it begins.
	return openEnd(t, r.From), openEnd(t, r.To)
}

func openEnd(t tenantID, k store.Key) []byte {
	b := postingPrefix(t, k)
	return b[:len(b)-1]
}
