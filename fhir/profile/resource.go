package profile

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
)

// Source knows definitions and value sets. Its errors are those of reading
// them, except that a definition that cannot be used is an *[Error].
type Source interface {
	// Structure returns the definition with a canonical URL, with or without
	// |version; nil if it is not held.
	Structure(ctx context.Context, canonical string) (*Structure, error)
	// Member tells whether a value set has a code. The system is "" for an
	// element of type code, whose system the binding implies.
	Member(ctx context.Context, valueSet, system, code string, implied bool) (Membership, error)
}

// Membership is whether a value set has a code.
type Membership uint8

// The answers of Source.Member.
const (
	// Unknown: the value set, or the code system that decides, is not held.
	Unknown Membership = iota
	In
	Out
)

// Options are what a resource is checked by.
type Options struct {
	Source Source
	// Profiles are canonical URLs of profiles that the resource must meet
	// besides those of its meta.profile. They must be held.
	Profiles []string
	// Thorough says what else is worth knowing: that a binding cannot be
	// checked, that a preferred one is not followed. Without it there are
	// errors and the warnings about definitions.
	Thorough bool
	// Units compares quantities of different units; without it they do not
	// compare.
	Units fhirpath.Units
}

// MaxIssues bounds the issues of one resource.
const MaxIssues = 100

// The steps on one resource: stepsFloor and stepsPerValue for each JSON value
// of its document.
const (
	stepsFloor    = 1_000_000
	stepsPerValue = 500
)

// Resource checks a resource, and the resources within it, against the
// profiles that each claims in meta.profile, and its extensions against their
// definitions. It is the root of a document or a resource within it; lines and
// columns are those of the document. What is not shaped as R4 says is passed
// over, and so is what R4 itself says: see packages conformance and validate.
//
// Issues stand in the order of the text. The error is the Source's.
func Resource(ctx context.Context, resource rawjson.Node, o Options) ([]conformance.Issue, error) {
	c := checkers.Get().(*checker)
	defer c.release()
	c.ctx, c.o, c.path.Units = ctx, o, o.Units
	c.document, c.outermost = resource.Document(), resource
	c.steps = stepsFloor + stepsPerValue*resource.Document().Len()
	if typ, _ := resource.Member("resourceType"); typ.Kind() == rawjson.KindString {
		c.at = append(c.at, conformance.Step{Name: typ.String(), Index: -1})
	}
	c.resource(resource, o.Profiles, fhirpath.Value{})
	if c.err != nil {
		return nil, c.err
	}
	return c.issues(), nil
}

var checkers = sync.Pool{New: func() any {
	c := &checker{done: map[memo]state{}, said: map[string]struct{}{}}
	c.path.Model = r4model.R4()
	c.path.Resolve = c.resolve
	c.path.MemberOf = c.memberOf
	c.path.ConformsTo = c.conformsTo
	return c
}}

// checker checks one resource.
type checker struct {
	ctx       context.Context
	o         Options
	document  *rawjson.Document
	outermost rawjson.Node
	path      fhirpath.Context
	result    fhirpath.Collection
	at        conformance.Path
	items     []item

	// structure is the one that is being checked against.
	structure *Structure
	steps     int
	costly    bool
	// silent is above 0 where only the outcome is wanted; failed is it.
	silent int
	failed bool
	done   map[memo]state
	// said are the definitions that something was said about.
	said map[string]struct{}
	// known are structures by canonical URL, as the source gave them.
	known  map[string]*Structure
	bundle map[string]rawjson.Node

	findings conformance.Findings
	more     bool
	err      error
}

// memo is a value and a structure that it was checked against.
type memo struct {
	index     int
	structure *Structure
	loud      bool
}

type state uint8

const (
	underWay state = iota + 1
	met
	notMet
)

func (c *checker) release() {
	if cap(c.findings) > 1000 || len(c.done) > 10_000 {
		return
	}
	c.path.Resource, c.path.RootResource, c.path.Units = fhirpath.Value{}, fhirpath.Value{}, nil
	clear(c.done)
	clear(c.said)
	clear(c.findings)
	clear(c.items[:cap(c.items)])
	c.ctx, c.o, c.document, c.outermost, c.structure, c.known, c.bundle, c.err = nil, Options{}, nil, rawjson.Node{}, nil, nil, nil, nil
	c.at, c.items, c.findings = c.at[:0], c.items[:0], c.findings[:0]
	c.silent, c.failed, c.costly, c.more = 0, false, false, false
	checkers.Put(c)
}

