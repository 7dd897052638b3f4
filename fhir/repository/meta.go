package repository

import (
	"bytes"
	"context"
	"net/http"
	"slices"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// labels are the profiles, tags and security labels of a Meta: the sets that
// $meta, $meta-add and $meta-delete are about. Each is the JSON of the values
// by their identity, in order.
type labels struct{ profile, security, tag labelSet }

type labelSet struct {
	order []label
	known map[label]int
	text  [][]byte
}

// label identifies a profile by its URL, a tag or security label by its system
// and code.
type label struct{ system, code string }

func (s *labelSet) add(l label, text []byte) bool {
	if _, twice := s.known[l]; twice {
		return false
	}
	if s.known == nil {
		s.known = map[label]int{}
	}
	s.known[l] = len(s.order)
	s.order, s.text = append(s.order, l), append(s.text, text)
	return true
}

// sets are the sets by the names of their elements, in the order of Meta.
func (l *labels) sets() [3]struct {
	name string
	set  *labelSet
} {
	return [3]struct {
		name string
		set  *labelSet
	}{{"profile", &l.profile}, {"security", &l.security}, {"tag", &l.tag}}
}

// addAll adds what a Meta has and says whether that was anything new.
func (l *labels) addAll(meta rawjson.Node) bool {
	added := false
	for _, s := range l.sets() {
		list, _ := meta.Member(s.name)
		for n := range list.Elements() {
			if n.Kind() != rawjson.KindNull {
				added = s.set.add(labelOf(n), n.Raw()) || added
			}
		}
	}
	return added
}

func labelOf(n rawjson.Node) label {
	if n.Kind() == rawjson.KindString {
		return label{code: n.String()}
	}
	system, _ := n.Member("system")
	code, _ := n.Member("code")
	return label{system.String(), code.String()}
}

// array is the JSON of a set, less some.
func (s *labelSet) array(without *labelSet) []byte {
	var kept [][]byte
	for i, l := range s.order {
		if _, gone := without.known[l]; !gone {
			kept = append(kept, s.text[i])
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return append(append([]byte{'['}, bytes.Join(kept, []byte{','})...), ']')
}

// MetaOf is the Meta of a resource; an empty object when it has none.
func MetaOf(resource []byte) ([]byte, error) {
	doc, err := rawjson.Parse(resource, nil)
	if err != nil {
		return nil, err
	}
	if meta, ok := doc.Root().Member("meta"); ok {
		return meta.Raw(), nil
	}
	return []byte("{}"), nil
}

// AddMeta adds the profiles, tags and security labels of a Meta to a resource
// (https://hl7.org/fhir/R4/resource-operation-meta-add.html). What is there
// already stays as it is; if nothing is new, no version is made.
func (r *Repository) AddMeta(ctx context.Context, t store.Tenant, ref store.Ref, meta rawjson.Node, version int64) (store.Document, error) {
	return r.modify(ctx, t, ref, version, func(resource []byte) ([]byte, error) {
		return relabel(resource, func(l *labels) (none labels, changed bool) { return none, l.addAll(meta) })
	})
}

// DeleteMeta takes the profiles, tags and security labels of a Meta from a
// resource (https://hl7.org/fhir/R4/resource-operation-meta-delete.html).
func (r *Repository) DeleteMeta(ctx context.Context, t store.Tenant, ref store.Ref, meta rawjson.Node, version int64) (store.Document, error) {
	return r.modify(ctx, t, ref, version, func(resource []byte) ([]byte, error) {
		return relabel(resource, func(l *labels) (gone labels, changed bool) {
			gone.addAll(meta)
			for i, s := range l.sets() {
				for known := range gone.sets()[i].set.known {
					_, is := s.set.known[known]
					changed = changed || is
				}
			}
			return gone, changed
		})
	})
}

// relabel changes the labels of a resource.
func relabel(resource []byte, change func(l *labels) (gone labels, changed bool)) ([]byte, error) {
	doc, err := rawjson.Parse(resource, nil)
	if err != nil {
		return nil, err
	}
	meta, _ := doc.Root().Member("meta")
	var l labels
	l.addAll(meta)
	gone, changed := change(&l)
	if !changed {
		return nil, errUnchanged
	}
	var others []rawjson.Node
	for m := range meta.Members() {
		// An underscore goes with its values, whose places change.
		if name := m.Name(); !slices.Contains([]string{"profile", "_profile", "security", "tag"}, name) {
			others = append(others, m)
		}
	}
	return doc.AppendEdited(nil, []rawjson.Edit{{Name: "meta", Value: l.object(&gone, others)}})
}

// object is the JSON of a Meta with these labels, less some, and others of its
// members.
func (l *labels) object(without *labels, others []rawjson.Node) []byte {
	out := []byte{'{'}
	member := func(name string, text []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), name...), `":`...), text...)
	}
	for _, m := range others {
		member(m.Name(), m.Raw())
	}
	for i, s := range l.sets() {
		if text := s.set.array(without.sets()[i].set); text != nil {
			member(s.name, text)
		}
	}
	return append(out, '}')
}

// maxLabels is the most labels that a summary of them gathers.
const maxLabels = 5000

// MetaInUse is a Meta with all profiles, tags and security labels that the
// resources of a type have, or all resources with typ ""
// (https://hl7.org/fhir/R4/resource-operation-meta.html). It costs one search
// for each label, not for each resource.
func (r *Repository) MetaInUse(ctx context.Context, t store.Tenant, typ string) ([]byte, error) {
	types := []string{typ}
	if typ == "" {
		types = r.o.Definitions.ResourceTypes()
	}
	var l labels
	for _, typ := range types {
		for _, parameter := range [3]string{"_profile", "_security", "_tag"} {
			if err := r.labelsBy(ctx, t, typ, parameter, &l); err != nil {
				return nil, err
			}
		}
	}
	return l.object(&labels{}, nil), nil
}

// labelsBy leaps from one value of a parameter to the next: the first resource
// in the order of the keys has the least of them, and the search goes on
// behind that.
func (r *Repository) labelsBy(ctx context.Context, t store.Tenant, typ, parameter string, l *labels) error {
	all, ok := r.o.Index.ValueRange(typ, parameter)
	if !ok {
		return nil
	}
	for range maxLabels {
		page, err := r.o.Store.Search(ctx, t, store.Query{Where: all, Sort: []store.Sort{{Range: all}}, Limit: 1})
		if err != nil || len(page.Documents) == 0 {
			return err
		}
		doc, err := rawjson.Parse(page.Documents[0].Body, nil)
		if err != nil {
			return err
		}
		meta, _ := doc.Root().Member("meta")
		l.addAll(meta)
		if page.Next == nil || page.Next.Keys[0] == nil {
			return nil // no other resource has a label behind this one's least
		}
		all.From = *page.Next.Keys[0] + "\x00"
	}
	return outcome.New(http.StatusUnprocessableEntity, outcome.CodeTooCostly, "There are more than %d labels in use. Ask for one type, or search by them.", maxLabels)
}
