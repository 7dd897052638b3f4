package conformance

import "slices"

// CompartmentDefinition says which resources belong to a compartment
// (https://hl7.org/fhir/R4/compartmentdefinition.html).
type CompartmentDefinition struct {
	Code string // the resource type the compartment is about: "Patient"
	URL  string

	params map[string][]string
	types  []string
}

// Params returns the codes of the search parameters by which a resource of the
// type belongs to the compartment: any of them referring to the compartment's
// resource is enough. It is empty where the type has no place in it. "{def}" is
// R4's word for the resource itself.
func (c *CompartmentDefinition) Params(resourceType string) []string { return c.params[resourceType] }

// ResourceTypes returns the types that have at least one parameter, sorted.
func (c *CompartmentDefinition) ResourceTypes() []string { return c.types }

// Compartment returns the compartment of that code: Device, Encounter, Patient,
// Practitioner or RelatedPerson.
func (d *Definitions) Compartment(code string) (*CompartmentDefinition, bool) {
	c, ok := d.compartments[code]
	return c, ok
}

// OperationDefinition is an operation of the specification
// (https://hl7.org/fhir/R4/operationslist.html).
type OperationDefinition struct {
	Code      string // without the $
	URL       string
	Resources []string // the types it is defined on; Resource means any
	System    bool     // may be invoked at the base URL
	Type      bool     // may be invoked on a type
	Instance  bool     // may be invoked on an instance
	// AffectsState is the definition's affectsState. None of HL7's R4
	// definitions states it, so false says nothing about, for instance,
	// meta-add.
	AffectsState bool
}

// Operations returns the operations, sorted by URL.
func (d *Definitions) Operations() []*OperationDefinition { return d.operations }

// ValueSet is a value set that a required binding names, with all its codes.
type ValueSet struct {
	URL string

	systems []string
	codes   map[string]map[string]struct{} // system → codes
	any     map[string]struct{}            // codes of any system
}

// Systems returns the code systems that the value set draws from, sorted.
func (v *ValueSet) Systems() []string { return v.systems }

// Contains reports whether the value set has the code of the system.
func (v *ValueSet) Contains(system, code string) bool {
	_, ok := v.codes[system][code]
	return ok
}

// ContainsCode reports whether the value set has the code in any system, which
// is the question for an element of type code: its system is implied by the
// binding (https://hl7.org/fhir/R4/terminologies.html#code).
func (v *ValueSet) ContainsCode(code string) bool {
	_, ok := v.any[code]
	return ok
}

// Codes returns the codes of one system, sorted.
func (v *ValueSet) Codes(system string) []string {
	codes := make([]string, 0, len(v.codes[system]))
	for code := range v.codes[system] {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// ValueSet returns a value set by its canonical URL without version. Only those
// are known that a required binding names and whose codes the specification
// enumerates; of UCUM, media types, currencies and LOINC answer lists it does
// not.
func (d *Definitions) ValueSet(url string) (*ValueSet, bool) {
	v, ok := d.valueSets[url]
	return v, ok
}
