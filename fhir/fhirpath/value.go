package fhirpath

import (
	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Kind tells what a Value is: an element of a resource, or one of FHIRPath's
// own types (FHIRPath 2.0 § 3.1 Literals, § 10 Types and Reflection).
type Kind uint8

// The kinds of a Value. The zero Value has NoKind and is no value at all.
const (
	NoKind Kind = iota
	KindElement
	KindBoolean
	KindString
	KindInteger
	KindDecimal
	KindDate
	KindDateTime
	KindTime
	KindQuantity
	KindTypeInfo
)

var systemNames = [...]string{"", "", "Boolean", "String", "Integer", "Decimal", "Date", "DateTime", "Time", "Quantity", "SimpleTypeInfo"}

func (k Kind) systemName() string { return systemNames[k] }

// String names the kind as FHIRPath does.
func (k Kind) String() string {
	switch k {
	case NoKind:
		return "nothing"
	case KindElement:
		return "FHIR element"
	}
	return "System." + systemNames[k]
}

// Collection is the result of an expression: values in order, none for "empty".
type Collection []Value

// Value is one item of a collection. An element refers to the JSON it came from;
// nothing of it is decoded before an operation needs it.
type Value struct {
	doc *rawjson.Document
	typ *Type // of an element
	str string
	ref any // *decimal.Decimal, *DateTime or *Quantity

	// For an element the indexes of its JSON value and of its underscore
	// sibling, -1 for none; num is also the value of Boolean and Integer.
	num, under int32
	kind       Kind
}

// NewElement makes the value of an element of a known type. For a primitive,
// underscore is the JSON of its id and extensions; both may be the zero Node.
func NewElement(typ *Type, value, underscore rawjson.Node) Value {
	v := Value{kind: KindElement, typ: typ, num: -1, under: -1}
	if value.Exists() {
		v.doc, v.num = value.Document(), int32(value.Index())
	}
	if underscore.Exists() {
		v.doc, v.under = underscore.Document(), int32(underscore.Index())
	}
	return v
}

// NewResource makes the value of a resource from its JSON object; ok is false
// when its resourceType is not one of the model.
func NewResource(model Model, object rawjson.Node) (v Value, ok bool) {
	name, _ := object.Member("resourceType")
	if name.Kind() != rawjson.KindString {
		return Value{}, false
	}
	typ := model.Type(name.String())
	if typ == nil || typ.Kind != ResourceType {
		return Value{}, false
	}
	return NewElement(typ, object, rawjson.Node{}), true
}

// Boolean makes a System.Boolean.
func Boolean(b bool) Value {
	v := Value{kind: KindBoolean}
	if b {
		v.num = 1
	}
	return v
}

// Integer makes a System.Integer.
func Integer(i int32) Value { return Value{kind: KindInteger, num: i} }

// String makes a System.String.
func String(s string) Value { return Value{kind: KindString, str: s} }

// Decimal makes a System.Decimal. Digits after the point count as precision,
// zeros included.
func Decimal(d decimal.Decimal) Value { return Value{kind: KindDecimal, ref: &d} }

// QuantityOf makes a System.Quantity.
func QuantityOf(q Quantity) Value { return Value{kind: KindQuantity, ref: &q} }

func temporal(kind Kind, t DateTime) Value { return Value{kind: kind, ref: &t} }

func typeInfo(namespace, name string) Value {
	v := Value{kind: KindTypeInfo, str: name}
	if namespace == "FHIR" {
		v.num = 1
	}
	return v
}

// Kind tells what the value is.
func (v Value) Kind() Kind { return v.kind }

// Type is the FHIR type of an element, nil for values of other kinds.
func (v Value) Type() *Type { return v.typ }

// TypeName names the type as the type() function does, without the namespace.
func (v Value) TypeName() string {
	if v.kind == KindElement {
		return v.typ.Name
	}
	return v.kind.systemName()
}

// Node is the JSON value of an element; it does not exist for other values, for
// a primitive that has extensions only, and for what resolve() knows no more of
// than the type.
func (v Value) Node() rawjson.Node {
	if v.kind != KindElement || v.doc == nil {
		return rawjson.Node{}
	}
	return v.doc.Node(int(v.num))
}

// Underscore is the JSON of a primitive element's id and extensions.
func (v Value) Underscore() rawjson.Node {
	if v.kind != KindElement || v.doc == nil {
		return rawjson.Node{}
	}
	return v.doc.Node(int(v.under))
}

// IsResource tells whether the value is a resource.
func (v Value) IsResource() bool { return v.kind == KindElement && v.typ.Kind == ResourceType }

// System converts a primitive element, or a Quantity, to the value of FHIRPath's
// own type that it stands for (R4 § 2.9.2); other values stay as they are. A
// primitive without a value, or with one that its type does not allow, has no
// System value: ok is false, as it is for complex elements.
func (v Value) System() (system Value, ok bool) {
	if v.kind != KindElement {
		return v, v.kind != NoKind
	}
	system = v.system()
	return system, system.kind != NoKind && system.kind != KindElement
}

// AsBoolean returns the value of a Boolean or boolean.
func (v Value) AsBoolean() (b, ok bool) {
	s := v.system()
	return s.num != 0, s.kind == KindBoolean
}

// AsInteger returns the value of an Integer or of an element of a type like
// integer or positiveInt.
func (v Value) AsInteger() (int32, bool) {
	s := v.system()
	return s.num, s.kind == KindInteger
}

// AsString returns the text of a String or of an element of a type like string,
// code or uri.
func (v Value) AsString() (string, bool) {
	s := v.system()
	return s.str, s.kind == KindString
}

// AsDecimal returns the value of a Decimal, an Integer, or an element of a
// numeric type.
func (v Value) AsDecimal() (decimal.Decimal, bool) {
	s := v.system()
	return s.decimal()
}

// AsDateTime returns the value of a Date, DateTime, Time, or an element of such
// a type.
func (v Value) AsDateTime() (DateTime, bool) {
	s := v.system()
	if t, ok := s.ref.(*DateTime); ok {
		return *t, true
	}
	return DateTime{}, false
}

// AsQuantity returns the value of a Quantity, System or FHIR.
func (v Value) AsQuantity() (Quantity, bool) {
	s := v.system()
	if q, ok := s.ref.(*Quantity); ok {
		return *q, true
	}
	return Quantity{}, false
}

func (v *Value) decimal() (decimal.Decimal, bool) {
	switch v.kind {
	case KindInteger:
		return decimal.New(int64(v.num), 0), true
	case KindDecimal:
		return *v.ref.(*decimal.Decimal), true
	}
	return decimal.Decimal{}, false
}

func (v *Value) isNumber() bool { return v.kind == KindInteger || v.kind == KindDecimal }

func (v *Value) isTemporal() bool {
	return v.kind == KindDate || v.kind == KindDateTime || v.kind == KindTime
}

func (v *Value) dateTime() *DateTime { return v.ref.(*DateTime) }

func (v *Value) quantity() *Quantity { return v.ref.(*Quantity) }

// sameElement tells whether both are the very same element.
func (v *Value) sameElement(w *Value) bool {
	return v.kind == KindElement && w.kind == KindElement &&
		v.doc != nil && v.doc == w.doc && v.num == w.num && v.under == w.under
}

// system is System, but gives a complex element back as it is and the zero Value
// for a primitive that has no usable value.
func (v *Value) system() Value {
	if v.kind != KindElement {
		return *v
	}
	if v.typ.Kind != PrimitiveType {
		if v.typ.isQuantity {
			if q, ok := quantityOfElement(v.Node()); ok {
				return QuantityOf(q)
			}
		}
		return *v
	}
	node := v.Node()
	switch node.Kind() {
	case rawjson.KindString:
		if v.typ.System == KindString {
			return String(node.String())
		}
		if t, ok := parseTemporal(v.typ.System, node.String()); ok {
			return temporal(v.typ.System, t)
		}
	case rawjson.KindTrue, rawjson.KindFalse:
		if v.typ.System == KindBoolean {
			return Boolean(node.Kind() == rawjson.KindTrue)
		}
	case rawjson.KindNumber:
		switch v.typ.System {
		case KindInteger:
			if i, ok := parseInteger(node.String()); ok {
				return Integer(i)
			}
		case KindDecimal:
			if d, ok := parseDecimal(node.String()); ok {
				return Decimal(d)
			}
		}
	}
	return Value{}
}

// quantityOfElement converts a FHIR Quantity. One with a comparator ("<5") is a
// range of values rather than a value and does not convert (R4 § 2.9.2).
func quantityOfElement(node rawjson.Node) (Quantity, bool) {
	number, _ := node.Member("value")
	if number.Kind() != rawjson.KindNumber {
		return Quantity{}, false
	}
	if comparator, ok := node.Member("comparator"); ok && comparator.Exists() {
		return Quantity{}, false
	}
	value, ok := parseDecimal(number.String())
	if !ok {
		return Quantity{}, false
	}
	system, _ := node.Member("system")
	code, _ := node.Member("code")
	unit, _ := node.Member("unit")
	switch {
	case system.Is(ucumURI) && code.Exists():
		return Quantity{Value: value, Unit: code.String()}, true
	case system.Exists() && code.Exists():
		// A unit of another system: equal only to the very same.
		return Quantity{Value: value, Unit: system.String() + "|" + code.String()}, true
	case code.Exists():
		return Quantity{Value: value, Unit: code.String()}, true
	case unit.Exists():
		return Quantity{Value: value, Unit: unit.String()}, true
	}
	return Quantity{Value: value, Unit: "1"}, true
}
