package search

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Parameter is one name=value of a search, in the order given.
type Parameter struct{ Name, Value string }

// Options are what a search depends on beside its parameters.
type Options struct {
	Base Base
	// Now is the time that the prefix ap is measured from.
	Now time.Time
	// Lenient turns unknown parameters into warnings (Prefer:
	// handling=lenient, R4 search, handling); the default is to refuse them.
	Lenient bool
	// DefaultCount and MaxCount bound the size of a page.
	DefaultCount, MaxCount int
	// Pages reads page tokens.
	Pages PageTokens
	// Scope is what a page token is bound to beside the search itself: the tenant.
	Scope string
	// Compartment, when set, is where the search looks.
	Compartment *Compartment
	// Matching reads at most limit resources that a clause selects; near
	// measures with it. Without it near is refused.
	Matching func(where store.Clause, limit int) ([]store.Document, error)
	// Terminology answers :in, :not-in, :above and :below on tokens; without it
	// they are refused.
	Terminology Terminology
	// Unready, when set, says why a parameter that Base.Definitions does not
	// have cannot be searched by yet; "" when it is simply not known.
	Unready func(typ, code string) string
}

// Request is a search that was understood.
type Request struct {
	// Type is the type searched for, "" for several.
	Type  string
	Where store.Clause
	// Criteria is how many of the parameters select resources; the others
	// shape the answer.
	Criteria int
	Sort     []store.Sort
	// Along, where there is no Sort, are the ranges that everything found has
	// a key in (see store.Query).
	Along []store.Range
	// Branches, when the search is for several types and sorted, are the
	// searches of each type, which Where unites: their sort keys lie in
	// ranges of their own, so Sort is empty and the pages have to be merged.
	Branches []Branch
	// Contained, unless nil, says that the search is for what resources
	// contain; Where then selects what may contain it. The place of a page is
	// then one of Contained.Place.
	Contained *Contained
	// Count is the page size.
	Count int
	// Total asks for the number of matches, CountOnly for nothing else.
	Total, CountOnly bool
	// Estimate lets Total be an estimate.
	Estimate            bool
	Include, Revinclude []Include
	Subset              Subset
	// After is where the page begins; its keys are common ones (see Branch)
	// when there are Branches.
	After *store.Cursor
	// Applied are the parameters that took effect, for the self link; a page
	// token is not among them.
	Applied []Parameter
	// Warnings are what a lenient search left out.
	Warnings []outcome.Issue
	// Page is the page token that was given; nil on the first page.
	Page  *Parameter
	scope string
	// page counts from 1; trail are the places of the pages before.
	page  int
	trail []place
}

// Subset is what of each resource is wanted (R4 search, summary and elements).
type Subset struct {
	// Summary is the value of _summary: true, text or data; "" for none.
	Summary string
	// Elements are the elements that _elements names.
	Elements []string
}

// All says that resources are wanted whole.
func (s Subset) All() bool { return s.Summary == "" && len(s.Elements) == 0 }

// pageParameter is the name of the server's own page token.
const pageParameter = "_page"

// maxParameters is the most parameters of a search.
const maxParameters = 500

// maxRanges bounds the key ranges that a search becomes: values times the
// types that they may mean times the steps of chains.
const maxRanges = 10_000

// Parse understands the parameters of a search: for one type; or, with typ "",
// for those that _type names, or for all of a compartment.
func Parse(typ string, params []Parameter, o Options) (*Request, error) {
	p := parser{o: o, r: &Request{Type: typ, page: 1, Count: o.DefaultCount, scope: o.Scope + "\x00" + typ}}
	if o.Compartment != nil {
		p.r.scope += o.Compartment.scope()
	}
	if len(params) > maxParameters {
		return nil, outcome.BadRequest(outcome.CodeTooCostly, "The search has more than %d parameters.", maxParameters)
	}
	if err := p.begin(typ, params); err != nil {
		return nil, err
	}
	token := ""
	for _, param := range params {
		if param.Name == pageParameter {
			token = param.Value
			continue
		}
		control, err := p.control(param)
		if err == nil && !control {
			err = p.narrow(param)
		}
		if err != nil {
			if ignorable(err) && o.Lenient {
				p.warn(err)
				continue
			}
			return nil, err
		}
		if param.Name == "_count" {
			param.Value = strconv.Itoa(p.r.Count) // what took effect
		}
		p.r.Applied = append(p.r.Applied, param)
	}
	if err := p.agree(); err != nil {
		return nil, err
	}
	p.addWindows()
	p.unite()
	if err := p.searchContained(); err != nil {
		return nil, err
	}
	if token != "" {
		if err := o.Pages.open(token, p.r); err != nil {
			return nil, err
		}
		p.r.Page = &Parameter{pageParameter, token}
	}
	return p.r, nil
}

// exists is the clause that every resource of a type meets.
func exists(typ uint16) store.Clause { return store.Exactly(paramKey(typ, ownExists)) }

type parser struct {
	o Options
	r *Request
	// branches are the searches of each type.
	branches []*branch
	// named says that the types of a search for several were named.
	named bool
	// depth is how many chains deep the parser is.
	depth int
	// within and alone are what _contained and _containedType ask for.
	within *Contained
	alone  bool
	// relatives counts towards maxHierarchy.
	relatives int
	// ranges counts towards maxRanges.
	ranges int
}

// spend counts key ranges.
func (p *parser) spend(n int) error {
	if p.ranges += n; p.ranges > maxRanges {
		return outcome.BadRequest(outcome.CodeTooCostly,
			"The search is too wide: its values, times the types that its references may lead to, are more than %d. Name the types (subject:Patient) or fewer values.", maxRanges)
	}
	return nil
}

// leaves counts the ranges of a clause.
func leaves(c store.Clause) int {
	n := 0
	switch c := c.(type) {
	case store.And:
		for _, part := range c {
			n += leaves(part)
		}
	case store.Or:
		for _, part := range c {
			n += leaves(part)
		}
	default:
		n = 1
	}
	return n
}

func (p *parser) warn(err error) {
	issue := outcome.From(err).Issues[0]
	issue.Severity = outcome.SeverityWarning
	issue.Diagnostics += " It was left out of this search."
	p.r.Warnings = append(p.r.Warnings, issue)
}

// errUnsupported is the cause of errors that lenient handling may pass over.
var errUnsupported = errors.New("not supported")

func unsupported(e *outcome.Error) error {
	e.Cause = errUnsupported
	return e
}

// ignorable says whether lenient handling may leave the parameter out: when
// it is not known or not supported, not when its value or modifier is wrong.
func ignorable(err error) bool { return errors.Is(err, errUnsupported) }

func (p *parser) unknown(typ, where, code string) error {
	if p.o.Unready != nil {
		if why := p.o.Unready(typ, code); why != "" {
			return unsupported(outcome.BadRequest(outcome.CodeNotSupported, "%s: %s", where, why))
		}
	}
	return unsupported(outcome.BadRequest(outcome.CodeNotSupported,
		"%s: %s has no search parameter named %q. See /metadata for those it has.", where, typ, printable(code)))
}

// printable shortens what a client sent as a name and keeps only characters
// that names are made of, so that it can stand in an error text.
func printable(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		case strings.ContainsRune("_-.:$|", r):
			return r
		}
		return '?'
	}, s)
}
