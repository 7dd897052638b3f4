package mongo

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/store"
)

// Keys and names are bytes; BSON strings are UTF-8, and servers compare them
// byte by byte. Byte b becomes the rune U+0002+b, whose UTF-8 form keeps the
// order of the bytes. Not every server takes NUL in strings, and U+0001, less
// than any byte that can follow a name, is the separator: it occurs nowhere
// else, so an encoded name is no prefix of another one's range, and encoded
// names can be taken apart again.
const (
	separator    = "\x01"
	separatorEnd = "\x02" // greater than all that begins with separator
	firstByte    = 2      // stands for 0x00
)

func escape(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = utf8.AppendRune(dst, rune(s[i])+firstByte)
	}
	return dst
}

func escaped(s string) string { return string(escape(make([]byte, 0, len(s)+8), s)) }

// unescape undoes escape; ok is false for what escape cannot have made.
func unescape(s string) (raw string, ok bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s { // what is no UTF-8 becomes U+FFFD
		if r < firstByte || r > firstByte+0xFF {
			return "", false
		}
		out = append(out, byte(r-firstByte))
	}
	return string(out), true
}

// A tenant's number stands in front of all its strings as one rune, or two
// from the 1600th tenant on. The runes are those that UTF-8 writes in two
// bytes and that are greater than any that stands for a byte, so no number
// begins with another one, and neither with a name as layouts before 4 had it
// in this place.
const (
	numberRunes  = 0x800 - firstNumber
	firstNumber  = firstByte + 0x100
	shortNumbers = 1600
	// maxNumber is the greatest.
	maxNumber = shortNumbers + (numberRunes-shortNumbers)*numberRunes - 1
	// nobody is no tenant's number: what is asked for with it is not there.
	nobody = 0
)

// scope makes the strings of one tenant; all of them begin with prefix, and
// nothing of another tenant does.
type scope struct {
	number int64
	prefix string
	// walks: rows name the tenant once more, for walking over them in order.
	walks bool
}

func scopeOf(number int64) scope {
	if number < shortNumbers {
		return scope{number: number, prefix: string(rune(firstNumber + number))}
	}
	n := number - shortNumbers
	return scope{number: number, prefix: string([]rune{rune(firstNumber + shortNumbers + n/numberRunes), rune(firstNumber + n%numberRunes)})}
}

// end is greater than every string of the tenant, and not greater than those
// of any other that are.
func (s scope) end() string {
	last, size := utf8.DecodeLastRuneInString(s.prefix)
	return s.prefix[:len(s.prefix)-size] + string(last+1)
}

// cutNumber takes the number off any string that a scope made.
func cutNumber(id string) (number int64, rest string, ok bool) {
	digit := func() int64 {
		r, size := utf8.DecodeRuneInString(id)
		id = id[size:]
		return int64(r) - firstNumber
	}
	n, low := digit(), int64(0)
	if n >= shortNumbers && n < numberRunes {
		low = digit()
	}
	if n < 0 || n >= numberRunes || low < 0 || low >= numberRunes {
		return 0, "", false
	}
	if n >= shortNumbers {
		n = shortNumbers + (n-shortNumbers)*numberRunes + low
	}
	return n, id, true
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
	return s.docID(r) + separator + sortable(version)
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
	return s.typeID(typ) + sortable(seq) + sortable(int64(index))
}

func (s scope) logID(first int64) string { return s.prefix + sortable(first) }

// firstOf takes the first sequence number out of a logID.
func firstOf(id string) int64 {
	_, rest, _ := cutNumber(id)
	n, _ := unsortable(rest)
	return n
}

// digits are 64 in the order of their bytes.
const digits = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

// smallNumbers are written as one digit. Above them, the first digit says how
// many follow: 11 take any int64.
const smallNumbers = 64 - 11

// sortable is a number, not negative, in a short form whose order is that of
// the numbers, and of which none begins with another one.
func sortable(n int64) string {
	if n < smallNumbers {
		return digits[n : n+1]
	}
	var b [12]byte
	i := len(b)
	for ; n > 0; n >>= 6 {
		i--
		b[i] = digits[n&63]
	}
	i--
	b[i] = digits[smallNumbers+len(b)-i-2]
	return string(b[i:])
}

// unsortable takes a number off the front of s.
func unsortable(s string) (n int64, rest string) {
	if s == "" {
		return 0, ""
	}
	first := strings.IndexByte(digits, s[0])
	if first < smallNumbers {
		return int64(max(first, 0)), s[1:]
	}
	end := min(first-smallNumbers+2, len(s))
	for _, c := range []byte(s[1:end]) {
		n = n<<6 | int64(max(strings.IndexByte(digits, c), 0))
	}
	return n, s[end:]
}

// hex8 is the place of a chunk.
func hex8(n int) string { return fmt.Sprintf("%08x", n) }
