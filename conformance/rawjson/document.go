package rawjson

import (
	"sync/atomic"
)

// Kind is the JSON type of a node.
type Kind uint8

// The kinds of a node. The zero Node has KindInvalid.
const (
	KindInvalid Kind = iota
	KindNull
	KindFalse
	KindTrue
	KindNumber
	KindString
	KindArray
	KindObject
)

var kindNames = [...]string{"invalid", "null", "boolean", "boolean", "number", "string", "array", "object"}

// String names the kind as JSON does.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "invalid"
}

// DefaultMaxDepth is the nesting that Parse accepts when Options says nothing.
// R4 resources nest by Questionnaire.item, contained resources and extensions;
// a hundred levels is far beyond any that a person wrote.
const DefaultMaxDepth = 100

// Options bounds what Parse accepts. A nil *Options means the defaults.
type Options struct {
	// MaxDepth is how many arrays and objects may be open at once; zero means
	// DefaultMaxDepth.
	MaxDepth int
}

// record is one value. Values lie in document order, so an object's or array's
// first child, if it has any, is the record that follows its own; only the next
// sibling needs a link. Offsets are int32: Parse refuses larger inputs.
type record struct {
	start, end         int32 // the value's text, quotes and brackets included
	nameStart, nameEnd int32 // the member's name without its quotes; 0,0 when none
	next               int32 // the next sibling's index; 0 when this is the last
	count              int32 // members or elements
	kind               Kind
	flags              uint8
}

const (
	flagEscaped     uint8 = 1 << iota // the string's text has escapes
	flagNameEscaped                   // the member's name has escapes
)

// Document is one parsed JSON text. Its nodes refer to the bytes given to
// Parse, which must not change while the Document or its Nodes are in use.
// A parsed Document may be read by many goroutines at once.
type Document struct {
	data    []byte
	records []record
	frames  []frame
	// text is data as a string, made once when the first String is asked for,
	// so that every further String is a substring of it instead of a copy.
	text atomic.Pointer[string]
}

// Parse reads data, which must be one JSON value and nothing else.
func Parse(data []byte, opts *Options) (*Document, error) {
	d := &Document{}
	if err := d.Parse(data, opts); err != nil {
		return nil, err
	}
	return d, nil
}

// Parse reads data into d, reusing the memory of what d held before: Nodes of
// the earlier text must not be used any more. After an error d is empty.
func (d *Document) Parse(data []byte, opts *Options) error {
	d.Reset()
	maxDepth := DefaultMaxDepth
	if opts != nil && opts.MaxDepth > 0 {
		maxDepth = opts.MaxDepth
	}
	if err := d.scan(data, maxDepth); err != nil {
		d.Reset()
		return err
	}
	return nil
}

// Reset empties d and keeps its memory for the next Parse.
func (d *Document) Reset() {
	d.data = nil
	d.records = d.records[:0]
	d.frames = d.frames[:0]
	d.text.Store(nil)
}

// Data returns the bytes that were parsed.
func (d *Document) Data() []byte { return d.data }

// Len is the number of values in the document, nested ones included.
func (d *Document) Len() int { return len(d.records) }

// Root returns the document's value, or the zero Node when d is empty.
func (d *Document) Root() Node {
	if len(d.records) == 0 {
		return Node{}
	}
	return Node{doc: d, index: 0}
}

// Node returns the value with that Index, or the zero Node.
func (d *Document) Node(index int) Node {
	if index < 0 || index >= len(d.records) {
		return Node{}
	}
	return Node{doc: d, index: int32(index)}
}

func (d *Document) string() string {
	if s := d.text.Load(); s != nil {
		return *s
	}
	s := string(d.data)
	d.text.Store(&s)
	return s
}
