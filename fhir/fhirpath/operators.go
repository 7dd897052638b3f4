package fhirpath

import (
	"cmp"

	"github.com/shopspring/decimal"
)

// operator is a binary operator other than "is" and "as".
type operator uint8

const (
	opImplies operator = iota
	opOr
	opXor
	opAnd
	opIn
	opContains
	opEqual
	opEquivalent
	opNotEqual
	opNotEquivalent
	opLess
	opLessOrEqual
	opGreater
	opGreaterOrEqual
	opUnion
	opIs
	opAs
	opAdd
	opSubtract
	opConcatenate
	opMultiply
	opDivide
	opDiv
	opMod
)

// newOperatorNode makes the node for an operator.
func newOperatorNode(op operator, left, right node, pos int) node {
	b := binary{left: left, right: right, op: op, pos: pos}
	switch op {
	case opImplies, opOr, opXor, opAnd:
		return &logicNode{b}
	case opIn, opContains:
		return &membershipNode{b}
	case opEqual, opNotEqual:
		n := &equalNode{binary: b}
		if literal, ok := right.(*literalNode); ok && literal.value.kind == KindString {
			n.literal, n.isLiteral = literal.value.str, true
		}
		return n
	case opEquivalent, opNotEquivalent:
		return &equivalentNode{b}
	case opLess, opLessOrEqual, opGreater, opGreaterOrEqual:
		return &compareNode{b}
	case opUnion:
		return &unionNode{b}
	default:
		return &arithmeticNode{b}
	}
}

type binary struct {
	left, right node
	op          operator
	pos         int
}

// operands evaluates both sides; the right one's values start at middle.
func (n *binary) operands(m *machine) (mark, middle int, err error) {
	if err := m.step(n.pos); err != nil {
		return 0, 0, err
	}
	mark = len(m.stack)
	if err := n.left.evaluate(m); err != nil {
		return 0, 0, err
	}
	middle = len(m.stack)
	return mark, middle, n.right.evaluate(m)
}

// logicNode is and, or, xor, implies, in three-valued logic (FHIRPath 2.0 § 6.5).
// The right side is not evaluated where the left one decides.
type logicNode struct{ binary }

func (n *logicNode) evaluate(m *machine) error {
	if err := m.step(n.pos); err != nil {
		return err
	}
	left, err := m.truth(n.left, n.pos)
	if err != nil {
		return err
	}
	switch {
	case n.op == opAnd && left == no:
		m.push(Boolean(false))
		return nil
	case n.op == opOr && left == yes, n.op == opImplies && left == no:
		m.push(Boolean(true))
		return nil
	}
	right, err := m.truth(n.right, n.pos)
	if err != nil {
		return err
	}
	m.pushTruth(combine(n.op, left, right))
	return nil
}

func combine(op operator, left, right truth) truth {
	switch op {
	case opAnd:
		return min3(left, right)
	case opOr:
		return not(min3(not(left), not(right)))
	case opImplies:
		return not(min3(left, not(right)))
	default: // xor
		if left == unknown || right == unknown {
			return unknown
		}
		return truthFrom(left != right)
	}
}

// min3 is "and" with no < unknown < yes.
func min3(a, b truth) truth {
	switch {
	case a == no || b == no:
		return no
	case a == unknown || b == unknown:
		return unknown
	}
	return yes
}

func not(t truth) truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

// equalNode is = and !=.
type equalNode struct {
	binary
	literal   string
	isLiteral bool
}

func (n *equalNode) evaluate(m *machine) error {
	if n.isLiteral {
		return n.evaluateLiteral(m)
	}
	mark, middle, err := n.operands(m)
	if err != nil {
		return err
	}
	result := m.equalCollections(mark, middle, len(m.stack))
	m.drop(mark)
	if n.op == opNotEqual {
		result = not(result)
	}
	m.pushTruth(result)
	return m.step(n.pos)
}

