package validate

import (
	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// scope is a resource under way.
type scope struct {
	resource  fhirpath.Value
	container *scope // of a contained resource
	contains  bool   // has contained resources
	frame     int    // the walker's frame of it

	// ids are those of its elements.
	ids map[string]struct{}

	// Of a container: its contained resources, the ids among them, what is
	// referred to as #id, and which of them is under way.
	contained  []contained
	containing map[string]int // the first with an id
	referenced map[string]struct{}
	at         int
}

// contained is one contained resource.
type contained struct {
	id     string
	offset int
	// toContainer: it refers to its container, as #.
	toContainer bool
}

func newScope(resource fhirpath.Value, container *scope) *scope {
	s := &scope{resource: resource, container: container, at: -1}
	list, _ := resource.Node().Member("contained")
	if list.Kind() != rawjson.KindArray || list.Len() == 0 || container != nil {
		return s
	}
	s.contains = true
	s.containing, s.referenced = make(map[string]int, list.Len()), map[string]struct{}{}
	for n := range list.Elements() {
		id, _ := n.Member("id")
		c := contained{offset: n.Offset()}
		if id.Kind() == rawjson.KindString {
			c.id = id.String()
		}
		if _, twice := s.containing[c.id]; !twice {
			s.containing[c.id] = len(s.contained)
		}
		s.contained = append(s.contained, c)
	}
	return s
}

// outermost is the container, or the resource that contains nothing.
func (s *scope) outermost() *scope {
	if s.container != nil {
		return s.container
	}
	return s
}

// localReference takes note of a #id. For a Reference it is ref-1
// (https://hl7.org/fhir/R4/references.html#contained), with what R4's text
// forgets: # alone refers to the container, from within a contained resource.
// That a canonical or uri leads nowhere is no rule of R4's.
func (w *walker) localReference(n rawjson.Node, isReference bool) {
	id := n.String()[1:]
	container := w.scope.outermost()
	if id == "" {
		if w.scope.container == nil {
			if isReference {
				w.report(n.Offset(), conformance.SeverityError, conformance.IssueInvariant, "ref-1: # refers to the container, and stands only in a contained resource")
			}
			return
		}
		container.contained[container.at].toContainer = true
		return
	}
	_, found := container.containing[id]
	if found {
		container.referenced[id] = struct{}{}
	} else if isReference {
		w.report(n.Offset(), conformance.SeverityError, conformance.IssueInvariant, "ref-1: the container has no contained resource of this id")
	}
}

// containedReferences is dom-3 (R4: a contained resource is referred to from
// elsewhere in the resource, or refers to the container), and that its id is
// its own.
func (w *walker) containedReferences() {
	s := w.scope
	for i := range s.contained {
		c := &s.contained[i]
		_, referenced := s.referenced[c.id]
		at := func(code conformance.IssueCode, text string) {
			w.at = append(w.at, conformance.Step{Name: "contained", Index: i})
			w.report(c.offset, conformance.SeverityError, code, text)
			w.at = w.at[:len(w.at)-1]
		}
		if !(referenced && c.id != "") && !c.toContainer {
			at(conformance.IssueInvariant, "dom-3: a contained resource must be referred to within its container, or refer to the container as #")
		}
		if c.id != "" && s.containing[c.id] != i {
			at(conformance.IssueDuplicate, "the id of a contained resource must be unique in its container")
		}
	}
}

// id takes note of an element's id, which is unique within its resource
// (https://hl7.org/fhir/R4/element.html#id). The ids of ElementDefinitions are
// not: snapshot and differential have the same by definition
// (https://hl7.org/fhir/R4/elementdefinition.html#id). Those in narratives are
// not looked at.
func (w *walker) id(n rawjson.Node, s *shape) {
	if s.typ.Kind == fhirpath.ResourceType {
		return
	}
	if w.scope.ids == nil {
		w.scope.ids = map[string]struct{}{}
	}
	id := n.String()
	if _, twice := w.scope.ids[id]; twice {
		w.report(n.Offset(), conformance.SeverityError, conformance.IssueDuplicate, "the id of an element must be unique in its resource")
	}
	w.scope.ids[id] = struct{}{}
}
