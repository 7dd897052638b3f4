package search

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Branch is the part of a search for several types that is for one of them.
//
// Its sort keys begin with the numbers of its type and parameter. Behind these
// the keys of all branches are comparable: they are values of one form. A
// common key is a sort key without those numbers; a place in the order of all
// branches is the common keys of a document and its number.
type Branch struct {
	Type  string
	Where store.Clause
	Sort  []store.Sort
}

// numbersLength is how many bytes of a key number the type and the parameter.
const numbersLength = 4

// Place is the place of a document of this branch in the order of all.
func (b Branch) Place(c store.Cursor) store.Cursor {
	common := store.Cursor{Number: c.Number, Keys: make([]*store.Key, len(c.Keys))}
	for i, k := range c.Keys {
		if k != nil {
			rest := (*k)[numbersLength:]
			common.Keys[i] = &rest
		}
	}
	return common
}

// Behind is where a place in the order of all lies in this branch, which need
// not have the document itself.
func (b Branch) Behind(place *store.Cursor) *store.Cursor {
	if place == nil {
		return nil
	}
	own := store.Cursor{Number: place.Number, Keys: make([]*store.Key, len(place.Keys))}
	for i, k := range place.Keys {
		if k != nil {
			whole := b.Sort[i].Range.From[:numbersLength] + *k
			own.Keys[i] = &whole
		}
	}
	return &own
}

// branch is the search of one type while it is parsed. The clauses of all
// branches stand in step: each parameter adds one to every branch.
type branch struct {
	typ    string
	number uint16
	where  store.And
	sort   []store.Sort
	// windows are what dates are searched between.
	windows []window
}

// prefix begins all keys of the type.
func (b *branch) prefix() store.Key { return paramKey(b.number, 0)[:2] }

// begin begins the search of each type.
func (p *parser) begin(typ string, params []Parameter) error {
	types := []string{typ}
	if p.o.Compartment != nil {
		if err := p.o.Compartment.Care.check(); err != nil {
			return err
		}
	}
	if typ == "" {
		var err error
		if types, err = p.several(params); err != nil {
			return err
		}
	}
	for _, t := range types {
		number, ok := p.o.Base.Definitions.TypeNumber(t)
		if !ok || !p.o.Base.Definitions.IsResourceType(t) {
			return outcome.New(http.StatusNotFound, outcome.CodeNotSupported, "%s is not a FHIR R4 resource type.", printable(t))
		}
		b := &branch{typ: t, number: number, where: store.And{exists(number)}}
		if p.o.Compartment != nil {
			in, ok := p.inside(t, number)
			if !ok {
				return outcome.New(http.StatusNotFound, outcome.CodeNotSupported, "No %s belongs to the compartment of a %s.", t, p.o.Compartment.Type)
			}
			b.where = append(b.where, in)
			if p.o.Compartment.Care != (Care{}) {
				b.where = append(b.where, p.o.Compartment.Care.within(p, t, number))
			}
		}
		p.branches = append(p.branches, b)
	}
	return nil
}

// narrow adds a parameter to each branch. A search across types has the
// parameters that all types have and, when it names the types, those that
// these have in common (R4 http, search).
func (p *parser) narrow(param Parameter) error {
	if p.r.Type == "" && !p.named {
		code, _, _ := strings.Cut(param.Name, ":")
		if _, ok := p.o.Base.Definitions.SearchParameter("Resource", code); !ok && code != "_list" && code != "_filter" {
			return p.unknown("a search across all types", "search", code)
		}
	}
	clauses := make([]store.Clause, len(p.branches))
	for i, b := range p.branches {
		var err error
		if clauses[i], err = p.criterion(b.typ, b.number, param.Name, param.Value); err != nil {
			return err
		}
	}
	p.add(clauses)
	for _, b := range p.branches {
		b.between(p, param.Name, param.Value)
	}
	p.r.Criteria++
	return nil
}

// add adds a clause to each branch.
func (p *parser) add(clauses []store.Clause) {
	for i, b := range p.branches {
		b.where = append(b.where, clauses[i])
	}
}

