package mongo

import (
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

// Keys and names are bytes; BSON strings are UTF-8, and servers compare them
// byte by byte. Byte b becomes the rune U+00b, whose UTF-8 form keeps the
// order of the bytes. Not every server takes NUL in strings, and a separator
// is needed that is less than any byte that can follow a name, so 0x00 and
// 0x01 become pairs that begin with U+0001:
//
//	separator  U+0001 U+0001
//	0x00       U+0001 U+0002
//	0x01       U+0001 U+0003
//
// The separator occurs nowhere else, so an encoded name is no prefix of
// another one's range, and encoded names can be taken apart again.
const (
	separator    = "\x01\x01"
	separatorEnd = "\x01\x02" // greater than all that begins with separator
)

func escape(dst []byte, s string) []byte {
	for i := range len(s) {
		switch b := s[i]; {
		case b < 2:
			dst = append(dst, 1, b+2)
		case b < 0x80:
			dst = append(dst, b)
		default:
			dst = append(dst, 0xC0|b>>6, 0x80|b&0x3F)
		}
	}
	return dst
}

func escaped(s string) string { return string(escape(make([]byte, 0, len(s)+8), s)) }

// unescape undoes escape; ok is false for what escape cannot have made.
func unescape(s string) (raw string, ok bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		b := s[i]
		switch {
		case b >= 2 && b < 0x80:
			out = append(out, b)
		case i+1 == len(s):
			return "", false
		case b == 1 && (s[i+1] == 2 || s[i+1] == 3):
			i++
			out = append(out, s[i]-2)
		case (b == 0xC2 || b == 0xC3) && s[i+1]&0xC0 == 0x80:
			i++
			out = append(out, b<<6|s[i]&0x3F)
		default:
			return "", false
		}
	}
	return string(out), true
}

// scope makes the strings of one tenant; all of them begin with prefix, and
// nothing of another tenant does.
type scope struct {
	tenant store.Tenant
	prefix string
}

func scopeOf(t store.Tenant) scope {
	return scope{tenant: t, prefix: escaped(string(t)) + separator}
}

// end is greater than every string of the tenant.
func (s scope) end() string { return strings.TrimSuffix(s.prefix, separator) + separatorEnd }

// tenantOf takes the tenant out of any string that a scope made.
func tenantOf(id string) (store.Tenant, bool) {
	t, _, found := strings.Cut(id, separator)
	raw, ok := unescape(t)
	return store.Tenant(raw), found && ok
}

func (s scope) key(k store.Key) string {
	b := make([]byte, 0, len(s.prefix)+len(k)+8)
	return string(escape(append(b, s.prefix...), k))
}

func (s scope) rawKey(k string) store.Key {
	raw, _ := unescape(strings.TrimPrefix(k, s.prefix))
	return raw
}

func (s scope) typeID(typ string) string { return s.prefix + escaped(typ) + separator }

func (s scope) docID(r store.Ref) string { return s.typeID(r.Type) + escaped(r.ID) }

// turnID is the id of the row by which an instance asks for the next append.
// No type is empty, so it is no document's.
func (s scope) turnID() string { return s.typeID("") }

// versionID names a version in the history; it sorts behind the current
// version, in order of the version.
func (s scope) versionID(r store.Ref, version int64) string {
	return s.docID(r) + separator + hex16(version)
}

// ref takes the ref out of a docID or versionID.
func (s scope) ref(id string) store.Ref {
	parts := strings.SplitN(strings.TrimPrefix(id, s.prefix), separator, 3)
	if len(parts) < 2 {
		return store.Ref{}
	}
	typ, _ := unescape(parts[0])
	name, _ := unescape(parts[1])
	return store.Ref{Type: typ, ID: name}
}

// typeOrder is a version's place in the history of its type.
func (s scope) typeOrder(typ string, seq int64, index int) string {
	return s.typeID(typ) + hex16(seq) + hex16(int64(index))[8:]
}

func (s scope) logID(first int64) string { return s.prefix + hex16(first) }

// firstOf takes the first sequence number out of a logID.
func firstOf(id string) int64 {
	n, _ := strconv.ParseInt(id[max(len(id)-16, 0):], 16, 64)
	return n
}

// hex16 is a number, not negative, in a form that sorts.
func hex16(n int64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := 15; i >= 0; i-- {
		b[i] = digits[n&15]
		n >>= 4
	}
	return string(b[:])
}
