package conformance

import (
	_ "embed"
	"sync"
)

//go:embed r4.tables
var r4Tables string

//go:embed numbers.txt
var assignedNumbers string

// R4 returns the definitions of FHIR R4 (4.0.1). They are decoded at the first
// call; all callers share them.
func R4() *Definitions { return r4() }

var r4 = sync.OnceValue(func() *Definitions {
	d, err := decode(r4Tables, assignedNumbers)
	if err != nil {
		// The tables are part of the program: this is a broken build, which
		// the package's tests find, not a condition to handle.
		panic("conformance: embedded tables: " + err.Error())
	}
	return d
})

// Definitions are the definitions of one FHIR release. They are read-only and
// safe for concurrent use; so is everything their methods return.
type Definitions struct {
	release string

	types         map[string]*Type
	resourceTypes []string // concrete, sorted

	typeNumbers map[string]uint16
	typeNames   []string // by number

	parameters         []*SearchParameter            // every (parameter, base), by URL then base
	parametersByURL    map[string][]*SearchParameter // one for each base
	parametersByNumber map[uint16][]*SearchParameter
	searchable         map[string]*searchable // by resource type

	compartments map[string]*CompartmentDefinition
	operations   []*OperationDefinition
	valueSets    map[string]*ValueSet
}

// Release returns the FHIR version of the definitions: "4.0.1".
func (d *Definitions) Release() string { return d.release }

// ResourceTypes returns the names of the concrete resource types, sorted
// (https://hl7.org/fhir/R4/resourcelist.html). Resource and DomainResource are
// abstract and not among them.
func (d *Definitions) ResourceTypes() []string { return d.resourceTypes }

// IsResourceType reports whether name is a concrete resource type. Names are
// case-sensitive (https://hl7.org/fhir/R4/http.html#general).
func (d *Definitions) IsResourceType(name string) bool {
	t, ok := d.types[name]
	return ok && t.Kind == KindResource && !t.Abstract
}

// TypeNumber returns the number of a resource type in stored index keys. The
// abstract types Resource and DomainResource have one too. A number is never 0
// and never changes from one build to the next.
func (d *Definitions) TypeNumber(name string) (uint16, bool) {
	n, ok := d.typeNumbers[name]
	return n, ok
}

// TypeName returns the resource type that has the number.
func (d *Definitions) TypeName(number uint16) (string, bool) {
	if int(number) >= len(d.typeNames) || d.typeNames[number] == "" {
		return "", false
	}
	return d.typeNames[number], true
}
