package rawjson

import (
	"bytes"
	"iter"
	"unicode/utf8"
)

// Node is one value of a Document. It is small, comparable (two Nodes are equal
// when they are the same value of the same Document) and answers from the
// original bytes. The zero Node is a value that is not there: its Kind is
// KindInvalid and it has no text and no children.
type Node struct {
	doc   *Document
	index int32
}

func (n Node) rec() *record { return &n.doc.records[n.index] }

func (n Node) at(index int32) Node { return Node{doc: n.doc, index: index} }

// Kind tells the JSON type.
func (n Node) Kind() Kind {
	if n.doc == nil {
		return KindInvalid
	}
	return n.rec().kind
}

// Exists tells whether n is a value at all, be it null.
func (n Node) Exists() bool { return n.doc != nil }

// Document returns the document that n belongs to.
func (n Node) Document() *Document { return n.doc }

// Index is the value's place in document order, from 0 for the root. Together
// with Document.Len it lets a caller keep facts about nodes in a slice.
func (n Node) Index() int {
	return int(n.index)
}

// Offset is where the value's text starts in the parsed bytes.
func (n Node) Offset() int {
	if n.doc == nil {
		return 0
	}
	return int(n.rec().start)
}

// End is where the value's text ends in the parsed bytes.
func (n Node) End() int {
	if n.doc == nil {
		return 0
	}
	return int(n.rec().end)
}

// Raw returns the value's text as it came, quotes and brackets included. It
// shares memory with the parsed bytes.
func (n Node) Raw() []byte {
	if n.doc == nil {
		return nil
	}
	r := n.rec()
	return n.doc.data[r.start:r.end:r.end]
}

// Len is the number of an object's members or an array's elements.
func (n Node) Len() int {
	if n.doc == nil {
		return 0
	}
	return int(n.rec().count)
}

// Child returns the first member of an object or element of an array.
func (n Node) Child() (Node, bool) {
	if n.doc == nil || n.rec().count == 0 {
		return Node{}, false
	}
	return n.at(n.index + 1), true
}

// Next returns the member or element that follows n in its object or array.
func (n Node) Next() (Node, bool) {
	if n.doc == nil {
		return Node{}, false
	}
	next := n.rec().next
	if next == 0 {
		return Node{}, false
	}
	return n.at(next), true
}

// Member returns the member of an object with the given name.
func (n Node) Member(name string) (Node, bool) {
	if n.doc == nil {
		return Node{}, false
	}
	d := n.doc
	if r := n.rec(); r.kind != KindObject || r.count == 0 {
		return Node{}, false
	}
	for i := n.index + 1; ; {
		r := &d.records[i]
		if r.flags&flagNameEscaped == 0 {
			if string(d.data[r.nameStart:r.nameEnd]) == name {
				return n.at(i), true
			}
		} else if n.at(i).Name() == name {
			return n.at(i), true
		}
		if r.next == 0 {
			return Node{}, false
		}
		i = r.next
	}
}

// Members yields an object's members in their order; each knows its Name.
func (n Node) Members() iter.Seq[Node] { return n.children(KindObject) }

// Elements yields an array's elements in their order.
func (n Node) Elements() iter.Seq[Node] { return n.children(KindArray) }

func (n Node) children(kind Kind) iter.Seq[Node] {
	return func(yield func(Node) bool) {
		if n.Kind() != kind || n.rec().count == 0 {
			return
		}
		for i := n.index + 1; ; {
			next := n.doc.records[i].next
			if !yield(n.at(i)) || next == 0 {
				return
			}
			i = next
		}
	}
}

// Name is the name of the member that n is the value of, unescaped; it is empty
// for array elements and the root.
func (n Node) Name() string {
	if n.doc == nil {
		return ""
	}
	r := n.rec()
	if r.flags&flagNameEscaped != 0 {
		return string(n.nameBytes())
	}
	return n.doc.string()[r.nameStart:r.nameEnd]
}

func (n Node) nameBytes() []byte {
	if n.rec().flags&flagNameEscaped != 0 {
		return appendUnescaped(nil, n.RawName())
	}
	return n.RawName()
}

