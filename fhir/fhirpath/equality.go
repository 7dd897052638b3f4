package fhirpath

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// equal compares two items (FHIRPath 2.0 § 6.1.1).
func (m *machine) equal(a, b *Value) truth {
	m.steps++
	if a.sameElement(b) {
		return yes
	}
	if a.isPlainText() && b.isPlainText() {
		return truthFrom(bytes.Equal(a.Node().Raw(), b.Node().Raw()))
	}
	x, y := a.system(), b.system()
	if x.kind == NoKind || y.kind == NoKind {
		// A primitive without a value: its id and extensions are all there is.
		return truthFrom(x.kind == y.kind && sameJSON(a.Underscore(), b.Underscore()))
	}
	if x.kind == KindElement && y.kind == KindElement {
		return m.equalJSON(x.typ, x.Node(), y.typ, y.Node(), false)
	}
	if x.isNumber() && y.isNumber() {
		if x.kind == KindInteger && y.kind == KindInteger {
			return truthFrom(x.num == y.num)
		}
		p, _ := x.decimal()
		q, _ := y.decimal()
		return truthFrom(p.Equal(q))
	}
	if p, q, ok := bothQuantities(&x, &y); ok {
		v, w, _, ok := m.commensurable(p, q)
		if !ok {
			return unknown
		}
		return truthFrom(v.Equal(w))
	}
	if x.isTemporal() && y.isTemporal() && (x.kind == KindTime) == (y.kind == KindTime) {
		order, known := compareTemporal(x.dateTime(), y.dateTime())
		if !known {
			return unknown
		}
		return truthFrom(order == 0)
	}
	if x.kind != y.kind {
		return no
	}
	switch x.kind {
	case KindBoolean:
		return truthFrom(x.num == y.num)
	case KindString:
		return truthFrom(x.str == y.str)
	case KindTypeInfo:
		return truthFrom(x.str == y.str && x.num == y.num)
	}
	return no
}

// isPlainText tells whether v is an element like a string or a code whose JSON
// has no escapes, so that its raw text can be compared.
func (v *Value) isPlainText() bool {
	if v.kind != KindElement || v.typ.System != KindString || v.num < 0 {
		return false
	}
	node := v.Node()
	return node.Kind() == rawjson.KindString && !node.Escaped()
}

// bothQuantities converts a number beside a quantity to one of unit 1 (FHIRPath
// 2.0 § 5.5, implicit conversions).
func bothQuantities(x, y *Value) (p, q *Quantity, ok bool) {
	if x.kind != KindQuantity && y.kind != KindQuantity {
		return nil, nil, false
	}
	p, ok1 := quantityOrNumber(x)
	q, ok2 := quantityOrNumber(y)
	return p, q, ok1 && ok2
}

func quantityOrNumber(v *Value) (*Quantity, bool) {
	if v.kind == KindQuantity {
		return v.quantity(), true
	}
	d, ok := v.decimal()
	return &Quantity{Value: d, Unit: "1"}, ok
}

// equivalent compares two items leniently (FHIRPath 2.0 § 6.1.3).
func (m *machine) equivalent(a, b *Value) bool {
	m.steps++
	if a.sameElement(b) {
		return true
	}
	x, y := a.system(), b.system()
	if x.kind == NoKind || y.kind == NoKind {
		return x.kind == y.kind && sameJSON(a.Underscore(), b.Underscore())
	}
	if x.kind == KindElement && y.kind == KindElement {
		return m.equalJSON(x.typ, x.Node(), y.typ, y.Node(), true) == yes
	}
	if x.isNumber() && y.isNumber() {
		p, _ := x.decimal()
		q, _ := y.decimal()
		return equivalentDecimals(p, q)
	}
	if p, q, ok := bothQuantities(&x, &y); ok {
		v, w, _, ok := m.commensurable(p, q)
		if !ok {
			return false
		}
		// The conversion has changed the digits, so what the quantities were
		// written with decides: 4 'g' ~ 4040 'mg'.
		scale := min(scaleOf(p.Value), scaleOf(q.Value))
		if p.Unit != q.Unit && !p.Value.IsZero() && !q.Value.IsZero() {
			return equivalentConverted(p, q, v, w)
		}
		return v.Round(scale).Equal(w.Round(scale))
	}
	if x.kind == KindString && y.kind == KindString {
		return equivalentStrings(x.str, y.str)
	}
	return m.equal(&x, &y) == yes
}

// equivalentDecimals compares to the precision of the less precise one, trailing
// zeros not counting.
func equivalentDecimals(p, q decimal.Decimal) bool {
	scale := min(scaleOf(trimScale(p)), scaleOf(trimScale(q)))
	return p.Round(scale).Equal(q.Round(scale))
}

