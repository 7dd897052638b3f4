package terminology

import (
	"context"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// codeSystem is a CodeSystem that was read.
type codeSystem struct {
	url, version, name string
	// flat says that only the codes are known.
	flat bool
	// insensitive says that codes are compared without regard to case.
	insensitive bool
	concepts    []*concept // in the order of the resource
	byCode      map[string]*concept
	// kinds are the properties that the code system defines.
	kinds map[string]bool
}

type concept struct {
	code, display, definition string
	abstract, inactive        bool
	parents, children         []*concept
	properties                []Property
	designations              []Designation
}

// Property is a CodeSystem.concept.property; Value is its value as text.
type Property struct{ Code, Type, Value string }

// Designation is a CodeSystem.concept.designation. Use is what it is for.
type Designation struct {
	Language, Value string
	Use             Coding
}

// designations are those of a concept, as CodeSystem and ValueSet have them.
func designations(n rawjson.Node) []Designation {
	var all []Designation
	for d := range elements(n, "designation") {
		use, _ := d.Member("use")
		all = append(all, Designation{text(d, "language"), text(d, "value"), codingOf(use)})
	}
	return all
}

// codingOf reads a Coding.
func codingOf(n rawjson.Node) Coding {
	return Coding{text(n, "system"), text(n, "version"), text(n, "code"), text(n, "display")}
}

// Details are what is known of a code.
type Details struct {
	Code
	// Name is that of the code system.
	Name, Definition string
	Properties       []Property
}

func (cs *codeSystem) code(c *concept) Code {
	return Code{cs.url, cs.version, c.code, c.display, c.abstract, c.inactive, c.designations, cs.insensitive}
}

func (cs *codeSystem) details(c *concept) Details {
	d := Details{Code: cs.code(c), Name: cs.name, Definition: c.definition, Properties: c.properties}
	for _, p := range c.parents {
		d.Properties = appendProperty(d.Properties, Property{"parent", "code", p.code})
	}
	for _, p := range c.children {
		d.Properties = appendProperty(d.Properties, Property{"child", "code", p.code})
	}
	return d
}

func appendProperty(all []Property, p Property) []Property {
	if slices.Contains(all, p) {
		return all
	}
	return append(slices.Clip(all), p)
}

func (cs *codeSystem) lookup(code string) (*concept, bool) {
	if cs.insensitive {
		code = strings.ToLower(code)
	}
	c, ok := cs.byCode[code]
	return c, ok
}

func (cs *codeSystem) find(code string) (*concept, error) {
	c, ok := cs.lookup(code)
	if !ok {
		return nil, fail(ErrInvalid, "The code system %s does not have the code.", cs.url)
	}
	return c, nil
}

// codeSystem reads a code system by its URL.
func (s *Service) codeSystem(ctx context.Context, url, version string) (*codeSystem, error) {
	if u, v := canonical(url); v != "" {
		url, version = u, v
	}
	body, ok, err := s.o.Reader.Canonical(ctx, "CodeSystem", url, version)
	if err != nil {
		return nil, err
	}
	if !ok {
		if cs, ok := s.own(url, version); ok {
			return cs, nil
		}
		return nil, notHeld("code system", url, version)
	}
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return nil, fail(ErrInvalid, "The CodeSystem %s is not JSON.", url)
	}
	return readCodeSystem(doc.Root(), url)
}

// maxURL is how much of a URL an error names.
const maxURL = 200

func notHeld(what, url, version string) error {
	if version != "" {
		url += "|" + version
	}
	return fail(ErrNotHeld, "The %s %s is not held here.", what, url[:min(len(url), maxURL)])
}

// own is a code system of R4 that a value set of the same name has all codes
// of: http://hl7.org/fhir/ValueSet/x and http://hl7.org/fhir/x.
func (s *Service) own(url, version string) (*codeSystem, bool) {
	if version != "" && version != s.o.Definitions.Release() {
		return nil, false
	}
	name := url[strings.LastIndexByte(url, '/')+1:]
	if url != "http://hl7.org/fhir/"+name && url != "http://terminology.hl7.org/CodeSystem/"+name {
		return nil, false
	}
	values, ok := s.o.Definitions.ValueSet("http://hl7.org/fhir/ValueSet/" + name)
	if !ok || len(values.Systems()) != 1 || values.Systems()[0] != url {
		return nil, false
	}
	cs := &codeSystem{url: url, version: version, flat: true, byCode: map[string]*concept{}}
	for _, code := range values.Codes(url) {
		c := &concept{code: code}
		cs.concepts, cs.byCode[code] = append(cs.concepts, c), c
	}
	return cs, true
}

