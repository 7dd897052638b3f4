package fhirpath

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// The functions of FHIRPath 2.0 § 5.6 String manipulation, and those of the
// continuous build that the official cases use. Positions count characters.
var stringFunctions = map[string]function{
	"indexOf":     {1, 1, stringPredicate(func(s, t string) Value { return indexOf(s, strings.Index(s, t)) })},
	"lastIndexOf": {1, 1, stringPredicate(func(s, t string) Value { return indexOf(s, strings.LastIndex(s, t)) })},
	"startsWith":  {1, 1, stringPredicate(func(s, t string) Value { return Boolean(strings.HasPrefix(s, t)) })},
	"endsWith":    {1, 1, stringPredicate(func(s, t string) Value { return Boolean(strings.HasSuffix(s, t)) })},
	"contains":    {1, 1, stringPredicate(func(s, t string) Value { return Boolean(strings.Contains(s, t)) })},
	"upper":       {0, 0, stringMap(strings.ToUpper)},
	"lower":       {0, 0, stringMap(strings.ToLower)},
	"trim":        {0, 0, stringMap(strings.TrimSpace)},
	"length": {0, 0, func(m *machine, c *callNode, mark int) error {
		s, ok, err := m.inputString(c, mark)
		if err != nil || !ok {
			return err
		}
		m.push(Integer(int32(utf8.RuneCountInString(s))))
		return nil
	}},
	"toChars": {0, 0, func(m *machine, c *callNode, mark int) error {
		s, ok, err := m.inputString(c, mark)
		if err != nil || !ok {
			return err
		}
		for i, r := range s {
			m.push(String(s[i : i+utf8.RuneLen(r)]))
			if err := m.checkSize(c.pos); err != nil {
				return err
			}
		}
		return nil
	}},
	"substring":      {1, 2, callSubstring},
	"matches":        {1, 1, callMatches},
	"matchesFull":    {1, 1, callMatches},
	"replace":        {2, 2, callReplace},
	"replaceMatches": {2, 2, callReplaceMatches},
	"split": {1, 1, func(m *machine, c *callNode, mark int) error {
		s, ok, err := m.inputString(c, mark)
		if err != nil || !ok {
			return err
		}
		separator, ok, err := m.stringArg(c, 0)
		if err != nil || !ok {
			return err
		}
		for part := range strings.SplitSeq(s, separator) {
			m.push(String(part))
			if err := m.checkSize(c.pos); err != nil {
				return err
			}
		}
		return nil
	}},
	"join":     {0, 1, callJoin},
	"encode":   {1, 1, coding(encode)},
	"decode":   {1, 1, coding(decode)},
	"escape":   {1, 1, coding(escape)},
	"unescape": {1, 1, coding(unescape)},
}

// stringPredicate makes a function of the input and one String argument.
func stringPredicate(f func(s, t string) Value) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		s, ok, err := m.inputString(c, mark)
		if err != nil || !ok {
			return err
		}
		t, ok, err := m.stringArg(c, 0)
		if err != nil || !ok {
			return err
		}
		m.push(f(s, t))
		return nil
	}
}

func indexOf(s string, i int) Value {
	if i < 0 {
		return Integer(-1)
	}
	return Integer(int32(utf8.RuneCountInString(s[:i])))
}

func stringMap(f func(string) string) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		s, ok, err := m.inputString(c, mark)
		if err != nil || !ok {
			return err
		}
		return m.pushString(f(s), c.pos)
	}
}

func callSubstring(m *machine, c *callNode, mark int) error {
	s, ok, err := m.inputString(c, mark)
	if err != nil || !ok {
		return err
	}
	start, ok, err := m.integerArg(c, 0)
	if err != nil || !ok {
		return err
	}
	length, limited := int32(0), false
	if len(c.args) > 1 {
		if length, limited, err = m.integerArg(c, 1); err != nil {
			return err
		}
	}
	if start < 0 {
		return nil
	}
	rest, more := skipRunes(s, int(start))
	if !more {
		return nil
	}
	if limited {
		tail, _ := skipRunes(rest, max(0, int(length)))
		rest = rest[:len(rest)-len(tail)]
	}
	m.push(String(rest))
	return nil
}

