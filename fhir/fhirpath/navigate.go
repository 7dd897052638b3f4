package fhirpath

import (
	"sync/atomic"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// step is one name of a path. It remembers the element that the name was on the
// last type it met: most expressions meet one type only, and then no map is
// asked.
type step struct {
	name string
	pos  int
	last atomic.Pointer[Element]
}

func (s *step) element(typ *Type) *Element {
	if e := s.last.Load(); e != nil && e.owner == typ {
		return e
	}
	e := typ.byName[s.name]
	if e != nil {
		s.last.Store(e)
	}
	return e
}

// startNode is the first name of a path: an element of $this, or the name of its
// type, which then is $this itself (FHIRPath 2.0 § 2.1).
type startNode struct {
	step
	isType bool // capitalised: no element of FHIR is
}

func newStartNode(name string, pos int) node {
	return &startNode{step: step{name: name, pos: pos}, isType: name != "" && name[0] >= 'A' && name[0] <= 'Z'}
}

func (n *startNode) evaluate(m *machine) error {
	if err := m.step(n.pos); err != nil {
		return err
	}
	if m.this.kind == NoKind {
		return nil
	}
	if n.isType && m.this.kind == KindElement {
		if m.this.typ.Is(n.name) {
			m.push(m.this)
			return nil
		}
		if m.ctx.Strict {
			return m.errorf(SemanticError, n.pos, "the context is not a %s", n.name)
		}
		return nil
	}
	return m.pushMember(&m.this, &n.step)
}

// memberNode is a further name of a path.
type memberNode struct {
	step
	input node
}

func (n *memberNode) evaluate(m *machine) error {
	mark := len(m.stack)
	if err := n.input.evaluate(m); err != nil {
		return err
	}
	end := len(m.stack)
	if m.ctx.Strict {
		if err := n.checkCast(m); err != nil {
			return err
		}
	}
	for i := mark; i < end; i++ {
		if err := m.step(n.pos); err != nil {
			return err
		}
		v := m.stack[i]
		if err := m.pushMember(&v, &n.step); err != nil {
			return err
		}
	}
	m.cut(mark, end)
	return m.checkSize(n.pos)
}

// checkCast finds that (value as Period).unit names nothing, be value a Period
// or not.
func (n *memberNode) checkCast(m *machine) error {
	cast, ok := n.input.(*typeNode)
	if !ok || cast.is || cast.spec.namespace == "System" {
		return nil
	}
	if typ := m.ctx.Model.Type(cast.spec.name); typ != nil && typ.byName[n.name] == nil {
		return m.errorf(SemanticError, n.pos, "%s has no element %s", typ.Name, n.name)
	}
	return nil
}

// pushMember puts the children of v with the step's name on the stack.
func (m *machine) pushMember(v *Value, s *step) error {
	if v.kind != KindElement {
		return m.pushSystemMember(v, s)
	}
	e := s.element(v.typ)
	if e == nil {
		if m.ctx.Strict {
			return m.errorf(SemanticError, s.pos, "%s has no element %s", v.typ.Name, s.name)
		}
		return nil
	}
	object := v.object()
	if object.Kind() != rawjson.KindObject {
		return nil
	}
	if !e.Choice {
		typ := e.typ()
		if typ == nil {
			return nil
		}
		if typ.Kind != PrimitiveType {
			if value, ok := object.Member(e.Name); ok {
				m.pushElement(typ, value, rawjson.Node{})
			}
			return nil
		}
		value, underscore := object.Property(e.Name)
		m.pushElement(typ, value, underscore)
		return nil
	}
	return m.pushChoice(object, v.typ, e)
}

// object is the JSON object with the children of an element; a primitive has
// its id and extensions in the underscore sibling.
func (v *Value) object() rawjson.Node {
	if v.typ.Kind == PrimitiveType {
		return v.Underscore()
	}
	return v.Node()
}

// pushChoice finds the one member whose name is the element's with the name of a
// type behind it (R4 § 2.6.2, "Choice of Data Types").
func (m *machine) pushChoice(object rawjson.Node, typ *Type, e *Element) error {
	name := e.Name
	for child, ok := object.Child(); ok; child, ok = child.Next() {
		raw := child.RawName()
		under := len(raw) > 0 && raw[0] == '_'
		if under {
			raw = raw[1:]
		}
		if len(raw) <= len(name) || string(raw[:len(name)]) != name {
			continue
		}
		member, ok := typ.byJSON[string(raw)]
		if !ok || member.element != e {
			continue
		}
		if under {
			// With a value present, its member brings the underscore along.
			if value, _ := object.Property(string(raw)); !value.Exists() {
				m.pushElement(member.typ, rawjson.Node{}, child)
			}
			continue
		}
		var underscore rawjson.Node
		if member.typ.Kind == PrimitiveType {
			_, underscore = object.Property(string(raw))
		}
		m.pushElement(member.typ, child, underscore)
	}
	return nil
}

// pushElement puts an element, or each of a repeating element, on the stack. The
// arrays of values and of underscores go side by side, with null where one of
// them has nothing (R4 § 2.6.2.3).
func (m *machine) pushElement(typ *Type, value, underscore rawjson.Node) {
	if value.Kind() != rawjson.KindArray && underscore.Kind() != rawjson.KindArray {
		m.pushOne(typ, value, underscore)
		return
	}
	v, moreValues := value, value.Exists()
	if value.Kind() == rawjson.KindArray {
		v, moreValues = value.Child()
	}
	u, moreUnderscores := underscore, underscore.Exists()
	if underscore.Kind() == rawjson.KindArray {
		u, moreUnderscores = underscore.Child()
	}
	for moreValues || moreUnderscores {
		m.pushOne(typ, v, u)
		if moreValues {
			v, moreValues = v.Next()
		}
		if moreUnderscores {
			u, moreUnderscores = u.Next()
		}
	}
}

func (m *machine) pushOne(typ *Type, value, underscore rawjson.Node) {
	if value.Kind() == rawjson.KindNull {
		value = rawjson.Node{}
	}
	if underscore.Kind() == rawjson.KindNull {
		underscore = rawjson.Node{}
	}
	if !value.Exists() && !underscore.Exists() {
		return
	}
	if typ.Kind == ResourceType {
		// A contained resource, or one in a Bundle or Parameters: what it is
		// it says itself.
		if resource, ok := NewResource(m.ctx.Model, value); ok {
			m.push(resource)
			return
		}
	}
	m.push(NewElement(typ, value, underscore))
}

// pushSystemMember gives the parts of System values: those of type()'s result
// and of quantities.
func (m *machine) pushSystemMember(v *Value, s *step) error {
	switch v.kind {
	case KindTypeInfo:
		switch s.name {
		case "name":
			m.push(String(v.str))
			return nil
		case "namespace":
			if v.num == 1 {
				m.push(String("FHIR"))
			} else {
				m.push(String("System"))
			}
			return nil
		}
	case KindQuantity:
		switch s.name {
		case "value":
			m.push(Decimal(v.quantity().Value))
			return nil
		case "unit", "code":
			m.push(String(v.quantity().Unit))
			return nil
		}
	}
	if m.ctx.Strict {
		return m.errorf(SemanticError, s.pos, "%s has no element %s", v.kind, s.name)
	}
	return nil
}

// pushChildren puts all children of v on the stack in the order of the JSON.
func (m *machine) pushChildren(v *Value) {
	if v.kind != KindElement {
		return
	}
	object := v.object()
	for child, ok := object.Child(); ok; child, ok = child.Next() {
		if object.Kind() != rawjson.KindObject {
			return
		}
		raw := child.RawName()
		under := len(raw) > 0 && raw[0] == '_'
		if under {
			raw = raw[1:]
		}
		member, known := v.typ.byJSON[string(raw)]
		if !known || member.typ == nil {
			continue
		}
		value, underscore := child, rawjson.Node{}
		if member.typ.Kind == PrimitiveType {
			if value, underscore = object.Property(string(raw)); under && value.Exists() {
				continue // came with its value
			}
		} else if under {
			continue
		}
		m.pushElement(member.typ, value, underscore)
	}
}

// indexerNode is input[index], counted from 0.
type indexerNode struct {
	input, index node
	pos          int
}

func (n *indexerNode) evaluate(m *machine) error {
	mark := len(m.stack)
	if err := n.input.evaluate(m); err != nil {
		return err
	}
	if m.ctx.Strict && unordered(n.input) {
		return m.errorf(SemanticError, n.pos, "the collection has no order")
	}
	index, ok, err := m.single(n.index, n.pos)
	if err != nil {
		return err
	}
	if ok && index.kind != KindInteger {
		return m.errorf(ExecutionError, n.pos, "an index must be an Integer")
	}
	if !ok || index.num < 0 || int(index.num) >= len(m.stack)-mark {
		m.drop(mark)
		return nil
	}
	m.give(mark, m.stack[mark+int(index.num)])
	return nil
}

// typeNode is "is", "as" and ofType().
type typeNode struct {
	input node
	spec  typeSpecifier
	is    bool
	all   bool // ofType: meant for collections
	pos   int
}

func (n *typeNode) evaluate(m *machine) error {
	mark := len(m.stack)
	if err := n.input.evaluate(m); err != nil {
		return err
	}
	if n.is {
		if len(m.stack)-mark > 1 {
			return m.errorf(ExecutionError, n.pos, "is on more than one item")
		}
		if len(m.stack) == mark {
			return nil
		}
		matches, err := n.spec.matches(m, &m.stack[mark], false)
		if err != nil {
			return err
		}
		m.give(mark, Boolean(matches))
		return nil
	}
	if !n.all && m.ctx.Strict && len(m.stack)-mark > 1 {
		// FHIRPath 2.0 § 6.3.3 wants an error; R4's own search parameters and
		// invariants use "as" on collections, so only Strict gives it.
		return m.errorf(ExecutionError, n.pos, "as on more than one item")
	}
	kept := mark
	for i := mark; i < len(m.stack); i++ {
		if err := m.step(n.pos); err != nil {
			return err
		}
		matches, err := n.spec.matches(m, &m.stack[i], true)
		if err != nil {
			return err
		}
		if matches {
			m.stack[kept] = m.stack[i]
			kept++
		}
	}
	m.drop(kept)
	return nil
}

// unordered tells whether the order of n's result means nothing: children() and
// descendants() have none (FHIRPath 2.0 § 5.8).
func unordered(n node) bool {
	for {
		switch at := n.(type) {
		case *memberNode:
			n = at.input
		case *typeNode:
			n = at.input
		case *callNode:
			if at.name == "children" || at.name == "descendants" {
				return true
			}
			if at.name != "where" && at.name != "select" {
				return false
			}
			n = at.input
		default:
			return false
		}
	}
}
