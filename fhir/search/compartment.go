package search

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Compartment is what belongs to one resource, or to several
// (https://hl7.org/fhir/R4/compartmentdefinition.html).
type Compartment struct {
	Type string
	// ID is the resource's; with "" and no Group, the compartments of all
	// resources of the type are meant.
	ID string
	// IDs, instead of ID, are several resources.
	IDs []string
	// Group is the id of a Group; the compartments of its members are meant.
	Group string
	// Care, when set, leaves out what is dated outside of a period of care.
	Care Care
}

// scope binds page tokens to the compartment.
func (c *Compartment) scope() string {
	return strings.Join([]string{"", c.Type, c.ID, c.Group, c.Care.Start, c.Care.End, strings.Join(c.IDs, ",")}, "\x00")
}

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
	inside := slices.DeleteFunc(slices.Clone(types), func(t string) bool { return !slices.Contains(all, t) })
	if len(inside) == 0 {
		return nil, outcome.BadRequest(outcome.CodeValue, "_type names no type that belongs to the compartment of a %s, as %s does not.", p.o.Compartment.Type, types[0])
	}
	return inside, nil
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
	var any store.Or
	if typ == c.Type {
		any = append(any, c.self(d, number))
	}
	for _, code := range definition.Params(typ) {
		if sp, ok := d.SearchParameter(typ, code); ok && Supported(sp) {
			any = append(any, c.referredBy(d, formKey(number, sp.Number, formReference)))
		}
	}
	return oneOf(any), len(any) > 0
}

// self selects the compartment's own resources.
func (c *Compartment) self(d *conformance.Definitions, number uint16) store.Clause {
	switch {
	case c.Group != "":
		return c.members(d)
	case len(c.IDs) > 0:
		return c.each(func(id string) store.Clause { return idIs(d, c.Type, number, id) })
	case c.ID == "":
		return exists(number)
	}
	return idIs(d, c.Type, number, c.ID)
}

// referredBy selects what refers to the compartment's resources by keys with
// a prefix.
func (c *Compartment) referredBy(d *conformance.Definitions, prefix store.Key) store.Clause {
	switch {
	case c.Group != "":
		number, _ := d.TypeNumber(c.Type)
		return store.Refers{Prefix: prefix, Query: store.And{exists(number), c.members(d)}}
	case len(c.IDs) > 0:
		return c.each(func(id string) store.Clause { return store.Exactly(prefix + store.Ref{Type: c.Type, ID: id}.String()) })
	case c.ID == "":
		return store.Prefix(prefix + c.Type + "/")
	}
	return store.Exactly(prefix + store.Ref{Type: c.Type, ID: c.ID}.String())
}

// members selects the members of the group.
func (c *Compartment) members(d *conformance.Definitions) store.Clause {
	number, _ := d.TypeNumber("Group")
	member, _ := d.SearchParameter("Group", "member") // R4 has it
	id, _ := d.SearchParameter("Group", "_id")
	return store.ReferredBy{
		Prefix: formKey(number, member.Number, formReference),
		Query:  store.Exactly(formKey(number, id.Number, formCode) + c.Group),
	}
}

func (c *Compartment) each(clause func(id string) store.Clause) store.Clause {
	any := make(store.Or, 0, len(c.IDs))
	for _, id := range c.IDs {
		any = append(any, clause(id))
	}
	return any
}

// idIs selects the resource of a type that has an id.
func idIs(d *conformance.Definitions, typ string, number uint16, id string) store.Clause {
	sp, _ := d.SearchParameter(typ, "_id") // every type has it
	return store.Exactly(formKey(number, sp.Number, formCode) + id)
}

// InCompartments are the ids of the resources of a compartment's type to whose
// compartments a resource with these sorted keys belongs.
func InCompartments(d *conformance.Definitions, compartment string, ref store.Ref, sorted []store.Key) []string {
	definition, ok := d.Compartment(compartment)
	number, known := d.TypeNumber(ref.Type)
	if !ok || !known {
		return nil
	}
	var ids []string
	if ref.Type == compartment {
		ids = append(ids, ref.ID)
	}
	for _, code := range definition.Params(ref.Type) {
		sp, ok := d.SearchParameter(ref.Type, code)
		if !ok || !Supported(sp) {
			continue
		}
		prefix := formKey(number, sp.Number, formReference) + compartment + "/"
		from, _ := slices.BinarySearch(sorted, prefix)
		for _, key := range sorted[from:] {
			if !strings.HasPrefix(key, prefix) {
				break
			}
			if id := key[len(prefix):]; !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// IDIs selects the resource of a type that has an id.
func IDIs(d *conformance.Definitions, ref store.Ref) (store.Clause, bool) {
	number, ok := d.TypeNumber(ref.Type)
	if !ok {
		return nil, false
	}
	return idIs(d, ref.Type, number, ref.ID), true
}
