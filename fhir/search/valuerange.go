package search

import (
	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// ValueRange holds, for a token or uri parameter of a type, one key for each
// value that a resource has: of a token with its system.
func (x *Index) ValueRange(typ, parameter string) (store.Range, bool) {
	number, known := x.definitions.TypeNumber(typ)
	sp, ok := x.definitions.SearchParameter(typ, parameter)
	if !known || !ok {
		return store.Range{}, false
	}
	switch sp.Type {
	case conformance.SearchToken:
		return store.Prefix(formKey(number, sp.Number, formSystem)), true
	case conformance.SearchURI:
		return store.Prefix(formKey(number, sp.Number, formURL)), true
	}
	return store.Range{}, false
}
