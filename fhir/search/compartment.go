package search

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Compartment is what belongs to one resource
// (https://hl7.org/fhir/R4/compartmentdefinition.html).
type Compartment struct{ Type, ID string }

// several are the types of a search that names none in its URL.
func (p *parser) several(params []Parameter) ([]string, error) {
	types := []string{}
	for _, param := range params {
		if param.Name != "_type" {
			continue
		}
		for _, t := range strings.Split(param.Value, ",") {
			if !p.o.Base.Definitions.IsResourceType(t) {
				return nil, outcome.BadRequest(outcome.CodeValue, "_type names %q, which is not a FHIR R4 resource type.", printable(t))
			}
			if !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	p.named = len(types) > 0
	if p.o.Compartment == nil {
		if len(types) == 0 {
			return p.o.Base.Definitions.ResourceTypes(), nil
		}
		return types, nil
	}
	definition, ok := p.o.Base.Definitions.Compartment(p.o.Compartment.Type)
	if !ok {
		return nil, p.noCompartment()
	}
	all := definition.ResourceTypes()
	if !slices.Contains(all, p.o.Compartment.Type) {
		all = append(all, p.o.Compartment.Type)
	}
	if len(types) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(types, func(t string) bool { return !slices.Contains(all, t) }), nil
}

func (p *parser) noCompartment() error {
	return outcome.New(404, outcome.CodeNotSupported, "A %s has no compartment.", p.o.Compartment.Type)
}

// inside is the clause of belonging to the compartment: any of the type's
// parameters that the compartment's definition names refers to its resource,
// or it is that resource.
func (p *parser) inside(typ string, number uint16) (store.Clause, bool) {
	d, c := p.o.Base.Definitions, p.o.Compartment
	definition, ok := d.Compartment(c.Type)
	if !ok {
		return nil, false
	}
	ref := store.Ref{Type: c.Type, ID: c.ID}
	var any store.Or
	if typ == c.Type {
		if sp, ok := d.SearchParameter(typ, "_id"); ok {
			any = append(any, store.Exactly(formKey(number, sp.Number, formCode)+c.ID))
		}
	}
	for _, code := range definition.Params(typ) {
		if sp, ok := d.SearchParameter(typ, code); ok && Supported(sp) {
			any = append(any, store.Exactly(formKey(number, sp.Number, formReference)+ref.String()))
		}
	}
	return oneOf(any), len(any) > 0
}
