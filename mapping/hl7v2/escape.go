package hl7v2

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
)

// AppendEscaped appends text as a value may hold it: delimiters and control
// characters become escape sequences, in formatted text (FT, TX) a line break
// becomes \.br\. Without an escape character they become blanks. HL7 v2.5.1
// § 2.7.
func (d Delimiters) AppendEscaped(dst []byte, text string, formatted bool) []byte {
	plain := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if !d.special(c) {
			continue
		}
		dst = append(dst, text[plain:i]...)
		plain = i + 1
		if d.Escape == 0 {
			dst = append(dst, ' ')
			continue
		}
		if formatted && (c == '\r' || c == '\n') {
			if c == '\r' && i+1 < len(text) && text[i+1] == '\n' {
				i++
				plain++
			}
			dst = append(dst, d.Escape, '.', 'b', 'r', d.Escape)
			continue
		}
		dst = append(dst, d.Escape)
		switch {
		case c < ' ':
			dst = append(dst, 'X', upperHex[c>>4], upperHex[c&15])
		case c == d.Field:
			dst = append(dst, 'F')
		case c == d.Component:
			dst = append(dst, 'S')
		case c == d.Subcomponent:
			dst = append(dst, 'T')
		case c == d.Repetition:
			dst = append(dst, 'R')
		case c == d.Escape:
			dst = append(dst, 'E')
		case c == d.Truncation:
			dst = append(dst, 'P')
		}
		dst = append(dst, d.Escape)
	}
	return append(dst, text[plain:]...)
}

const upperHex = "0123456789ABCDEF"

// special tells whether a byte must not stand in a value as it is.
func (d Delimiters) special(c byte) bool {
	if c < ' ' {
		return c != '\t'
	}
	return c == d.Field || c == d.Component || c == d.Repetition || c == d.Escape || c == d.Subcomponent ||
		c == d.Truncation && c != 0
}

// Unescape appends what a value says. Formatting commands become line breaks
// and blanks, highlighting is dropped, and sequences that are not known, or
// not closed, stay as they are. Bytes of \X..\ are in the message's character
// set.
func (m *Message) unescape(dst, raw []byte) []byte {
	e := m.Delimiters.Escape
	if e == 0 {
		return append(dst, raw...)
	}
	for {
		i := bytes.IndexByte(raw, e)
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		n := bytes.IndexByte(raw[i+1:], e)
		if n < 0 {
			return append(dst, raw[i:]...)
		}
		code := raw[i+1 : i+1+n]
		if said, ok := m.sequence(dst, code); ok {
			dst, raw = said, raw[i+n+2:]
			continue
		}
		// The closing character may open the next sequence.
		dst, raw = append(dst, raw[i:i+1+n]...), raw[i+1+n:]
		if len(raw) > 0 && unknownSequence(code) {
			dst, raw = append(dst, raw[0]), raw[1:]
		}
	}
}

// unknownSequence tells a sequence of a kind that is let through from text
// that happens to stand between two escape characters.
func unknownSequence(code []byte) bool {
	return len(code) > 0 && bytes.IndexByte([]byte("CMXZ."), code[0]) >= 0
}

func (m *Message) sequence(dst, code []byte) ([]byte, bool) {
	if len(code) == 0 {
		return dst, false
	}
	d := m.Delimiters
	if len(code) == 1 {
		switch code[0] {
		case 'F':
			return append(dst, d.Field), true
		case 'S':
			return append(dst, d.Component), true
		case 'T':
			return appendKnown(dst, d.Subcomponent)
		case 'R':
			return appendKnown(dst, d.Repetition)
		case 'E':
			return append(dst, d.Escape), true
		case 'P':
			return appendKnown(dst, d.Truncation)
		case 'H', 'N':
			return dst, true
		}
		return dst, false
	}
	switch code[0] {
	case 'X':
		b := make([]byte, hex.DecodedLen(len(code)-1))
		if len(b) == 0 {
			return dst, false
		}
		if _, err := hex.Decode(b, code[1:]); err != nil {
			return dst, false
		}
		text, err := m.charset.decode(b)
		if err != nil {
			return dst, false
		}
		return append(dst, text...), true
	case '.':
		return format(dst, string(code[1:]))
	}
	return dst, false
}

func appendKnown(dst []byte, c byte) ([]byte, bool) {
	if c == 0 {
		return dst, false
	}
	return append(dst, c), true
}

// format says a formatting command in plain text. HL7 v2.5.1 § 2.7.6.
func format(dst []byte, command string) ([]byte, bool) {
	name, number := command, 1
	if len(command) > 2 {
		n, err := strconv.Atoi(strings.TrimLeft(strings.TrimSpace(command[2:]), "+"))
		if err != nil || n > 200 {
			return dst, false
		}
		name, number = command[:2], n
	}
	switch strings.ToLower(name) {
	case "br", "ce":
		return append(dst, '\n'), true
	case "sp":
		return append(dst, strings.Repeat("\n", max(number, 0))...), true
	case "sk":
		return append(dst, strings.Repeat(" ", max(number, 0))...), true
	case "in", "ti", "fi", "nf":
		return dst, true
	}
	return dst, false
}
