package conformance

// SearchType is the type of a search parameter
// (https://hl7.org/fhir/R4/search.html#ptypes).
type SearchType string

// The search parameter types.
const (
	SearchNumber    SearchType = "number"
	SearchDate      SearchType = "date"
	SearchString    SearchType = "string"
	SearchToken     SearchType = "token"
	SearchReference SearchType = "reference"
	SearchComposite SearchType = "composite"
	SearchQuantity  SearchType = "quantity"
	SearchURI       SearchType = "uri"
	SearchSpecial   SearchType = "special"
)

// FirstParameterNumber is the lowest number of a search parameter. The numbers
// from 1 up to it are the server's own, for index keys that no search parameter
// stands for.
const FirstParameterNumber = 100

// SearchParameter is a search parameter as it applies to one base type
// (https://hl7.org/fhir/R4/searchparameter.html). HL7 defines parameters such
// as clinical-code for many types at once; each has its own SearchParameter
// here, with the same URL and Number.
type SearchParameter struct {
	Number uint16 // in stored index keys; never changes
	URL    string
	Code   string // the name in the query string
	Base   string // "Patient"; "Resource" or "DomainResource" where inherited
	Type   SearchType

	// Expression is the FHIRPath of Base only: the parts of the published union
	// that start with it. It is "" for the parameters that are no path: _text,
	// _content, _query.
	Expression string
	// Usage is normal, phonetic or nearby (xpathUsage).
	Usage string

	Targets     []string    // resource types of a reference parameter, sorted
	Components  []Component // of a composite parameter
	Comparators []string    // prefixes it supports: eq, ne, gt, ...
	Modifiers   []string    // empty in R4's own parameters: the type decides
	Chains      []string    // empty in R4's own parameters: any chain

	MultipleOr  bool // several values may be given, separated by commas
	MultipleAnd bool // the parameter may be repeated
}

// Component is one part of a composite parameter
// (https://hl7.org/fhir/R4/search.html#composite).
type Component struct {
	Definition string     // URL of the component's own search parameter
	Expression string     // FHIRPath, relative to the composite's Expression
	Code       string     // of the defining parameter
	Number     uint16     // of the defining parameter
	Type       SearchType // of the defining parameter
}

// searchable is what a resource type can be searched by.
type searchable struct {
	sorted []*SearchParameter
	byCode map[string]*SearchParameter
}

// SearchParameters returns the search parameters of a concrete resource type,
// those of Resource and DomainResource included, sorted by code. It returns nil
// for an unknown type.
func (d *Definitions) SearchParameters(resourceType string) []*SearchParameter {
	s, ok := d.searchable[resourceType]
	if !ok {
		return nil
	}
	return s.sorted
}

// SearchParameter returns the parameter that a query string names: ("Patient",
// "birthdate"), ("Patient", "_id"). The abstract types Resource and
// DomainResource have their own parameters only: what a search across all types
// may use (https://hl7.org/fhir/R4/http.html#search).
func (d *Definitions) SearchParameter(resourceType, code string) (*SearchParameter, bool) {
	s, ok := d.searchable[resourceType]
	if !ok {
		return nil, false
	}
	p, ok := s.byCode[code]
	return p, ok
}

// SearchParametersByURL returns the parameters with that canonical URL, one for
// each base type, sorted by base.
func (d *Definitions) SearchParametersByURL(url string) []*SearchParameter {
	return d.parametersByURL[url]
}

// SearchParametersByNumber returns the parameters with that number, one for
// each base type, sorted by base.
func (d *Definitions) SearchParametersByNumber(number uint16) []*SearchParameter {
	return d.parametersByNumber[number]
}
