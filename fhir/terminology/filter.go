package terminology

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxPattern is the longest regular expression of a filter.
const maxPattern = 1000

// filters is what all filters of an include ask for
// (https://hl7.org/fhir/R4/valueset.html#compositions).
func (cs *codeSystem) filters(url string, include rawjson.Node) (func(*concept) bool, error) {
	var all []func(*concept) bool
	for f := range elements(include, "filter") {
		match, err := cs.filter(url, text(f, "property"), text(f, "op"), text(f, "value"))
		if err != nil {
			return nil, err
		}
		all = append(all, match)
	}
	return func(c *concept) bool {
		for _, match := range all {
			if !match(c) {
				return false
			}
		}
		return true
	}, nil
}

// filter is one filter: of the hierarchy, or of the values of a property.
func (cs *codeSystem) filter(url, property, op, value string) (func(*concept) bool, error) {
	switch op {
	case "is-a", "is-not-a", "descendent-of", "generalizes":
		return cs.hierarchy(url, property, op, value)
	}
	if !cs.knows(property) {
		return nil, fail(ErrInvalid, "The value set %s filters by a property that the code system %s does not have.", url, cs.url)
	}
	if cs.flat && property != "code" && property != "concept" {
		return nil, fail(ErrNotHeld, "The codes of %s are known here but not their properties: its CodeSystem is not held.", cs.url)
	}
	any := func(match func(string) bool) func(*concept) bool {
		return func(c *concept) bool { return slices.ContainsFunc(c.values(property), match) }
	}
	switch op {
	case "=":
		return any(func(v string) bool { return v == value }), nil
	case "in", "not-in":
		var list []string
		for _, v := range strings.Split(value, ",") {
			list = append(list, strings.TrimSpace(v))
		}
		in := any(func(v string) bool { return slices.Contains(list, v) })
		if op == "in" {
			return in, nil
		}
		return func(c *concept) bool { return !in(c) }, nil
	case "regex":
		if len(value) > maxPattern {
			return nil, fail(ErrTooCostly, "The value set %s filters by a regular expression of more than %d bytes.", url, maxPattern)
		}
		pattern, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			return nil, fail(ErrInvalid, "The value set %s filters by a regular expression that cannot be read.", url)
		}
		return any(pattern.MatchString), nil
	case "exists":
		if value != "true" && value != "false" {
			return nil, fail(ErrInvalid, "The value set %s filters by exists with a value that is neither true nor false.", url)
		}
		return func(c *concept) bool { return (len(c.values(property)) > 0) == (value == "true") }, nil
	}
	return nil, fail(ErrInvalid, "The value set %s filters by an operator that R4 does not have.", url)
}

// hierarchy is a filter by what lies below or above a code.
func (cs *codeSystem) hierarchy(url, property, op, value string) (func(*concept) bool, error) {
	if property != "concept" && property != "code" {
		return nil, fail(ErrInvalid, "The value set %s filters by %s of a property; it goes with concept.", url, op)
	}
	if cs.flat {
		return nil, fail(ErrNotHeld, "The codes of %s are known here but not how they lie below each other: its CodeSystem is not held.", cs.url)
	}
	root, ok := cs.lookup(value)
	if !ok {
		return nil, fail(ErrInvalid, "The value set %s filters by a code that the code system %s does not have.", url, cs.url)
	}
	next := func(c *concept) []*concept { return c.children }
	if op == "generalizes" {
		next = func(c *concept) []*concept { return c.parents }
	}
	in := map[*concept]bool{}
	for _, c := range reach(root, next) {
		in[c] = true
	}
	switch op {
	case "is-not-a":
		return func(c *concept) bool { return !in[c] }, nil
	case "descendent-of":
		return func(c *concept) bool { return in[c] && c != root }, nil
	}
	return func(c *concept) bool { return in[c] }, nil
}

// knows reports whether concepts can have a property: one that the code
// system defines, or one that all have.
func (cs *codeSystem) knows(property string) bool {
	switch property {
	case "concept", "code", "display", "definition", "parent", "child", "inactive", "notSelectable":
		return true
	}
	return cs.kinds[property]
}

// values are a concept's values of a property.
func (c *concept) values(property string) []string {
	var all []string
	add := func(s string) {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	switch property {
	case "concept", "code":
		add(c.code)
	case "display":
		add(c.display)
	case "definition":
		add(c.definition)
	case "parent":
		for _, p := range c.parents {
			add(p.code)
		}
	case "child":
		for _, p := range c.children {
			add(p.code)
		}
	case "inactive":
		add(strconv.FormatBool(c.inactive))
	case "notSelectable":
		add(strconv.FormatBool(c.abstract))
	default:
		for _, p := range c.properties {
			if p.Code == property {
				add(p.Value)
			}
		}
	}
	return all
}
