package rawjson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reason tells what is wrong with a JSON text.
type Reason uint8

// The reasons for which Parse refuses a text.
const (
	// SyntaxError: not the grammar of RFC 8259.
	SyntaxError Reason = iota + 1
	// UnexpectedEnd: the text stops inside a value.
	UnexpectedEnd
	// InvalidUTF8: bytes that are not UTF-8, or an escaped unpaired surrogate.
	InvalidUTF8
	// ByteOrderMark: the text starts with U+FEFF (RFC 8259 § 8.1).
	ByteOrderMark
	// DuplicateName: two members of one object have the same name.
	DuplicateName
	// TrailingData: something follows the value.
	TrailingData
	// TooDeep: more nesting than Options.MaxDepth.
	TooDeep
	// TooLarge: more than 2 GiB.
	TooLarge
)

var reasonTexts = map[Reason]string{
	SyntaxError:   "invalid JSON",
	UnexpectedEnd: "the JSON text ends too early",
	InvalidUTF8:   "invalid UTF-8",
	ByteOrderMark: "the JSON text starts with a byte order mark",
	DuplicateName: "duplicate member name",
	TrailingData:  "data after the JSON value",
	TooDeep:       "nested too deeply",
	TooLarge:      "the JSON text is too large",
}

// String describes the reason in words.
func (r Reason) String() string { return reasonTexts[r] }

// Error implements error, so that errors.Is(err, rawjson.DuplicateName) holds
// for an *Error with that Reason.
func (r Reason) Error() string { return r.String() }

// Error says what is wrong with a JSON text and where. It never holds text of
// a value.
type Error struct {
	Reason       Reason
	Offset       int // in bytes, from 0
	Line, Column int // from 1; the column counts characters
	// Path is the element the error is in, in FHIRPath's simple form, such as
	// name[0].given[1]; empty for the root. Names that cannot be names of FHIR
	// elements are written as "?".
	Path string
}

// Error describes what is wrong and where.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Reason.String())
	if e.Path != "" {
		b.WriteString(" in ")
		b.WriteString(e.Path)
	}
	fmt.Fprintf(&b, " at line %d column %d (offset %d)", e.Line, e.Column, e.Offset)
	return b.String()
}

// Unwrap gives the Reason.
func (e *Error) Unwrap() error { return e.Reason }

// LineColumn tells the line and the column, both from 1, of an offset in data.
// Lines end with a line feed; columns count characters, not bytes.
func LineColumn(data []byte, offset int) (line, column int) {
	offset = max(0, min(offset, len(data)))
	line, lineStart := 1, 0
	for i, c := range data[:offset] {
		if c == '\n' {
			line++
			lineStart = i + 1
		}
	}
	return line, utf8.RuneCount(data[lineStart:offset]) + 1
}

// Path is where the node lies below its document's root, such as
// name[0].given[1]; empty for the root itself.
func (n Node) Path() string {
	if n.doc == nil {
		return ""
	}
	var b strings.Builder
	for at := n.doc.Root(); at.index != n.index; {
		// Values lie in document order: the child to descend into is the last
		// one that does not start after n.
		child, position := at.at(at.index+1), 0
		for next := child.rec().next; next != 0 && next <= n.index; next = child.rec().next {
			child, position = at.at(next), position+1
		}
		writeStep(&b, at.rec().kind, child.nameBytes(), position)
		at = child
	}
	return b.String()
}

func writeStep(b *strings.Builder, container Kind, name []byte, position int) {
	if container == KindArray {
		b.WriteByte('[')
		b.WriteString(strconv.Itoa(position))
		b.WriteByte(']')
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	if isElementName(name) {
		b.Write(name)
	} else {
		b.WriteByte('?')
	}
}

// isElementName holds for what can be a JSON property of FHIR: an element's
// name (R4 eld-20: at most 64 characters), with a leading underscore for a
// primitive's id and extensions (R4 § 2.6.2.3). Anything else may be a value
// that slipped into a name, so it is kept out of errors.
func isElementName(name []byte) bool {
	if len(name) == 0 || len(name) > 65 {
		return false
	}
	for i, c := range name {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_' && i == 0, c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}