// unite makes one clause of the branches. Keys name their type, so a union of
// intersections is here the intersection of the unions, which is far smaller:
// no document has keys of two types.
func (p *parser) unite() {
	if len(p.branches) == 1 {
		b := p.branches[0]
		p.r.Where, p.r.Sort = lean(b.where, b.number), b.sort
		if len(b.sort) == 0 && p.within == nil {
			p.r.Where, p.r.Along = along(p.r.Where, b)
		}
		return
	}
	if len(p.branches) == 0 {
		p.r.Where = store.Or{}
		return
	}
	united := make(store.And, len(p.branches[0].where))
	for i := range united {
		united[i] = p.union(i)
	}
	p.r.Where = united
	if i := slices.IndexFunc(united[1:], p.onlyTheTypes); i >= 0 {
		p.r.Where = united[1:] // which leaves nothing for "any of the types" to do
	}
	if len(p.branches[0].sort) == 0 {
		return
	}
	for _, b := range p.branches {
		p.r.Branches = append(p.r.Branches, Branch{Type: b.typ, Where: lean(b.where, b.number), Sort: b.sort})
	}
}

// union is the i-th clause of any branch.
func (p *parser) union(i int) store.Clause {
	var any store.Or
	refused := 0
	for _, b := range p.branches {
		c := b.where[i]
		if not, ok := c.(store.Not); ok {
			refused++
			c = not.Clause
		}
		if !selects(c, b.prefix()) {
			// What is referred to by others may be of any type.
			c = store.And{exists(b.number), c}
		}
		if or, ok := c.(store.Or); ok {
			any = append(any, or...)
		} else {
			any = append(any, c)
		}
	}
	switch refused {
	case 0:
		return oneOf(any)
	case len(p.branches):
		return store.Not{Clause: oneOf(any)}
	}
	// Some of the types refuse what others ask for.
	any = nil
	for _, b := range p.branches {
		any = append(any, store.And{exists(b.number), b.where[i]})
	}
	return any
}

// onlyTheTypes reports whether a clause selects nothing but the types searched
// for.
func (p *parser) onlyTheTypes(c store.Clause) bool {
	or, ok := c.(store.Or)
	if !ok {
		or = store.Or{c}
	}
	return !slices.ContainsFunc(or, func(part store.Clause) bool {
		return !slices.ContainsFunc(p.branches, func(b *branch) bool { return selects(part, b.prefix()) })
	})
}

// maxSorts is the most parameters that _sort may name.
const maxSorts = 8

// sort: R4 search, sorting. Several types are sorted by what they have in
// common.
func (p *parser) sort(value string) error {
	sorted := 0
	if len(p.branches) > 0 {
		sorted = len(p.branches[0].sort)
	}
	err := p.sortBy(value)
	if err != nil {
		for _, b := range p.branches {
			b.sort = b.sort[:sorted]
		}
	}
	return err
}

func (p *parser) sortBy(value string) error {
	for _, item := range strings.Split(value, ",") {
		code, descending := strings.CutPrefix(item, "-")
		var as conformance.SearchType
		for _, b := range p.branches {
			sp, ok := p.o.Base.Definitions.SearchParameter(b.typ, code)
			switch {
			case !ok:
				return p.unknown(b.typ, "_sort", code)
			case !Supported(sp) || sp.Type == conformance.SearchComposite || sp.Type == conformance.SearchSpecial:
				return unsupported(outcome.BadRequest(outcome.CodeNotSupported, "%s, of type %s, cannot be sorted by.", sp.Code, sp.Type))
			case len(b.sort) == maxSorts:
				return outcome.BadRequest(outcome.CodeTooCostly, "_sort names more than %d parameters.", maxSorts)
			case as != "" && as != sp.Type:
				return outcome.BadRequest(outcome.CodeNotSupported, "_sort: %s is a %s in one of the types and a %s in another, so they have no common order.", sp.Code, as, sp.Type)
			}
			as = sp.Type
			b.sort = append(b.sort, store.Sort{
				Range: store.Prefix(formKey(b.number, sp.Number, sortForm(sp.Type, descending))), Descending: descending,
			})
		}
	}
	return nil
}

// sortForm is the form of the keys that a parameter is sorted by.
func sortForm(t conformance.SearchType, descending bool) byte {
	switch t {
	case conformance.SearchDate:
		if descending {
			return formHigh
		}
		return formLow
	case conformance.SearchToken:
		return formCode
	case conformance.SearchReference:
		return formReference
	case conformance.SearchURI:
		return formURL
	}
	return formNormal
}
