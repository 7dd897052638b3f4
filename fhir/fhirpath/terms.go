package fhirpath

import (
	"strings"
)

// literalNode is a literal.
type literalNode struct{ value Value }

func (n *literalNode) evaluate(m *machine) error {
	m.push(n.value)
	return nil
}

// emptyNode is {}.
type emptyNode struct{}

func (*emptyNode) evaluate(*machine) error { return nil }

// thisNode is $this.
type thisNode struct{}

func (*thisNode) evaluate(m *machine) error {
	if m.this.kind != NoKind {
		m.push(m.this)
	}
	return nil
}

// indexNode is $index.
type indexNode struct{}

func (*indexNode) evaluate(m *machine) error {
	m.push(Integer(m.index))
	return nil
}

// totalNode is $total.
type totalNode struct{}

func (*totalNode) evaluate(m *machine) error {
	m.stack = append(m.stack, m.total...)
	return nil
}

// constantNode is an environment variable (FHIRPath 2.0 § 8, R4 § 2.9.3).
type constantNode struct {
	name  string
	known Value // the value of those that are the same in any context
	pos   int
}

func newConstantNode(name string, pos int) node {
	n := &constantNode{name: name, pos: pos}
	switch {
	case name == "ucum":
		n.known = String(ucumURI)
	case name == "sct":
		n.known = String("http://snomed.info/sct")
	case name == "loinc":
		n.known = String("http://loinc.org")
	case name == "us-zip":
		n.known = String(`[0-9]{5}(-[0-9]{4})?`)
	case strings.HasPrefix(name, "vs-"):
		n.known = String("http://hl7.org/fhir/ValueSet/" + name[3:])
	case strings.HasPrefix(name, "ext-"):
		n.known = String("http://hl7.org/fhir/StructureDefinition/" + name[4:])
	}
	return n
}

func (n *constantNode) evaluate(m *machine) error {
	if n.known.kind != NoKind {
		m.push(n.known)
		return nil
	}
	v := Value{}
	switch n.name {
	case "context":
		v = m.root
	case "resource":
		v = *m.resource()
	case "rootResource":
		v = *m.rootResource()
	default:
		values, ok := m.ctx.Variables[n.name]
		if !ok {
			return m.errorf(SemanticError, n.pos, "unknown variable %%%s", n.name)
		}
		m.stack = append(m.stack, values...)
		return m.checkSize(n.pos)
	}
	if v.kind != NoKind {
		m.push(v)
	}
	return nil
}

// signNode is + or - before an operand.
type signNode struct {
	operand  node
	negative bool
	pos      int
}

func (n *signNode) evaluate(m *machine) error {
	v, ok, err := m.single(n.operand, n.pos)
	if err != nil || !ok {
		return err
	}
	switch v.kind {
	case KindInteger:
		if n.negative {
			if v.num == -1<<31 {
				return nil // overflow is empty (FHIRPath 2.0 § 6.6)
			}
			v.num = -v.num
		}
	case KindDecimal:
		if d, _ := v.decimal(); n.negative {
			v = Decimal(d.Neg())
			if i, ok := integerLiteral(n.operand, v); ok {
				v = i
			}
		}
	case KindQuantity:
		if n.negative {
			q := *v.quantity()
			q.Value = q.Value.Neg()
			v = QuantityOf(q)
		}
	default:
		return m.errorf(ExecutionError, n.pos, "a sign before something that is no number")
	}
	m.push(v)
	return nil
}

// integerLiteral recognises -2147483648, whose digits alone are no Integer.
func integerLiteral(operand node, v Value) (Value, bool) {
	if _, ok := operand.(*literalNode); !ok {
		return Value{}, false
	}
	d, _ := v.decimal()
	if d.Exponent() != 0 {
		return Value{}, false
	}
	i, ok := parseInteger(d.String())
	return Integer(i), ok
}
