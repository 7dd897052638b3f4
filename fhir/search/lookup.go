package search

import (
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/store"
)

// VersionKeys are the keys that depend on when a version is made.
func (x *Index) VersionKeys(typ string, lastUpdated time.Time) []store.Key {
	number, _ := x.definitions.TypeNumber(typ)
	sp, ok := x.definitions.SearchParameter(typ, "_lastUpdated")
	if !ok {
		return nil
	}
	e := emitter{prefix: appendParam(nil, number, sp.Number)}
	e.interval(interval{lastUpdated, lastUpdated.Add(time.Millisecond)})
	return e.keys()
}

// IDKeys are the keys of the id that a resource is stored under.
func (x *Index) IDKeys(ref store.Ref) []store.Key {
	number, _ := x.definitions.TypeNumber(ref.Type)
	sp, ok := x.definitions.SearchParameter(ref.Type, "_id")
	if !ok {
		return nil
	}
	e := emitter{prefix: appendParam(nil, number, sp.Number)}
	e.code("", ref.ID)
	return e.keys()
}

// Identifier is an Identifier's system and value.
type Identifier struct{ System, Value string }

// Identifiers selects the resources of a type that have any of these
// identifiers; nil when the type is not found by identifier.
func (x *Index) Identifiers(typ string, identifiers []Identifier) store.Clause {
	number, ok := x.definitions.TypeNumber(typ)
	if !ok {
		return nil
	}
	sp, ok := x.definitions.SearchParameter(typ, "identifier")
	if !ok {
		return nil
	}
	var any store.Or
	for _, id := range identifiers {
		any = append(any, store.Exactly(formKey(number, sp.Number, formSystem)+bounded(joined(id.System, id.Value))))
	}
	return any
}

// ReferringTo selects the resources that an Include would bring along in
// reverse for these documents.
func (x *Index) ReferringTo(inc Include, refs []store.Ref) store.Clause {
	number, _ := x.definitions.TypeNumber(inc.Source)
	params := []*conformance.SearchParameter{inc.Param}
	if inc.Param == nil {
		params = x.referenceParameters(inc.Source)
	}
	any := store.Or{}
	for _, sp := range params {
		for _, ref := range refs {
			if inc.Target == "" || inc.Target == ref.Type {
				any = append(any, store.Exactly(formKey(number, sp.Number, formReference)+ref.String()))
			}
		}
	}
	return any
}

func (x *Index) referenceParameters(typ string) []*conformance.SearchParameter {
	var all []*conformance.SearchParameter
	for _, sp := range x.definitions.SearchParameters(typ) {
		if sp.Type == conformance.SearchReference && Supported(sp) {
			all = append(all, sp)
		}
	}
	return all
}

// References are the local references that an Include selects in a resource.
func (x *Index) References(inc Include, typ string, resource rawjson.Node, base Base) ([]store.Ref, error) {
	if inc.Source != "" && inc.Source != typ {
		return nil, nil
	}
	t, err := x.of(typ)
	if err != nil {
		return nil, err
	}
	root, ok := fhirpath.NewResource(x.model, resource)
	if !ok {
		return nil, errNotResource
	}
	ex := x.extractors.Get().(*extractor)
	defer x.release(ex, resource)
	ex.limits(resource)
	var refs []store.Ref
	for _, p := range t.parameters {
		if p.sp.Type != conformance.SearchReference || inc.Param != nil && p.sp.Number != inc.Param.Number {
			continue
		}
		if ex.values, err = p.expression.AppendTo(ex.values[:0], &ex.ctx, root); err != nil {
			return nil, extraction(typ, p.sp, err)
		}
		for _, v := range ex.values {
			literal := member(v.Node(), "reference")
			if v.TypeName() != "Reference" {
				literal = v.Node().String()
			}
			if ref, ok := base.Local(literal); ok && (inc.Target == "" || inc.Target == ref.Type) {
				refs = append(refs, ref)
			}
		}
	}
	return refs, nil
}
