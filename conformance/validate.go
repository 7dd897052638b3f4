package conformance

import (
	"bytes"
	"errors"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// ValidateStructure checks that the bytes are one R4 resource in JSON, and
// returns what is wrong with it, in the order of the text; nil if nothing is.
//
// It checks: the JSON text (strictly: see package rawjson), the resource type,
// the member names, the JSON kind of every element, cardinality, empty values,
// choices of types, the formats of primitives, the pairing of primitives with
// their ids and extensions, contained resources and those in Bundle and
// Parameters, required bindings to value sets that the specification
// enumerates, the target types of relative references, and the two invariants
// that are about structure (ele-1 and ext-1). Other invariants are FHIRPath.
//
// A JSON text that cannot be read gives a single fatal issue.
func ValidateStructure(resource []byte) []Issue {
	v := validators.Get().(*validator)
	defer v.release()
	if err := v.doc.Parse(resource, nil); err != nil {
		return []Issue{jsonIssue(err)}
	}
	return v.validate(v.doc.Root())
}

// ValidateStructureOf is [ValidateStructure] for a resource that has been
// parsed already: the root of a document, or a resource within it. Lines and
// columns are those of the document.
func ValidateStructureOf(resource rawjson.Node) []Issue {
	v := validators.Get().(*validator)
	defer v.release()
	return v.validate(resource)
}

// validators are reused with their memory: the tree of a resource is larger
// than the resource.
var validators = sync.Pool{New: func() any { return &validator{shapes: r4Shapes()} }}

type validator struct {
	shapes   *shapes
	doc      rawjson.Document
	path     Path
	findings Findings
	more     bool // findings are missing
	scratch  []byte

	contained bool // within a contained resource
}

func (v *validator) release() {
	v.doc.Reset()
	v.path, v.findings, v.more, v.contained = v.path[:0], v.findings[:0], false, false
	validators.Put(v)
}

func (v *validator) validate(root rawjson.Node) []Issue {
	v.resource(root, false)
	if len(v.findings) == 0 {
		return nil
	}
	return v.issues(root.Document().Data())
}

func jsonIssue(err error) Issue {
	issue := Issue{Severity: SeverityFatal, Code: IssueStructure, Line: 1, Column: 1, Diagnostics: err.Error()}
	var where *rawjson.Error
	if errors.As(err, &where) {
		issue.Line, issue.Column = where.Line, where.Column
		issue.Diagnostics = where.Reason.String()
	}
	return issue
}

// resource checks a resource: the outermost one, or with nested one within it,
// whose path is on the stack then.
func (v *validator) resource(n rawjson.Node, nested bool) {
	if n.Kind() != rawjson.KindObject {
		v.report(n.Offset(), IssueStructure, "a resource must be a JSON object")
		return
	}
	name, ok := n.Member("resourceType")
	if !ok {
		v.report(n.Offset(), IssueStructure, "a resource must have the member resourceType")
		return
	}
	s := v.shapes.resources[string(name.Bytes())]
	if s == nil || name.Kind() != rawjson.KindString {
		v.report(name.Offset(), IssueStructure, "resourceType must be the name of a concrete R4 resource type")
		return
	}
	if !nested {
		v.path = append(v.path, Step{s.name, -1})
	}
	v.object(n, s, nil)
}

// object checks a JSON object against a shape. context is the member that holds
// it, nil for a resource.
func (v *validator) object(n rawjson.Node, s *shape, context *member) {
	var seen uint64
	var chosen [maxChoices]uint8
	strange := false
	for child, ok := n.Child(); ok; child, ok = child.Next() {
		m := s.lookup(child.RawName())
		if m == nil {
			if m = v.otherName(child, s); m == nil {
				strange = true // reported, or resourceType
				continue
			}
		}
		if m.choice != 0 {
			if before := chosen[m.choiceIndex]; before != 0 && before != m.choice {
				v.reportChild(m.element.Name, child.Offset(), IssueStructure, m.element.Path+" is a choice: only one type may be given")
			}
			chosen[m.choiceIndex] = m.choice
		}
		seen |= m.bit
		if m.forbidden {
			v.reportChild(m.element.Name, child.Offset(), IssueStructure, m.element.Path+" must not be given: its maximum is 0")
			continue
		}
		v.member(n, child, m, context)
	}
	if missing := s.required &^ seen; missing != 0 {
		for i, e := range s.elements {
			if missing&(1<<i) != 0 {
				v.reportChild(e.Name, n.Offset(), IssueRequired, e.Path+" is missing: its minimum is 1")
			}
		}
	}
	if strange || s.kind == resourceShape {
		return
	}
	if n.Len() == 0 {
		v.report(n.Offset(), IssueStructure, "an object must not be empty")
		return
	}
	// A primitive's own id may stand alone where the primitive has a value,
	// which pairing checks.
	if seen&^s.idSlot == 0 && (context == nil || !context.under) {
		v.report(n.Offset(), IssueInvariant, "ele-1: an element must have a value or children besides its id")
		return
	}
	if s.kind == extensionShape && (seen&s.extensionSlot != 0) == (seen&s.valueSlot != 0) {
		v.report(n.Offset(), IssueInvariant, "ext-1: an extension must have either a value or extensions")
	}
}

// otherName handles a member name that the shape does not have as it is written:
// it may be written with escapes. It returns nil when there is nothing to check.
func (v *validator) otherName(child rawjson.Node, s *shape) *member {
	raw := child.RawName()
	if bytes.IndexByte(raw, '\\') >= 0 {
		if m := s.lookup([]byte(child.Name())); m != nil {
			return m
		}
	}
	if s.kind == resourceShape && child.NameIs("resourceType") {
		return nil
	}
	v.report(child.Offset(), IssueStructure, "unknown member: "+s.name+" has no element of that name and type")
	return nil
}

// member checks one member of an object against its meaning.
func (v *validator) member(parent, n rawjson.Node, m *member, context *member) {
	v.path = append(v.path, Step{m.element.Name, -1})
	if !m.repeats {
		v.value(n, m, context)
		if m.under {
			v.pairOne(parent, n, m)
		}
	} else if n.Kind() != rawjson.KindArray {
		v.report(n.Offset(), IssueStructure, m.element.Path+" must be a JSON array: it may repeat")
	} else if n.Len() == 0 {
		v.report(n.Offset(), IssueStructure, "an array must not be empty")
	} else {
		v.array(parent, n, m, context)
	}
	v.path = v.path[:len(v.path)-1]
}

func (v *validator) array(parent, n rawjson.Node, m *member, context *member) {
	top := len(v.path) - 1
	i, nulls := 0, false
	for item, ok := n.Child(); ok; item, ok = item.Next() {
		v.path[top].Index = i
		i++
		if item.Kind() == rawjson.KindNull && (m.primitive != 0 || m.under) {
			nulls = true
			continue
		}
		v.value(item, m, context)
	}
	if nulls || m.under {
		v.pairMany(parent, n, m)
	}
}

// value checks one value: what stands alone or as an item of an array.
func (v *validator) value(n rawjson.Node, m *member, context *member) {
	switch {
	case n.Kind() == rawjson.KindNull:
		v.report(n.Offset(), IssueStructure, "null is allowed only in the arrays of repeating primitives")
	case m.primitive != 0:
		v.primitive(n, m, context)
	case n.Kind() == rawjson.KindArray && !m.repeats:
		v.report(n.Offset(), IssueStructure, m.element.Path+" must not be a JSON array: it does not repeat")
	case n.Kind() != rawjson.KindObject:
		v.report(n.Offset(), IssueStructure, "must be a JSON object of type "+m.typeName)
	case m.resource:
		v.nested(n, m)
	default:
		v.object(n, m.shape, m)
		if m.codes != nil && !m.under {
			v.concept(n, m)
		}
	}
}

// nested checks a resource within a resource.
func (v *validator) nested(n rawjson.Node, m *member) {
	if m.element.Name != "contained" {
		// In a Bundle or Parameters it is a resource in its own right.
		outer := v.contained
		v.contained = false
		v.resource(n, true)
		v.contained = outer
		return
	}
	if v.contained {
		v.report(n.Offset(), IssueInvariant, "dom-2: a contained resource must not contain resources")
		return
	}
	v.contained = true
	v.resource(n, true)
	v.contained = false
}

// primitive checks the value of a primitive.
func (v *validator) primitive(n rawjson.Node, m *member, context *member) {
	if !m.primitive.hasKind(n.Kind()) {
		if n.Kind() == rawjson.KindArray && !m.repeats {
			v.report(n.Offset(), IssueStructure, m.element.Path+" must not be a JSON array: it does not repeat")
			return
		}
		v.report(n.Offset(), IssueStructure, "type "+m.typeName+" must be "+m.primitive.jsonKind())
		return
	}
	var text []byte
	if n.Escaped() {
		v.scratch = n.Append(v.scratch[:0])
		text = v.scratch
	} else {
		text = n.Bytes()
	}
	if !m.primitive.valid(text) {
		v.report(n.Offset(), IssueValue, "type "+m.typeName+" "+m.primitive.rule())
		return
	}
	if len(text) > maxString && m.primitive == primitiveString {
		v.report(n.Offset(), IssueTooLong, "type "+m.typeName+" must not exceed 1 MB")
	}
	if m.codes != nil && !m.codes.containsCode(text) {
		v.reportBinding(n, m)
	}
	if m.reference {
		v.referenceTarget(n, text, context)
	}
}
