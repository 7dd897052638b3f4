package parameters

import (
	"slices"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// State is how far a parameter is.
type State string

// States of a parameter.
const (
	// Building: written resources get its keys, others do not have them yet.
	Building State = "building"
	// Ready: it can be searched by.
	Ready State = "ready"
	// Unusable: the SearchParameter was stored and cannot be used; Problem
	// says why.
	Unusable State = "unusable"
)

// Parameter is a search parameter that a tenant has defined.
type Parameter struct {
	// ID is that of the SearchParameter.
	ID string `json:"id"`
	Definition
	// Number is in keys; 0 for what is Unusable.
	Number uint16 `json:"number,omitempty"`
	State  State  `json:"state"`
	// Generation is the first of the record that extraction follows for it.
	Generation int64 `json:"generation"`
	// Problem says what keeps it from being Ready, beside time.
	Problem string `json:"problem,omitempty"`
}

// Record is what is kept of a tenant's search index, as one item.
type Record struct {
	// Generation grows with every change.
	Generation int64 `json:"generation"`
	// Form and Fingerprint are of the extraction (search.FormVersion,
	// search.Fingerprint) that made the keys of all resources; 0 and "" when
	// that is not known.
	Form        int    `json:"form"`
	Fingerprint string `json:"fingerprint"`
	// Rebuilding is the fingerprint by which keys are being made anew, and
	// RebuildingFrom the generation that ordered it. While it is set,
	// resources may have keys by which a search does not find them.
	Rebuilding     string `json:"rebuilding,omitempty"`
	RebuildingFrom int64  `json:"rebuildingFrom,omitempty"`
	// Next is the number that the next parameter gets.
	Next uint16 `json:"next"`
	// Parameters are the tenant's own, by the id of their resource.
	Parameters []Parameter `json:"parameters,omitempty"`
}

// maxParameters bounds the parameters that a tenant defines.
const maxParameters = 500

// Types are the resource types that a parameter is for, the concrete ones.
func (p *Parameter) Types(d *conformance.Definitions) []string {
	var all []string
	for _, t := range d.ResourceTypes() {
		if p.appliesTo(t, d) {
			all = append(all, t)
		}
	}
	return all
}

// builtIn reports whether d has a parameter of the code for one of the types.
func (p *Parameter) builtIn(d *conformance.Definitions) bool {
	for _, t := range append([]string{"Resource", "DomainResource"}, p.Types(d)...) {
		if _, ok := d.SearchParameter(t, p.Code); ok {
			return true
		}
	}
	return false
}

// covered reports whether types, nil for all, hold every one that the
// parameter is for.
func (p *Parameter) covered(types []string, d *conformance.Definitions) bool {
	if types == nil {
		return true
	}
	for _, t := range p.Types(d) {
		if !slices.Contains(types, t) {
			return false
		}
	}
	return true
}

// find is the parameter of a type and code, whatever its state.
func (r *Record) find(typ, code string, d *conformance.Definitions) *Parameter {
	if _, ok := d.TypeNumber(typ); !ok {
		typ = "Resource"
	}
	for i := range r.Parameters {
		if p := &r.Parameters[i]; p.Code == code && p.appliesTo(typ, d) {
			return p
		}
	}
	return nil
}

// definitions are d with those of the tenant's parameters that want takes. What
// d has under the same code goes first: a later version of the server may know
// a parameter that the tenant had defined for itself.
func (r *Record) definitions(d *conformance.Definitions, want func(*Parameter) bool) (*conformance.Definitions, error) {
	var all []*conformance.SearchParameter
	for i := range r.Parameters {
		p := &r.Parameters[i]
		if p.State == Unusable || !want(p) || p.builtIn(d) {
			continue
		}
		of, err := p.parameters(p.Number)
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	return d.With(all)
}
