package search

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
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
	// handling=lenient, R4 http §3.1.0.1.9); the default is to refuse them.
	Lenient bool
	// DefaultCount and MaxCount bound the size of a page.
	DefaultCount, MaxCount int
	// Pages reads page tokens.
	Pages PageTokens
	// Scope is what a page token is bound to beside the search itself: the tenant.
	Scope string
}

// Request is a search that was understood.
type Request struct {
	Type  string
	Where store.Clause
	Sort  []store.Sort
	// Count is the page size.
	Count int
	// Total asks for the number of matches, CountOnly for nothing else.
	Total, CountOnly    bool
	Include, Revinclude []Include
	After               *store.Cursor
	// Applied are the parameters that took effect, for the self link; a page
	// token is not among them.
	Applied []Parameter
	// Warnings are what a lenient search left out.
	Warnings []outcome.Issue
	scope    string
}

// Include is an _include or _revinclude (R4 search §3.1.1.5.4).
type Include struct {
	// Source is the type that holds the reference.
	Source string
	Param  *conformance.SearchParameter
	// Target, when set, is the only type of target wanted.
	Target string
}

// pageParameter is the name of the server's own page token.
const pageParameter = "_page"

// Parse understands the parameters of a search for one type.
func Parse(typ string, params []Parameter, o Options) (*Request, error) {
	number, ok := o.Base.Definitions.TypeNumber(typ)
	if !ok {
		return nil, outcome.New(http.StatusNotFound, outcome.CodeNotSupported, "%s is not a FHIR R4 resource type.", printable(typ))
	}
	p := parser{o: o, r: &Request{Type: typ, Count: o.DefaultCount, scope: o.Scope}}
	where := store.And{exists(number)}
	token := ""
	for _, param := range params {
		if param.Name == pageParameter {
			token = param.Value
			continue
		}
		control, err := p.control(param)
		if err == nil && !control {
			var c store.Clause
			if c, err = p.criterion(typ, number, param.Name, param.Value); err == nil && c != nil {
				where = append(where, c)
			}
		}
		if err != nil {
			if ignorable(err) && o.Lenient {
				p.warn(err)
				continue
			}
			return nil, err
		}
		p.r.Applied = append(p.r.Applied, param)
	}
	p.r.Where = where
	if token != "" {
		after, err := o.Pages.open(token, p.r)
		if err != nil {
			return nil, err
		}
		p.r.After = after
	}
	return p.r, nil
}

// exists is the clause that every resource of a type meets.
func exists(typ uint16) store.Clause { return store.Exactly(paramKey(typ, ownExists)) }

type parser struct {
	o Options
	r *Request
}

func (p *parser) warn(err error) {
	issue := outcome.From(err).Issues[0]
	issue.Severity = outcome.SeverityWarning
	issue.Diagnostics += " It was left out of this search."
	p.r.Warnings = append(p.r.Warnings, issue)
}

// ignorable says whether lenient handling may leave the parameter out: when
// it is not known or not supported, not when its value is wrong.
func ignorable(err error) bool { return outcome.From(err).Issues[0].Code == outcome.CodeNotSupported }

// control handles the parameters that shape the result (R4 search §3.1.1.5).
func (p *parser) control(param Parameter) (bool, error) {
	switch name, _, _ := strings.Cut(param.Name, ":"); name {
	case "_count":
		n, err := strconv.Atoi(param.Value)
		if err != nil || n < 0 {
			return true, outcome.BadRequest(outcome.CodeValue, "The value of _count must be a whole number from 0 up.")
		}
		p.r.Count = min(n, p.o.MaxCount)
		if n == 0 {
			p.r.CountOnly, p.r.Total = true, true
		}
	case "_sort":
		return true, p.sort(param.Value)
	case "_total":
		switch param.Value {
		case "none":
		case "accurate", "estimate":
			p.r.Total = true
		default:
			return true, outcome.BadRequest(outcome.CodeValue, "The value of _total must be none, estimate or accurate.")
		}
	case "_summary":
		switch param.Value {
		case "false":
		case "count":
			p.r.CountOnly, p.r.Total = true, true
		default:
			return true, outcome.BadRequest(outcome.CodeNotSupported, "This server supports the values count and false of _summary.")
		}
	case "_include", "_revinclude":
		return true, p.include(param)
	default:
		return false, nil
	}
	return true, nil
}

