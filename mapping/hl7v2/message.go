package hl7v2

import (
	"bytes"
	"unicode/utf8"
)

// MaxBytes is the largest message that [Parse] takes when [Options] says
// nothing.
const MaxBytes = 50 << 20

// Options say how a sender's messages are read. The zero Options will do.
type Options struct {
	// MaxBytes is the largest message taken; 0 is the constant MaxBytes.
	MaxBytes int
	// Charset is the set of messages that declare none and are not UTF-8, by
	// its name in table 0211 or "WINDOWS-1252", which is the default.
	Charset string
	// Decoded tells that the text is UTF-8 already, whatever MSH-18 says, as
	// Message.Text and Message.Batch are.
	Decoded bool
}

// Message is a message that was read. Its parts share memory with its text,
// which must not change while they are in use. A Message may be read by many
// goroutines at once.
type Message struct {
	Delimiters Delimiters
	// Charset is the set that the text was in, by its name in table 0211.
	Charset string
	// Warnings are deviations from the standard that were understood.
	Warnings Errors

	charset  charset
	text     []byte // UTF-8, each segment with its terminator but perhaps the last
	segments []Segment
	ends     []uint32 // of fields, in text
}

// Segment is one segment of a message. The zero Segment is one that is not
// there and has no fields.
type Segment struct {
	m         *Message
	name, end uint32 // where it stands in the text; the name is 3 bytes long
	first     uint32 // index into ends of its first field's end
	count     uint32 // of fields as written, without the name
}

// Parse reads a message. The bytes are not copied when they are UTF-8 and its
// segments end as the standard says, with CR.
func Parse(data []byte, o Options) (*Message, error) {
	limit := o.MaxBytes
	if limit <= 0 {
		limit = MaxBytes
	}
	if len(data) > limit {
		return nil, problem(ErrSize, Path{}, "the message is larger than the limit")
	}
	if o.Decoded && !utf8.Valid(data) {
		return nil, problem(ErrCharset, Path{}, "the text is not UTF-8")
	}
	text, set, warning, err := data, charset{name: UTF8}, (*Error)(nil), error(nil)
	if !o.Decoded {
		text, set, warning, err = decodeText(data, o.Charset)
	}
	if err != nil {
		return nil, err
	}
	m := &Message{charset: set, Charset: set.name}
	if warning != nil {
		m.Warnings = append(m.Warnings, warning)
	}
	text = trimStart(text)
	if !isHeader(text) {
		return nil, problem(ErrHeader, Path{}, "a message begins with MSH")
	}
	if m.Delimiters, err = readDelimiters(text); err != nil {
		return nil, err
	}
	if m.text, err = m.normal(text); err != nil {
		return nil, err
	}
	// A line that was joined to MSH must not have become part of MSH-2.
	if d, err := readDelimiters(m.text); err != nil || d != m.Delimiters {
		return nil, problem(ErrDelimiters, Path{Segment: "MSH", Field: 2}, "MSH ends before MSH-2 does")
	}
	m.index()
	return m, nil
}

// isHeader tells whether a text begins with the header of a message or of a
// batch.
func isHeader(text []byte) bool {
	return len(text) >= 4 && (string(text[:3]) == "MSH" || string(text[:3]) == "FHS" || string(text[:3]) == "BHS")
}

// trimStart drops a byte order mark and white space before the header.
func trimStart(text []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF")), " \t\r\n")
}

// normal is the text with CR behind every segment. It is the given text when
// that is how it came.
func (m *Message) normal(text []byte) ([]byte, error) {
	text = bytes.TrimRight(text, "\r\n\x00")
	if bytes.IndexByte(text, '\n') < 0 && m.allSegments(text) {
		// What was trimmed is still behind it.
		if cap(text) > len(text) && text[:len(text)+1][len(text)] == Terminator {
			return text[:len(text)+1], nil
		}
		return text, nil
	}
	out := make([]byte, 0, len(text)+len(text)/64+16)
	foreign, breaks := false, false
	for len(text) > 0 {
		line := text
		if i := bytes.IndexAny(text, "\r\n"); i >= 0 {
			line = text[:i]
			foreign = foreign || text[i] == '\n'
			text = text[i+1:]
		} else {
			text = nil
		}
		switch {
		case len(bytes.TrimSpace(line)) == 0:
		case m.isSegment(line):
			out = append(append(out, line...), Terminator)
		case m.Delimiters.Escape == 0:
			return nil, problem(ErrSequence, Path{}, "a line is no segment, and without an escape character it cannot be text")
		default:
			// A line break inside a text. It is said as the standard says it.
			breaks = true
			e := m.Delimiters.Escape
			if len(out) >= 4 && m.isSegment(out[len(out)-4:]) && (len(out) == 4 || out[len(out)-5] == Terminator) {
				out[len(out)-1] = m.Delimiters.Field // the segment had no fields
				out = append(out, Terminator)
			}
			out = append(append(out[:len(out)-1], e, '.', 'b', 'r', e), line...)
			out = append(out, Terminator)
		}
	}
	if foreign {
		m.Warnings = append(m.Warnings, problem(ErrSequence, Path{}, "segments end with LF; the standard's terminator is CR"))
	}
	if breaks {
		m.Warnings = append(m.Warnings, problem(ErrSequence, Path{}, "lines that are no segments were joined to the segment before"))
	}
	return out, nil
}

