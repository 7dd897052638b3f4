package repository

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// subsetted marks a resource that is not whole (R4 search, summary).
const subsetted = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`

// Subset is the body of a document reduced to what _summary or _elements ask
// for. The bytes of what stays are copied as they are.
func (r *Repository) Subset(d store.Document, s search.Subset) ([]byte, error) {
	if s.All() {
		return d.Body, nil
	}
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return nil, err
	}
	part := reducer{d: r.o.Definitions, s: s, out: make([]byte, 0, len(d.Body))}
	part.object(doc.Root(), d.Ref.Type, true)
	if !part.dropped {
		return d.Body, nil
	}
	return part.out, nil
}

type reducer struct {
	d       *conformance.Definitions
	s       search.Subset
	out     []byte
	dropped bool
}

// object writes an object and says whether anything of it is left.
func (r *reducer) object(n rawjson.Node, typ string, root bool) bool {
	r.out = append(r.out, '{')
	first := true
	for m := range n.Members() {
		name := m.Name()
		element := r.element(typ, strings.TrimPrefix(name, "_"))
		if !r.wants(name, element, root) {
			r.dropped = true
			continue
		}
		start := len(r.out)
		if !first {
			r.out = append(r.out, ',')
		}
		r.out = append(append(append(r.out, '"'), m.RawName()...), `":`...)
		switch {
		case root && name == "meta":
			r.meta(m)
		case r.s.Summary == "true" && element != nil && len(element.Types) == 1 && strings.Contains(element.Types[0], "."):
			if !r.backbone(m, element.Types[0]) {
				r.out = r.out[:start]
				continue
			}
		default:
			r.out = append(r.out, m.Raw()...)
		}
		first = false
	}
	r.out = append(r.out, '}')
	return !first
}

// wants decides about a member. Below the root, ids and extensions belong to
// their element.
func (r *reducer) wants(name string, e *conformance.Element, root bool) bool {
	if !root && (name == "id" || name == "modifierExtension") {
		return true
	}
	return r.s.Wants(name, e)
}

func (r *reducer) element(typ, name string) *conformance.Element {
	if e, ok := r.d.Element(typ, name); ok {
		return e
	}
	if e, _, ok := r.d.ChoiceElement(typ, name); ok {
		return e
	}
	return nil
}

// backbone reduces the elements that a resource defines in place. What has
// nothing left goes: FHIR has no empty objects and arrays.
func (r *reducer) backbone(n rawjson.Node, typ string) bool {
	switch n.Kind() {
	case rawjson.KindArray:
		r.out = append(r.out, '[')
		some := false
		for el := range n.Elements() {
			start := len(r.out)
			if some {
				r.out = append(r.out, ',')
			}
			if r.backbone(el, typ) {
				some = true
			} else {
				r.out = r.out[:start]
			}
		}
		r.out = append(r.out, ']')
		return some
	case rawjson.KindObject:
		return r.object(n, typ, false)
	}
	r.out = append(r.out, n.Raw()...)
	return true
}

// meta adds the tag. Every stored resource has a meta with members.
func (r *reducer) meta(n rawjson.Node) {
	raw := n.Raw()
	if tags, ok := n.Member("tag"); ok && tags.Kind() == rawjson.KindArray && tags.Len() > 0 {
		at := tags.Offset() - n.Offset() + 1
		r.out = append(append(append(r.out, raw[:at]...), subsetted...), ',')
		r.out = append(r.out, raw[at:]...)
		return
	}
	r.out = append(append(append(r.out, `{"tag":[`...), subsetted...), `],`...)
	r.out = append(r.out, raw[1:]...)
}