// resource checks a resource that stands at the end of the path; container is
// the one that it is contained in.
func (c *checker) resource(n rawjson.Node, profiles []string, container fhirpath.Value) {
	v, ok := fhirpath.NewResource(c.path.Model, n)
	if !ok || n.Kind() != rawjson.KindObject {
		return // the structure's issue
	}
	outer, outerRoot := c.path.Resource, c.path.RootResource
	c.path.Resource, c.path.RootResource = v, v
	if container.Kind() == fhirpath.KindElement {
		c.path.RootResource = container
	}
	for _, profile := range profiles {
		c.claimed(v, profile, n)
	}
	meta, _ := n.Member("meta")
	list, _ := meta.Member("profile")
	i := 0
	for claim := range list.Elements() {
		if claim.Kind() == rawjson.KindString {
			// At the claim, for what is to be said of the profile itself.
			c.at = append(c.at, conformance.Step{Name: "meta", Index: -1}, conformance.Step{Name: "profile", Index: i})
			s, ok := c.usable(claim.String(), claim, v)
			c.at = c.at[:len(c.at)-2]
			if ok {
				c.against(v, s)
			}
		}
		i++
	}
	if raw := n.Raw(); bytes.Contains(raw, []byte(`xtension"`)) || bytes.Contains(raw, []byte(`resourceType`)) {
		c.within(n, v, v.Type())
	}
	c.path.Resource, c.path.RootResource = outer, outerRoot
}

// claimed checks against a profile that the caller names.
func (c *checker) claimed(v fhirpath.Value, profile string, at rawjson.Node) {
	if s, ok := c.usable(profile, at, v); ok {
		c.against(v, s)
	}
}

// usable finds a profile and says why it cannot be used for a resource. A
// profile that is R4's own definition of the type has nothing to check.
func (c *checker) usable(profile string, at rawjson.Node, v fhirpath.Value) (*Structure, bool) {
	typ, own := Core(profile)
	var s *Structure
	if !own {
		if s = c.find(profile, at); s == nil {
			if _, said := c.said[profile]; !said && c.err == nil {
				c.said[profile] = struct{}{}
				c.report(at, conformance.SeverityWarning, issueNotSupported,
					"The profile "+shorten(profile)+" is not held here; the resource was not checked against it.")
			}
			return nil, false
		}
		typ = s.Type
	}
	if !v.Type().Is(typ) {
		c.report(at, conformance.SeverityError, issueInvalid, "The profile "+shorten(profile)+" is for "+typ+", but the resource is of another type.")
		return nil, false
	}
	return s, !own
}

// find asks the source for a structure; nil if it is not held or not usable,
// which has been said then.
func (c *checker) find(canonical string, at rawjson.Node) *Structure {
	if s, ok := c.known[canonical]; ok {
		return s
	}
	if c.err != nil || c.o.Source == nil {
		return nil
	}
	s, err := c.o.Source.Structure(c.ctx, canonical)
	var unusable *Error
	if errors.As(err, &unusable) {
		if _, said := c.said[canonical]; !said {
			c.said[canonical] = struct{}{}
			silent := c.silent
			c.silent = 0 // a fault of the definition, whatever is being tried
			c.report(at, conformance.SeverityError, issueProcessing, "A profile cannot be used: "+unusable.Error())
			c.silent = silent
		}
	} else if err != nil {
		c.err = err
	}
	if c.known == nil {
		c.known = map[string]*Structure{}
	}
	c.known[canonical] = s
	return s
}

// within looks for extensions and resources within an object or array. t is
// the type of the object.
func (c *checker) within(n rawjson.Node, v fhirpath.Value, t *fhirpath.Type) {
	in := infoOf(t)
	for m, ok := n.Child(); ok; m, ok = m.Next() {
		if m.Kind() != rawjson.KindObject && m.Kind() != rawjson.KindArray {
			continue
		}
		e, ok := in.json[string(m.RawName())]
		if !ok {
			continue
		}
		c.at = append(c.at, conformance.Step{Name: e.name, Index: -1})
		if m.Kind() == rawjson.KindObject {
			c.one(m, v, e)
		} else {
			top := len(c.at) - 1
			i := 0
			for item, ok := m.Child(); ok; item, ok = item.Next() {
				c.at[top].Index = i
				i++
				if item.Kind() == rawjson.KindObject {
					c.one(item, v, e)
				}
			}
		}
		c.at = c.at[:len(c.at)-1]
	}
}

