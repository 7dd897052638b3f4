package search

import (
	"slices"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Hierarchies (R4 search, searching hierarchies) are made by references from a
// resource to one of its own type that it is part of. R4 names these elements
// partOf or parent, and their search parameters after them.
var hierarchical = []string{"partof", "part-of", "parent"}

// maxHierarchy is the most resources above or below those that a search names.
const maxHierarchy = 1000

// hierarchy is the parameter by which resources of a type are part of each
// other.
func hierarchy(d *conformance.Definitions, typ string) (*conformance.SearchParameter, bool) {
	for _, code := range hierarchical {
		sp, ok := d.SearchParameter(typ, code)
		if ok && sp.Type == conformance.SearchReference && slices.Contains(sp.Targets, typ) {
			return sp, true
		}
	}
	return nil, false
}

// relatives: :above and :below of a reference: to the resource named, or to any
// that it is part of, or that is part of it. What these are is looked up now.
func (f field) relatives(value string) (store.Clause, error) {
	v := unescape(value)
	ref, local := f.p.o.Base.Local(v)
	if !local && !ValidID(v) {
		if f.modifier == "below" {
			return f.versionsBelow(value)
		}
		return nil, f.wrong(":above takes an id or Type/id")
	}
	targets := f.p.targets(f.sp)
	if local {
		if !slices.Contains(targets, ref.Type) {
			return nil, f.wrong("it does not refer to " + ref.Type)
		}
		targets = []string{ref.Type}
	} else {
		ref.ID = v
	}
	var all store.Or
	for _, t := range targets {
		parent, ok := hierarchy(f.p.o.Base.Definitions, t)
		if !ok {
			continue
		}
		found, err := f.lineage(parent, store.Ref{Type: t, ID: ref.ID})
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			all = append(all, store.Exactly(f.key(formReference)+r.String()))
		}
	}
	if len(all) == 0 || f.p.o.Matching == nil {
		return nil, f.badModifier()
	}
	return oneOf(all), nil
}

// lineage is a resource and those above or below it, level by level.
func (f field) lineage(parent *conformance.SearchParameter, of store.Ref) ([]store.Ref, error) {
	d := f.p.o.Base.Definitions
	number, _ := d.TypeNumber(of.Type)
	id, ok := d.SearchParameter(of.Type, "_id")
	if !ok || f.p.o.Matching == nil {
		return nil, nil
	}
	prefix := formKey(number, parent.Number, formReference)
	all := []store.Ref{of}
	seen := map[store.Ref]bool{of: true}
	for level := all; len(level) > 0; {
		var next store.Or
		for _, r := range level {
			if f.modifier == "below" {
				next = append(next, store.Exactly(prefix+r.String()))
			} else {
				next = append(next, store.ReferredBy{Prefix: prefix, Query: store.Exactly(formKey(number, id.Number, formCode) + r.ID)})
			}
		}
		documents, err := f.p.o.Matching(store.And{exists(number), next}, maxHierarchy+1)
		if err != nil {
			return nil, err
		}
		level = nil
		for _, doc := range documents {
			if !seen[doc.Ref] {
				seen[doc.Ref] = true
				level = append(level, doc.Ref)
			}
		}
		all = append(all, level...)
		if f.p.relatives += len(level); f.p.relatives > maxHierarchy || len(documents) > maxHierarchy {
			return nil, outcome.BadRequest(outcome.CodeTooCostly, "More than %d resources are :%s what the search parameter %s names.", maxHierarchy, f.modifier, f.sp.Code)
		}
	}
	return all, nil
}
