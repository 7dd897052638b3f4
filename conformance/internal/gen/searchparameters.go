package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

type parameterFact struct {
	url, code, kind, usage        string
	targets                       []string
	comparators, modifiers, chain []string
	noMultipleOr, noMultipleAnd   bool
	on                            []baseExpression
	components                    []componentFact
}

type baseExpression struct{ base, expression string }

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
		perBase, err := splitByBase(sp.Expression, sp.Base)
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

// splitByBase gives each base type the parts of the union that start with it.
// R4 shares one parameter between types by joining their paths with "|"
// (https://hl7.org/fhir/R4/searchparameter.html); evaluating the others' parts would only cost time.
func splitByBase(expression string, bases []string) ([]baseExpression, error) {
	parts, err := splitUnion(expression)
	if err != nil {
		return nil, err
	}
	bases = slices.Sorted(slices.Values(bases))
	perBase := map[string][]string{}
	for _, part := range parts {
		root := rootOf(part)
		if slices.Contains(bases, root) {
			perBase[root] = append(perBase[root], part)
			continue
		}
		if root == "" || 'A' <= root[0] && root[0] <= 'Z' {
			return nil, fmt.Errorf("part %q starts with none of the parameter's bases", part)
		}
		// A path without its type (InsurancePlan-name: "name | alias") is
		// relative to the resource, whichever of the bases it is.
		for _, base := range bases {
			perBase[base] = append(perBase[base], part)
		}
	}
	var out []baseExpression
	for _, base := range bases {
		if len(parts) > 0 && len(perBase[base]) == 0 {
			return nil, fmt.Errorf("no part of the expression is for base %s", base)
		}
		out = append(out, baseExpression{base, strings.Join(perBase[base], " | ")})
	}
	return out, nil
}

// splitUnion splits a FHIRPath expression at the "|" that stand outside
// parentheses, indexers and string literals.
func splitUnion(expression string) ([]string, error) {
	if strings.TrimSpace(expression) == "" {
		return nil, nil
	}
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(expression); i++ {
		switch expression[i] {
		case '\'', '`', '"':
			end := endOfLiteral(expression, i)
			if end < 0 {
				return nil, fmt.Errorf("unterminated literal in %q", expression)
			}
			i = end
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
			if depth < 0 {
				return nil, fmt.Errorf("unbalanced parentheses in %q", expression)
			}
		case '|':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(expression[start:i]))
				start = i + 1
			}
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("unbalanced parentheses in %q", expression)
	}
	parts = append(parts, strings.TrimSpace(expression[start:]))
	if slices.Contains(parts, "") {
		return nil, fmt.Errorf("empty part in %q", expression)
	}
	return parts, nil
}

// endOfLiteral returns the index of the quote that closes the one at start.
func endOfLiteral(s string, start int) int {
	for i := start + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[start]:
			return i
		}
	}
	return -1
}

// rootOf returns the first identifier of an expression: Patient for
// "(Patient.deceased as dateTime)".
func rootOf(part string) string {
	part = strings.TrimLeft(part, "( ")
	end := strings.IndexFunc(part, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_')
	})
	if end < 0 {
		end = len(part)
	}
	return part[:end]
}
