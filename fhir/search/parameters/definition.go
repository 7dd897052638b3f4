package parameters

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// Type is the resource type that defines parameters.
const Type = "SearchParameter"

// Definition is what of a SearchParameter decides about keys and searches.
type Definition struct {
	URL   string                 `json:"url"`
	Code  string                 `json:"code"`
	Type  conformance.SearchType `json:"type"`
	Bases []string               `json:"bases"`
	// Expression is as the resource has it, for all bases.
	Expression string                  `json:"expression"`
	Usage      string                  `json:"usage,omitempty"`
	Targets    []string                `json:"targets,omitempty"`
	Components []conformance.Component `json:"components,omitempty"`
}

// resource is a SearchParameter as far as it is read.
type resource struct {
	URL         string   `json:"url"`
	DerivedFrom string   `json:"derivedFrom"`
	Status      string   `json:"status"`
	Code        string   `json:"code"`
	Base        []string `json:"base"`
	Type        string   `json:"type"`
	Expression  string   `json:"expression"`
	XPathUsage  string   `json:"xpathUsage"`
	Target      []string `json:"target"`
	Component   []struct {
		Definition string `json:"definition"`
		Expression string `json:"expression"`
	} `json:"component"`
}

// maxExpression is the longest expression in bytes, maxBases the most bases.
const (
	maxExpression = 10_000
	maxBases      = 150
)

// legalCode is what a name in a query string may be made of: not what
// separates modifiers, chains and values. Names that begin with "_" are the
// specification's.
var legalCode = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// checker checks SearchParameters against what there is already.
type checker struct {
	definitions *conformance.Definitions
	model       fhirpath.Model
	// others are the tenant's own parameters.
	others []Parameter
}

// read reads a SearchParameter. It is nil when the resource defines nothing
// here: it is not active, or a parameter that there is anyway. The error is an
// outcome.Error that names the element; the definition is then what was read.
func (c checker) read(id string, body []byte) (*Definition, error) {
	var r resource
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, outcome.BadRequest(outcome.CodeStructure, "The SearchParameter cannot be read.")
	}
	if r.Status != "active" {
		return nil, nil
	}
	def := &Definition{
		URL: r.URL, Code: r.Code, Type: conformance.SearchType(r.Type), Expression: r.Expression, Usage: r.XPathUsage,
		Bases: slices.Sorted(slices.Values(r.Base)), Targets: slices.Sorted(slices.Values(r.Target)),
	}
	if def.Usage == "" {
		def.Usage = "normal"
	}
	if own, err := c.builtIn(r); err != nil {
		return def, err
	} else if own {
		return nil, nil
	}
	if err := c.named(id, def); err != nil {
		return def, err
	}
	if err := c.components(r, def); err != nil {
		return def, err
	}
	return def, c.extractable(def)
}

func invalid(element string, format string, args ...any) error {
	return outcome.BadRequest(outcome.CodeBusinessRule, format, args...).At(Type + "." + element)
}

// builtIn reports whether the resource is, or restates, a parameter that R4 or
// US Core has for its bases, and refuses bases that do not exist.
func (c checker) builtIn(r resource) (bool, error) {
	if len(r.Base) == 0 || len(r.Base) > maxBases {
		return false, invalid("base", "An active SearchParameter names from 1 to %d resource types.", maxBases)
	}
	same := 0
	for i, base := range r.Base {
		_, known := c.definitions.TypeNumber(base)
		if !known {
			return false, invalid("base", "A base is not a FHIR R4 resource type.")
		}
		if slices.Contains(r.Base[:i], base) {
			return false, invalid("base", "A base is named twice.")
		}
		sp, ok := c.definitions.SearchParameter(base, r.Code)
		if ok && (sp.URL == r.URL || sp.URL == r.DerivedFrom || string(sp.Type) == r.Type && strings.TrimSpace(r.Expression) == sp.Expression) {
			same++
		}
	}
	return same == len(r.Base), nil
}

// named checks the code and that nobody else has it.
func (c checker) named(id string, def *Definition) error {
	if !legalCode.MatchString(def.Code) {
		return invalid("code", "The code of an active SearchParameter is 1 to 64 letters, digits, '-' and '_', the first of them a letter.")
	}
	for _, typ := range append([]string{"Resource", "DomainResource"}, c.definitions.ResourceTypes()...) {
		if !def.appliesTo(typ, c.definitions) {
			continue
		}
		if sp, ok := c.definitions.SearchParameter(typ, def.Code); ok {
			return duplicate("There is a search parameter of this code for %s, with another meaning: %s.", typ, sp.URL)
		}
	}
	for _, o := range c.others {
		if o.ID != id && o.Code == def.Code && o.State != Unusable && overlap(o.Bases, def.Bases, c.definitions) {
			return duplicate("Another active SearchParameter has this code for the same resource type: SearchParameter/%s.", o.ID)
		}
	}
	return nil
}

func duplicate(format string, args ...any) error {
	return outcome.BadRequest(outcome.CodeDuplicate, format, args...).At(Type + ".code")
}

