package rawjson

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// frame is an object or array that is still open.
type frame struct {
	index int32  // its record
	last  int32  // its last child so far, 0 when none
	seen  uint64 // a bit for each member name's hash: absent means not a duplicate
	isArr bool
	// sorted asks for the check of duplicate names by sorting when the object
	// closes, because comparing each with each is too slow or (with escapes in
	// names) not by bytes.
	sorted bool
}

// wideObject is the number of members from which duplicates are found by
// sorting instead of comparing: without it an object of many thousand members
// would take quadratic time.
const wideObject = 32

// scan fills d from data in a single pass without recursion.
func (d *Document) scan(data []byte, maxDepth int) error {
	d.data = data
	if len(data) > math.MaxInt32-8 {
		return d.fail(TooLarge, 0, nil)
	}
	if len(data) >= 3 && data[0] == 0xEF && data[1] == 0xBB && data[2] == 0xBF {
		return d.fail(ByteOrderMark, 0, nil)
	}
	// One quick check for all strings, so that their scan looks for ASCII only.
	if !utf8.Valid(data) {
		return d.failUTF8(data, maxDepth)
	}
	return d.scanValid(data, maxDepth)
}

// scanValid reads data, which is known to be UTF-8, and makes the error, if any.
func (d *Document) scanValid(data []byte, maxDepth int) error {
	var reason Reason
	var offset int
	// The slices are kept whatever happens: their memory serves the next Parse,
	// and an error's path is read from them.
	d.records, d.frames, reason, offset = scanValues(d.records[:0], d.frames[:0], data, maxDepth)
	if reason != 0 {
		return d.fail(reason, offset, d.frames)
	}
	return nil
}

// scanValues is the scanner proper: a loop over values, with the containers that
// are open in frames. It returns the frames as they are where it stops.
func scanValues(records []record, frames []frame, data []byte, maxDepth int) ([]record, []frame, Reason, int) {
	var nameStart, nameEnd int32
	var nameFlag uint8
	i := skipSpace(data, 0)
	for {
		// A value starts at i; its name, if it has one, has been read.
		if i >= len(data) {
			return records, frames, UnexpectedEnd, len(data)
		}
		index := int32(len(records))
		// Field by field in place: append of a literal goes by way of the stack,
		// which took a quarter of the scanner's time.
		if len(records) == cap(records) {
			records = slices.Grow(records, max(64, len(records)/2))
		}
		records = records[:index+1]
		rec := &records[index]
		rec.start, rec.end = int32(i), 0
		rec.nameStart, rec.nameEnd = nameStart, nameEnd
		rec.next, rec.count = 0, 0
		rec.flags = nameFlag
		nameStart, nameEnd, nameFlag = 0, 0, 0

		var f *frame
		if len(frames) > 0 {
			f = &frames[len(frames)-1]
			if f.last != 0 {
				records[f.last].next = index
			}
			f.last = index
			parent := &records[f.index]
			parent.count++
			if !f.isArr && !f.sorted {
				if rec.flags&flagNameEscaped != 0 || parent.count > wideObject {
					f.sorted = true
				} else if bit := nameBit(data[rec.nameStart:rec.nameEnd]); f.seen&bit == 0 {
					f.seen |= bit
				} else if hasEarlierName(data, records, f.index+1, index) {
					return records, frames, DuplicateName, int(rec.nameStart) - 1
				}
			}
		}

		opened := false
		switch c := data[i]; c {
		case '{', '[':
			if len(frames) >= maxDepth {
				return records, frames, TooDeep, i
			}
			opened = true
			if c == '[' {
				rec.kind = KindArray
			} else {
				rec.kind = KindObject
			}
			if len(frames) == cap(frames) {
				frames = slices.Grow(frames, 16)
			}
			frames = frames[:len(frames)+1]
			f = &frames[len(frames)-1]
			f.index, f.last, f.seen = index, 0, 0
			f.isArr, f.sorted = c == '[', false
			i++
		case '"':
			rec.kind = KindString
			end, escaped, bad := scanString(data, i)
			if bad != 0 {
				return records, frames, bad, end
			}
			if escaped {
				rec.flags |= flagEscaped
			}
			i = end
		case 't':
			rec.kind = KindTrue
			if i = scanLiteral(data, i, "true"); i < 0 {
				reason, at := literalReason(data, int(rec.start), "true")
				return records, frames, reason, at
			}
		case 'f':
			rec.kind = KindFalse
			if i = scanLiteral(data, i, "false"); i < 0 {
				reason, at := literalReason(data, int(rec.start), "false")
				return records, frames, reason, at
			}
		case 'n':
			rec.kind = KindNull
			if i = scanLiteral(data, i, "null"); i < 0 {
				reason, at := literalReason(data, int(rec.start), "null")
				return records, frames, reason, at
			}
		default:
			rec.kind = KindNumber
			end, ok := scanNumber(data, i)
			if !ok {
				if end >= len(data) {
					return records, frames, UnexpectedEnd, len(data)
				}
				return records, frames, SyntaxError, end
			}
			i = end
		}
		rec.end = int32(i)

		// What follows a value: a comma and the next one, or closing brackets.
		for {
			if len(frames) == 0 {
				if i = skipSpace(data, i); i < len(data) {
					return records, frames, TrailingData, i
				}
				return records, frames, 0, 0
			}
			f = &frames[len(frames)-1]
			i = skipSpace(data, i)
			if i >= len(data) {
				return records, frames, UnexpectedEnd, len(data)
			}
			closing := byte('}')
			if f.isArr {
				closing = ']'
			}
			c := data[i]
			if c == closing {
				if f.sorted {
					if offset := duplicateName(data, records, f.index); offset >= 0 {
						return records, frames, DuplicateName, offset
					}
				}
				i++
				records[f.index].end = int32(i)
				frames = frames[:len(frames)-1]
				opened = false
				continue
			}
			if opened {
				opened = false // the first member or element has no comma before it
			} else if c == ',' {
				i = skipSpace(data, i+1)
			} else {
				return records, frames, SyntaxError, i
			}
			break
		}
		if f.isArr {
			continue
		}

		// A member's name and its colon.
		if i >= len(data) {
			return records, frames, UnexpectedEnd, len(data)
		}
		if data[i] != '"' {
			return records, frames, SyntaxError, i
		}
		end, escaped, bad := scanString(data, i)
		if bad != 0 {
			return records, frames, bad, end
		}
		nameStart, nameEnd = int32(i+1), int32(end-1)
		if escaped {
			nameFlag = flagNameEscaped
		}
		i = end
		if i < len(data) && data[i] != ':' {
			i = skipSpace(data, i)
		}
		if i >= len(data) {
			return records, frames, UnexpectedEnd, len(data)
		}
		if data[i] != ':' {
			return records, frames, SyntaxError, i
		}
		i = skipSpace(data, i+1)
	}
}

