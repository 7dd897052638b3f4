package fhirxml

import (
	"fmt"
	"strconv"
	"strings"
)

// Reason is what is wrong with a text.
type Reason uint8

// The reasons for which a text is refused.
const (
	// Syntax: not well-formed XML, or more than one document.
	Syntax Reason = iota + 1
	// DocumentType: a document type declaration, or an entity that needs one.
	DocumentType
	// Encoding: not UTF-8.
	Encoding
	// Namespace: an element or attribute of another namespace than R4 asks for.
	Namespace
	// Unknown: the type has no such element or attribute.
	Unknown
	// Order: the element comes behind one that the definition puts after it.
	Order
	// Cardinality: an element or attribute that does not repeat is there twice,
	// or a choice with two types.
	Cardinality
	// Empty: an element without value and children, or an empty value.
	Empty
	// Value: not what the type takes, or what the other format cannot express.
	Value
	// Text: text where only elements may be.
	Text
	// TooDeep: more nesting than rawjson takes.
	TooDeep
)

var reasonTexts = [...]string{
	"", "not well-formed XML", "document types and entities of one's own are not allowed", "the encoding must be UTF-8",
	"wrong namespace", "unknown", "out of order", "given twice", "empty", "wrong value", "text between elements", "nested too deeply",
}

// String describes the reason in words.
func (r Reason) String() string { return reasonTexts[r] }

// Error implements error, so that errors.Is(err, fhirxml.Order) holds for an
// *Error with that Reason.
func (r Reason) Error() string { return r.String() }

// Error says what is wrong with a text and where. It names elements,
// attributes and rules, never a value.
type Error struct {
	Reason Reason
	// Line and Column, from 1, are where it is in the XML that was read; 0 for
	// JSON that cannot be written.
	Line, Column int
	// Expression is the FHIRPath of the element: Patient.name[0].given[1].
	Expression string
	// Diagnostics says it in words.
	Diagnostics string
}

// Error describes what is wrong and where.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Diagnostics)
	if e.Expression != "" {
		b.WriteString(" at " + e.Expression)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, " (line %d column %d)", e.Line, e.Column)
	}
	return b.String()
}

// Unwrap gives the Reason.
func (e *Error) Unwrap() error { return e.Reason }

// path is where a reader or writer is, for errors.
type path []step

type step struct {
	name  string
	index int // -1 unless the element repeats
}

func (p path) String() string {
	var b strings.Builder
	for i, s := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.name)
		if s.index >= 0 {
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		}
	}
	return b.String()
}

// nameable keeps what is no name of an element out of error texts: it may be
// a value in the wrong place.
func nameable(name string) string {
	if name == "" || len(name) > 64 {
		return "?"
	}
	for _, c := range []byte(name) {
		if c != '-' && c != '.' && c != '_' && c != ':' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "?"
		}
	}
	return name
}