// skipRunes passes over n characters; more is false when none is left then.
func skipRunes(s string, n int) (rest string, more bool) {
	for ; n > 0 && s != ""; n-- {
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
	}
	return s, s != ""
}

// prepare compiles a regular expression that is a literal together with the
// expression. Go's engine works in time linear in the text, so no pattern can
// hang an evaluation.
func (p *parser) prepare(c *callNode) error {
	if c.name != "matches" && c.name != "matchesFull" && c.name != "replaceMatches" {
		return nil
	}
	literal, ok := c.args[0].(*literalNode)
	if !ok || literal.value.kind != KindString {
		return nil
	}
	re, err := compileRegexp(literal.value.str, c.name == "matchesFull")
	if err != nil {
		return &Error{Kind: SemanticError, Expression: p.lexer.text, Position: c.pos, Message: "invalid regular expression: " + regexpProblem(err)}
	}
	c.prepared = re
	return nil
}

func regexpProblem(err error) string {
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		return e.Code.String()
	}
	return "cannot be compiled"
}

// maxPatternLength bounds patterns: a counted repetition of counted repetitions
// would otherwise take long to compile.
const maxPatternLength = 4096

// compileRegexp compiles a pattern so that a point matches line breaks too
// (FHIRPath 2.0 § 5.6.9, single line mode).
func compileRegexp(pattern string, full bool) (*regexp.Regexp, error) {
	if len(pattern) > maxPatternLength {
		return nil, &syntax.Error{Code: syntax.ErrLarge}
	}
	if full {
		pattern = `\A(?:` + pattern + `)\z`
	}
	return regexp.Compile("(?s)" + pattern)
}

// pattern gives the regular expression of argument 0, to be used on s. Matching
// takes time with the product of both lengths, so that is what it counts.
func (m *machine) pattern(c *callNode, s string) (re *regexp.Regexp, empty, ok bool, err error) {
	if re, ok := c.prepared.(*regexp.Regexp); ok {
		literal, _ := c.args[0].(*literalNode)
		return re, literal.value.str == "", true, m.work(len(s)*len(literal.value.str)/bytesPerStep, c.pos)
	}
	text, ok, err := m.stringArg(c, 0)
	if err != nil || !ok {
		return nil, false, false, err
	}
	if err := m.work(50+2*len(text)+len(s)*len(text)/bytesPerStep, c.pos); err != nil {
		return nil, false, false, err
	}
	re, err = compileRegexp(text, c.name == "matchesFull")
	if err != nil {
		return nil, false, false, m.errorf(ExecutionError, c.pos, "invalid regular expression: %s", regexpProblem(err))
	}
	return re, text == "", true, nil
}

func callMatches(m *machine, c *callNode, mark int) error {
	s, ok, err := m.inputString(c, mark)
	if err != nil || !ok {
		return err
	}
	re, _, ok, err := m.pattern(c, s)
	if err != nil || !ok {
		return err
	}
	m.push(Boolean(re.MatchString(s)))
	return nil
}

func callReplace(m *machine, c *callNode, mark int) error {
	s, ok, err := m.inputString(c, mark)
	if err != nil || !ok {
		return err
	}
	pattern, ok, err := m.stringArg(c, 0)
	if err != nil || !ok {
		return err
	}
	substitution, ok, err := m.stringArg(c, 1)
	if err != nil || !ok {
		return err
	}
	if n := strings.Count(s, pattern); len(s)+n*len(substitution) > maxStringLength {
		return m.errorf(LimitError, c.pos, "text longer than %d bytes", maxStringLength)
	}
	return m.pushString(strings.ReplaceAll(s, pattern, substitution), c.pos)
}

var groupReference = regexp.MustCompile(`\$(\d+)`)

func callReplaceMatches(m *machine, c *callNode, mark int) error {
	s, ok, err := m.inputString(c, mark)
	if err != nil || !ok {
		return err
	}
	re, empty, ok, err := m.pattern(c, s)
	if err != nil || !ok {
		return err
	}
	substitution, ok, err := m.stringArg(c, 1)
	if err != nil || !ok {
		return err
	}
	if empty {
		m.push(String(s)) // an empty pattern matches nothing that could be replaced
		return nil
	}
	if err := m.work(len(s)/4, c.pos); err != nil {
		return err
	}
	if !replacementFits(re, s, substitution) {
		return m.errorf(LimitError, c.pos, "text longer than %d bytes", maxStringLength)
	}
	// $1x is group 1 and an x, where Go would see a group named 1x.
	substitution = groupReference.ReplaceAllString(substitution, "$${$1}")
	return m.pushString(re.ReplaceAllString(s, substitution), c.pos)
}

