package search

import (
	"errors"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
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

	"_contained":     (*parser).contained,
	"_containedType": (*parser).containedType,
}

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
		p.r.Total, p.r.Estimate = true, value == "estimate"
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
