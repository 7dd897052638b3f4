package profile

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// criterion is what one discriminator says of the items of a slice
// (https://hl7.org/fhir/R4/profiling.html#discriminator).
type criterion struct {
	// names is the path where it is plain names of JSON members, path the
	// same as FHIRPath; both empty for the item itself.
	names []string
	path  *fhirpath.Expression

	// One of these is set. None is: what the definition says of the slice does
	// not tell its items from others.
	parts    []part
	binding  *binding
	exists   *bool
	types    []string
	profiles []string
	// targets: profiles are of what the path leads to by resolve().
	targets bool
}

// part is a value that must be found at names below the discriminator's path.
type part struct {
	names   []string
	value   rawjson.Node
	pattern bool
}

// decides tells whether the criterion says anything.
func (c *criterion) decides() bool {
	return len(c.parts) > 0 || c.binding != nil || c.exists != nil || len(c.types) > 0 || len(c.profiles) > 0
}

// newCriterion finds what a slice says at a discriminator's path.
func newCriterion(slice *node, d discriminator) (c *criterion, rule string) {
	c = &criterion{}
	if d.path != "$this" {
		var err error
		if c.path, err = fhirpath.Compile(d.path); err != nil {
			return nil, "slicing.discriminator.path is no FHIRPath"
		}
	}
	at, plain, resolved := slice, true, false
	segments := segmentsOf(d.path)
	for i, segment := range segments {
		name, argument, call := strings.Cut(strings.TrimSuffix(segment, ")"), "(")
		switch {
		case segment == "$this":
		case call && name == "resolve":
			plain, resolved = false, true
		case call && name == "extension":
			plain = false
			at = at.extension(strings.Trim(strings.TrimSpace(argument), `'"`))
		case call && (name == "ofType" || name == "as"):
			plain = false
			at = at.ofType(strings.TrimSpace(argument))
		case call:
			return nil, "slicing.discriminator.path may use resolve(), extension(url) and ofType(type) only"
		default:
			if rest := segments[i:]; at.fixed != nil || at.pattern != nil {
				c.names = append(c.names, rest...)
				c.literal(at, rest)
				if !plain {
					c.names = nil
				}
				return c, ""
			}
			if segment == "url" && len(segments) == i+1 {
				if url := at.extensionURL(); url != nil {
					c.names, c.parts = append(c.names, "url"), []part{{value: url.value}}
					return c, ""
				}
			}
			next := at.find(segment)
			if next == nil {
				return c, ""
			}
			if at = next; strings.Contains(at.id[strings.LastIndexByte(at.id, '.')+1:], "[x]") {
				plain = false
			}
			c.names = append(c.names, segment)
		}
		if at == nil {
			return c, ""
		}
	}
	if !plain {
		c.names = nil
	}
	c.says(at, d.kind, resolved)
	return c, ""
}

// says takes over what the element at the end of the path says.
func (c *criterion) says(at *node, kind string, resolved bool) {
	switch kind {
	case "exists":
		if at.min > 0 || at.max == 0 {
			exists := at.min > 0
			c.exists = &exists
		}
	case "type":
		for _, t := range at.types {
			if !resolved {
				c.types = append(c.types, t.code)
				continue
			}
			for _, target := range t.targets {
				if name, ok := Core(target); ok {
					c.types = append(c.types, name)
				} else {
					c.profiles = append(c.profiles, target)
				}
			}
			c.targets = true
		}
	case "profile":
		for _, t := range at.types {
			if c.targets = resolved; resolved {
				c.profiles = append(c.profiles, t.targets...)
			} else {
				c.profiles = append(c.profiles, t.profiles...)
			}
		}
	default:
		c.parts = collect(at, nil, nil, 0)
		if len(c.parts) > 0 {
			return
		}
		if b := at.binding; b != nil && b.strength == "required" {
			c.binding = b
			return
		}
		c.says(at, "exists", false)
	}
}

// literal takes the part of a fixed or pattern value that lies at a path.
func (c *criterion) literal(at *node, path []string) {
	l, pattern := at.fixed, false
	if l == nil {
		l, pattern = at.pattern, true
	}
	for _, n := range below(l.value, path) {
		c.parts = append(c.parts, part{value: n, pattern: pattern})
	}
}

// maxNested bounds how deep values are gathered below a discriminator's path.
const maxNested = 10

// collect gathers the fixed and pattern values at and below an element.
func collect(at *node, names []string, parts []part, depth int) []part {
	switch {
	case at.fixed != nil:
		return append(parts, part{names, at.fixed.value, false})
	case at.pattern != nil:
		return append(parts, part{names, at.pattern.value, true})
	case depth == maxNested:
		return parts
	}
	for _, child := range at.children {
		parts = collect(child, append(names[:len(names):len(names)], child.name), parts, depth+1)
	}
	for _, slice := range at.slices {
		if slice.min > 0 {
			parts = collect(slice, names, parts, depth+1)
		}
	}
	return parts
}

// find is a child, of the element or of a slice of it that must be there.
func (n *node) find(name string) *node {
	if c := n.child(name, "", false); c != nil {
		return c
	}
	for _, slice := range n.slices {
		if c := slice.child(name, "", false); c != nil && slice.min > 0 {
			return c
		}
	}
	return nil
}

// extension is the slice of the element's extensions with a URL.
func (n *node) extension(url string) *node {
	all := n.child("extension", "", false)
	if all == nil {
		return nil
	}
	for _, slice := range all.slices {
		if l := slice.extensionURL(); l != nil && l.value.Is(url) {
			return slice
		}
	}
	return nil
}

// extensionURL is the url of the extensions of a slice.
func (n *node) extensionURL() *literal {
	if url := n.child("url", "", false); url != nil && url.fixed != nil {
		return url.fixed
	}
	if len(n.types) == 1 && n.types[0].code == "Extension" && len(n.types[0].profiles) == 1 {
		url, _, _ := strings.Cut(n.types[0].profiles[0], "|")
		l, err := quoted(url)
		if err == nil {
			return l
		}
	}
	return nil
}

// ofType is the element, or the slice of it, that has a type.
func (n *node) ofType(typ string) *node {
	typ = strings.TrimPrefix(typ, "FHIR.")
	for _, slice := range n.slices {
		if len(slice.types) == 1 && slice.types[0].code == typ {
			return slice
		}
	}
	return n
}

// segmentsOf cuts a path at the points outside of parentheses.
func segmentsOf(path string) []string {
	var all []string
	depth, start := 0, 0
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '.':
			if depth == 0 {
				all = append(all, path[start:i])
				start = i + 1
			}
		}
	}
	return append(all, path[start:])
}
