package fhirpath

import (
	"strings"
	"unicode/utf8"
)

// tokenKind tells what a token is.
type tokenKind uint8

const (
	tokenEnd        tokenKind = iota
	tokenIdentifier           // text is the name, unescaped if delimited
	tokenDelimited            // `name`: an identifier that is never a keyword
	tokenString
	tokenInteger
	tokenDecimal
	tokenDate
	tokenDateTime
	tokenTime
	tokenSymbol   // operators and brackets
	tokenVariable // $this, $index, $total
	tokenConstant // %name: text is the name
)

type token struct {
	kind tokenKind
	text string
	pos  int // byte offset in the expression
	when DateTime
}

// lexer cuts an expression into tokens (FHIRPath 2.0 § 9 and Appendix B).
type lexer struct {
	text string
	i    int
}

func (l *lexer) fail(pos int, message string) error {
	return &Error{Kind: SyntaxError, Expression: l.text, Position: pos, Message: message}
}

// skip passes over white space and comments.
func (l *lexer) skip() error {
	for l.i < len(l.text) {
		switch c := l.text[l.i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			l.i++
		case strings.HasPrefix(l.text[l.i:], "//"):
			end := strings.IndexAny(l.text[l.i:], "\r\n")
			if end < 0 {
				l.i = len(l.text)
				return nil
			}
			l.i += end
		case strings.HasPrefix(l.text[l.i:], "/*"):
			end := strings.Index(l.text[l.i+2:], "*/")
			if end < 0 {
				return l.fail(l.i, "comment without end")
			}
			l.i += end + 4
		default:
			return nil
		}
	}
	return nil
}

func (l *lexer) next() (token, error) {
	if err := l.skip(); err != nil {
		return token{}, err
	}
	start := l.i
	if start >= len(l.text) {
		return token{kind: tokenEnd, pos: start}, nil
	}
	switch c := l.text[start]; {
	case isLetter(c):
		return token{kind: tokenIdentifier, text: l.word(), pos: start}, nil
	case c >= '0' && c <= '9':
		return l.number(), nil
	case c == '\'':
		text, err := l.quoted('\'')
		return token{kind: tokenString, text: text, pos: start}, err
	case c == '`':
		text, err := l.quoted('`')
		return token{kind: tokenDelimited, text: text, pos: start}, err
	case c == '"':
		// FHIRPath 1.0 delimited identifiers so, and R4-era content still does.
		text, err := l.quoted('"')
		return token{kind: tokenDelimited, text: text, pos: start}, err
	case c == '@':
		return l.temporal()
	case c == '$':
		l.i++
		word := l.word()
		if word != "this" && word != "index" && word != "total" {
			return token{}, l.fail(start, "unknown variable $"+word)
		}
		return token{kind: tokenVariable, text: word, pos: start}, nil
	case c == '%':
		return l.constant()
	}
	for _, symbol := range [...]string{"<=", ">=", "!=", "!~"} {
		if strings.HasPrefix(l.text[start:], symbol) {
			l.i += 2
			return token{kind: tokenSymbol, text: symbol, pos: start}, nil
		}
	}
	if strings.IndexByte("()[]{}.,+-*/&|<>=~", l.text[start]) >= 0 {
		l.i++
		return token{kind: tokenSymbol, text: l.text[start:l.i], pos: start}, nil
	}
	return token{}, l.fail(start, "unexpected character")
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

func (l *lexer) word() string {
	start := l.i
	for l.i < len(l.text) && (isLetter(l.text[l.i]) || l.text[l.i] >= '0' && l.text[l.i] <= '9') {
		l.i++
	}
	return l.text[start:l.i]
}

// number reads 12 or 1.5; the point of 1.toString() is not part of it.
func (l *lexer) number() token {
	start := l.i
	l.digits()
	if l.i+1 < len(l.text) && l.text[l.i] == '.' && l.text[l.i+1] >= '0' && l.text[l.i+1] <= '9' {
		l.i++
		l.digits()
		return token{kind: tokenDecimal, text: l.text[start:l.i], pos: start}
	}
	return token{kind: tokenInteger, text: l.text[start:l.i], pos: start}
}

func (l *lexer) digits() {
	for l.i < len(l.text) && l.text[l.i] >= '0' && l.text[l.i] <= '9' {
		l.i++
	}
}

// constant reads %name, %`name` or %'name'. Before FHIRPath 2.0 a plain name
// could have hyphens, and R4 names constants so: %vs-name, %us-zip.
func (l *lexer) constant() (token, error) {
	start := l.i
	l.i++
	if l.i < len(l.text) {
		switch c := l.text[l.i]; {
		case c == '`' || c == '\'' || c == '"':
			text, err := l.quoted(c)
			return token{kind: tokenConstant, text: text, pos: start}, err
		case isLetter(c):
			name := l.word()
			if name == "vs" || name == "ext" || name == "us" {
				for l.i+1 < len(l.text) && l.text[l.i] == '-' && isLetter(l.text[l.i+1]) {
					l.i++
					name += "-" + l.word()
				}
			}
			return token{kind: tokenConstant, text: name, pos: start}, nil
		}
	}
	return token{}, l.fail(start, "% without a name")
}

// quoted reads a string or a delimited identifier and resolves its escapes
// (FHIRPath 2.0 § 3.1.2).
func (l *lexer) quoted(quote byte) (string, error) {
	start := l.i
	l.i++
	rest := l.text[l.i:]
	if end := strings.IndexByte(rest, quote); end >= 0 && strings.IndexByte(rest[:end], '\\') < 0 {
		l.i += end + 1
		return rest[:end], nil
	}
	var b strings.Builder
	for l.i < len(l.text) {
		c := l.text[l.i]
		l.i++
		if c == quote {
			return b.String(), nil
		}
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		if l.i >= len(l.text) {
			break
		}
		escape := l.text[l.i]
		l.i++
		switch escape {
		case '\'', '"', '`', '\\', '/':
			b.WriteByte(escape)
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, ok := l.hex4()
			if !ok {
				return "", l.fail(l.i-2, `\u without four hexadecimal digits`)
			}
			b.WriteRune(r)
		default:
			return "", l.fail(l.i-2, "unknown escape sequence")
		}
	}
	return "", l.fail(start, "text without closing quote")
}

func (l *lexer) hex4() (rune, bool) {
	if l.i+4 > len(l.text) {
		return 0, false
	}
	r := rune(0)
	for _, c := range []byte(l.text[l.i : l.i+4]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	l.i += 4
	if !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	return r, true
}

// temporal reads @2015-02-04, @2015T, @2015-02-04T14:34Z, @T14:34.
func (l *lexer) temporal() (token, error) {
	start := l.i
	p := temporalParser{s: l.text, i: start + 1}
	kind, value := tokenDate, KindDate
	if p.next('T') {
		kind, value = tokenTime, KindTime
		p.clock()
	} else {
		p.date()
		if p.ok() && p.i < len(p.s) && p.s[p.i] == 'T' {
			kind, value = tokenDateTime, KindDateTime
			p.dateTimeRest()
		}
	}
	if !p.ok() || !p.t.valid(value) {
		return token{}, l.fail(start, "invalid date or time")
	}
	l.i = p.i
	return token{kind: kind, text: l.text[start:l.i], pos: start, when: p.t}, nil
}
