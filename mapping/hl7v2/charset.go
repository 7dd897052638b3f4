package hl7v2

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// charset is one of table 0211, alternate character sets. The zero charset is
// UTF-8, of which ASCII is a part.
type charset struct {
	name     string
	encoding encoding.Encoding // nil for UTF-8
}

// UTF8 is the name of the set that drafts are written in.
const UTF8 = "UNICODE UTF-8"

// charsets are those of table 0211 that can be read and written, by their
// names and by what senders write instead.
var charsets = []struct {
	names    []string
	encoding encoding.Encoding
}{
	{[]string{UTF8, "UTF-8", "UTF8", "UNICODE", "ASCII", "US-ASCII", "ISO IR6"}, nil},
	{[]string{"8859/1", "ISO 8859-1", "ISO-8859-1", "ISO_8859-1", "LATIN1"}, charmap.ISO8859_1},
	{[]string{"8859/2", "ISO-8859-2"}, charmap.ISO8859_2},
	{[]string{"8859/3", "ISO-8859-3"}, charmap.ISO8859_3},
	{[]string{"8859/4", "ISO-8859-4"}, charmap.ISO8859_4},
	{[]string{"8859/5", "ISO-8859-5"}, charmap.ISO8859_5},
	{[]string{"8859/6", "ISO-8859-6"}, charmap.ISO8859_6},
	{[]string{"8859/7", "ISO-8859-7"}, charmap.ISO8859_7},
	{[]string{"8859/8", "ISO-8859-8"}, charmap.ISO8859_8},
	{[]string{"8859/9", "ISO-8859-9"}, charmap.ISO8859_9},
	{[]string{"8859/15", "ISO-8859-15"}, charmap.ISO8859_15},
	{[]string{"WINDOWS-1252", "CP1252", "ANSI"}, charmap.Windows1252},
	{[]string{"UNICODE UTF-16", "UTF-16"}, unicode.UTF16(unicode.BigEndian, unicode.UseBOM)},
	{[]string{"UNICODE UTF-32", "UTF-32"}, utf32.UTF32(utf32.BigEndian, utf32.UseBOM)},
	{[]string{"ISO IR87", "ISO-2022-JP"}, japanese.ISO2022JP},
	{[]string{"GB 18030-2000", "GB18030"}, simplifiedchinese.GB18030},
	{[]string{"BIG-5", "BIG5"}, traditionalchinese.Big5},
	{[]string{"KS X 1001", "EUC-KR"}, korean.EUCKR},
}

func charsetNamed(name string) (charset, bool) {
	name = strings.ToUpper(strings.TrimSpace(name))
	for _, c := range charsets {
		for _, n := range c.names {
			if n == name {
				return charset{c.names[0], c.encoding}, true
			}
		}
	}
	return charset{}, false
}

// decode makes UTF-8 of bytes of the set.
func (c charset) decode(b []byte) ([]byte, error) {
	if c.encoding == nil {
		if !utf8.Valid(b) {
			return nil, ErrCharset
		}
		return b, nil
	}
	text, err := c.encoding.NewDecoder().Bytes(b)
	if err == nil && bytes.ContainsRune(text, utf8.RuneError) && !bytes.ContainsRune(b, utf8.RuneError) {
		return nil, ErrCharset
	}
	return text, err
}

func (c charset) encode(text []byte) ([]byte, error) {
	if c.encoding == nil {
		return text, nil
	}
	return c.encoding.NewEncoder().Bytes(text)
}

// decodeText makes UTF-8 of a whole message: of the set that MSH-18 declares
// where its bytes are valid, else of UTF-8 where they are, else of the
// fallback. Text that needs no change is returned as it is.
func decodeText(raw []byte, fallback string) (text []byte, set charset, warning *Error, err error) {
	if wide, ok := wideText(raw); ok {
		text, err := wide.decode(raw)
		if err != nil {
			return nil, wide, nil, problem(ErrCharset, Path{Segment: "MSH", Field: 18}, "the bytes are not valid in the set that the byte order mark says")
		}
		return text, wide, nil, nil
	}
	declared := declaredCharset(raw)
	at := Path{Segment: "MSH", Field: 18}
	if declared != "" {
		if set, ok := charsetNamed(declared); ok {
			if text, err := set.decode(raw); err == nil {
				return text, set, nil, nil
			}
			warning = problem(ErrCharset, at, "the bytes are not valid in the declared set; another one was taken")
		} else {
			warning = problem(ErrCharset, at, "the declared set is not of table 0211; another one was taken")
		}
	}
	if utf8.Valid(raw) {
		return raw, charset{name: UTF8}, warning, nil
	}
	if fallback == "" {
		fallback = "WINDOWS-1252"
	}
	set, ok := charsetNamed(fallback)
	if !ok {
		return nil, set, warning, problem(ErrCharset, at, "the configured set is not known")
	}
	if text, err = set.decode(raw); err != nil {
		return nil, set, warning, problem(ErrCharset, at, "the bytes are not valid in any of the sets that are tried")
	}
	if warning == nil {
		warning = problem(ErrCharset, at, "no set is declared and the bytes are not UTF-8; the connection's set was taken")
	}
	return text, set, warning, nil
}

// declaredCharset is the first repetition of MSH-18. The header is read as
// ASCII to find it.
func declaredCharset(raw []byte) string {
	raw = trimStart(raw)
	if !isHeader(raw) {
		return ""
	}
	if i := bytes.IndexAny(raw, "\r\n"); i >= 0 {
		raw = raw[:i]
	}
	d, err := readDelimiters(raw)
	if err != nil {
		return ""
	}
	fields := bytes.SplitN(raw, []byte{d.Field}, 19)
	if len(fields) < 18 {
		return ""
	}
	value := fields[17]
	for _, c := range []byte{d.Repetition, d.Component} {
		if i := bytes.IndexByte(value, c); i >= 0 && c != 0 {
			value = value[:i]
		}
	}
	return string(bytes.TrimSpace(value))
}

// wideText recognises UTF-16 and UTF-32 by their byte order mark or by the
// zero bytes of "MSH".
func wideText(raw []byte) (charset, bool) {
	le16 := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	switch {
	case bytes.HasPrefix(raw, []byte{0, 0, 0xFE, 0xFF}), bytes.HasPrefix(raw, []byte{0xFF, 0xFE, 0, 0}), bytes.HasPrefix(raw, []byte{0, 0, 0, 'M'}):
		return charset{"UNICODE UTF-32", utf32.UTF32(utf32.BigEndian, utf32.UseBOM)}, true
	case bytes.HasPrefix(raw, []byte{0xFE, 0xFF}), bytes.HasPrefix(raw, []byte{0xFF, 0xFE}), bytes.HasPrefix(raw, []byte{0, 'M'}):
		return charset{"UNICODE UTF-16", unicode.UTF16(unicode.BigEndian, unicode.UseBOM)}, true
	case bytes.HasPrefix(raw, []byte{'M', 0}):
		return charset{"UNICODE UTF-16", le16}, true
	}
	return charset{}, false
}

// KnownCharset tells whether there is a character set of that name in table
// 0211, or one that senders write instead.
func KnownCharset(name string) bool {
	_, ok := charsetNamed(name)
	return ok
}
