package hl7v2

import "strings"

// Draft is a message that is being written.
type Draft struct {
	Delimiters Delimiters
	// Charset is the set of the written bytes; empty is UTF-8.
	Charset  string
	Segments []*DraftSegment
}

// DraftSegment is a segment of a draft.
type DraftSegment struct {
	Name   string
	draft  *Draft
	fields []node // fields[0] is field 1; of MSH the first two are not used
}

// node is a field or a part of one: its parts, or its text as it will be
// written.
type node struct {
	text  string
	parts []node
}

// NewDraft is an empty message with the standard's delimiters.
func NewDraft() *Draft { return &Draft{Delimiters: Standard} }

// Add appends an empty segment.
func (d *Draft) Add(name string) *DraftSegment {
	s := &DraftSegment{Name: name, draft: d}
	d.Segments = append(d.Segments, s)
	return s
}

// Draft makes a draft of a message that was read: what is encoded from it is
// that message's text, byte for byte, where its segments end with CR.
func (m *Message) Draft() *Draft {
	d := &Draft{Delimiters: m.Delimiters, Charset: m.Charset, Segments: make([]*DraftSegment, len(m.segments))}
	text := string(m.text) // once for all the fields
	nodes := make([]node, len(m.ends)+len(m.segments))
	segments := make([]DraftSegment, len(m.segments))
	for i, s := range m.segments {
		n := s.Len()
		segments[i] = DraftSegment{Name: text[s.name : s.name+3], draft: d, fields: nodes[:n:n]}
		d.Segments[i], nodes = &segments[i], nodes[n:]
		s.copyFields(segments[i].fields, text, 0)
	}
	return d
}

// copyFields copies fields as they are written; their parts are found when one
// is set. The text is that of the message from base on.
func (s Segment) copyFields(to []node, text string, base int) {
	from, skipped := int(s.name)+4-base, 0
	if s.header() {
		skipped = 1 // field 1 is the separator, and drafts know their own
	}
	for i, end := range s.m.ends[s.first : s.first+s.count] {
		if skipped == 0 || i > 0 {
			to[i+skipped].text = text[from : int(end)-base]
		}
		from = int(end) + 1 - base
	}
}

// AddRaw appends a copy of a segment that was read, such as one that the
// receiver does not know, for passing it on. The delimiters may differ.
func (d *Draft) AddRaw(s Segment) *DraftSegment {
	if s.m == nil {
		return nil
	}
	if s.m.Delimiters == d.Delimiters {
		out := d.Add(s.Name())
		out.fields = make([]node, s.Len())
		s.copyFields(out.fields, string(s.Raw()), int(s.name))
		return out
	}
	out := d.Add(s.Name())
	for n := 1; n <= s.Len(); n++ {
		if n > 2 || !s.header() {
			*out.field(n) = d.translated(s.Field(n))
		}
	}
	return out
}

// separated tells whether a text has separators of a level or below it.
func separated(d Delimiters, text string, l level) bool {
	for ; l < subcomponentLevel; l++ {
		if sep := d.of(l); sep != 0 && strings.IndexByte(text, sep) >= 0 {
			return true
		}
	}
	return false
}

// translated is a value of another message in this draft's delimiters.
func (d *Draft) translated(v Value) node {
	if v.level == subcomponentLevel || !separated(v.m.Delimiters, string(v.raw), v.level) {
		return node{text: string(d.Delimiters.AppendEscaped(nil, string(v.m.unescape(nil, v.raw)), true))}
	}
	var n node
	for i := 0; ; i++ {
		p := v.part(v.level, i)
		if p.m == nil {
			return n
		}
		n.parts = append(n.parts, d.translated(p))
	}
}

// Set writes a value: text at a path in the segment, such as "3[2].4.1" for
// PID-3[2].4.1. An empty text leaves the place as it is.
func (s *DraftSegment) Set(at Path, text string) {
	if text != "" {
		s.place(at).set(string(s.draft.Delimiters.AppendEscaped(nil, text, false)))
	}
}

// SetText is Set for formatted text (FT, TX), in which line breaks are a
// command.
func (s *DraftSegment) SetText(at Path, text string) {
	if text != "" {
		s.place(at).set(string(s.draft.Delimiters.AppendEscaped(nil, text, true)))
	}
}