// fail makes the error at offset, inside the containers that are open.
func (d *Document) fail(reason Reason, offset int, open []frame) error {
	e := &Error{Reason: reason, Offset: offset}
	e.Line, e.Column = LineColumn(d.data, offset)
	if reason == DuplicateName {
		for i := range d.records {
			if r := &d.records[i]; r.nameEnd > 0 && int(r.nameStart) == offset+1 {
				e.Path = Node{doc: d, index: int32(i)}.Path()
			}
		}
	} else if len(open) > 0 {
		deepest := &open[len(open)-1]
		at := deepest.index
		// The last child is where the error is, unless its text is complete.
		if last := deepest.last; last != 0 && d.records[last].end == 0 {
			at = last
		}
		e.Path = Node{doc: d, index: at}.Path()
	}
	return e
}

// failUTF8 finds where the text stops being UTF-8, and the path of the element
// there by reading what comes before. An earlier error of another kind wins.
func (d *Document) failUTF8(data []byte, maxDepth int) error {
	bad := 0
	for bad < len(data) {
		r, size := utf8.DecodeRune(data[bad:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		bad += size
	}
	err := d.scanValid(data[:bad], maxDepth)
	d.data = data
	if e, ok := errors.AsType[*Error](err); ok && e.Reason != UnexpectedEnd {
		return e
	}
	path := ""
	if e, ok := errors.AsType[*Error](err); ok {
		path = e.Path
	}
	line, column := LineColumn(data, bad)
	return &Error{Reason: InvalidUTF8, Offset: bad, Line: line, Column: column, Path: path}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	blank = 0x2020202020202020
)

func skipSpace(data []byte, i int) int {
	for i < len(data) {
		switch data[i] {
		case ' ':
			// Indented text has long runs of blanks: count them by eight.
			i++
			for i+8 <= len(data) {
				w := binary.LittleEndian.Uint64(data[i:]) ^ blank
				if w != 0 {
					i += bits.TrailingZeros64(w) / 8
					break
				}
				i += 8
			}
		case '\n', '\t', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// scanString reads the string that starts with the quote at i and returns the
// offset behind its closing quote; or, with a reason, where it is wrong.
func scanString(data []byte, i int) (end int, escaped bool, bad Reason) {
	i++
	for {
		// Eight bytes at a time while none of them is a quote, a backslash or a
		// control character: the "has a zero byte" and "has a byte less than n"
		// bit tricks. Their false alarms lie above a true one only, so the
		// lowest is where to look.
		for i+8 <= len(data) {
			w := binary.LittleEndian.Uint64(data[i:])
			quote, slash := w^(ones*'"'), w^(ones*'\\')
			hit := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & highs
			if hit != 0 {
				i += bits.TrailingZeros64(hit) / 8
				break
			}
			i += 8
		}
		if i >= len(data) {
			return len(data), escaped, UnexpectedEnd
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, escaped, 0
		case c == '\\':
			size, reason := scanEscape(data[i:])
			if reason != 0 {
				return i + size, escaped, reason
			}
			escaped = true
			i += size
		case c < 0x20:
			return i, escaped, SyntaxError
		default:
			i++ // one of the last seven bytes of the text
		}
	}
}

// scanEscape checks the escape sequence that text starts with and returns its
// length, or how far in it is wrong.
func scanEscape(text []byte) (size int, bad Reason) {
	if len(text) < 2 {
		return len(text), UnexpectedEnd
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, 0
	case 'u':
	default:
		return 1, SyntaxError
	}
	for k := 2; k < 6; k++ {
		if k >= len(text) {
			return len(text), UnexpectedEnd
		}
		if unhex(text[k]) < 0 {
			return k, SyntaxError
		}
	}
	r, size := unescapedRune(text)
	if r < 0 {
		// An unpaired surrogate is grammatical in RFC 8259 but has no value:
		// RFC 7493 § 2.1 forbids it.
		return 0, InvalidUTF8
	}
	return size, 0
}

// unescapedRune decodes the \uXXXX, or the pair of them, that text starts with.
// It returns -1 for a surrogate without its partner.
func unescapedRune(text []byte) (r rune, size int) {
	r = hex4(text[2:6])
	if r < 0xD800 || r > 0xDFFF {
		return r, 6
	}
	if r < 0xDC00 && len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		if low := hex4(text[8:12]); low >= 0xDC00 && low <= 0xDFFF {
			return (r-0xD800)<<10 + (low - 0xDC00) + 0x10000, 12
		}
	}
	return -1, 6
}

func hex4(text []byte) rune {
	r := rune(0)
	for _, c := range text {
		digit := unhex(c)
		if digit < 0 {
			return -1
		}
		r = r<<4 | digit
	}
	return r
}

func unhex(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	default:
		return -1
	}
}

func scanLiteral(data []byte, i int, literal string) int {
	if end := i + len(literal); end <= len(data) && string(data[i:end]) == literal {
		return end
	}
	return -1
}

// literalReason tells why the text at i is not the literal, and where.
func literalReason(data []byte, i int, literal string) (Reason, int) {
	for k := 0; k < len(literal); k++ {
		if i+k >= len(data) {
			return UnexpectedEnd, len(data)
		}
		if data[i+k] != literal[k] {
			return SyntaxError, i + k
		}
	}
	return SyntaxError, i
}

// scanNumber reads a number (RFC 8259 § 6) and returns the offset behind it, or
// where it is wrong.
func scanNumber(data []byte, i int) (end int, ok bool) {
	if i < len(data) && data[i] == '-' {
		i++
	}
	if i < len(data) && data[i] == '0' {
		i++
	} else if i, ok = scanDigits(data, i); !ok {
		return i, false
	}
	if i < len(data) && data[i] == '.' {
		if i, ok = scanDigits(data, i+1); !ok {
			return i, false
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		if i, ok = scanDigits(data, i); !ok {
			return i, false
		}
	}
	return i, true
}

func scanDigits(data []byte, i int) (end int, ok bool) {
	start := i
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	return i, i > start
}
