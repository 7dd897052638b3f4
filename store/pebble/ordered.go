package pebble

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/bits"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

var errLayout = errors.New("pebble: key or value not in this layout")

// appendOrdered appends v so that byte order is the order of the values, in
// as few bytes as may be. The leading ones of the first byte say how many
// bytes follow, the other bits are v, big endian.
func appendOrdered(b []byte, v uint64) []byte {
	more := (max(bits.Len64(v), 1) - 1) / 7 // bytes behind the first
	if more >= 8 {
		b = append(b, 0xFF)
		more = 8
	} else {
		b = append(b, ^byte(0xFF>>more)|byte(v>>(8*more)))
	}
	for more--; more >= 0; more-- {
		b = append(b, byte(v>>(8*more)))
	}
	return b
}

// cutOrdered takes one off the front. It takes only what appendOrdered makes.
func cutOrdered(b []byte) (v uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, nil, errLayout
	}
	more := bits.LeadingZeros8(^b[0])
	if len(b) <= more {
		return 0, nil, errLayout
	}
	if more < 7 {
		v = uint64(b[0] & (0x7F >> more))
	}
	for _, c := range b[1 : 1+more] {
		v = v<<8 | uint64(c)
	}
	if more > 0 && v>>(7*more) == 0 {
		return 0, nil, errLayout // a shorter form exists
	}
	return v, b[1+more:], nil
}

// indexBits is how many low bits of a document's number say which change of
// its entry made it; see store.NumberOf.
const indexBits = 20

// appendNumber appends a document's number: the entry and the change. Most
// entries have one change, which then takes one byte. The first byte is never
// 0xFF, since entries have less than 44 bits.
func appendNumber(b []byte, number int64) []byte {
	b = appendOrdered(b, uint64(number)>>indexBits)
	return appendOrdered(b, uint64(number)&(1<<indexBits-1))
}

func cutNumber(b []byte) (number int64, rest []byte, err error) {
	seq, rest, err := cutOrdered(b)
	if err != nil {
		return 0, nil, err
	}
	index, rest, err := cutOrdered(rest)
	if err != nil || index >= 1<<indexBits || seq >= 1<<(63-indexBits) {
		return 0, nil, errLayout
	}
	return store.NumberOf(int64(seq), int(index)), rest, nil
}

// appendEscaped appends s so that byte order stays the order of the strings
// and a zero byte that is not followed by 0xFF ends it.
func appendEscaped(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			return append(b, s...)
		}
		b = append(b, s[:i]...)
		b = append(b, 0, 0xFF)
		s = s[i+1:]
	}
}

var (
	zero        = []byte{0}
	escapedZero = []byte{0, 0xFF}
)

// unescape undoes appendEscaped.
func unescape(b []byte) store.Key {
	if bytes.IndexByte(b, 0) < 0 {
		return string(b)
	}
	return string(bytes.ReplaceAll(b, escapedZero, zero))
}

// cutItemKey undoes the key part of itemIndexKey and returns the item's id.
func cutItemKey(b []byte) (id []byte, err error) {
	for i := 0; i+1 < len(b); i++ {
		if b[i] != 0 {
			continue
		}
		switch b[i+1] {
		case 0xFF:
			i++
		case 1:
			return b[i+2:], nil
		default:
			return nil, errLayout
		}
	}
	return nil, errLayout
}

// Forms of a packed id.
const (
	idText byte = iota
	idUUID
)

// appendPackedID appends an id; a UUID in its canonical form, as most ids of
// FHIR resources are, in binary. The order of ids is not kept.
func appendPackedID(b []byte, id string) []byte {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		var plain [32]byte
		n := 0
		for i := 0; i < 36; i++ {
			c := id[i]
			if c == '-' && (i == 8 || i == 13 || i == 18 || i == 23) {
				continue
			}
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return append(append(b, idText), id...)
			}
			plain[n] = c
			n++
		}
		var raw [16]byte
		_, _ = hex.Decode(raw[:], plain[:]) // checked above
		return append(append(b, idUUID), raw[:]...)
	}
	return append(append(b, idText), id...)
}

// unpackID undoes appendPackedID.
func unpackID(b []byte) (string, error) {
	if len(b) == 0 {
		return "", errLayout
	}
	switch b[0] {
	case idText:
		return string(b[1:]), nil
	case idUUID:
		if len(b) != 17 {
			return "", errLayout
		}
		var text [36]byte
		hex.Encode(text[0:8], b[1:5])
		hex.Encode(text[9:13], b[5:7])
		hex.Encode(text[14:18], b[7:9])
		hex.Encode(text[19:23], b[9:11])
		hex.Encode(text[24:36], b[11:17])
		text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
		return string(text[:]), nil
	}
	return "", errLayout
}
