package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
		fact, err := parameterOf(sp)
		if err != nil {
			return err
		}
		all = append(all, fact)
		return nil
	})
	slices.SortFunc(all, func(a, b parameterFact) int { return cmp.Compare(a.url, b.url) })
	return all, err
}

func parameterOf(sp searchParameter) (parameterFact, error) {
	correct(&sp)
	fact := parameterFact{
		url: sp.URL, code: sp.Code, kind: sp.Type,
		targets: slices.Sorted(slices.Values(sp.Target)), comparators: sp.Comparator,
		modifiers: sp.Modifier, chain: sp.Chain,
		noMultipleOr:  sp.MultipleOr != nil && !*sp.MultipleOr,
		noMultipleAnd: sp.MultipleAnd != nil && !*sp.MultipleAnd,
	}
	if sp.XPathUsage != "" && sp.XPathUsage != "normal" {
		fact.usage = sp.XPathUsage
	}
	for _, c := range sp.Component {
		fact.components = append(fact.components, componentFact{c.Definition, c.Expression})
	}
	var err error
	if fact.on, err = union.SplitByBase(sp.Expression, sp.Base); err != nil {
		return fact, fmt.Errorf("%s: %w", sp.URL, err)
	}
	return fact, nil
}

// addUSCoreParameters adds those of US Core whose code R4 does not have for
// their base. The others restate what R4 defines.
func (f *facts) addUSCoreParameters(dir string) error {
	type named struct{ base, code string }
	known := map[named]bool{}
	for _, p := range f.parameters {
		for _, on := range p.on {
			known[named{on.Base, p.code}] = true
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "SearchParameter-*.json"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("%s: no search parameters (%w)", dir, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var sp searchParameter
		if err := json.Unmarshal(data, &sp); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		restated := 0
		for _, base := range sp.Base {
			if known[named{base, sp.Code}] || known[named{"DomainResource", sp.Code}] || known[named{"Resource", sp.Code}] {
				restated++
			}
		}
		switch restated {
		case len(sp.Base):
			continue
		case 0:
		default:
			return fmt.Errorf("%s: R4 has it for some of its bases", sp.URL)
		}
		fact, err := parameterOf(sp)
		if err != nil {
			return err
		}
		f.parameters = append(f.parameters, fact)
	}
	slices.SortFunc(f.parameters, func(a, b parameterFact) int { return cmp.Compare(a.url, b.url) })
	return nil
}

// correct repairs what HL7's files have wrong.
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
	case "http://hl7.org/fhir/us/core/SearchParameter/us-core-condition-asserted-date":
		// US Core writes valueDateTime, which is the name in JSON; in FHIRPath
		// the element is value, so as published it selects nothing.
		sp.Expression = strings.Replace(sp.Expression, ".valueDateTime", ".value.as(dateTime)", 1)
	}
}