// evaluateLiteral is for the frequent system = 'phone': the JSON is compared
// where it is.
func (n *equalNode) evaluateLiteral(m *machine) error {
	if err := m.step(n.pos); err != nil {
		return err
	}
	mark := len(m.stack)
	if err := n.left.evaluate(m); err != nil {
		return err
	}
	result := unknown
	switch len(m.stack) - mark {
	case 0:
	case 1:
		v := &m.stack[mark]
		if v.kind == KindElement && v.typ.System == KindString && v.num >= 0 {
			result = truthFrom(v.Node().Is(n.literal))
		} else {
			right := String(n.literal)
			result = m.equal(v, &right)
		}
	default:
		result = no
	}
	m.drop(mark)
	if n.op == opNotEqual {
		result = not(result)
	}
	m.pushTruth(result)
	return nil
}

// equivalentNode is ~ and !~.
type equivalentNode struct{ binary }

func (n *equivalentNode) evaluate(m *machine) error {
	mark, middle, err := n.operands(m)
	if err != nil {
		return err
	}
	result, err := m.equivalentCollections(mark, middle, len(m.stack), n.pos)
	if err != nil {
		return err
	}
	m.give(mark, Boolean(result == (n.op == opEquivalent)))
	return nil
}

// compareNode is <, <=, > and >= (FHIRPath 2.0 § 6.2).
type compareNode struct{ binary }

func (n *compareNode) evaluate(m *machine) error {
	if err := m.step(n.pos); err != nil {
		return err
	}
	a, okA, err := m.single(n.left, n.pos)
	if err != nil {
		return err
	}
	b, okB, err := m.single(n.right, n.pos)
	if err != nil || !okA || !okB {
		return err
	}
	order, known, ok := m.compare(&a, &b)
	if !ok {
		return m.errorf(ExecutionError, n.pos, "%s and %s cannot be compared", a.kind, b.kind)
	}
	if !known {
		return nil
	}
	result := false
	switch n.op {
	case opLess:
		result = order < 0
	case opLessOrEqual:
		result = order <= 0
	case opGreater:
		result = order > 0
	case opGreaterOrEqual:
		result = order >= 0
	}
	m.push(Boolean(result))
	return nil
}

// compare orders two System values; ok is false when their types have no order,
// known is false when precision or units leave it open.
func (m *machine) compare(a, b *Value) (order int, known, ok bool) {
	switch {
	case a.kind == KindString && b.kind == KindString:
		return cmp.Compare(a.str, b.str), true, true
	case a.kind == KindInteger && b.kind == KindInteger:
		return cmp.Compare(a.num, b.num), true, true
	case a.isNumber() && b.isNumber():
		p, _ := a.decimal()
		q, _ := b.decimal()
		return p.Cmp(q), true, true
	case a.isTemporal() && b.isTemporal() && (a.kind == KindTime) == (b.kind == KindTime):
		order, known = compareTemporal(a.dateTime(), b.dateTime())
		return order, known, true
	}
	if p, q, isQuantity := bothQuantities(a, b); isQuantity {
		v, w, _, commensurable := m.commensurable(p, q)
		return v.Cmp(w), commensurable, true
	}
	return 0, false, false
}

// membershipNode is in and contains (FHIRPath 2.0 § 6.4).
type membershipNode struct{ binary }

func (n *membershipNode) evaluate(m *machine) error {
	mark, middle, err := n.operands(m)
	if err != nil {
		return err
	}
	end := len(m.stack)
	item, itemEnd, from, to := mark, middle, middle, end
	if n.op == opContains {
		item, itemEnd, from, to = middle, end, mark, middle
	}
	switch {
	case itemEnd-item > 1:
		return m.errorf(ExecutionError, n.pos, "more than one item to look for")
	case itemEnd == item:
		m.drop(mark)
		return nil
	}
	found, err := m.subset(item, itemEnd, from, to, n.pos)
	if err != nil {
		return err
	}
	m.give(mark, Boolean(found))
	return nil
}

// unionNode is | (FHIRPath 2.0 § 5.4.1): both sides without duplicates.
type unionNode struct{ binary }

func (n *unionNode) evaluate(m *machine) error {
	mark, _, err := n.operands(m)
	if err != nil {
		return err
	}
	if err := m.checkSize(n.pos); err != nil {
		return err
	}
	return m.distinct(mark, n.pos)
}

// arithmeticNode is + - * / div mod & (FHIRPath 2.0 § 6.6).
type arithmeticNode struct{ binary }