// allSegments tells whether every line of a text is a segment.
func (m *Message) allSegments(text []byte) bool {
	for {
		if !m.isSegment(text) {
			return false
		}
		i := bytes.IndexByte(text, Terminator)
		if i < 0 {
			return true
		}
		text = text[i+1:]
	}
}

// isSegment tells whether a line begins with a segment's name: an upper-case
// letter and two more or digits, then the field separator or the end.
func (m *Message) isSegment(line []byte) bool {
	if len(line) < 3 || line[0] < 'A' || line[0] > 'Z' {
		return false
	}
	for _, c := range line[1:3] {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(line) == 3 || line[3] == m.Delimiters.Field || line[3] == Terminator
}

// index finds segments and fields.
func (m *Message) index() {
	m.segments = make([]Segment, 0, bytes.Count(m.text, []byte{Terminator})+1)
	m.ends = make([]uint32, 0, bytes.Count(m.text, []byte{m.Delimiters.Field})+1)
	for at := 0; at < len(m.text); {
		end := len(m.text)
		if i := bytes.IndexByte(m.text[at:], Terminator); i >= 0 {
			end = at + i
		}
		s := Segment{m: m, name: uint32(at), end: uint32(end), first: uint32(len(m.ends))}
		for p := at + 4; p <= end; {
			i := bytes.IndexByte(m.text[p:end], m.Delimiters.Field)
			if i < 0 {
				i = end - p
			}
			m.ends = append(m.ends, uint32(p+i))
			p += i + 1
		}
		s.count = uint32(len(m.ends)) - s.first
		m.segments = append(m.segments, s)
		at = end + 1
	}
}

// Segments are all the segments in their order, unknown ones included.
func (m *Message) Segments() []Segment { return m.segments }

// Segment is the segment of that name with the number n, from 0; the zero
// Segment if there is none.
func (m *Message) Segment(name string, n int) Segment {
	for _, s := range m.segments {
		if s.Is(name) {
			if n == 0 {
				return s
			}
			n--
		}
	}
	return Segment{}
}

// Count is the number of segments of that name.
func (m *Message) Count(name string) int {
	n := 0
	for _, s := range m.segments {
		if s.Is(name) {
			n++
		}
	}
	return n
}

// Text is the message as UTF-8 with CR behind every segment.
func (m *Message) Text() []byte { return m.text }

// Get is the value at a path such as "PID-3[2].4.1". A path that is no path
// has no value; paths in code are fixed, and [ParsePath] checks others.
func (m *Message) Get(path string) Value {
	p, err := ParsePath(path)
	if err != nil {
		return Value{}
	}
	return m.At(p)
}

// At is the value at a path.
func (m *Message) At(p Path) Value {
	return m.Segment(p.Segment, max(p.Occurrence, 1)-1).At(p)
}

// Exists tells whether the segment is there.
func (s Segment) Exists() bool { return s.m != nil }

// Name is the segment's name: "PID".
func (s Segment) Name() string {
	if s.m == nil {
		return ""
	}
	return string(s.m.text[s.name : s.name+3])
}

// Is tells whether it is the segment's name, without making a string.
func (s Segment) Is(name string) bool {
	return s.m != nil && string(s.m.text[s.name:s.name+3]) == name
}

// Raw is the segment's text without its terminator.
func (s Segment) Raw() []byte {
	if s.m == nil {
		return nil
	}
	return s.m.text[s.name:s.end]
}

// header tells whether field 1 is the separator itself.
func (s Segment) header() bool { return s.m != nil && isHeader(s.Raw()) }

// Len is the number of the segment's last field that is written.
func (s Segment) Len() int {
	if s.header() {
		return int(s.count) + 1
	}
	return int(s.count)
}

// Field is the field with the standard's number, from 1; an empty Value if
// the segment ends before it.
func (s Segment) Field(n int) Value {
	if s.m == nil || n < 1 || n > s.Len() {
		return Value{}
	}
	if s.header() {
		switch n {
		case 1:
			return Value{m: s.m, raw: s.m.text[s.name+3 : s.name+4], level: subcomponentLevel}
		case 2:
			// MSH-2 holds the delimiters and is not split by them.
			return Value{m: s.m, raw: s.m.text[s.name+4 : s.m.ends[s.first]], level: subcomponentLevel, literal: true}
		}
		n--
	}
	from := s.name + 4
	if n > 1 {
		from = s.m.ends[s.first+uint32(n)-2] + 1
	}
	return Value{m: s.m, raw: s.m.text[from:s.m.ends[s.first+uint32(n)-1]]}
}

// At is the value at a path in this segment; the path's segment is not looked
// at.
func (s Segment) At(p Path) Value {
	v := s.Field(p.Field)
	if p.Repetition > 0 || p.Component > 0 {
		v = v.Repetition(max(p.Repetition, 1) - 1)
	}
	if p.Component > 0 {
		v = v.Component(p.Component)
	}
	if p.Subcomponent > 0 {
		v = v.Subcomponent(p.Subcomponent)
	}
	return v
}
