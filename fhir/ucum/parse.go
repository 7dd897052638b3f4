package ucum

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// ErrUnit is the cause of every error of Parse.
var ErrUnit = errors.New("not a UCUM unit")

func wrong(rule string) error { return unitError{rule} }

// unitError says what is wrong without repeating the unit.
type unitError struct{ rule string }

func (e unitError) Error() string { return "ucum: " + e.rule }
func (e unitError) Unwrap() error { return ErrUnit }

// Bounds of what Parse takes.
const (
	maxCode     = 128
	maxNesting  = 16
	maxExponent = 99
	// maxBits is the size of the numbers in a factor.
	maxBits = 8_000
)

// Parse reads a unit by UCUM's case-sensitive grammar.
func Parse(code string) (*Unit, error) {
	switch {
	case code == "":
		return nil, wrong("the unit is empty")
	case len(code) > maxCode:
		return nil, wrong("the unit is too long")
	}
	p := parser{rest: code, table: units()}
	m, err := p.main()
	if err != nil {
		return nil, err
	}
	return m.unit()
}

// measure is a unit while it is read: a factor and the exponents of base units.
type measure struct {
	factor *big.Rat
	dims   map[string]int
	// special says that the unit is on no ratio scale, so that it stands alone.
	special bool
	// offset is what is added behind the factor.
	offset *big.Rat
}

func one() measure { return measure{factor: big.NewRat(1, 1), dims: map[string]int{}} }

// multiply takes other, raised to sign, into m.
func (m *measure) multiply(other measure, sign int) error {
	if sign < 0 {
		m.factor.Quo(m.factor, other.factor)
	} else {
		m.factor.Mul(m.factor, other.factor)
	}
	if m.factor.Num().BitLen()+m.factor.Denom().BitLen() > maxBits {
		return wrong("the factor is too great or too small")
	}
	for base, n := range other.dims {
		if n = m.dims[base] + sign*n; n == 0 {
			delete(m.dims, base)
		} else if n > maxExponent || n < -maxExponent {
			return wrong("an exponent is too great")
		} else {
			m.dims[base] = n
		}
	}
	return nil
}

type parser struct {
	rest  string
	depth int
	table *table
	// resolving are the units whose definitions are being read; it ends what
	// would go in a circle.
	resolving int
}

func (p *parser) next() byte {
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

// main is the whole: a term that a '/' may lead.
func (p *parser) main() (measure, error) {
	m, err := p.term()
	if err == nil && p.rest != "" {
		err = wrong("a bracket is closed that was not opened")
	}
	return m, err
}

// term is components with '.' and '/' between them, read from the left.
func (p *parser) term() (measure, error) {
	total, sign, count, special := one(), 1, 0, false
	if p.next() == '/' {
		sign, p.rest, count = -1, p.rest[1:], 1
	}
	for {
		c, err := p.component()
		if err != nil {
			return c, err
		}
		if c.special && count == 0 && (p.rest == "" || p.next() == ')') {
			return c, nil
		}
		special = special || c.special
		if special {
			return c, wrong("a unit that is on no ratio scale stands alone")
		}
		if err := total.multiply(c, sign); err != nil {
			return c, err
		}
		count++
		switch p.next() {
		case '.':
			sign = 1
		case '/':
			sign = -1
		case 0, ')':
			return total, nil
		default:
			return total, wrong("a '.' or '/' is missing between units")
		}
		p.rest = p.rest[1:]
	}
}

// component is a unit with an annotation, either alone, or a term in brackets.
func (p *parser) component() (measure, error) {
	switch p.next() {
	case '(':
		if p.depth++; p.depth > maxNesting {
			return measure{}, wrong("brackets are nested too deeply")
		}
		p.rest = p.rest[1:]
		m, err := p.term()
		if err != nil {
			return m, err
		}
		if p.next() != ')' {
			return m, wrong("a bracket is not closed")
		}
		p.depth--
		p.rest = p.rest[1:]
		return m, p.annotation()
	case '{':
		return one(), p.annotation()
	}
	token, err := p.token()
	if err != nil {
		return measure{}, err
	}
	m, err := p.simple(token)
	if err != nil {
		return m, err
	}
	return m, p.annotation()
}

// annotation skips {…}, which says nothing of the unit (UCUM § 12).
func (p *parser) annotation() error {
	if p.next() != '{' {
		return nil
	}
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '}':
			p.rest = p.rest[i+1:]
			return nil
		case c < '!' || c > '~' || c == '{':
			return wrong("an annotation has a character that none may have")
		}
	}
	return wrong("an annotation is not closed")
}

