package fhirpath

import (
	"fmt"
)

// Bounds on expressions, so that compiling one is cheap whoever wrote it.
const (
	maxExpressionLength = 64 << 10
	maxExpressionDepth  = 250
)

// parser builds the tree of nodes that evaluates an expression, by precedence
// climbing over the operators of FHIRPath 2.0 § 6.8.
type parser struct {
	lexer lexer
	token token
	depth int
}

// Compile reads an expression. The error is an *Error with the position.
func Compile(expr string) (*Expression, error) {
	p := &parser{lexer: lexer{text: expr}}
	if len(expr) > maxExpressionLength {
		return nil, p.lexer.fail(maxExpressionLength, "expression too long")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	root, err := p.expression(lowest)
	if err != nil {
		return nil, err
	}
	if p.token.kind != tokenEnd {
		return nil, p.unexpected()
	}
	return &Expression{text: expr, node: root}, nil
}

// MustCompile is Compile for expressions that are part of the program.
func MustCompile(expr string) *Expression {
	e, err := Compile(expr)
	if err != nil {
		panic(fmt.Sprintf("%q: %v", expr, err))
	}
	return e
}

func (p *parser) advance() (err error) {
	p.token, err = p.lexer.next()
	return err
}

func (p *parser) unexpected() error {
	if p.token.kind == tokenEnd {
		return p.lexer.fail(p.token.pos, "unexpected end of expression")
	}
	return p.lexer.fail(p.token.pos, "unexpected "+p.lexer.text[p.token.pos:p.lexer.i])
}

func (p *parser) isSymbol(symbol string) bool {
	return p.token.kind == tokenSymbol && p.token.text == symbol
}

func (p *parser) expect(symbol string) error {
	if !p.isSymbol(symbol) {
		return p.unexpected()
	}
	return p.advance()
}

// precedence orders the operators; a higher one binds tighter.
type precedence int

const (
	lowest precedence = iota
	precImplies
	precOr
	precAnd
	precMembership
	precEquality
	precInequality
	precUnion
	precType
	precAdditive
	precMultiplicative
	precUnary
)

var operators = map[string]struct {
	precedence precedence
	operator   operator
}{
	"implies": {precImplies, opImplies},
	"or":      {precOr, opOr}, "xor": {precOr, opXor},
	"and": {precAnd, opAnd},
	"in":  {precMembership, opIn}, "contains": {precMembership, opContains},
	"=": {precEquality, opEqual}, "~": {precEquality, opEquivalent},
	"!=": {precEquality, opNotEqual}, "!~": {precEquality, opNotEquivalent},
	"<": {precInequality, opLess}, "<=": {precInequality, opLessOrEqual},
	">": {precInequality, opGreater}, ">=": {precInequality, opGreaterOrEqual},
	"|":  {precUnion, opUnion},
	"is": {precType, opIs}, "as": {precType, opAs},
	"+": {precAdditive, opAdd}, "-": {precAdditive, opSubtract}, "&": {precAdditive, opConcatenate},
	"*": {precMultiplicative, opMultiply}, "/": {precMultiplicative, opDivide},
	"div": {precMultiplicative, opDiv}, "mod": {precMultiplicative, opMod},
}

// expression reads operators that bind tighter than min.
func (p *parser) expression(minimum precedence) (node, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > maxExpressionDepth {
		return nil, p.lexer.fail(p.token.pos, "expression nested too deeply")
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for chain := 0; ; chain++ {
		if p.token.kind != tokenSymbol && p.token.kind != tokenIdentifier {
			return left, nil
		}
		op, ok := operators[p.token.text]
		if !ok || op.precedence <= minimum {
			return left, nil
		}
		if chain > 4*maxExpressionDepth {
			// The tree of a chain of operators is as deep as the chain is long.
			return nil, p.lexer.fail(p.token.pos, "too many operators in a row")
		}
		pos := p.token.pos
		if err := p.advance(); err != nil {
			return nil, err
		}
		if op.operator == opIs || op.operator == opAs {
			spec, err := p.typeSpecifier()
			if err != nil {
				return nil, err
			}
			left = &typeNode{input: left, spec: spec, is: op.operator == opIs, pos: pos}
			continue
		}
		right, err := p.expression(op.precedence)
		if err != nil {
			return nil, err
		}
		left = newOperatorNode(op.operator, left, right, pos)
	}
}

// operand reads a term with what follows it by point or bracket, or a sign
// before such a one: the sign binds less tightly than the point.
func (p *parser) operand() (node, error) {
	if p.isSymbol("+") || p.isSymbol("-") {
		pos, negative := p.token.pos, p.token.text == "-"
		if err := p.advance(); err != nil {
			return nil, err
		}
		p.depth++
		defer func() { p.depth-- }()
		if p.depth > maxExpressionDepth {
			return nil, p.lexer.fail(pos, "expression nested too deeply")
		}
		operand, err := p.operand()
		if err != nil {
			return nil, err
		}
		return &signNode{operand: operand, negative: negative, pos: pos}, nil
	}
	left, err := p.term()
	for chain := 0; err == nil; chain++ {
		if chain > 4*maxExpressionDepth {
			return nil, p.lexer.fail(p.token.pos, "path too long")
		}
		switch {
		case p.isSymbol("."):
			if err = p.advance(); err == nil {
				left, err = p.invocation(left)
			}
		case p.isSymbol("["):
			pos := p.token.pos
			if err = p.advance(); err != nil {
				return nil, err
			}
			var index node
			if index, err = p.expression(lowest); err != nil {
				return nil, err
			}
			left, err = &indexerNode{input: left, index: index, pos: pos}, p.expect("]")
		default:
			return left, nil
		}
	}
	return nil, err
}

// term reads what an expression starts with.
func (p *parser) term() (node, error) {
	t := p.token
	switch t.kind {
	case tokenIdentifier:
		if t.text == "true" || t.text == "false" {
			return &literalNode{Boolean(t.text == "true")}, p.advance()
		}
		// Of the keywords only these may be names (Appendix B, identifier).
		if op, ok := operators[t.text]; ok && op.operator != opIs && op.operator != opAs && op.operator != opIn && op.operator != opContains {
			return nil, p.unexpected()
		}
		return p.invocation(nil)
	case tokenDelimited:
		return p.invocation(nil)
	case tokenString:
		return &literalNode{String(t.text)}, p.advance()
	case tokenInteger, tokenDecimal:
		return p.number()
	case tokenDate:
		return &literalNode{temporal(KindDate, t.when)}, p.advance()
	case tokenDateTime:
		return &literalNode{temporal(KindDateTime, t.when)}, p.advance()
	case tokenTime:
		return &literalNode{temporal(KindTime, t.when)}, p.advance()
	case tokenVariable:
		switch t.text {
		case "this":
			return &thisNode{}, p.advance()
		case "index":
			return &indexNode{}, p.advance()
		default:
			return &totalNode{}, p.advance()
		}
	case tokenConstant:
		return newConstantNode(t.text, t.pos), p.advance()
	case tokenSymbol:
		switch t.text {
		case "(":
			if err := p.advance(); err != nil {
				return nil, err
			}
			inner, err := p.expression(lowest)
			if err != nil {
				return nil, err
			}
			return inner, p.expect(")")
		case "{":
			if err := p.advance(); err != nil {
				return nil, err
			}
			return &emptyNode{}, p.expect("}")
		}
	}
	return nil, p.unexpected()
}

// number reads a number and, if one follows, the unit that makes it a quantity.
func (p *parser) number() (node, error) {
	t := p.token
	if err := p.advance(); err != nil {
		return nil, err
	}
	unit := ""
	switch {
	case p.token.kind == tokenString:
		unit = p.token.text
	case p.token.kind == tokenIdentifier && isCalendarWord(p.token.text):
		unit = p.token.text
	}
	value, ok := parseDecimal(t.text)
	if !ok {
		return nil, p.lexer.fail(t.pos, "number too long")
	}
	if unit != "" {
		return &literalNode{QuantityOf(Quantity{Value: value, Unit: unit})}, p.advance()
	}
	if t.kind == tokenDecimal {
		return &literalNode{Decimal(value)}, nil
	}
	i, ok := parseInteger(t.text)
	if !ok {
		// -2147483648 is read as the negation of a number that is too large:
		// such numbers are decimals without digits after the point.
		return &literalNode{Decimal(value)}, nil
	}
	return &literalNode{Integer(i)}, nil
}

// invocation reads a member or a function call on input; input is nil at the
// start of a path.
func (p *parser) invocation(input node) (node, error) {
	t := p.token
	if t.kind == tokenVariable && input != nil {
		// a.$this is in the grammar; it means $this.
		return p.term()
	}
	if t.kind != tokenIdentifier && t.kind != tokenDelimited {
		return nil, p.unexpected()
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.isSymbol("(") && t.kind == tokenIdentifier {
		return p.call(input, t)
	}
	if input == nil {
		return newStartNode(t.text, t.pos), nil
	}
	return &memberNode{input: input, step: step{name: t.text, pos: t.pos}}, nil
}

func (p *parser) call(input node, name token) (node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch name.text {
	case "is", "as", "ofType":
		spec, err := p.typeSpecifier()
		if err != nil {
			return nil, err
		}
		if input == nil {
			input = &thisNode{}
		}
		n := &typeNode{input: input, spec: spec, is: name.text == "is", all: name.text == "ofType", pos: name.pos}
		return n, p.expect(")")
	}
	def, ok := functions[name.text]
	if !ok {
		return nil, &Error{Kind: SemanticError, Expression: p.lexer.text, Position: name.pos, Message: "unknown function " + name.text + "()"}
	}
	var args []node
	for !p.isSymbol(")") {
		if len(args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		if len(args) >= def.max {
			return nil, p.arity(name, def)
		}
		arg, err := p.expression(lowest)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if len(args) < def.min {
		return nil, p.arity(name, def)
	}
	if input == nil {
		input = &thisNode{}
	}
	call := &callNode{input: input, function: def, name: name.text, args: args, pos: name.pos}
	if err := p.prepare(call); err != nil {
		return nil, err
	}
	return call, p.advance()
}

func (p *parser) arity(name token, def *function) error {
	want := fmt.Sprint(def.min)
	if def.max != def.min {
		want += fmt.Sprintf(" to %d", def.max)
	}
	return &Error{
		Kind: SemanticError, Expression: p.lexer.text, Position: name.pos,
		Message: name.text + "() takes " + want + " arguments",
	}
}

// typeSpecifier reads a name, or a namespace and a name.
func (p *parser) typeSpecifier() (typeSpecifier, error) {
	spec := typeSpecifier{pos: p.token.pos}
	for {
		if p.token.kind != tokenIdentifier && p.token.kind != tokenDelimited {
			return spec, p.unexpected()
		}
		spec.name = p.token.text
		if err := p.advance(); err != nil {
			return spec, err
		}
		if !p.isSymbol(".") || spec.namespace != "" || spec.name != "FHIR" && spec.name != "System" {
			return spec, nil
		}
		spec.namespace = spec.name
		if err := p.advance(); err != nil {
			return spec, err
		}
	}
}
