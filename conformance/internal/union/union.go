// Package union takes the expressions of search parameters apart.
package union

import (
	"fmt"
	"slices"
	"strings"
)

// Part is the part of an expression that is for one base type.
type Part struct{ Base, Expression string }

// SplitByBase gives each base type the parts of the union that start with it.
// R4 shares one parameter between types by joining their paths with "|"
// (https://hl7.org/fhir/R4/searchparameter.html); evaluating the others' parts would only cost time.
func SplitByBase(expression string, bases []string) ([]Part, error) {
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
			return nil, fmt.Errorf("its part %q starts with none of the parameter's bases", part)
		}
		// A path without its type (InsurancePlan-name: "name | alias") is
		// relative to the resource, whichever of the bases it is.
		for _, base := range bases {
			perBase[base] = append(perBase[base], part)
		}
	}
	var out []Part
	for _, base := range bases {
		if len(parts) > 0 && len(perBase[base]) == 0 {
			return nil, fmt.Errorf("no part of the expression is for base %s", base)
		}
		out = append(out, Part{base, strings.Join(perBase[base], " | ")})
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
