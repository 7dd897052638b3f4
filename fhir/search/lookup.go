package search

import (
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
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

// Referring selects the resources of all types that refer to a resource in an
// element that a search parameter of R4 knows.
func (x *Index) Referring(ref store.Ref) store.Clause {
	var any store.Or
	for _, typ := range x.definitions.ResourceTypes() {
		number, ok := x.definitions.TypeNumber(typ)
		if !ok {
			continue
		}
		for _, sp := range x.definitions.SearchParameters(typ) {
			if sp.Type == conformance.SearchReference && Supported(sp) &&
				(len(sp.Targets) == 0 || slices.Contains(sp.Targets, ref.Type)) {
				any = append(any, store.Exactly(formKey(number, sp.Number, formReference)+ref.String()))
			}
		}
	}
	return any
}

// Canonical selects the resources of a type that have a canonical URL.
func (x *Index) Canonical(typ, url string) store.Clause {
	number, ok := x.definitions.TypeNumber(typ)
	sp, known := x.definitions.SearchParameter(typ, "url")
	if !ok || !known {
		return store.Or{}
	}
	return store.Exactly(formKey(number, sp.Number, formURL) + bounded(url))
}