// equivalentConverted compares quantities of different units: each is expressed
// in the other's unit and rounded to the precision that the other is given in;
// the coarser of the two decides.
func equivalentConverted(p, q *Quantity, v, w decimal.Decimal) bool {
	perP, perQ := v.DivRound(p.Value, 32), w.DivRound(q.Value, 32)
	stepP := perP.Shift(-scaleOf(p.Value)).Abs()
	stepQ := perQ.Shift(-scaleOf(q.Value)).Abs()
	step := decimal.Max(stepP, stepQ)
	if step.IsZero() {
		return v.Equal(w)
	}
	return v.DivRound(step, 16).Round(0).Equal(w.DivRound(step, 16).Round(0))
}

// equivalentStrings ignores case and differences in white space.
func equivalentStrings(s, t string) bool {
	if s == t {
		return true
	}
	return strings.EqualFold(normalizeSpace(s), normalizeSpace(t))
}

func normalizeSpace(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, s)
}

func sameJSON(a, b rawjson.Node) bool {
	return a.Exists() == b.Exists() && bytes.Equal(a.Raw(), b.Raw())
}

// equalJSON compares complex elements: all children must be equal, in whatever
// order the JSON has them; for equivalence repetitions may be in any order.
func (m *machine) equalJSON(ta *Type, a rawjson.Node, tb *Type, b rawjson.Node, equivalent bool) truth {
	m.steps++
	if a.Kind() != b.Kind() {
		return no
	}
	switch a.Kind() {
	case rawjson.KindObject:
		return m.equalObjects(ta, a, tb, b, equivalent)
	case rawjson.KindArray:
		return m.equalArrays(ta, a, tb, b, equivalent)
	}
	if ta == nil || tb == nil || ta.Kind != PrimitiveType || tb.Kind != PrimitiveType {
		return truthFrom(bytes.Equal(a.Raw(), b.Raw()))
	}
	x, y := NewElement(ta, a, rawjson.Node{}), NewElement(tb, b, rawjson.Node{})
	if equivalent {
		return truthFrom(m.equivalent(&x, &y))
	}
	return m.equal(&x, &y)
}

func (m *machine) equalObjects(ta *Type, a rawjson.Node, tb *Type, b rawjson.Node, equivalent bool) truth {
	if a.Len() != b.Len() {
		return no
	}
	result := yes
	for child := range a.Members() {
		name := child.RawName()
		other, ok := b.Member(string(name))
		if !ok {
			return no
		}
		var ca, cb *Type
		if ta != nil && tb != nil {
			ca, cb = ta.byJSON[string(name)].typ, tb.byJSON[string(name)].typ
		}
		switch m.equalJSON(ca, child, cb, other, equivalent) {
		case no:
			return no
		case unknown:
			result = unknown
		}
	}
	return result
}

func (m *machine) equalArrays(ta *Type, a rawjson.Node, tb *Type, b rawjson.Node, equivalent bool) truth {
	if a.Len() != b.Len() {
		return no
	}
	if !equivalent {
		result := yes
		x, _ := a.Child()
		y, _ := b.Child()
		for range a.Len() {
			switch m.equalJSON(ta, x, tb, y, false) {
			case no:
				return no
			case unknown:
				result = unknown
			}
			x, _ = x.Next()
			y, _ = y.Next()
		}
		return result
	}
	used := make([]bool, b.Len())
next:
	for x := range a.Elements() {
		i := 0
		for y := range b.Elements() {
			if !used[i] && m.equalJSON(ta, x, tb, y, true) == yes {
				used[i] = true
				continue next
			}
			i++
		}
		return no
	}
	return yes
}

// equalCollections compares stack[a:b] with stack[b:end] item by item.
func (m *machine) equalCollections(a, b, end int) truth {
	if a == b || b == end {
		return unknown
	}
	if b-a != end-b {
		return no
	}
	result := yes
	for i := range b - a {
		switch m.equal(&m.stack[a+i], &m.stack[b+i]) {
		case no:
			return no
		case unknown:
			result = unknown
		}
	}
	return result
}

// equivalentCollections compares them without regard to order.
func (m *machine) equivalentCollections(a, b, end int, pos int) (bool, error) {
	if b-a != end-b {
		return false, nil
	}
	used := make([]bool, end-b)
next:
	for i := a; i < b; i++ {
		for k := b; k < end; k++ {
			if used[k-b] {
				continue
			}
			if err := m.step(pos); err != nil {
				return false, err
			}
			if m.equivalent(&m.stack[i], &m.stack[k]) {
				used[k-b] = true
				continue next
			}
		}
		return false, nil
	}
	return true, nil
}