// appliesTo reports whether resources of a type are indexed by the parameter.
func (d *Definition) appliesTo(typ string, of *conformance.Definitions) bool {
	return slices.ContainsFunc(d.Bases, func(base string) bool { return of.Inherits(typ, base) })
}

func overlap(a, b []string, d *conformance.Definitions) bool {
	for _, x := range a {
		for _, y := range b {
			if d.Inherits(x, y) || d.Inherits(y, x) {
				return true
			}
		}
	}
	return false
}

// components finds the parameters that a composite is made of.
func (c checker) components(r resource, def *Definition) error {
	if def.Type != conformance.SearchComposite {
		if len(r.Component) > 0 {
			return invalid("component", "Only a SearchParameter of the type composite has components.")
		}
		return nil
	}
	for _, part := range r.Component {
		url, _, _ := strings.Cut(part.Definition, "|")
		found := conformance.Component{Definition: url, Expression: part.Expression}
		if own := c.definitions.SearchParametersByURL(url); len(own) > 0 {
			found.Code, found.Number, found.Type = own[0].Code, own[0].Number, own[0].Type
		}
		for _, o := range c.others {
			if o.URL == url && o.State != Unusable {
				found.Code, found.Number, found.Type = o.Code, o.Number, o.Type
			}
		}
		if found.Code == "" {
			return invalid("component.definition", "A component's definition is the URL of no search parameter that can be used here.")
		}
		if found.Type == conformance.SearchComposite {
			return invalid("component.definition", "A component is itself a composite.")
		}
		if _, err := fhirpath.Compile(part.Expression); err != nil {
			return invalid("component.expression", "A component's expression is not FHIRPath: %s.", because(err))
		}
		def.Components = append(def.Components, found)
	}
	return nil
}

// extractable checks that keys can be made by the definition.
func (c checker) extractable(def *Definition) error {
	switch {
	case def.Expression == "":
		return invalid("expression", "An active SearchParameter needs an expression.")
	case len(def.Expression) > maxExpression:
		return invalid("expression", "The expression is longer than %d bytes.", maxExpression)
	}
	for _, t := range def.Targets {
		if _, ok := c.definitions.TypeNumber(t); !ok {
			return invalid("target", "A target is not a FHIR R4 resource type.")
		}
	}
	if _, err := fhirpath.Compile(def.Expression); err != nil {
		return invalid("expression", "The expression is not FHIRPath: %s.", because(err))
	}
	all, err := def.parameters(conformance.FirstCustomParameterNumber)
	if err != nil {
		return invalid("expression", "The expression does not fit the bases: %s.", err)
	}
	for _, sp := range all {
		if !search.Supported(sp) {
			if sp.Type == conformance.SearchComposite {
				return invalid("component", "A composite has two components here, the first of them a token or a reference.")
			}
			return invalid("type", "Search parameters of this type and xpathUsage are not supported: a type of token, reference, string, date, number, quantity, uri or composite, with the usage normal.")
		}
		if err := c.try(sp); err != nil {
			return invalid("expression", "The expression cannot be evaluated on a %s: %s.", sp.Base, because(err))
		}
	}
	return nil
}

// try evaluates an expression on an empty resource, strictly: names that the
// type does not have are mistakes.
func (c checker) try(sp *conformance.SearchParameter) error {
	typ := sp.Base
	if !c.definitions.IsResourceType(typ) {
		return nil // any type: some have the element, others not
	}
	e, err := fhirpath.Compile(sp.Expression)
	if err != nil {
		return err
	}
	doc, err := rawjson.Parse([]byte(`{"resourceType":"`+typ+`"}`), nil)
	if err != nil {
		return err
	}
	root, ok := fhirpath.NewResource(c.model, doc.Root())
	if !ok {
		return errors.New("not a resource")
	}
	_, err = e.Evaluate(&fhirpath.Context{Model: c.model, Units: fhirpath.UCUM{}, Strict: true}, root)
	return err
}

// because is a FHIRPath error's text without a full stop.
func because(err error) string { return strings.TrimSuffix(err.Error(), ".") }

// parameters are the search parameters that a definition makes, one for each
// base.
func (d *Definition) parameters(number uint16) ([]*conformance.SearchParameter, error) {
	of, err := conformance.SplitByBase(d.Expression, d.Bases)
	if err != nil {
		return nil, err
	}
	all := make([]*conformance.SearchParameter, 0, len(d.Bases))
	for _, base := range d.Bases {
		all = append(all, &conformance.SearchParameter{
			Number: number, URL: d.URL, Code: d.Code, Base: base, Type: d.Type, Expression: of[base], Usage: d.Usage,
			Targets: d.Targets, Components: d.Components, MultipleOr: true, MultipleAnd: true,
		})
	}
	return all, nil
}

// sameKeys reports whether two definitions make the same keys.
func (d *Definition) sameKeys(o *Definition) bool {
	return d.Type == o.Type && d.Expression == o.Expression && d.Usage == o.Usage &&
		slices.Equal(d.Bases, o.Bases) && slices.Equal(d.Components, o.Components)
}
