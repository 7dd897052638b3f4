package validate

import (
	"context"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// Extension is what the StructureDefinition of an extension says of where it
// may stand (https://hl7.org/fhir/R4/defining-extensions.html#context).
type Extension struct {
	URL      string
	Modifier bool // it stands in modifierExtension, and only there
	Contexts []Context
	// Invariants are the contextInvariants.
	Invariants []*fhirpath.Expression
}

// Context is one StructureDefinition.context.
type Context struct {
	Type       string // element, extension or fhirpath
	Expression string
	path       *fhirpath.Expression // of a fhirpath, nil if it does not compile
}

// Extensions knows definitions of extensions.
type Extensions interface {
	// Extensions finds those that it knows of some canonical URLs, by URL. The
	// answer is not changed afterwards.
	Extensions(ctx context.Context, urls []string) (map[string]*Extension, error)
}

// ParseExtension reads the StructureDefinition of an extension; ok is false
// for other resources, and for definitions that are abstract.
func ParseExtension(resource rawjson.Node) (e *Extension, ok bool) {
	text := func(n rawjson.Node, name string) string {
		m, _ := n.Member(name)
		return m.String()
	}
	if text(resource, "resourceType") != "StructureDefinition" || text(resource, "type") != "Extension" || text(resource, "derivation") != "constraint" {
		return nil, false
	}
	e = &Extension{URL: text(resource, "url")}
	list, _ := resource.Member("context")
	for n := range list.Elements() {
		c := Context{Type: text(n, "type"), Expression: text(n, "expression")}
		if c.Type == "fhirpath" {
			c.path, _ = fhirpath.Compile(c.Expression)
		}
		e.Contexts = append(e.Contexts, c)
	}
	list, _ = resource.Member("contextInvariant")
	for n := range list.Elements() {
		if expression, err := fhirpath.Compile(n.String()); err == nil {
			e.Invariants = append(e.Invariants, expression)
		}
	}
	for _, view := range []string{"differential", "snapshot"} {
		of, _ := resource.Member(view)
		elements, _ := of.Member("element")
		if root, ok := elements.Child(); ok && text(root, "path") == "Extension" && text(root, "isModifier") == "true" {
			e.Modifier = true
		}
	}
	return e, true
}

// placed is an extension found in the resource, with where it stands.
type placed struct {
	url        string
	offset     int
	expression string
	// frames lead from the resource to the element that is extended.
	frames   []frame
	modifier bool
	scope    *scope
}

// place takes note of an extension. Those that are named by a relative URL are
// defined by the extension that they are in.
func (w *walker) place(n rawjson.Node) {
	in := w.at[len(w.at)-1].Name
	modifier := in == "modifierExtension"
	if w.options.Extensions == nil && !modifier {
		return
	}
	url, _ := n.Member("url")
	if url.Kind() != rawjson.KindString || !strings.Contains(url.String(), ":") {
		return
	}
	p := placed{url: url.String(), offset: n.Offset(), expression: w.at.Expression(), modifier: modifier, scope: w.scope}
	if w.options.Extensions != nil {
		p.frames = slices.Clone(w.frames[w.scope.frame:])
	}
	w.pending = append(w.pending, p)
}

// on is the element that is extended.
func (p *placed) on() *frame { return &p.frames[len(p.frames)-1] }

// extensions checks the places of the extensions that were found.
func (w *walker) extensions(ctx context.Context) error {
	if len(w.pending) == 0 {
		return nil
	}
	var known map[string]*Extension
	if w.options.Extensions != nil {
		var urls []string
		seen := map[string]bool{}
		for _, p := range w.pending {
			if !seen[p.url] {
				seen[p.url] = true
				urls = append(urls, p.url)
			}
		}
		var err error
		if known, err = w.options.Extensions.Extensions(ctx, urls); err != nil {
			return err
		}
	}
	for i := range w.pending {
		p := &w.pending[i]
		e := known[p.url]
		switch {
		case e == nil && p.modifier:
			w.unknownModifier(p)
		case e != nil:
			w.extension(p, e)
		}
	}
	return nil
}

func (w *walker) unknownModifier(p *placed) {
	severity := conformance.SeverityWarning
	switch w.options.ModifierExtension {
	case ModifiersAccept:
		return
	case ModifiersRefuse:
		severity = conformance.SeverityError
	}
	w.reportAt(p.expression, p.offset, severity, conformance.IssueExtension, "a modifier extension whose definition is not held here: it may change the meaning of the element")
}

func (w *walker) extension(p *placed, e *Extension) {
	fail := func(text string) {
		w.reportAt(p.expression, p.offset, conformance.SeverityError, conformance.IssueExtension, text)
	}
	if e.Modifier != p.modifier {
		if e.Modifier {
			fail("the extension is defined as a modifier and must stand in modifierExtension")
		} else {
			fail("the extension is not defined as a modifier and must stand in extension")
		}
	}
	for _, invariant := range e.Invariants {
		if !w.holds(p, invariant) {
			fail("a contextInvariant of the extension's definition is not met")
		}
	}
	if len(e.Contexts) == 0 {
		return
	}
	for _, c := range e.Contexts {
		switch c.Type {
		case "extension":
			if url, _ := p.on().node.Member("url"); p.on().shape.extension && url.Is(c.Expression) {
				return
			}
		case "fhirpath":
			if w.inPath(p, c.path) {
				return
			}
		default:
			if p.onElement(c.Expression) {
				return
			}
		}
	}
	fail("the definition of the extension does not allow it on this element")
}

// onElement tells whether the extended element is of a path: the name of a type
// that it has or that holds it, and the names of the elements in between. Types
// are their bases, too.
func (p *placed) onElement(path string) bool {
	for i := len(p.frames) - 1; i >= 0; i-- {
		rest := path
		for j := len(p.frames) - 1; j > i && rest != ""; j-- {
			rest = strings.TrimSuffix(rest, "[x]")
			before, ok := strings.CutSuffix(rest, "."+p.frames[j].name)
			if !ok {
				before = ""
			}
			rest = before
		}
		if rest != "" && p.frames[i].shape.typ.Is(rest) {
			return true
		}
	}
	return false
}

// inPath tells whether the extended element is among what the expression finds
// in the resource.
func (w *walker) inPath(p *placed, path *fhirpath.Expression) bool {
	if path == nil {
		return false
	}
	for _, v := range w.evaluate(p, path, p.scope.resource) {
		if on := p.on().node; v.Node() == on || v.Underscore() == on {
			return true
		}
	}
	return false
}

// holds evaluates a contextInvariant on the extended element.
func (w *walker) holds(p *placed, invariant *fhirpath.Expression) bool {
	on := p.on()
	v := fhirpath.NewElement(on.shape.typ, on.node, rawjson.Node{})
	if on.shape.typ.Kind == fhirpath.PrimitiveType {
		v = fhirpath.NewElement(on.shape.typ, rawjson.Node{}, on.node)
	}
	result := w.evaluate(p, invariant, v)
	if len(result) != 1 {
		return false
	}
	truth, ok := result[0].AsBoolean()
	return ok && truth
}

// evaluate gives nothing for what fails. The definitions are a tenant's, so
// what they cost counts.
func (w *walker) evaluate(p *placed, expression *fhirpath.Expression, v fhirpath.Value) fhirpath.Collection {
	if w.steps <= 0 {
		return nil
	}
	w.path.Resource, w.path.RootResource = p.scope.resource, p.scope.outermost().resource
	w.path.MaxSteps = w.steps
	found, err := expression.AppendTo(w.result[:0], &w.path, v)
	w.result = found[:0]
	w.steps -= w.path.Steps()
	if err != nil {
		return nil
	}
	return found
}