func (p *parser) sort(value string) error {
	for _, item := range strings.Split(value, ",") {
		code, descending := strings.CutPrefix(item, "-")
		sp, ok := p.o.Base.Definitions.SearchParameter(p.r.Type, code)
		if !ok {
			return p.unknown(p.r.Type, "_sort", code)
		}
		form := byte(formNormal)
		switch sp.Type {
		case conformance.SearchDate:
			form = formLow
			if descending {
				form = formHigh
			}
		case conformance.SearchToken:
			form = formCode
		case conformance.SearchReference:
			form = formReference
		case conformance.SearchURI:
			form = formURL
		case conformance.SearchComposite, conformance.SearchSpecial:
			return outcome.BadRequest(outcome.CodeNotSupported, "%s is of type %s and cannot be sorted by.", sp.Code, sp.Type)
		}
		number, _ := p.o.Base.Definitions.TypeNumber(p.r.Type)
		p.r.Sort = append(p.r.Sort, store.Sort{
			Range: store.Prefix(formKey(number, sp.Number, form)), Descending: descending,
		})
	}
	return nil
}

// include reads "Type:parameter" or "Type:parameter:TargetType".
func (p *parser) include(param Parameter) error {
	name, modifier, _ := strings.Cut(param.Name, ":")
	if modifier != "" {
		return outcome.BadRequest(outcome.CodeNotSupported, "The modifier :%s of %s is not supported.", printable(modifier), name)
	}
	parts := strings.Split(param.Value, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return outcome.BadRequest(outcome.CodeValue, "The value of %s must be Type:parameter or Type:parameter:TargetType.", name)
	}
	inc := Include{Source: parts[0]}
	if !p.o.Base.Definitions.IsResourceType(inc.Source) {
		return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a resource type.", name, printable(inc.Source))
	}
	var ok bool
	if inc.Param, ok = p.o.Base.Definitions.SearchParameter(inc.Source, parts[1]); !ok {
		return p.unknown(inc.Source, name, parts[1])
	}
	if inc.Param.Type != conformance.SearchReference {
		return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a reference parameter of %s.", name, inc.Param.Code, inc.Source)
	}
	if len(parts) == 3 {
		inc.Target = parts[2]
		if !p.o.Base.Definitions.IsResourceType(inc.Target) {
			return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a resource type.", name, printable(inc.Target))
		}
	}
	if name == "_include" {
		if inc.Source != p.r.Type {
			return outcome.BadRequest(outcome.CodeValue, "_include names %s, but the search is for %s.", inc.Source, p.r.Type)
		}
		p.r.Include = append(p.r.Include, inc)
		return nil
	}
	if inc.Target == "" {
		inc.Target = p.r.Type
	}
	if len(inc.Param.Targets) > 0 && !slices.Contains(inc.Param.Targets, p.r.Type) && !slices.Contains(inc.Param.Targets, "Resource") || inc.Target != p.r.Type {
		return outcome.BadRequest(outcome.CodeValue, "_revinclude: %s of %s does not refer to %s.", inc.Param.Code, inc.Source, p.r.Type)
	}
	p.r.Revinclude = append(p.r.Revinclude, inc)
	return nil
}

func (p *parser) unknown(typ, where, code string) error {
	return outcome.BadRequest(outcome.CodeNotSupported,
		"%s: %s has no search parameter named %q. See /metadata for those it has.", where, typ, printable(code))
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