func (c *checker) one(n rawjson.Node, v fhirpath.Value, e jsonInfo) {
	if e.typ.Kind == fhirpath.ResourceType {
		container := fhirpath.Value{}
		if e.name == "contained" {
			container = v
		}
		c.resource(n, nil, container)
		return
	}
	if e.typ.Name == "Extension" {
		c.extension(n, e.typ)
	}
	c.within(n, v, e.typ)
}

// extension checks an extension against its definition. Those named by a
// relative URL are defined by the extension that they are in.
func (c *checker) extension(n rawjson.Node, t *fhirpath.Type) {
	url, _ := n.Member("url")
	if url.Kind() != rawjson.KindString || !bytes.Contains(url.Raw(), []byte(":")) {
		return
	}
	if s := c.find(url.String(), n); s != nil && s.Type == "Extension" {
		c.against(fhirpath.NewElement(t, n, rawjson.Node{}), s)
	}
}

// against checks a value against a structure and reports.
func (c *checker) against(v fhirpath.Value, s *Structure) {
	key := memo{indexOf(v), s, c.silent == 0}
	if c.done[key] != 0 {
		if c.done[key] == notMet {
			c.failed = true
		}
		return
	}
	c.done[key] = underWay
	outer := c.structure
	c.structure = s
	failed := c.failed
	c.failed = false
	c.node(v, s.root)
	c.done[key] = met
	if c.failed {
		c.done[key] = notMet
	}
	c.failed = c.failed || failed
	c.structure = outer
}

// conforms tells whether a value meets a structure.
func (c *checker) conforms(v fhirpath.Value, s *Structure) bool {
	failed := c.failed
	c.failed = false
	c.silent++
	if v.IsResource() {
		c.inResource(v, func() { c.against(v, s) })
	} else {
		c.against(v, s)
	}
	c.silent--
	conforms := !c.failed
	c.failed = failed
	return conforms
}

// inResource does something with another resource as %resource.
func (c *checker) inResource(v fhirpath.Value, do func()) {
	outer, root := c.path.Resource, c.path.RootResource
	if v.Node() != outer.Node() {
		c.path.Resource = v
		if !c.contains(root, v) {
			c.path.RootResource = v
		}
	}
	do()
	c.path.Resource, c.path.RootResource = outer, root
}

func (c *checker) contains(container, v fhirpath.Value) bool {
	list, _ := container.Node().Member("contained")
	for n := range list.Elements() {
		if n == v.Node() {
			return true
		}
	}
	return false
}

// indexOf is a value's place in the document.
func indexOf(v fhirpath.Value) int {
	if n := v.Node(); n.Exists() {
		return n.Index()
	}
	return v.Underscore().Index()
}

func (c *checker) conformsTo(v fhirpath.Value, profile string) (conforms, ok bool) {
	if name, own := Core(profile); own {
		return v.Kind() == fhirpath.KindElement && v.Type().Is(name), true
	}
	s := c.find(profile, v.Node())
	if s == nil {
		return false, false
	}
	return v.Kind() == fhirpath.KindElement && v.Type().Is(s.Type) && c.conforms(v, s), true
}

// typeInfo is a type as JSON has it.
type typeInfo struct {
	elements map[string][]memberInfo // by name: one member, or one for each type of a choice
	json     map[string]jsonInfo     // by the member's name, underscores included
}

type memberInfo struct {
	name string
	typ  *fhirpath.Type
}

type jsonInfo struct {
	name string
	typ  *fhirpath.Type
}

// infos are compiled from the model's types at their first use.
var infos sync.Map // *fhirpath.Type → *typeInfo

func infoOf(t *fhirpath.Type) *typeInfo {
	if known, ok := infos.Load(t); ok {
		return known.(*typeInfo)
	}
	in := &typeInfo{elements: map[string][]memberInfo{}, json: map[string]jsonInfo{}}
	for _, e := range t.Elements {
		for _, typ := range e.Types {
			name := e.Name
			if e.Choice {
				name = conformance.ChoiceName(e.Name, typ.Name)
			}
			in.elements[e.Name] = append(in.elements[e.Name], memberInfo{name, typ})
			in.json[name] = jsonInfo{e.Name, typ}
			if typ.Kind == fhirpath.PrimitiveType {
				in.json["_"+name] = jsonInfo{e.Name, typ}
			}
		}
	}
	known, _ := infos.LoadOrStore(t, in)
	return known.(*typeInfo)
}

// Profiles are the canonical URLs that a resource claims in meta.profile.
func Profiles(resource rawjson.Node) []string {
	meta, _ := resource.Member("meta")
	return slices.DeleteFunc(stringsOf(meta, "profile"), func(s string) bool { return strings.TrimSpace(s) == "" })
}