func (n *arithmeticNode) evaluate(m *machine) error {
	if err := m.step(n.pos); err != nil {
		return err
	}
	a, okA, err := m.single(n.left, n.pos)
	if err != nil {
		return err
	}
	b, okB, err := m.single(n.right, n.pos)
	if err != nil {
		return err
	}
	if n.op == opConcatenate {
		// Here empty is the empty string (§ 6.6.8).
		if okA && a.kind != KindString || okB && b.kind != KindString {
			return m.errorf(ExecutionError, n.pos, "& joins Strings only")
		}
		return m.pushString(a.str+b.str, n.pos)
	}
	if !okA || !okB {
		return nil
	}
	return n.calculate(m, &a, &b)
}

func (n *arithmeticNode) calculate(m *machine, a, b *Value) error {
	switch {
	case a.kind == KindInteger && b.kind == KindInteger && n.op != opDivide:
		if i, ok := calculateIntegers(n.op, int64(a.num), int64(b.num)); ok {
			m.push(Integer(i))
		}
		return nil
	case a.isNumber() && b.isNumber():
		p, _ := a.decimal()
		q, _ := b.decimal()
		if v, ok := calculateDecimals(n.op, p, q); ok {
			m.push(v)
		}
		return nil
	case a.kind == KindString && b.kind == KindString && n.op == opAdd:
		return m.pushString(a.str+b.str, n.pos)
	case a.isTemporal() && b.kind == KindQuantity && (n.op == opAdd || n.op == opSubtract):
		sign := int64(1)
		if n.op == opSubtract {
			sign = -1
		}
		result, ok, overflow := addDuration(a.kind, *a.dateTime(), b.quantity(), sign)
		if !ok {
			return m.errorf(ExecutionError, n.pos, "the unit is no calendar duration")
		}
		if !overflow {
			m.push(temporal(a.kind, result))
		}
		return nil
	}
	if p, q, ok := bothQuantities(a, b); ok {
		return n.calculateQuantities(m, p, q)
	}
	return m.errorf(ExecutionError, n.pos, "the operator does not take %s and %s", a.kind, b.kind)
}

// calculateIntegers is empty where the result is no Integer.
func calculateIntegers(op operator, a, b int64) (int32, bool) {
	var result int64
	switch op {
	case opAdd:
		result = a + b
	case opSubtract:
		result = a - b
	case opMultiply:
		result = a * b
	case opDiv, opMod:
		if b == 0 {
			return 0, false
		}
		result = a / b
		if op == opMod {
			result = a % b
		}
	}
	return int32(result), result == int64(int32(result))
}

func calculateDecimals(op operator, a, b decimal.Decimal) (Value, bool) {
	var result decimal.Decimal
	switch op {
	case opAdd:
		result = a.Add(b)
	case opSubtract:
		result = a.Sub(b)
	case opMultiply:
		result = a.Mul(b)
	default:
		if b.IsZero() {
			return Value{}, false
		}
		switch op {
		case opDivide:
			result = divide(a, b)
		case opDiv:
			quotient, _ := a.QuoRem(b, 0)
			i, ok := integerOf(quotient)
			return Integer(i), ok
		case opMod:
			result = a.Mod(b)
		}
	}
	return Decimal(result), bounded(result)
}

func (n *arithmeticNode) calculateQuantities(m *machine, a, b *Quantity) error {
	var q Quantity
	switch n.op {
	case opAdd, opSubtract:
		x, y, unit, ok := m.commensurable(a, b)
		if !ok {
			return nil
		}
		q.Unit = unit
		if q.Value = x.Add(y); n.op == opSubtract {
			q.Value = x.Sub(y)
		}
	case opMultiply:
		q = multiplyQuantities(a, b)
	case opDivide:
		if b.Value.IsZero() {
			return nil
		}
		q = divideQuantities(a, b)
	default:
		return m.errorf(ExecutionError, n.pos, "the operator does not take quantities")
	}
	if bounded(q.Value) && len(q.Unit) < 200 {
		m.push(QuantityOf(q))
	}
	return nil
}

// pushString puts a string on the stack, unless it has grown too long.
func (m *machine) pushString(s string, pos int) error {
	if len(s) > maxStringLength {
		return m.errorf(LimitError, pos, "text longer than %d bytes", maxStringLength)
	}
	m.push(String(s))
	return m.work(len(s)/bytesPerStep, pos)
}
