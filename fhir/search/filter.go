package search

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// A _filter (https://hl7.org/fhir/R4/search_filter.html) as it was written:
//
//	filter = test / filter ("and" / "or") filter / ["not"] "(" filter ")"
//	test   = path operator value
//	path   = name / name "." path / name "[" filter "]" "." path
//	value  = JSON string / token
//
// "and" and "or" are equals and taken from left to right, as the page says.
type filter interface{ filter() }

type filterAnd struct{ left, right filter }

type filterOr struct{ left, right filter }

type filterNot struct{ part filter }

type filterTest struct {
	path            []filterStep
	operator, value string
}

// filterStep is a name of a path with the filter behind it in brackets, if
// there is one.
type filterStep struct {
	name   string
	within filter
}

func (filterAnd) filter()   {}
func (filterOr) filter()    {}
func (filterNot) filter()   {}
func (*filterTest) filter() {}

// operators of a test.
var operators = []string{"eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap", "sa", "eb", "pr", "po", "ss", "sb", "in", "re"}

// Bounds of a filter: how deep parentheses and brackets may be nested, and how
// many tests it may have.
const (
	maxFilterDepth = 30
	maxFilterTests = 200
)

// filterParser reads a filter by recursive descent.
type filterParser struct {
	text  string
	at    int
	depth int
	tests int
}

func parseFilter(text string) (filter, error) {
	p := filterParser{text: text}
	f, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, p.wrong("and, or, or the end is expected")
	}
	return f, nil
}

// wrong says where a filter breaks the grammar; never what stands there.
func (p *filterParser) wrong(rule string) error {
	return outcome.BadRequest(outcome.CodeInvalid, "_filter, character %d: %s.", utf8.RuneCountInString(p.text[:p.at])+1, rule)
}

func (p *filterParser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] >= '\t' && p.text[p.at] <= '\r') {
		p.at++
	}
}

// word takes a keyword that ends where names end.
func (p *filterParser) word(w string) bool {
	rest := p.text[p.at:]
	if !strings.HasPrefix(rest, w) || len(rest) > len(w) && nameByte(rest[len(w)]) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *filterParser) byte(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *filterParser) expression() (filter, error) {
	if p.depth++; p.depth > maxFilterDepth {
		return nil, outcome.BadRequest(outcome.CodeTooCostly, "_filter is nested more than %d deep.", maxFilterDepth)
	}
	defer func() { p.depth-- }()
	left, err := p.part()
	for err == nil {
		p.space()
		var right filter
		switch {
		case p.word("and"):
			right, err = p.part()
			left = filterAnd{left, right}
		case p.word("or"):
			right, err = p.part()
			left = filterOr{left, right}
		default:
			return left, nil
		}
	}
	return nil, err
}

// part is a test or a filter in parentheses.
func (p *filterParser) part() (filter, error) {
	p.space()
	start := p.at
	not := p.word("not")
	if not {
		p.space()
	}
	if !p.byte('(') {
		p.at = start // a parameter may be named not
		if not && !p.testFollows() {
			p.at += len("not")
			return nil, p.wrong("not stands before a parenthesis")
		}
		return p.test()
	}
	f, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.space(); !p.byte(')') {
		return nil, p.wrong("a closing parenthesis is expected")
	}
	if not {
		return filterNot{f}, nil
	}
	return f, nil
}

// testFollows looks ahead for a name and an operator.
func (p *filterParser) testFollows() bool {
	fields := strings.Fields(p.text[p.at:])
	return len(fields) > 1 && slices.Contains(operators, fields[1])
}

func (p *filterParser) test() (filter, error) {
	if p.tests++; p.tests > maxFilterTests {
		return nil, outcome.BadRequest(outcome.CodeTooCostly, "_filter has more than %d tests.", maxFilterTests)
	}
	t := &filterTest{}
	for {
		step, err := p.step()
		if err != nil {
			return nil, err
		}
		t.path = append(t.path, step)
		if !p.byte('.') {
			if step.within != nil {
				return nil, p.wrong("a dot and a name are expected behind brackets")
			}
			break
		}
	}
	if p.space(); p.at == len(p.text) {
		return nil, p.wrong("an operator is expected, such as eq")
	}
	i := slices.IndexFunc(operators, p.word)
	if i < 0 {
		return nil, p.wrong("an operator is expected: one of " + strings.Join(operators, " "))
	}
	t.operator = operators[i]
	var err error
	t.value, err = p.value()
	return t, err
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == ':'
}

func (p *filterParser) step() (filterStep, error) {
	start := p.at
	for p.at < len(p.text) && nameByte(p.text[p.at]) {
		p.at++
	}
	step := filterStep{name: p.text[start:p.at]}
	if step.name == "" {
		return step, p.wrong("the name of a search parameter is expected")
	}
	if !p.byte('[') {
		return step, nil
	}
	var err error
	if step.within, err = p.expression(); err != nil {
		return step, err
	}
	if p.space(); !p.byte(']') {
		return step, p.wrong("a closing bracket is expected")
	}
	return step, nil
}

// value is a JSON string or a token, which ends before white space, a
// parenthesis or a bracket.
func (p *filterParser) value() (string, error) {
	p.space()
	start := p.at
	if p.byte('"') {
		for p.at < len(p.text) {
			switch p.text[p.at] {
			case '\\':
				p.at++
			case '"':
				p.at++
				var s string
				if err := json.Unmarshal([]byte(p.text[start:p.at]), &s); err != nil {
					p.at = start
					return "", p.wrong("a text in quotation marks is written as in JSON")
				}
				return s, nil
			}
			p.at++
		}
		p.at = start
		return "", p.wrong("the closing quotation mark is missing")
	}
	for p.at < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.at:])
		if unicode.IsSpace(r) || r == ')' || r == ']' {
			break
		}
		p.at += n
	}
	if p.at == start {
		return "", p.wrong("a value is expected")
	}
	return p.text[start:p.at], nil
}
