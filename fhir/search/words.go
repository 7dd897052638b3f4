package search

import (
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Full text (R4 search, _text and _content) is found by words: what is between
// white space and punctuation, normalised. _text looks at the words of the
// narrative, _content at those of the whole resource.

// Bounds of full text: how many different words of a resource are found, for
// each of the two parameters; how long a word is, in bytes; and from which
// length on a text without a space, such as an attachment, has no words.
const (
	maxWords = 1000
	maxWord  = 64
	maxSolid = 1000
)

// fullText adds the words of a resource.
func (ex *extractor) fullText(d *conformance.Definitions, typ string, number uint16, resource rawjson.Node) {
	if sp, ok := d.SearchParameter(typ, "_text"); ok {
		if text, ok := resource.Member("text"); ok {
			ex.emit.prefix = appendParam(ex.emit.prefix[:0], number, sp.Number)
			w := words{e: &ex.emit, seen: map[string]bool{}}
			w.xhtml(member(text, "div"))
		}
	}
	if sp, ok := d.SearchParameter(typ, "_content"); ok {
		ex.emit.prefix = appendParam(ex.emit.prefix[:0], number, sp.Number)
		w := words{e: &ex.emit, seen: map[string]bool{}}
		w.node(resource)
	}
}

// words adds each word once.
type words struct {
	e    *emitter
	seen map[string]bool
}

func (w *words) node(n rawjson.Node) {
	switch n.Kind() {
	case rawjson.KindObject:
		for m := range n.Members() {
			if m.NameIs("div") && m.Kind() == rawjson.KindString {
				w.xhtml(m.String())
				continue
			}
			w.node(m)
		}
	case rawjson.KindArray:
		for el := range n.Elements() {
			w.node(el)
		}
	case rawjson.KindString:
		w.text(n.String())
	case rawjson.KindNumber:
		w.text(string(n.Raw()))
	}
}

// xhtml takes the text between the tags of a narrative.
func (w *words) xhtml(div string) {
	var b strings.Builder
	for div != "" && len(w.seen) < maxWords {
		text, rest, tag := strings.Cut(div, "<")
		b.WriteString(text)
		if tag {
			_, rest, _ = strings.Cut(rest, ">")
			b.WriteByte(' ')
		}
		div = rest
	}
	w.text(html.UnescapeString(b.String()))
}

func (w *words) text(s string) {
	if len(s) > maxSolid && strings.IndexByte(s, ' ') < 0 {
		return
	}
	for _, word := range wordsOf(s) {
		if len(w.seen) == maxWords {
			return
		}
		if !w.seen[word] {
			w.seen[word] = true
			w.e.key(formWord, word)
		}
	}
}

// wordsOf are the words of a text. A long one is cut.
func wordsOf(s string) []string {
	all := strings.FieldsFunc(unmarked(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	for i, word := range all {
		if len(word) > maxWord {
			end := maxWord
			for !utf8.RuneStart(word[end]) {
				end--
			}
			all[i] = word[:end]
		}
	}
	return all
}

// wordSearch reads the value of _text or _content: words that must all be
// there, "or" and "not" between them, parentheses, and a * for any end of a
// word.
type wordSearch struct {
	f      field
	number uint16
	rest   string
	depth  int
}

// words is the clause of _text and _content.
func (p *parser) words(typ string, number uint16, code, value string) (store.Clause, error) {
	code, modifier, modified := strings.Cut(code, ":")
	sp, ok := p.o.Base.Definitions.SearchParameter(typ, code)
	if !ok {
		return nil, p.unknown(typ, "search", code)
	}
	f := field{p: p, sp: sp, prefix: paramKey(number, sp.Number)}
	if !p.o.Base.FullText {
		return nil, unsupported(outcome.BadRequest(outcome.CodeNotSupported, "The search parameter %s needs the server's setting full-text, which is off.", code))
	}
	switch {
	case modifier == "missing":
		return f.missing(value)
	case modified:
		return nil, noModifier(code, modifier)
	}
	var any store.Or
	for _, part := range split(value, ',') {
		c, err := f.words(number, part)
		if err != nil {
			return nil, err
		}
		if err := p.spend(leaves(c)); err != nil {
			return nil, err
		}
		any = append(any, c)
	}
	return oneOf(any), nil
}

// words is the clause of one of the values that commas part.
func (f field) words(number uint16, value string) (store.Clause, error) {
	s := wordSearch{f: f, number: number, rest: value}
	c, err := s.any()
	if err == nil && s.token() != "" {
		err = f.wrong("a closing parenthesis has none that opens")
	}
	return c, err
}

// token looks at the next word, parenthesis or quotation mark; "" at the end.
func (s *wordSearch) token() string {
	s.rest = strings.TrimLeftFunc(s.rest, unicode.IsSpace)
	if i := strings.IndexFunc(s.rest, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' || r == '"' }); i > 0 {
		return s.rest[:i]
	} else if i == 0 {
		return s.rest[:1]
	}
	return s.rest
}

func (s *wordSearch) take(t string) { s.rest = s.rest[len(t):] }

func (s *wordSearch) any() (store.Clause, error) {
	if s.depth++; s.depth > maxFilterDepth {
		return nil, outcome.BadRequest(outcome.CodeTooCostly, "%s is nested more than %d deep.", s.f.sp.Code, maxFilterDepth)
	}
	defer func() { s.depth-- }()
	var any store.Or
	for {
		c, err := s.all()
		if err != nil {
			return nil, err
		}
		any = append(any, c)
		t := s.token()
		if !strings.EqualFold(t, "or") {
			return oneOf(any), nil
		}
		s.take(t)
	}
}

// all are words behind each other, with or without "and".
func (s *wordSearch) all() (store.Clause, error) {
	all := store.And{exists(s.number)}
	for {
		t := s.token()
		switch {
		case strings.EqualFold(t, "and") && len(all) > 1:
			s.take(t)
			if t = s.token(); t == "" || t == ")" || strings.EqualFold(t, "or") {
				return nil, s.f.wrong("a word is missing")
			}
		case t == "" || t == ")" || strings.EqualFold(t, "or"):
			if len(all) == 1 {
				return nil, s.f.wrong("a word is missing")
			}
			return all, nil
		}
		not := strings.EqualFold(t, "not")
		if not {
			s.take(t)
		}
		c, err := s.one()
		if err != nil {
			return nil, err
		}
		if not {
			c = store.Not{Clause: c}
		}
		all = append(all, c)
		if len(all) > maxFilterTests {
			return nil, outcome.BadRequest(outcome.CodeTooCostly, "%s has more than %d words.", s.f.sp.Code, maxFilterTests)
		}
	}
}

// one is a word or what is in parentheses.
func (s *wordSearch) one() (store.Clause, error) {
	t := s.token()
	s.take(t)
	switch t {
	case "", ")":
		return nil, s.f.wrong("a word is missing")
	case `"`:
		return nil, s.f.wrong("phrases in quotation marks are not supported: words are found wherever they stand")
	case "(":
		c, err := s.any()
		if err == nil && s.token() != ")" {
			err = s.f.wrong("a closing parenthesis is missing")
		}
		if err == nil {
			s.take(")")
		}
		return c, err
	}
	start, open := strings.CutSuffix(t, "*")
	parts := wordsOf(unescape(start))
	if len(parts) == 0 {
		return nil, s.f.wrong("a word needs letters or digits")
	}
	all := make(store.And, 0, len(parts))
	for i, word := range parts {
		if open && i == len(parts)-1 {
			all = append(all, store.Prefix(s.f.key(formWord)+word))
		} else {
			all = append(all, store.Exactly(s.f.key(formWord)+word))
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}