// replacementFits bounds the result of a replacement before it is made. Matches
// do not overlap, so a reference to a group yields no more than s in all.
func replacementFits(re *regexp.Regexp, s, substitution string) bool {
	references := strings.Count(substitution, "$")
	room := 4*maxStringLength - len(s)*(1+references)
	if room < 0 {
		return false
	}
	most := len(s) + 1
	if len(substitution) == 0 || most <= room/len(substitution) {
		return true
	}
	limit := room / len(substitution)
	return len(re.FindAllStringIndex(s, limit+1)) <= limit
}

func callJoin(m *machine, c *callNode, mark int) error {
	separator := ""
	if len(c.args) > 0 {
		var err error
		if separator, _, err = m.stringArg(c, 0); err != nil {
			return err
		}
	}
	var b strings.Builder
	for i := mark; i < len(m.stack); i++ {
		v := m.stack[i].system()
		if v.kind != KindString {
			return m.errorf(ExecutionError, c.pos, "join() on something that is no String")
		}
		if i > mark {
			b.WriteString(separator)
		}
		b.WriteString(v.str)
		if b.Len() > maxStringLength {
			return m.errorf(LimitError, c.pos, "text longer than %d bytes", maxStringLength)
		}
	}
	some := len(m.stack) > mark
	m.drop(mark)
	if some {
		m.push(String(b.String()))
	}
	return nil
}

// coding makes encode() and its like: empty where the format is not known or
// the input not of it.
func coding(f func(s, format string) (string, bool)) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		s, ok, err := m.inputString(c, mark)
		if err != nil || !ok {
			return err
		}
		format, ok, err := m.stringArg(c, 0)
		if err != nil || !ok {
			return err
		}
		if result, ok := f(s, format); ok {
			return m.pushString(result, c.pos)
		}
		return nil
	}
}

func encode(s, format string) (string, bool) {
	switch format {
	case "hex":
		return hex.EncodeToString([]byte(s)), true
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(s)), true
	case "urlbase64":
		return base64.URLEncoding.EncodeToString([]byte(s)), true
	}
	return "", false
}

func decode(s, format string) (string, bool) {
	var b []byte
	var err error
	switch format {
	case "hex":
		b, err = hex.DecodeString(s)
	case "base64":
		b, err = base64.StdEncoding.DecodeString(s)
	case "urlbase64":
		b, err = base64.URLEncoding.DecodeString(s)
	default:
		return "", false
	}
	return string(b), err == nil && utf8.Valid(b)
}

var escapeHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")

func escape(s, format string) (string, bool) {
	switch format {
	case "html":
		return escapeHTML.Replace(s), true
	case "json":
		var b strings.Builder
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(s); err != nil {
			return "", false
		}
		text := strings.TrimSuffix(b.String(), "\n")
		return text[1 : len(text)-1], true
	}
	return "", false
}

func unescape(s, format string) (string, bool) {
	switch format {
	case "html":
		return html.UnescapeString(s), true
	case "json":
		// What is not escaped, be it a quote, stays.
		var b strings.Builder
		for rest := s; ; {
			i := strings.IndexByte(rest, '\\')
			if i < 0 {
				b.WriteString(rest)
				return b.String(), true
			}
			b.WriteString(rest[:i])
			size := 2
			if strings.HasPrefix(rest[i:], `\u`) {
				size = 6
				if strings.HasPrefix(rest[min(len(rest), i+6):], `\u`) {
					size = 12 // perhaps a pair of surrogates; two characters otherwise
				}
			}
			var part string
			if i+size > len(rest) || json.Unmarshal([]byte(`"`+rest[i:i+size]+`"`), &part) != nil {
				return "", false
			}
			b.WriteString(part)
			rest = rest[i+size:]
		}
	}
	return "", false
}
