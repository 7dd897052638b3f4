package fhirpath

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// R4 § 2.9.4: the functions that FHIR adds.
var fhirFunctions = map[string]function{
	"extension": {1, 1, callExtension},
	"hasValue": {0, 0, func(m *machine, _ *callNode, mark int) error {
		has := false
		if len(m.stack)-mark == 1 {
			v := &m.stack[mark]
			has = v.kind != KindElement || v.typ.Kind == PrimitiveType && v.num >= 0
		}
		m.give(mark, Boolean(has))
		return nil
	}},
	"getValue": {0, 0, func(m *machine, _ *callNode, mark int) error {
		if len(m.stack)-mark != 1 {
			m.drop(mark)
			return nil
		}
		v := m.stack[mark].system()
		m.drop(mark)
		if v.kind != NoKind && v.kind != KindElement {
			m.push(v)
		}
		return nil
	}},
	"resolve":  {0, 0, callResolve},
	"memberOf": {1, 1, callMemberOf},
	"subsumes": {1, 1, func(m *machine, c *callNode, mark int) error {
		return callSubsumes(m, c, mark, func(a, b Value) (bool, bool) { return m.ctx.Subsumes(a, b) })
	}},
	"subsumedBy": {1, 1, func(m *machine, c *callNode, mark int) error {
		return callSubsumes(m, c, mark, func(a, b Value) (bool, bool) { return m.ctx.Subsumes(b, a) })
	}},
	"conformsTo": {1, 1, callConformsTo},
	"htmlChecks": {0, 0, callHTMLChecks},
	"comparable": {1, 1, func(m *machine, c *callNode, mark int) error {
		a, okA, err := m.inputSingle(c, mark)
		if err != nil {
			return err
		}
		b, okB, err := m.single(c.args[0], c.pos)
		if err != nil || !okA || !okB {
			return err
		}
		p, q, ok := bothQuantities(&a, &b)
		if ok {
			_, _, _, ok = m.commensurable(p, q)
		}
		m.push(Boolean(ok))
		return nil
	}},
}

// callExtension is short for extension.where(url = argument).
func callExtension(m *machine, c *callNode, mark int) error {
	url, ok, err := m.stringArg(c, 0)
	if err != nil {
		return err
	}
	end := len(m.stack)
	for i := mark; ok && i < end; i++ {
		v := m.stack[i]
		if v.kind != KindElement {
			continue
		}
		e := v.typ.byName["extension"]
		list, _ := v.object().Member("extension")
		if e == nil || e.typ() == nil {
			continue
		}
		for extension := range list.Elements() {
			if err := m.step(c.pos); err != nil {
				return err
			}
			if found, _ := extension.Member("url"); found.Is(url) {
				m.push(NewElement(e.typ(), extension, rawjson.Node{}))
			}
		}
	}
	m.cut(mark, end)
	return nil
}

// callResolve follows references: those in Reference elements and those in uri,
// url and canonical elements or Strings. What cannot be resolved is passed over.
func callResolve(m *machine, c *callNode, mark int) error {
	end := len(m.stack)
	for i := mark; i < end; i++ {
		if err := m.step(c.pos); err != nil {
			return err
		}
		v := m.stack[i]
		m.resolve(&v)
	}
	m.cut(mark, end)
	return nil
}

func (m *machine) resolve(v *Value) {
	reference, targetType := "", ""
	if v.kind == KindElement && v.typ.Kind != PrimitiveType {
		text, _ := v.Node().Member("reference")
		reference = text.String()
		stated, _ := v.Node().Member("type")
		targetType = stated.String()
	} else if s := v.system(); s.kind == KindString {
		reference = s.str
	}
	if id, local := strings.CutPrefix(reference, "#"); local {
		m.pushContained(id)
		return
	}
	if m.ctx.Resolve != nil {
		if reference != "" {
			if target, ok := m.ctx.Resolve(reference); ok {
				m.push(target)
			}
		}
		return
	}
	typ := m.ctx.Model.Type(referencedType(reference))
	if typ == nil || typ.Kind != ResourceType {
		// urn:uuid and logical references do not tell; Reference.type may.
		typ = m.ctx.Model.Type(targetType)
	}
	if typ != nil && typ.Kind == ResourceType {
		m.push(NewElement(typ, rawjson.Node{}, rawjson.Node{}))
	}
}

