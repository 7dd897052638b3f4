package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// normalise is how strings are compared (R4 search, string): without regard
// to case, accents and other combining marks, without punctuation (Unicode's
// category P: O'Neil is oneil), with runs of white space as one space and none
// at the ends.
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
		case punctuation[c]:
			continue
		}
		if space {
			dst, space = append(dst, ' '), false
		}
		dst = append(dst, c)
	}
	return dst
}

// punctuation is what of ASCII is in Unicode's category P.
var punctuation = func() (is [utf8.RuneSelf]bool) {
	for c := range is {
		is[c] = unicode.IsPunct(rune(c))
	}
	return is
}()

// appendFolded is appendNormalised for text beyond ASCII.
func appendFolded(dst []byte, s string) []byte {
	from, space := len(dst), false
	for _, r := range folded(s) {
		switch {
		case unicode.Is(unicode.Mn, r), unicode.IsPunct(r):
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

// folded is a text decomposed and without case. Folding may compose, and
// decomposing may reveal what can be folded (K, the Kelvin sign), so marks are
// to be taken off afterwards.
func folded(s string) string { return norm.NFKD.String(cases.Fold().String(norm.NFKD.String(s))) }

// unmarked is a text as normalise has it, but with its punctuation.
func unmarked(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, folded(s))
}

// partsOf are the places behind the first where a part of a name begins:
// behind white space and hyphens.
func partsOf(name string) (places []int) {
	for i, r := range name {
		if i > 0 && unicode.IsLetter(r) {
			before, _ := utf8.DecodeLastRuneInString(name[:i])
			if unicode.IsSpace(before) || unicode.Is(unicode.Pd, before) {
				places = append(places, i)
			}
		}
	}
	return places
}

// cut shortens the start of a text to what keys hold of it.
func cut(s string) string { return s[:min(len(s), maxText)] }
