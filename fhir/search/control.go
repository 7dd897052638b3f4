package search

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// controls handle the parameters that shape the result (R4 search, managing
// returned resources).
var controls = map[string]func(p *parser, value string) error{
	"_count":    (*parser).count,
	"_sort":     (*parser).sort,
	"_total":    (*parser).total,
	"_summary":  (*parser).summary,
	"_elements": (*parser).elements,
	"_type":     (*parser).types,
}

// maxSorts is the most parameters that _sort may name.
const maxSorts = 8

func (p *parser) control(param Parameter) (bool, error) {
	name, modifier, modified := strings.Cut(param.Name, ":")
	if name == "_include" || name == "_revinclude" {
		if modified && modifier != "iterate" {
			return true, noModifier(name, modifier)
		}
		return true, p.include(name, param.Value, modified)
	}
	control, ok := controls[name]
	switch {
	case !ok:
		return false, nil
	case modified:
		return true, noModifier(name, modifier)
	}
	return true, control(p, param.Value)
}

func noModifier(name, modifier string) error {
	return outcome.BadRequest(outcome.CodeNotSupported, "The modifier :%s of %s is not supported.", printable(modifier), name)
}

// agree refuses parameters that do not go together.
func (p *parser) agree() error {
	if p.r.Subset.Summary == "text" && len(p.r.Include)+len(p.r.Revinclude) > 0 {
		return outcome.BadRequest(outcome.CodeValue, "_summary=text does not go with _include and _revinclude.")
	}
	if p.r.Subset.Summary != "" && len(p.r.Subset.Elements) > 0 {
		return outcome.BadRequest(outcome.CodeValue, "_summary and _elements do not go together.")
	}
	return nil
}

// types has been read by several; a search of one type has it in its URL.
func (p *parser) types(value string) error {
	if p.r.Type == "" || p.r.Type == value {
		return nil
	}
	return outcome.BadRequest(outcome.CodeValue, "_type names another type than the URL, %s.", p.r.Type)
}

func (p *parser) count(value string) error {
	n, err := strconv.Atoi(value)
	if errors.Is(err, strconv.ErrRange) && n > 0 {
		n, err = p.o.MaxCount, nil
	}
	if err != nil || n < 0 {
		return outcome.BadRequest(outcome.CodeValue, "The value of _count must be a whole number from 0 up.")
	}
	p.r.Count = min(n, p.o.MaxCount)
	if n == 0 {
		p.r.CountOnly, p.r.Total = true, true
	}
	return nil
}

func (p *parser) total(value string) error {
	switch value {
	case "none":
	case "accurate", "estimate":
		p.r.Total = true
	default:
		return outcome.BadRequest(outcome.CodeValue, "The value of _total must be none, estimate or accurate.")
	}
	return nil
}

func (p *parser) summary(value string) error {
	switch value {
	case "false":
		p.r.Subset.Summary = ""
	case "count":
		p.r.CountOnly, p.r.Total = true, true
	case "true", "text", "data":
		p.r.Subset.Summary = value
	default:
		return outcome.BadRequest(outcome.CodeValue, "The value of _summary must be true, text, data, count or false.")
	}
	return nil
}

// elements: R4 search, elements: the names of elements of the type.
func (p *parser) elements(value string) error {
	typ := p.r.Type
	if typ == "" {
		typ = "Resource"
	}
	for _, name := range strings.Split(value, ",") {
		name = strings.TrimPrefix(name, typ+".")
		if _, ok := p.o.Base.Definitions.Element(typ, name); !ok {
			return outcome.BadRequest(outcome.CodeValue, "_elements names %q, which is not an element of %s.", printable(name), typ)
		}
		p.r.Subset.Elements = append(p.r.Subset.Elements, name)
	}
	return nil
}

// sort: R4 search, sorting.
func (p *parser) sort(value string) error {
	if p.r.Type == "" {
		return outcome.BadRequest(outcome.CodeNotSupported, "A search across types cannot be sorted by _sort.")
	}
	for _, item := range strings.Split(value, ",") {
		code, descending := strings.CutPrefix(item, "-")
		sp, ok := p.o.Base.Definitions.SearchParameter(p.r.Type, code)
		switch {
		case !ok:
			return p.unknown(p.r.Type, "_sort", code)
		case !Supported(sp) || sp.Type == conformance.SearchComposite:
			return unsupported(outcome.BadRequest(outcome.CodeNotSupported, "%s, of type %s, cannot be sorted by.", sp.Code, sp.Type))
		case len(p.r.Sort) == maxSorts:
			return outcome.BadRequest(outcome.CodeTooCostly, "_sort names more than %d parameters.", maxSorts)
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
		}
		number, _ := p.o.Base.Definitions.TypeNumber(p.r.Type)
		p.r.Sort = append(p.r.Sort, store.Sort{
			Range: store.Prefix(formKey(number, sp.Number, form)), Descending: descending,
		})
	}
	return nil
}

// maxIncludes is the most _include and _revinclude of a search.
const maxIncludes = 50

// include reads "Type:parameter", "Type:parameter:TargetType", "Type:*" or,
// for _include, "*".
func (p *parser) include(name, value string, iterate bool) error {
	d := p.o.Base.Definitions
	if len(p.r.Include)+len(p.r.Revinclude) == maxIncludes {
		return outcome.BadRequest(outcome.CodeTooCostly, "The search has more than %d _include and _revinclude.", maxIncludes)
	}
	inc := Include{Iterate: iterate}
	parts := strings.Split(value, ":")
	switch {
	case value == "*" && name == "_include":
		p.r.Include = append(p.r.Include, inc)
		return nil
	case value == "*":
		return outcome.BadRequest(outcome.CodeNotSupported, "_revinclude must name a type: Observation:* or Observation:subject.")
	case len(parts) < 2 || len(parts) > 3:
		return outcome.BadRequest(outcome.CodeValue, "The value of %s must be Type:parameter or Type:parameter:TargetType.", name)
	}
	inc.Source = parts[0]
	if !d.IsResourceType(inc.Source) {
		return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a resource type.", name, printable(inc.Source))
	}
	if parts[1] != "*" {
		var ok bool
		if inc.Param, ok = d.SearchParameter(inc.Source, parts[1]); !ok {
			return p.unknown(inc.Source, name, parts[1])
		}
		if inc.Param.Type != conformance.SearchReference {
			return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a reference parameter of %s.", name, inc.Param.Code, inc.Source)
		}
	}
	if len(parts) == 3 {
		inc.Target = parts[2]
		if !d.IsResourceType(inc.Target) {
			return outcome.BadRequest(outcome.CodeValue, "%s names %s, which is not a resource type.", name, printable(inc.Target))
		}
	}
	if name == "_include" {
		// Only an iterating include can apply to another type than the matches'.
		if inc.Source != p.r.Type && p.r.Type != "" && !iterate {
			return outcome.BadRequest(outcome.CodeValue, "_include names %s, but the search is for %s. For what is included by another _include, use _include:iterate.", inc.Source, p.r.Type)
		}
		p.r.Include = append(p.r.Include, inc)
		return nil
	}
	if p.r.Type != "" && !iterate {
		if inc.Param != nil && !slices.Contains(p.targets(inc.Param), p.r.Type) || inc.Target != "" && inc.Target != p.r.Type {
			return outcome.BadRequest(outcome.CodeValue, "_revinclude: %s of %s does not refer to %s.", printable(parts[1]), inc.Source, p.r.Type)
		}
	}
	p.r.Revinclude = append(p.r.Revinclude, inc)
	return nil
}