// SetNull writes "", which tells the receiver to delete the value.
func (s *DraftSegment) SetNull(at Path) { s.place(at).set(`""`) }

// Has tells whether the field with the standard's number has a value.
func (s *DraftSegment) Has(n int) bool {
	return n > 0 && n <= len(s.fields) && !s.fields[n-1].empty()
}

// Empty tells whether the segment has no values.
func (s *DraftSegment) Empty() bool {
	for i := range s.fields {
		if !s.fields[i].empty() {
			return false
		}
	}
	return true
}

func (n *node) set(text string) { *n = node{text: text} }

func (n *node) empty() bool {
	for i := range n.parts {
		if !n.parts[i].empty() {
			return false
		}
	}
	return n.text == ""
}

// field is the field with the standard's number.
func (s *DraftSegment) field(n int) *node {
	for len(s.fields) < n {
		s.fields = append(s.fields, node{})
	}
	return &s.fields[n-1]
}

// place is the node at a path. What stood there alone becomes its first part.
func (s *DraftSegment) place(p Path) *node {
	n := s.field(max(p.Field, 1))
	depth := 0
	switch {
	case p.Subcomponent > 0:
		depth = 3
	case p.Component > 0:
		depth = 2
	case p.Repetition > 0:
		depth = 1
	}
	for i, at := range []int{p.Repetition, p.Component, p.Subcomponent} {
		if i < depth {
			n = n.part(s.draft.Delimiters.of(level(i)), max(at, 1))
		}
	}
	return n
}

// part is part i of a node; sep separates those of a text.
func (n *node) part(sep byte, i int) *node {
	for n.parts == nil || n.text != "" {
		end := -1
		if sep != 0 {
			end = strings.IndexByte(n.text, sep)
		}
		if end < 0 {
			n.parts, n.text = append(n.parts, node{text: n.text}), ""
			break
		}
		n.parts, n.text = append(n.parts, node{text: n.text[:end]}), n.text[end+1:]
		if n.text == "" {
			n.parts = append(n.parts, node{})
		}
	}
	for len(n.parts) < i {
		n.parts = append(n.parts, node{})
	}
	return &n.parts[i-1]
}

// Append appends the encoded message. It fails where the draft's character set
// cannot say what the draft holds.
func (d *Draft) Append(dst []byte) ([]byte, error) {
	start := len(dst)
	for _, s := range d.Segments {
		dst = d.appendSegment(dst, s)
	}
	if d.Charset == "" || d.Charset == UTF8 {
		return dst, nil
	}
	set, ok := charsetNamed(d.Charset)
	if !ok {
		return nil, problem(ErrCharset, Path{Segment: "MSH", Field: 18}, "the set is not of table 0211")
	}
	encoded, err := set.encode(dst[start:])
	if err != nil {
		return nil, problem(ErrCharset, Path{Segment: "MSH", Field: 18}, "the set has not all the characters of the message")
	}
	return append(dst[:start], encoded...), nil
}

func (d *Draft) appendSegment(dst []byte, s *DraftSegment) []byte {
	dst = append(dst, s.Name...)
	fields := s.fields
	if s.Name == "MSH" || s.Name == "FHS" || s.Name == "BHS" {
		dst = append(append(dst, d.Delimiters.Field), d.Delimiters.encoding()...)
		fields = fields[min(2, len(fields)):]
	}
	for i := range fields {
		dst = append(dst, d.Delimiters.Field)
		dst = d.appendNode(dst, &fields[i], fieldLevel)
	}
	return append(dst, Terminator)
}

func (d *Draft) appendNode(dst []byte, n *node, l level) []byte {
	if n.parts == nil {
		return append(dst, n.text...)
	}
	for i := range n.parts {
		if i > 0 {
			dst = append(dst, d.Delimiters.of(l))
		}
		dst = d.appendNode(dst, &n.parts[i], l+1)
	}
	return dst
}

// Clear takes a field's value away.
func (s *DraftSegment) Clear(n int) {
	if n > 0 && n <= len(s.fields) {
		s.fields[n-1] = node{}
	}
}