// token is what stands between operators; within [ ] none is one.
func (p *parser) token() (string, error) {
	inside := false
	i := 0
	for ; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c < '!' || c > '~':
			return "", wrong("it has a character that none may have")
		case c == '[' && inside, c == ']' && !inside:
			return "", wrong("square brackets do not match")
		case c == '[' || c == ']':
			inside = !inside
		case !inside && strings.IndexByte("./(){}", c) >= 0:
			goto end
		}
	}
end:
	if inside {
		return "", wrong("square brackets do not match")
	}
	if i == 0 {
		return "", wrong("a unit is missing")
	}
	t := p.rest[:i]
	p.rest = p.rest[i:]
	return t, nil
}

// simple is a number, or a unit with its exponent.
func (p *parser) simple(token string) (measure, error) {
	if allDigits(token) {
		n, ok := new(big.Rat).SetString(token)
		if !ok || n.Sign() == 0 {
			return measure{}, wrong("a factor is 0")
		}
		return measure{factor: n, dims: map[string]int{}}, nil
	}
	symbol, exponent, err := cutExponent(token)
	if err != nil {
		return measure{}, err
	}
	m, err := p.symbol(symbol)
	if err != nil || exponent == 1 {
		return m, err
	}
	if m.special {
		return m, wrong("a unit that is on no ratio scale takes no exponent")
	}
	return m, m.raise(exponent)
}

// raise takes m to a power.
func (m *measure) raise(exponent int) error {
	n := big.NewInt(int64(abs(exponent)))
	if (m.factor.Num().BitLen()+m.factor.Denom().BitLen())*abs(exponent) > maxBits {
		return wrong("the factor is too great or too small")
	}
	m.factor.SetFrac(new(big.Int).Exp(m.factor.Num(), n, nil), new(big.Int).Exp(m.factor.Denom(), n, nil))
	if exponent < 0 {
		m.factor.Inv(m.factor)
	}
	for base := range m.dims {
		m.dims[base] *= exponent
		if abs(m.dims[base]) > maxExponent {
			return wrong("an exponent is too great")
		}
		if exponent == 0 {
			delete(m.dims, base)
		}
	}
	return nil
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// cutExponent takes the exponent off a unit; without one it is 1.
func cutExponent(token string) (symbol string, exponent int, err error) {
	i := len(token)
	for i > 0 && token[i-1] >= '0' && token[i-1] <= '9' {
		i--
	}
	if i == len(token) {
		if strings.HasSuffix(token, "+") || strings.HasSuffix(token, "-") {
			return "", 0, wrong("an exponent is missing")
		}
		return token, 1, nil
	}
	digits := i
	if i > 0 && (token[i-1] == '+' || token[i-1] == '-') {
		i--
	}
	if i == 0 {
		return "", 0, wrong("a factor has a sign")
	}
	if exponent, err = strconv.Atoi(token[digits:]); err != nil || exponent > maxExponent {
		return "", 0, wrong("an exponent is too great")
	}
	if token[i] == '-' {
		exponent = -exponent
	}
	return token[:i], exponent, nil
}

// symbol is a unit, or a metric unit behind a prefix.
func (p *parser) symbol(symbol string) (measure, error) {
	if d, ok := p.table.units[symbol]; ok {
		return p.define(d)
	}
	for n := 1; n <= 2 && n < len(symbol); n++ {
		factor, isPrefix := p.table.prefixes[symbol[:n]]
		d, ok := p.table.units[symbol[n:]]
		if !isPrefix || !ok || !d.metric {
			continue
		}
		m, err := p.define(d)
		if err == nil {
			m.factor.Mul(m.factor, factor)
		}
		return m, err
	}
	return measure{}, wrong("it names a unit that is not known")
}

// define is what a unit measures. The caller may change it.
func (p *parser) define(d *definition) (measure, error) {
	if d.base != "" {
		m := one()
		m.dims[d.base], m.special = 1, d.special
		return m, nil
	}
	if d.offset != nil {
		m := one()
		m.dims["K"], m.special = 1, true
		m.factor.Set(d.factor)
		m.offset = d.offset
		return m, nil
	}
	if p.resolving++; p.resolving > 100 {
		return measure{}, wrong("units are defined in a circle")
	}
	inner := parser{rest: d.in, table: p.table, resolving: p.resolving}
	m, err := inner.main()
	p.resolving--
	if err == nil {
		m.factor.Mul(m.factor, d.factor)
	}
	return m, err
}
