package search

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// maxDepth is how many chains may hang on each other.
const maxDepth = 8

// deeper counts a chain; surface must follow.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return outcome.BadRequest(outcome.CodeTooCostly, "The search chains more than %d references.", maxDepth)
	}
	return nil
}

func (p *parser) surface() { p.depth-- }

// chain: R4 search, chained parameters. "patient.name=x" selects what refers to a
// Patient that name=x selects.
func (p *parser) chain(number uint16, sp *conformance.SearchParameter, target, rest, value string) (store.Clause, error) {
	return p.through(number, sp, target, func(t string, tn uint16) (store.Clause, error) {
		return p.criterion(t, tn, rest, value)
	})
}

// through selects what refers, by a parameter, to what inner selects of the
// target's type. Where the reference may lead to several types, those that
// know the rest of the chain are asked.
func (p *parser) through(number uint16, sp *conformance.SearchParameter, target string, inner func(typ string, number uint16) (store.Clause, error)) (store.Clause, error) {
	defer p.surface()
	if err := p.deeper(); err != nil {
		return nil, err
	}
	if sp.Type != conformance.SearchReference {
		return nil, unsupported(outcome.BadRequest(outcome.CodeValue, "%s is not a reference parameter, so nothing can be chained to it.", sp.Code))
	}
	if p.onlyCanonicals(sp) {
		return nil, unsupported(outcome.BadRequest(outcome.CodeNotSupported, "%s refers by canonical URL, which a chain cannot follow here. Search for the URL.", sp.Code))
	}
	targets := p.targets(sp)
	if target != "" {
		if !slices.Contains(targets, target) {
			return nil, outcome.BadRequest(outcome.CodeValue, "%s does not refer to %s.", sp.Code, printable(target))
		}
		targets = []string{target}
	}
	var any store.Or
	var firstErr error
	for _, t := range targets {
		tn, ok := p.o.Base.Definitions.TypeNumber(t)
		if !ok {
			continue
		}
		if err := p.spend(1); err != nil {
			return nil, err
		}
		c, err := inner(t, tn)
		if err != nil {
			if !ignorable(err) || target != "" {
				return nil, err
			}
			if firstErr == nil {
				firstErr = err
			}
			continue
		}
		query := lean(store.And{exists(tn), c}, tn)
		any = append(any, store.Refers{Prefix: formKey(number, sp.Number, formReference), Query: query})
		if inside, ok := under(formKey(number, sp.Number, formContained), query); ok {
			any = append(any, inside)
		}
	}
	if len(any) == 0 {
		return nil, firstErr
	}
	return oneOf(any), nil
}

// has: R4 search, reverse chaining. "_has:Observation:patient:code=x" selects what
// an Observation with code=x refers to as its patient.
func (p *parser) has(typ, rest, value string) (store.Clause, error) {
	return p.hasThen(typ, rest, func(source string, number uint16, name string) (store.Clause, error) {
		return p.criterion(source, number, name, value)
	})
}

// hasThen reads "Type:reference:rest" and selects what the resources that
// inner selects by the rest refer to.
func (p *parser) hasThen(typ, rest string, inner func(source string, number uint16, rest string) (store.Clause, error)) (store.Clause, error) {
	defer p.surface()
	if err := p.deeper(); err != nil {
		return nil, err
	}
	parts := strings.SplitN(rest, ":", 3)
	if len(parts) != 3 {
		return nil, outcome.BadRequest(outcome.CodeValue, "_has must be written _has:Type:reference:parameter=value.")
	}
	number, ok := p.o.Base.Definitions.TypeNumber(parts[0])
	if !ok {
		return nil, outcome.BadRequest(outcome.CodeValue, "_has names %s, which is not a resource type.", printable(parts[0]))
	}
	sp, ok := p.o.Base.Definitions.SearchParameter(parts[0], parts[1])
	if !ok {
		return nil, p.unknown(parts[0], "_has", parts[1])
	}
	if sp.Type != conformance.SearchReference {
		return nil, outcome.BadRequest(outcome.CodeValue, "_has names %s, which is not a reference parameter of %s.", sp.Code, parts[0])
	}
	if !slices.Contains(p.targets(sp), typ) {
		return nil, unsupported(outcome.BadRequest(outcome.CodeValue, "_has: %s of %s does not refer to %s.", sp.Code, parts[0], typ))
	}
	c, err := inner(parts[0], number, parts[2])
	if err != nil {
		return nil, err
	}
	return store.ReferredBy{
		Prefix: formKey(number, sp.Number, formReference),
		Query:  lean(store.And{exists(number), c}, number),
	}, nil
}

// list: R4 search, _list: what the entries of a List refer to.
func (p *parser) list(typ, value string) (store.Clause, error) {
	if strings.HasPrefix(value, "$") {
		return nil, outcome.BadRequest(outcome.CodeNotSupported, "_list takes the id of a List here: this server has no functional lists, such as $current-problems.")
	}
	return p.has(typ, "List:item:_id", strings.TrimPrefix(value, "List/"))
}

// targets are the types that a reference parameter may lead to.
func (p *parser) targets(sp *conformance.SearchParameter) []string {
	if len(sp.Targets) == 0 || slices.Contains(sp.Targets, "Resource") {
		return p.o.Base.Definitions.ResourceTypes()
	}
	return sp.Targets
}

// onlyReferences reports whether a parameter's elements are References, as
// far as its expression tells: a plain path to one. Others may be canonicals.
func (p *parser) onlyReferences(sp *conformance.SearchParameter) bool {
	typ := ""
	for i, name := range strings.Split(strings.TrimSuffix(sp.Expression, ".where(resolve() is Patient)"), ".") {
		if i == 0 {
			typ = name
			continue
		}
		element, ok := p.o.Base.Definitions.Element(typ, name)
		if !ok || len(element.Types) != 1 {
			return false
		}
		typ = element.Types[0]
	}
	return typ == "Reference"
}

// onlyCanonicals reports whether a parameter's elements are canonicals, as far
// as its expression tells: plain paths to them.
func (p *parser) onlyCanonicals(sp *conformance.SearchParameter) bool {
	found := false
	for element := range p.leads(sp) {
		if found = element.Types[0] == "canonical"; !found {
			return false
		}
	}
	return found
}
