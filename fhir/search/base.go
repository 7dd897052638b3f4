package search

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// Base tells references to resources of this server from all others.
type Base struct {
	Definitions *conformance.Definitions
	// URL is the absolute base of the tenant's FHIR service without a
	// trailing slash; "" when the server does not know it.
	URL string
	// FullText says that the words of resources are keys, for _text and
	// _content.
	FullText bool
}

// Local reads a literal reference: "Type/id", "Type/id/_history/1" or either
// below the base URL. A version is left out, since searches by reference go by
// resource.
func (b Base) Local(reference string) (store.Ref, bool) {
	if b.URL != "" && len(reference) > len(b.URL) && strings.HasPrefix(reference, b.URL) && reference[len(b.URL)] == '/' {
		reference = reference[len(b.URL)+1:]
	}
	typ, id, ok := strings.Cut(reference, "/")
	if !ok || !b.Definitions.IsResourceType(typ) {
		return store.Ref{}, false
	}
	id, _, _ = strings.Cut(id, "/_history/")
	if !ValidID(id) {
		return store.Ref{}, false
	}
	return store.Ref{Type: typ, ID: id}, true
}

// ValidID reports whether s is a FHIR id: 1 to 64 of A-Z a-z 0-9 - .
func ValidID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}
