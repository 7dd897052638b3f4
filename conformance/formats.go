package conformance

import (
	"bytes"
	"math/bits"
)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlphanumeric(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// ValidID reports whether b is a FHIR id: [A-Za-z0-9\-\.]{1,64}.
func ValidID(b []byte) bool {
	if len(b) == 0 || len(b) > 64 {
		return false
	}
	for _, c := range b {
		if !isAlphanumeric(c) && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// validCode: [^\s]+(\s[^\s]+)*
func validCode(b []byte) bool {
	space := true // a space at the start is as wrong as a second one in a row
	for _, c := range b {
		now := isSpace(c)
		if now && space || c < ' ' && !now {
			return false
		}
		space = now
	}
	return !space
}

// validURI: \S*, and not empty since no JSON value may be.
func validURI(b []byte) bool {
	for _, c := range b {
		if c <= ' ' {
			return false
		}
	}
	return len(b) > 0
}

// validOID: urn:oid:[0-2](\.(0|[1-9][0-9]*))+
func validOID(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte("urn:oid:"))
	if !ok || len(rest) < 3 || rest[0] < '0' || rest[0] > '2' {
		return false
	}
	for rest = rest[1:]; len(rest) > 0; {
		if rest[0] != '.' {
			return false
		}
		n := 1
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		if n == 1 || rest[1] == '0' && n > 2 {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// validUUID: urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
func validUUID(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte("urn:uuid:"))
	if !ok || len(rest) != 36 {
		return false
	}
	for i, c := range rest {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isDigit(c) && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// maxString is the length of a string in bytes that R4 allows ("SHALL NOT
// exceed 1MB").
const maxString = 1 << 20

// validString: not empty, no characters below 32 but tab, line feed and
// carriage return.
func validString(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	i := 0
	// Eight characters at a time: narratives are long.
	for ; i+8 <= len(b); i += 8 {
		w := uint64(b[i]) | uint64(b[i+1])<<8 | uint64(b[i+2])<<16 | uint64(b[i+3])<<24 |
			uint64(b[i+4])<<32 | uint64(b[i+5])<<40 | uint64(b[i+6])<<48 | uint64(b[i+7])<<56
		// The high bit of each byte that is below 0x20.
		if below := (w - 0x2020202020202020) &^ w & 0x8080808080808080; below != 0 {
			for _, c := range b[i+bits.TrailingZeros64(below)/8 : i+8] {
				if isControl(c) {
					return false
				}
			}
		}
	}
	for ; i < len(b); i++ {
		if isControl(b[i]) {
			return false
		}
	}
	return true
}

func isControl(c byte) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' }

// validDiv: the outermost element is a div. What is inside is for txt-1
// (htmlChecks), not for the structure.
func validDiv(b []byte) bool {
	b = bytes.TrimSpace(b)
	if !bytes.HasPrefix(b, []byte("<div")) || len(b) < 6 {
		return false
	}
	if c := b[4]; c != '>' && c != '/' && !isSpace(c) {
		return false
	}
	return bytes.HasSuffix(b, []byte("/>")) || bytes.HasSuffix(b, []byte("</div>"))
}

// validBase64: (\s*([0-9a-zA-Z\+\/=]){4}\s*)+, with the padding at the end.
func validBase64(b []byte) bool {
	n, padding := 0, 0
	for _, c := range b {
		switch {
		case isAlphanumeric(c) || c == '+' || c == '/':
			if padding > 0 {
				return false
			}
			n++
		case c == '=':
			padding++
			n++
		case !isSpace(c):
			return false
		}
	}
	return n > 0 && n%4 == 0 && padding <= 2
}

// validInteger: a JSON number that is a 32-bit whole number of at least least.
// negativeLimit is the magnitude of the lowest negative number; "" for types
// without any.
func validInteger(b []byte, negativeLimit string, least byte) bool {
	limit := "2147483647"
	if len(b) > 0 && b[0] == '-' {
		limit, b = negativeLimit, b[1:]
		if limit == "" || len(b) == 1 && b[0] == '0' { // R4: [0]|[-+]?[1-9][0-9]*
			return false
		}
	}
	if len(b) == 0 || len(b) > len(limit) {
		return false
	}
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	if len(b) == len(limit) && string(b) > limit {
		return false
	}
	return least == 0 || b[0] != '0'
}
