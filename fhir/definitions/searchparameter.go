package definitions

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
)

type searchParameterResource struct {
	head
	Description string      `json:"description"`
	Code        string      `json:"code"`
	Base        []string    `json:"base"`
	Type        string      `json:"type"`
	Expression  string      `json:"expression,omitempty"`
	XPathUsage  string      `json:"xpathUsage,omitempty"`
	Target      []string    `json:"target,omitempty"`
	MultipleOr  bool        `json:"multipleOr"`
	MultipleAnd bool        `json:"multipleAnd"`
	Comparator  []string    `json:"comparator,omitempty"`
	Modifier    []string    `json:"modifier,omitempty"`
	Component   []component `json:"component,omitempty"`
}

type component struct {
	Definition string `json:"definition"`
	Expression string `json:"expression"`
}

// searchParameter is one parameter with all its bases.
func searchParameter(of []*conformance.SearchParameter, def Definition) searchParameterResource {
	sp := of[0]
	r := searchParameterResource{
		head: headOf(SearchParameter, sp.Code, def), Code: sp.Code, Type: string(sp.Type), Target: sp.Targets,
		MultipleOr: sp.MultipleOr, MultipleAnd: sp.MultipleAnd, Comparator: sp.Comparators, Modifier: sp.Modifiers,
	}
	var expressions []string
	for _, p := range of {
		r.Base = append(r.Base, p.Base)
		if p.Expression != "" {
			expressions = append(expressions, p.Expression)
		}
	}
	r.Expression = strings.Join(expressions, " | ")
	if r.Expression != "" {
		r.XPathUsage = sp.Usage
	}
	for _, c := range sp.Components {
		r.Component = append(r.Component, component{c.Definition, c.Expression})
	}
	r.Description = "The search parameter " + sp.Code + " of " + strings.Join(r.Base, ", ") + "."
	return r
}