// RawName is the member's name as written, without its quotes and with its
// escapes, sharing memory with the parsed bytes.
func (n Node) RawName() []byte {
	if n.doc == nil {
		return nil
	}
	r := n.rec()
	return n.doc.data[r.nameStart:r.nameEnd:r.nameEnd]
}

// NameIs tells whether the member's name is name, without making a string.
func (n Node) NameIs(name string) bool {
	if n.doc == nil {
		return false
	}
	r := n.rec()
	if r.flags&flagNameEscaped != 0 {
		return n.Name() == name
	}
	return string(n.doc.data[r.nameStart:r.nameEnd]) == name
}

// String returns a string's value, unescaped, or a number's or literal's text as
// it was written; it is empty for arrays, objects and null. Text without escapes
// is a substring of one copy of the document that the first call makes, so a
// caller that keeps a String for long keeps that copy: clone it.
func (n Node) String() string {
	if n.doc == nil {
		return ""
	}
	switch r := n.rec(); r.kind {
	case KindString:
		if r.flags&flagEscaped != 0 {
			return string(appendUnescaped(nil, n.doc.data[r.start+1:r.end-1]))
		}
		return n.doc.string()[r.start+1 : r.end-1]
	case KindNumber, KindTrue, KindFalse:
		return n.doc.string()[r.start:r.end]
	default:
		return ""
	}
}

// Bytes is String as bytes. It shares memory with the parsed bytes unless the
// text has escapes.
func (n Node) Bytes() []byte {
	if n.doc == nil {
		return nil
	}
	switch r := n.rec(); r.kind {
	case KindString:
		text := n.doc.data[r.start+1 : r.end-1 : r.end-1]
		if r.flags&flagEscaped != 0 {
			return appendUnescaped(make([]byte, 0, len(text)), text)
		}
		return text
	case KindNumber, KindTrue, KindFalse:
		return n.doc.data[r.start:r.end:r.end]
	default:
		return nil
	}
}

// Append appends String to dst.
func (n Node) Append(dst []byte) []byte {
	if n.doc == nil {
		return dst
	}
	if r := n.rec(); r.kind == KindString && r.flags&flagEscaped != 0 {
		return appendUnescaped(dst, n.doc.data[r.start+1:r.end-1])
	}
	return append(dst, n.Bytes()...)
}

// Is tells whether n is the JSON string s, without making a string.
func (n Node) Is(s string) bool {
	if n.Kind() != KindString {
		return false
	}
	r := n.rec()
	if r.flags&flagEscaped != 0 {
		return n.String() == s
	}
	return string(n.doc.data[r.start+1:r.end-1]) == s
}

// Escaped tells whether a string's text is written with escapes, in other words
// whether String and Bytes have to make a copy.
func (n Node) Escaped() bool { return n.doc != nil && n.rec().flags&flagEscaped != 0 }

// appendUnescaped appends the value of a JSON string's inner text, which the
// scanner has already found to be well formed.
func appendUnescaped(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		switch c := text[i+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, size := unescapedRune(text[i:])
			dst = utf8.AppendRune(dst, r)
			text = text[i+size:]
			continue
		default: // the three that stand for themselves: " \ /
			dst = append(dst, c)
		}
		text = text[i+2:]
	}
}

// Property returns what FHIR's JSON says about an element of a primitive type:
// the member with the element's name, which holds the value or values, and the
// one with an underscore before it, which holds their ids and extensions (R4
// § 2.6.2.3). Either may be the zero Node.
func (n Node) Property(name string) (value, underscore Node) {
	if n.Kind() != KindObject || n.rec().count == 0 {
		return Node{}, Node{}
	}
	d := n.doc
	for i := n.index + 1; i != 0; i = d.records[i].next {
		r := &d.records[i]
		switch found := d.data[r.nameStart:r.nameEnd]; {
		case r.flags&flagNameEscaped != 0:
			if plain := n.at(i).Name(); plain == name {
				value = n.at(i)
			} else if len(plain) > 0 && plain[0] == '_' && plain[1:] == name {
				underscore = n.at(i)
			}
		case len(found) == len(name):
			if string(found) == name {
				value = n.at(i)
			}
		case len(found) == len(name)+1:
			if found[0] == '_' && string(found[1:]) == name {
				underscore = n.at(i)
			}
		}
	}
	return value, underscore
}
