package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/internal/union"
)

type parameterFact struct {
	url, code, kind, usage        string
	targets                       []string
	comparators, modifiers, chain []string
	noMultipleOr, noMultipleAnd   bool
	on                            []union.Part
	components                    []componentFact
}

type componentFact struct{ definition, expression string }

func readSearchParameters(dir string) ([]parameterFact, error) {
	var all []parameterFact
	err := readBundle(dir, "search-parameters.json", func(_ string, raw json.RawMessage) error {
		var sp searchParameter
		if err := json.Unmarshal(raw, &sp); err != nil {
			return err
		}
		correct(&sp)
		fact := parameterFact{
			url: sp.URL, code: sp.Code, kind: sp.Type,
			targets: slices.Sorted(slices.Values(sp.Target)), comparators: sp.Comparator,
			modifiers: sp.Modifier, chain: sp.Chain,
			noMultipleOr:  sp.MultipleOr != nil && !*sp.MultipleOr,
			noMultipleAnd: sp.MultipleAnd != nil && !*sp.MultipleAnd,
		}
		if sp.XPathUsage != "normal" {
			fact.usage = sp.XPathUsage
		}
		for _, c := range sp.Component {
			fact.components = append(fact.components, componentFact{c.Definition, c.Expression})
		}
		perBase, err := union.SplitByBase(sp.Expression, sp.Base)
		if err != nil {
			return fmt.Errorf("%s: %w", sp.URL, err)
		}
		fact.on = perBase
		all = append(all, fact)
		return nil
	})
	slices.SortFunc(all, func(a, b parameterFact) int { return cmp.Compare(a.url, b.url) })
	return all, err
}

// correct repairs what HL7's R4 file has wrong.
func correct(sp *searchParameter) {
	switch sp.URL {
	case "http://hl7.org/fhir/SearchParameter/DocumentReference-relationship":
		// R4 gives relatesto (the reference DocumentReference.relatesTo.target)
		// the expression code, and relation (the token ….relatesTo.code) the
		// expression target: the two are swapped, and neither could be indexed.
		for i, c := range sp.Component {
			switch {
			case strings.HasSuffix(c.Definition, "-relatesto") && c.Expression == "code":
				sp.Component[i].Expression = "target"
			case strings.HasSuffix(c.Definition, "-relation") && c.Expression == "target":
				sp.Component[i].Expression = "code"
			}
		}
	case "http://hl7.org/fhir/SearchParameter/Observation-code-value-date":
		// R4 writes as(DateTime); FHIR's type is dateTime and FHIRPath's type
		// names are case-sensitive, so as published it selects nothing.
		for i, c := range sp.Component {
			sp.Component[i].Expression = strings.ReplaceAll(c.Expression, "as(DateTime)", "as(dateTime)")
		}
	}
}
