package validate

import (
	"errors"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// frame is an object whose members are being looked at; name is "" for a
// resource.
type frame struct {
	node  rawjson.Node
	shape *shape
	name  string
}

// walker goes through one resource.
type walker struct {
	plan    *plan
	options Options
	path    fhirpath.Context
	at      conformance.Path
	result  fhirpath.Collection
	steps   int  // of FHIRPath that are left
	costly  bool // they were used up, which has been said

	scope    *scope
	frames   []frame
	pending  []placed
	findings conformance.Findings
	more     bool
}

// resource checks a resource. in is the member that holds it, container the
// scope of the resource that it is contained in; both nil for others.
func (w *walker) resource(n rawjson.Node, in *member, container *scope) {
	name, _ := n.Member("resourceType")
	s := w.plan.resources[string(name.Bytes())]
	if s == nil || name.Kind() != rawjson.KindString || n.Kind() != rawjson.KindObject {
		return // the structure's issue
	}
	if in == nil {
		w.at = append(w.at, conformance.Step{Name: s.name, Index: -1})
	}
	outer, outerResource, outerRoot := w.scope, w.path.Resource, w.path.RootResource
	v := fhirpath.NewElement(s.typ, n, rawjson.Node{})
	w.scope = newScope(v, container)
	w.scope.frame = len(w.frames)
	w.path.Resource, w.path.RootResource = v, v
	if container != nil {
		w.path.RootResource = container.resource
	}
	w.object(n, v, s, "")
	if container == nil {
		w.containedReferences()
	}
	w.scope, w.path.Resource, w.path.RootResource = outer, outerResource, outerRoot
}

// object checks an element that is a JSON object, v, and what is below it.
func (w *walker) object(n rawjson.Node, v fhirpath.Value, s *shape, name string) {
	for _, r := range s.rules {
		w.rule(r, v, n.Offset())
	}
	if s.extension {
		w.place(n)
	}
	w.children(n, s, name)
}

func (w *walker) children(n rawjson.Node, s *shape, name string) {
	w.frames = append(w.frames, frame{n, s, name})
	for child, ok := n.Child(); ok; child, ok = child.Next() {
		m := s.members[string(child.RawName())]
		if m == nil {
			continue // the structure's issue, or resourceType
		}
		if !m.primitive && child.Kind() == rawjson.KindObject || child.Kind() == rawjson.KindArray || m.primitive {
			w.member(n, child, s, m)
		}
	}
	w.frames = w.frames[:len(w.frames)-1]
}

func (w *walker) member(parent, n rawjson.Node, s *shape, m *member) {
	if m.primitive && !m.under && len(m.rules) == 0 && !m.local && !m.id && !s.reference {
		return // nothing to check: nearly all primitives
	}
	w.at = append(w.at, conformance.Step{Name: m.element.Name, Index: -1})
	top := len(w.at) - 1
	var other rawjson.Node
	if m.primitive && len(m.rules) > 0 {
		other, _ = parent.Member(m.other)
	}
	if n.Kind() != rawjson.KindArray {
		if !m.element.Repeats() {
			w.value(n, other, s, m)
		}
	} else if m.element.Repeats() {
		i := 0
		pair, more := other.Child()
		for item, ok := n.Child(); ok; item, ok = item.Next() {
			w.at[top].Index = i
			i++
			w.value(item, pair, s, m)
			if more {
				pair, more = pair.Next()
			}
		}
	}
	w.at = w.at[:top]
}

// value checks one value of a member; other is what belongs to it in the
// member with the underscore, or without it.
func (w *walker) value(n, other rawjson.Node, s *shape, m *member) {
	switch {
	case m.under:
		if n.Kind() != rawjson.KindObject {
			return
		}
		if !other.Exists() { // else the value's turn evaluates them
			v := fhirpath.NewElement(m.shape.typ, rawjson.Node{}, n)
			for _, r := range m.rules {
				w.rule(r, v, n.Offset())
			}
		}
		w.children(n, m.shape, m.element.Name)
	case m.primitive:
		w.primitive(n, other, s, m)
	case n.Kind() != rawjson.KindObject:
	case m.shape == nil:
		var container *scope
		if m.element.Name == "contained" && w.scope.container == nil {
			container = w.scope
			container.at = w.at[len(w.at)-1].Index
		}
		w.resource(n, m, container)
	default:
		v := fhirpath.NewElement(m.shape.typ, n, rawjson.Node{})
		for _, r := range m.rules {
			w.rule(r, v, n.Offset())
		}
		w.object(n, v, m.shape, m.element.Name)
	}
}

func (w *walker) primitive(n, other rawjson.Node, s *shape, m *member) {
	if n.Kind() == rawjson.KindNull {
		return
	}
	for _, r := range m.rules {
		w.rule(r, fhirpath.NewElement(m.shape.typ, n, other), n.Offset())
	}
	if n.Kind() != rawjson.KindString {
		return
	}
	if m.id && !s.elementDefinition {
		w.id(n, s)
		return
	}
	isReference := s.reference && m.element.Name == "reference"
	if (m.local || isReference) && startsWithHash(n) {
		w.localReference(n, isReference)
	}
}

// startsWithHash looks at a string without unescaping it; an escape is looked
// at for what it stands for.
func startsWithHash(n rawjson.Node) bool {
	raw := n.Raw()
	return len(raw) > 1 && (raw[1] == '#' || raw[1] == '\\' && strings.HasPrefix(n.String(), "#"))
}

// rule evaluates an invariant on an element. Only true meets it.
func (w *walker) rule(r *rule, v fhirpath.Value, offset int) {
	if r.notContained && w.scope.container != nil || r.containedOnly && !w.scope.contains {
		return
	}
	if w.steps <= 0 {
		w.tooCostly(r, offset)
		return
	}
	w.path.MaxSteps = w.steps
	result, err := r.expression.AppendTo(w.result[:0], &w.path, v)
	w.result = result[:0]
	w.steps -= w.path.Steps()
	var failed *fhirpath.Error
	switch {
	case errors.As(err, &failed) && failed.Kind == fhirpath.LimitError:
		if w.steps <= 0 {
			w.tooCostly(r, offset)
			return
		}
		w.report(offset, r.severity, conformance.IssueTooCostly, r.keys+": the rule takes more work than is allowed: "+r.expression.String())
		return
	case err != nil:
		text := "it cannot be evaluated here"
		if failed != nil {
			text = failed.Message
		}
		w.report(offset, r.severity, conformance.IssueInvariant, r.keys+": "+text+": "+r.expression.String())
		return
	case len(result) == 0:
		w.report(offset, r.severity, conformance.IssueInvariant, r.keys+": gives nothing, which is not true: "+r.expression.String())
		return
	}
	if truth, ok := result[0].AsBoolean(); len(result) > 1 || !ok || !truth {
		w.report(offset, r.severity, conformance.IssueInvariant, r.keys+": not true: "+r.expression.String())
	}
}

// tooCostly says once that the rest is not evaluated.
func (w *walker) tooCostly(r *rule, offset int) {
	if w.costly {
		return
	}
	w.costly = true
	w.report(offset, conformance.SeverityError, conformance.IssueTooCostly,
		r.keys+" and the rules after it were not evaluated: the resource takes more work than its size allows")
}