// pushContained finds a contained resource by its id; "#" alone is the container
// (R4 § 2.3.0.6).
func (m *machine) pushContained(id string) {
	container := m.rootResource()
	if container.kind != KindElement {
		return
	}
	if id == "" {
		m.push(*container)
		return
	}
	list, _ := container.Node().Member("contained")
	for resource := range list.Elements() {
		if found, _ := resource.Member("id"); found.Is(id) {
			if v, ok := NewResource(m.ctx.Model, resource); ok {
				m.push(v)
			}
			return
		}
	}
}

// referencedType is the type that a literal reference names: Type/id, possibly
// behind a base URL, possibly with /_history/version or |version behind it (R4
// § 2.3.0.1).
func referencedType(reference string) string {
	if i := strings.IndexAny(reference, "|?#"); i >= 0 {
		reference = reference[:i]
	}
	if i := strings.Index(reference, "/_history/"); i >= 0 {
		reference = reference[:i]
	}
	slash := strings.LastIndexByte(reference, '/')
	if slash < 0 {
		return ""
	}
	head := reference[:slash]
	return head[strings.LastIndexByte(head, '/')+1:]
}

func callMemberOf(m *machine, c *callNode, mark int) error {
	valueSet, ok, err := m.stringArg(c, 0)
	if err != nil {
		return err
	}
	if len(m.stack)-mark > 1 {
		return m.errorf(ExecutionError, c.pos, "memberOf() on more than one item")
	}
	if !ok || len(m.stack) == mark || m.ctx.MemberOf == nil {
		m.drop(mark)
		return nil
	}
	member, known := m.ctx.MemberOf(m.stack[mark], valueSet)
	m.drop(mark)
	if known {
		m.push(Boolean(member))
	}
	return nil
}

func callSubsumes(m *machine, c *callNode, mark int, ask func(a, b Value) (bool, bool)) error {
	if len(m.stack)-mark > 1 {
		return m.errorf(ExecutionError, c.pos, "%s() on more than one item", c.name)
	}
	middle := len(m.stack)
	if err := c.args[0].evaluate(m); err != nil {
		return err
	}
	if middle == mark || len(m.stack) == middle || m.ctx.Subsumes == nil {
		m.drop(mark)
		return nil
	}
	if len(m.stack)-middle > 1 {
		return m.errorf(ExecutionError, c.pos, "%s() with more than one item", c.name)
	}
	result, known := ask(m.stack[mark], m.stack[middle])
	m.drop(mark)
	if known {
		m.push(Boolean(result))
	}
	return nil
}

const coreDefinition = "http://hl7.org/fhir/StructureDefinition/"

func callConformsTo(m *machine, c *callNode, mark int) error {
	profile, ok, err := m.stringArg(c, 0)
	if err != nil {
		return err
	}
	if len(m.stack)-mark > 1 {
		return m.errorf(ExecutionError, c.pos, "conformsTo() on more than one item")
	}
	if !ok || len(m.stack) == mark {
		m.drop(mark)
		return nil
	}
	v := m.stack[mark]
	m.drop(mark)
	conforms, known := false, false
	if m.ctx.ConformsTo != nil {
		conforms, known = m.ctx.ConformsTo(v, profile)
	} else if name, core := strings.CutPrefix(profile, coreDefinition); core && m.ctx.Model.Type(name) != nil {
		// The definition of a type itself: what was parsed as one is one.
		conforms, known = v.kind == KindElement && v.typ.Is(name), true
	}
	if !known {
		return m.errorf(ExecutionError, c.pos, "unknown profile")
	}
	m.push(Boolean(conforms))
	return nil
}
