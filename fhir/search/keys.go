package search

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/fhirfacade/fhirfacade/store"
)

// Forms of values; see the package comment.
const (
	formCode       = 'c'
	formSystem     = 's'
	formText       = 'x'
	formOfType     = 'o'
	formReference  = 'r'
	formURL        = 'u'
	formIdentifier = 'i'
	formNormal     = 'n'
	formExact      = 'e'
	formPart       = 't'
	formFamily     = 'f'
	formLow        = 'l'
	formHigh       = 'h'
	formWithin     = 'w'
	formSeveral    = 'm'
	formComposite  = 'k'
	formWord       = 'd'
	formCanonical  = 'q'
	formPosition   = 'g'
	formContained  = '#'
)

// Numbers of the server's own keys.
const (
	// ownExists is a key that every resource of a type has.
	ownExists uint16 = 1
)

// Bounds of :contains: it looks at the first maxParts bytes of a text, for a
// text of at most maxPart bytes.
const (
	maxParts = 500
	maxPart  = 64
)

// maxText is the longest text or code in a key. What is longer is cut and
// ends in a hash of the whole, so that equal stays equal and different stays
// different; the start is kept for searches by start.
const maxText = 400

func paramKey(typ, param uint16) store.Key {
	return string(appendParam(nil, typ, param))
}

func appendParam(dst []byte, typ, param uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(dst, typ), param)
}

func formKey(typ, param uint16, form byte) store.Key {
	return string(append(appendParam(nil, typ, param), form))
}

// bounded keeps a value within maxText.
func bounded(s string) string {
	if len(s) <= maxText {
		return s
	}
	return string(bound([]byte(s), 0))
}

// bound is bounded for what b holds from an offset on.
func bound(b []byte, from int) []byte {
	if len(b)-from <= maxText {
		return b
	}
	h := sha256.Sum256(b[from:])
	return append(append(b[:from+maxText], 0), h[:16]...)
}

// joined puts 0 between parts.
func joined(parts ...string) string {
	n := len(parts)
	for _, p := range parts {
		n += len(p)
	}
	return string(appendJoined(make([]byte, 0, n), parts...))
}

// appendJoined is joined. A part but the last loses the NUL bytes that it may
// hold, so that none can be taken for a separator. FHIR's types have no NUL
// at all; a search may try one.
func appendJoined(dst []byte, parts ...string) []byte {
	for i, p := range parts {
		if i > 0 {
			dst = append(dst, 0)
		}
		if i == len(parts)-1 {
			return append(dst, p...)
		}
		for j := 0; j < len(p); j++ {
			if p[j] != 0 {
				dst = append(dst, p[j])
			}
		}
	}
	return dst
}
