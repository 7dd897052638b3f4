package search

import (
	"fmt"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/store"
)

// Index turns resources into keys. It is safe for concurrent use.
type Index struct {
	definitions *conformance.Definitions
	model       fhirpath.Model

	mu    sync.Mutex
	types map[string]*typeIndex
}

// typeIndex is what is extracted from one resource type.
type typeIndex struct {
	number     uint16
	parameters []indexed
}

type indexed struct {
	sp         *conformance.SearchParameter
	expression *fhirpath.Expression
}

// NewIndex makes an index that extracts every search parameter of the
// definitions. Expressions are compiled when their type is first met.
func NewIndex(d *conformance.Definitions, model fhirpath.Model) *Index {
	return &Index{definitions: d, model: model, types: map[string]*typeIndex{}}
}

func (x *Index) of(typ string) (*typeIndex, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if t, ok := x.types[typ]; ok {
		return t, nil
	}
	number, ok := x.definitions.TypeNumber(typ)
	if !ok {
		return nil, fmt.Errorf("search: %q is no resource type", typ)
	}
	t := &typeIndex{number: number}
	for _, sp := range x.definitions.SearchParameters(typ) {
		if !Supported(sp) || sp.Code == "_lastUpdated" || sp.Code == "_id" {
			continue
		}
		e, err := fhirpath.Compile(sp.Expression)
		if err != nil {
			return nil, fmt.Errorf("search: parameter %s of %s: %w", sp.Code, typ, err)
		}
		t.parameters = append(t.parameters, indexed{sp, e})
	}
	x.types[typ] = t
	return t, nil
}

// Keys extracts the keys of a resource. Those that depend on the version are
// made by VersionKeys when it is known.
func (x *Index) Keys(typ string, resource rawjson.Node, base Base) ([]store.Key, error) {
	t, err := x.of(typ)
	if err != nil {
		return nil, err
	}
	root, ok := fhirpath.NewResource(x.model, resource)
	if !ok {
		return nil, fmt.Errorf("search: not a resource")
	}
	ctx := &fhirpath.Context{Model: x.model}
	e := emitter{typ: t.number, base: base, keys: make([]store.Key, 0, 64)}
	e.keys = append(e.keys, paramKey(t.number, ownExists))
	var values fhirpath.Collection
	for _, p := range t.parameters {
		if values, err = p.expression.AppendTo(values[:0], ctx, root); err != nil {
			return nil, fmt.Errorf("search: parameter %s of %s: %w", p.sp.Code, typ, err)
		}
		e.param = p.sp.Number
		for _, v := range values {
			e.fhirpath(p.sp.Type, v)
		}
	}
	return store.SortKeys(e.keys), nil
}

// fhirpath adds the keys of a value, which is an element of the resource or,
// for the few expressions that compute (Patient.deceased.exists()), a boolean.
func (e *emitter) fhirpath(t conformance.SearchType, v fhirpath.Value) {
	if b, ok := v.AsBoolean(); ok && !v.Node().Exists() {
		s := "false"
		if b {
			s = "true"
		}
		e.code("", s)
		return
	}
	if n := v.Node(); n.Exists() {
		e.value(t, v.TypeName(), n)
	}
}

// References are the local references that a parameter's expression selects,
// for _include.
func (x *Index) References(sp *conformance.SearchParameter, typ string, resource rawjson.Node, base Base) ([]store.Ref, error) {
	t, err := x.of(typ)
	if err != nil {
		return nil, err
	}
	root, ok := fhirpath.NewResource(x.model, resource)
	if !ok {
		return nil, fmt.Errorf("search: not a resource")
	}
	var refs []store.Ref
	for _, p := range t.parameters {
		if p.sp.Number != sp.Number {
			continue
		}
		values, err := p.expression.Evaluate(&fhirpath.Context{Model: x.model}, root)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			if ref, ok := base.Local(member(v.Node(), "reference")); ok {
				refs = append(refs, ref)
			}
		}
	}
	return refs, nil
}

// VersionKeys are the keys that depend on when a version is made.
func (x *Index) VersionKeys(typ string, lastUpdated time.Time) []store.Key {
	number, _ := x.definitions.TypeNumber(typ)
	sp, ok := x.definitions.SearchParameter(typ, "_lastUpdated")
	if !ok {
		return nil
	}
	e := emitter{typ: number, param: sp.Number}
	e.interval(interval{lastUpdated, lastUpdated.Add(time.Millisecond)})
	return e.keys
}

// IDKeys are the keys of the id that a resource is stored under.
func (x *Index) IDKeys(ref store.Ref) []store.Key {
	number, _ := x.definitions.TypeNumber(ref.Type)
	sp, ok := x.definitions.SearchParameter(ref.Type, "_id")
	if !ok {
		return nil
	}
	e := emitter{typ: number, param: sp.Number}
	e.code("", ref.ID)
	return e.keys
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

// ReferringTo selects the resources of a type whose reference parameter leads
// to any of these documents.
func (x *Index) ReferringTo(typ string, sp *conformance.SearchParameter, documents []store.Document) store.Clause {
	number, _ := x.definitions.TypeNumber(typ)
	var any store.Or
	for _, d := range documents {
		any = append(any, store.Exactly(formKey(number, sp.Number, formReference)+d.Ref.String()))
	}
	return any
}
