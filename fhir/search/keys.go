package search

import (
	"encoding/binary"
	"hash/fnv"

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
	formLow        = 'l'
	formHigh       = 'h'
)

// Numbers of the server's own keys.
const (
	// ownExists is a key that every resource of a type has.
	ownExists uint16 = 1
)

// maxText is the longest text or code in a key. What is longer is cut and
// ends in a hash of the whole, so that equal stays equal and different stays
// different; the start is kept for searches by start.
const maxText = 400

func typeKey(typ uint16) store.Key {
	return string(binary.BigEndian.AppendUint16(nil, typ))
}

func paramKey(typ, param uint16) store.Key {
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, typ), param))
}

func formKey(typ, param uint16, form byte) store.Key {
	return paramKey(typ, param) + string(form)
}

// bounded keeps a value within maxText.
func bounded(s string) string {
	if len(s) <= maxText {
		return s
	}
	h := fnv.New128a()
	_, _ = h.Write([]byte(s))
	return s[:maxText] + "\x00" + string(h.Sum(nil))
}

// joined puts 0 between parts. The parts of a token hold no NUL: JSON strings
// may, FHIR's types may not, and a value that does is left as it is only in
// its last part, where it cannot be taken for a separator.
func joined(parts ...string) string {
	n := len(parts) - 1
	for _, p := range parts {
		n += len(p)
	}
	b := make([]byte, 0, n)
	for i, p := range parts {
		if i > 0 {
			b = append(b, 0)
		}
		last := i == len(parts)-1
		for j := 0; j < len(p); j++ {
			if p[j] != 0 || last {
				b = append(b, p[j])
			}
		}
	}
	return string(b)
}
