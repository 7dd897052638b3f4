package pebble

import (
	"github.com/fhirfacade/fhirfacade/store"
)

// Every key begins with a letter for its space and the tenant's number, so
// that a tenant is a contiguous range of each space. Numbers in keys are
// ordered varints (see ordered.go): a byte for most tenants, four or five
// bytes for a document.
//
//	space  key                             value                        read by
//	t      name                            number                       opening a tenant
//	a      tenant type 0 id                number                       Get: name → document
//	d      tenant number                   document (see codec.go)      Get, results of a search
//	v      tenant number version           superseded document          GetVersion, History of one
//	f      tenant number                   key set                      checking clauses, sorting, unindexing
//	k      tenant esc(key) 0 number        -                            ranges of a search
//	h      tenant type 0 seq index         number version               History of a type
//	l      tenant seq                      log entry                    ReadLog, History of a tenant
//	o      tenant                          floor                        ReadLog below a trimmed log's floor
//	s      tenant kind 0 id                item                         items by id
//	x      tenant kind 0 esc(key) 0 1 id   -                            items by key
//	m      name                            meta (layout version)        Open
//
// Ids in a, l and values are packed (see packID): a UUID takes 17 bytes.
//
// Bodies and key sets are not compressed one by one: blocks of 16 KiB hold
// some ten documents that were committed together and have most of their
// text in common, and the lower levels compress blocks with zstd. Cached
// blocks are plain, so that a read copies and decodes nothing.
const (
	spaceTenant   = 't'
	spaceName     = 'a'
	spaceDocument = 'd'
	spaceVersion  = 'v'
	spaceKeySet   = 'f'
	spaceKey      = 'k'
	spaceHistory  = 'h'
	spaceLog      = 'l'
	spaceFloor    = 'o'
	spaceItem     = 's'
	spaceItemKey  = 'x'
	spaceMeta     = 'm'
)

// tenantSpaces are the spaces whose keys begin with a tenant.
const tenantSpaces = "advfkhlosx"

type tenantID uint32

func prefix(space byte, t tenantID) []byte {
	b := make([]byte, 1, 64)
	b[0] = space
	return appendOrdered(b, uint64(t))
}

func nameKey(t tenantID, r store.Ref) []byte {
	b := prefix(spaceName, t)
	b = append(b, r.Type...)
	b = append(b, 0)
	return appendPackedID(b, r.ID)
}

func numberKey(space byte, t tenantID, number int64) []byte {
	return appendNumber(prefix(space, t), number)
}

func versionKey(t tenantID, number, version int64) []byte {
	return appendOrdered(numberKey(spaceVersion, t, number), uint64(version))
}

func logKey(t tenantID, seq int64) []byte {
	return appendOrdered(prefix(spaceLog, t), uint64(max(seq, 0)))
}

func historyPrefix(t tenantID, typ string) []byte {
	b := append(prefix(spaceHistory, t), typ...)
	return append(b, 0)
}

func historyKey(t tenantID, typ string, seq int64, index int) []byte {
	b := appendOrdered(historyPrefix(t, typ), uint64(seq))
	return appendOrdered(b, uint64(index))
}

// postingPrefix is where the postings of a key begin: the key escaped and
// closed by a zero byte, which no number's first byte 0xFF follows. So no
// key's postings mix with those of another.
func postingPrefix(t tenantID, k store.Key) []byte {
	return append(appendEscaped(prefix(spaceKey, t), k), 0)
}

// postingEnd is behind the last posting of the key with this prefix: a longer
// key goes on with 0 0xFF.
func postingEnd(prefix []byte) []byte { return append(prefix[:len(prefix):len(prefix)], 0xFF) }

func postingKey(t tenantID, k store.Key, number int64) []byte {
	return appendNumber(postingPrefix(t, k), number)
}

// rangeBounds are the bounds of the postings of all keys in r.
func rangeBounds(t tenantID, r store.Range) (lower, upper []byte) {
	return postingPrefix(t, r.From), postingPrefix(t, r.To)
}

// cutPosting takes a posting's key apart behind the tenant. escaped is the key
// as it is stored.
func cutPosting(b []byte) (escaped []byte, number int64, err error) {
	for i := 0; i+1 < len(b); i++ {
		if b[i] != 0 {
			continue
		}
		if b[i+1] == 0xFF {
			i++
			continue
		}
		number, rest, err := cutNumber(b[i+1:])
		if err == nil && len(rest) > 0 {
			err = errLayout
		}
		return b[:i], number, err
	}
	return nil, 0, errLayout
}

func itemPrefix(space byte, t tenantID, kind string) []byte {
	b := append(prefix(space, t), kind...)
	return append(b, 0)
}

func itemKey(t tenantID, kind, id string) []byte {
	return append(itemPrefix(spaceItem, t, kind), id...)
}

func itemIndexKey(t tenantID, kind string, k store.Key, id string) []byte {
	return append(append(appendEscaped(itemPrefix(spaceItemKey, t, kind), k), 0, 1), id...)
}

// end is the least key greater than all keys with this prefix.
func end(p []byte) []byte { return []byte(store.PrefixEnd(string(p))) }
