package search

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// normalise is how strings are compared (R4 search, string): without regard
// to case, accents and other combining marks, with runs of white space as one
// space and none at the ends.
func normalise(s string) string { return string(appendNormalised(nil, s)) }

func appendNormalised(dst []byte, s string) []byte {
	from, space := len(dst), false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return appendFolded(dst[:from], s)
		case c == ' ' || c >= '\t' && c <= '\r':
			space = len(dst) > from
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		if space {
			dst, space = append(dst, ' '), false
		}
		dst = append(dst, c)
	}
	return dst
}

// appendFolded is appendNormalised for text beyond ASCII.
func appendFolded(dst []byte, s string) []byte {
	from, space := len(dst), false
	// Folding may compose and decomposing may reveal what can be folded
	// (K, the Kelvin sign), so the marks go last.
	for _, r := range norm.NFKD.String(cases.Fold().String(norm.NFKD.String(s))) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsSpace(r):
			space = len(dst) > from
		default:
			if space {
				dst, space = append(dst, ' '), false
			}
			// Cherokee folds to its capitals.
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
	}
	return dst
}

// cut shortens the start of a text to what keys hold of it.
func cut(s string) string { return s[:min(len(s), maxText)] }