func text(n rawjson.Node, member string) string {
	m, ok := n.Member(member)
	if !ok {
		return ""
	}
	return m.String()
}

// elements are the members of an array, none when it is missing.
func elements(n rawjson.Node, member string) func(yield func(rawjson.Node) bool) {
	return func(yield func(rawjson.Node) bool) {
		m, ok := n.Member(member)
		if !ok {
			return
		}
		for el := range m.Elements() {
			if !yield(el) {
				return
			}
		}
	}
}

func is(n rawjson.Node, member, literal string) bool {
	m, ok := n.Member(member)
	return ok && string(m.Raw()) == literal
}

func readCodeSystem(root rawjson.Node, url string) (*codeSystem, error) {
	cs := &codeSystem{
		url: url, version: text(root, "version"), name: text(root, "name"), insensitive: is(root, "caseSensitive", "false"),
		byCode: map[string]*concept{}, kinds: map[string]bool{},
	}
	switch content := text(root, "content"); content {
	case "not-present", "supplement":
		return nil, fail(ErrNotHeld, "The CodeSystem %s is held without its codes (content %s).", url, content)
	}
	for p := range elements(root, "property") {
		cs.kinds[text(p, "code")] = true
	}
	if err := cs.read(root, nil); err != nil {
		return nil, err
	}
	return cs, cs.link()
}

// read adds concepts and those nested in them.
func (cs *codeSystem) read(n rawjson.Node, parent *concept) error {
	for el := range elements(n, "concept") {
		c := &concept{code: text(el, "code"), display: text(el, "display"), definition: text(el, "definition")}
		key := c.code
		if cs.insensitive {
			key = strings.ToLower(key)
		}
		if _, twice := cs.byCode[key]; twice {
			return fail(ErrInvalid, "The CodeSystem %s has a code twice.", cs.url)
		}
		cs.concepts, cs.byCode[key] = append(cs.concepts, c), c
		if parent != nil {
			connect(parent, c)
		}
		for p := range elements(el, "property") {
			c.property(p)
		}
		c.designations = designations(el)
		if err := cs.read(el, c); err != nil {
			return err
		}
	}
	return nil
}

// valueOf is a value[x] as its type and as text: of a Coding, its code.
func valueOf(n rawjson.Node) (typ, value string) {
	for m := range n.Members() {
		of, ok := strings.CutPrefix(m.Name(), "value")
		if !ok || of == "" {
			continue
		}
		typ = strings.ToLower(of[:1]) + of[1:]
		switch {
		case typ == "coding":
			value = text(m, "code")
		case m.Kind() == rawjson.KindString:
			value = m.String()
		default:
			value = string(m.Raw())
		}
	}
	return typ, value
}

func (c *concept) property(n rawjson.Node) {
	p := Property{Code: text(n, "code")}
	p.Type, p.Value = valueOf(n)
	c.properties = append(c.properties, p)
	switch p.Code {
	case "notSelectable", "abstract":
		c.abstract = c.abstract || p.Value == "true"
	case "inactive":
		c.inactive = c.inactive || p.Value == "true"
	case "status":
		c.inactive = c.inactive || p.Value == "retired" || p.Value == "inactive"
	}
}

// link connects concepts by their properties.
func (cs *codeSystem) link() error {
	for _, c := range cs.concepts {
		for _, p := range c.properties {
			if p.Code != "parent" && p.Code != "subsumedBy" && p.Code != "child" {
				continue
			}
			other, ok := cs.lookup(p.Value)
			switch {
			case !ok:
				return fail(ErrInvalid, "The CodeSystem %s has a property %s that names none of its codes.", cs.url, p.Code)
			case p.Code == "child":
				connect(c, other)
			default:
				connect(other, c)
			}
		}
	}
	return nil
}

func connect(parent, child *concept) {
	if !slices.Contains(child.parents, parent) {
		parent.children, child.parents = append(parent.children, child), append(child.parents, parent)
	}
}

// reach is a concept and all that next leads to, each once.
func reach(from *concept, next func(*concept) []*concept) []*concept {
	seen := map[*concept]bool{from: true}
	all := []*concept{from}
	for i := 0; i < len(all); i++ {
		for _, c := range next(all[i]) {
			if !seen[c] {
				seen[c] = true
				all = append(all, c)
			}
		}
	}
	return all
}

// below reports whether c lies below other, or is it.
func below(c, other *concept) bool {
	return slices.Contains(reach(c, func(c *concept) []*concept { return c.parents }), other)
}
