package search

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// containedSpace begins the keys that a resource has for what it contains: the
// keys of a contained Medication are those of a Medication behind it. Numbers
// of types are below 0x8000, so no other key begins so.
const containedSpace = "\x80"

// containedReference is a reference to a contained resource.
type containedReference struct {
	param uint16
	id    string
}

// contained adds the keys of contained resources, in a space of their own for
// _contained, and behind each parameter that refers to them for chains
// (R4 search, contained resources).
func (x *Index) contained(ex *extractor, typ uint16, resource rawjson.Node) error {
	references := slices.Clone(ex.emit.references)
	ex.space = containedSpace
	for c := range containedIn(resource) {
		name := member(c, "resourceType")
		t, err := x.of(name)
		if err != nil {
			continue // no type of R4's: the validator's business
		}
		root, ok := fhirpath.NewResource(x.model, c)
		if !ok {
			continue
		}
		first := len(ex.emit.ends)
		if err := ex.resource(name, t, root); err != nil {
			return err
		}
		id := member(c, "id")
		if sp, ok := x.definitions.SearchParameter(name, "_id"); ok && id != "" {
			ex.emit.prefix = appendParam(append(ex.emit.prefix[:0], containedSpace...), t.number, sp.Number)
			ex.emit.code("", id)
		}
		ex.emit.chained(typ, references, id, first)
	}
	return nil
}

// chained repeats the keys from the first on behind the parameters that refer
// to an id.
func (e *emitter) chained(typ uint16, references []containedReference, id string, first int) {
	last := len(e.ends)
	for i, r := range references {
		if id == "" || r.id != id || slices.Contains(references[:i], r) {
			continue
		}
		e.prefix = appendParam(e.prefix[:0], typ, r.param)
		from := 0
		if first > 0 {
			from = e.ends[first-1]
		}
		for _, end := range e.ends[first:last] {
			e.start(formContained)
			e.buf = append(e.buf, e.buf[from+len(containedSpace):end]...)
			e.end()
			from = end
		}
	}
}

// containedIn are the resources that a resource contains.
func containedIn(resource rawjson.Node) iter.Seq[rawjson.Node] {
	return func(yield func(rawjson.Node) bool) {
		all, _ := resource.Member("contained")
		for c := range all.Elements() {
			if c.Kind() == rawjson.KindObject && !yield(c) {
				return
			}
		}
	}
}

// Contained is a search for what resources contain (R4 search, contained
// resources).
type Contained struct {
	// Match is what the keys of one resource have to meet. Request.Where then
	// selects resources that may contain such a one: what meets each of
	// several conditions need not be the same.
	Match store.Clause
	// Both asks for resources that are not contained, too.
	Both bool
	// Alone asks for contained resources instead of their containers.
	Alone bool
}

// Place is where a page continues: behind a resource, or, with skip, within
// the one that follows, behind so many of its entries.
func (c Contained) Place(number int64, skip int) store.Cursor {
	k := strconv.Itoa(skip)
	return store.Cursor{Number: number, Keys: []*store.Key{&k}}
}

// Behind undoes Place; nil is the beginning.
func (c Contained) Behind(place *store.Cursor) (after *store.Cursor, skip int) {
	if place == nil {
		return nil, 0
	}
	if len(place.Keys) == 1 && place.Keys[0] != nil {
		skip, _ = strconv.Atoi(*place.Keys[0]) // written by Place, and sealed
	}
	return &store.Cursor{Number: place.Number}, skip
}

// ContainedResource is a contained resource that was found.
type ContainedResource struct {
	// ID is what its container refers to it by, without the #.
	ID   string
	Body []byte
}

// ContainedMatches are the contained resources that a search is for.
func (x *Index) ContainedMatches(c *Contained, resource rawjson.Node, base Base) ([]ContainedResource, error) {
	base.FullText = false
	var found []ContainedResource
	for n := range containedIn(resource) {
		typ, id := member(n, "resourceType"), member(n, "id")
		if _, err := x.of(typ); err != nil {
			continue
		}
		keys, err := x.Keys(typ, n, base)
		if err != nil {
			return nil, err
		}
		if id != "" {
			keys = append(keys, x.IDKeys(store.Ref{Type: typ, ID: id})...)
		}
		if store.MatchKeys(c.Match, store.SortKeys(keys)) {
			found = append(found, ContainedResource{id, n.Raw()})
		}
	}
	return found, nil
}

// contained: _contained.
func (p *parser) contained(value string) error {
	switch value {
	case "false":
		p.within = nil
	case "true", "both":
		p.within = &Contained{Both: value == "both"}
	default:
		return outcome.BadRequest(outcome.CodeValue, "The value of _contained must be true, false or both.")
	}
	return nil
}

// containedType: _containedType, which means nothing without _contained.
func (p *parser) containedType(value string) error {
	if value != "container" && value != "contained" {
		return outcome.BadRequest(outcome.CodeValue, "The value of _containedType must be container or contained.")
	}
	p.alone = value == "contained"
	return nil
}

// searchContained makes a search one for contained resources.
func (p *parser) searchContained() error {
	if p.within == nil {
		return nil
	}
	if err := p.containable(); err != nil {
		return err
	}
	c := *p.within
	c.Match, c.Alone = p.r.Where, p.alone
	p.r.Contained = &c
	inside, _ := under(containedSpace, relaxed(c.Match))
	if c.Both {
		inside = store.Or{c.Match, inside}
	}
	p.r.Where = inside
	return nil
}

// containable refuses what contained resources cannot be searched with.
func (p *parser) containable() error {
	refuse := func(what string) error {
		return outcome.BadRequest(outcome.CodeNotSupported, "_contained does not go with %s.", what)
	}
	if p.o.Compartment != nil {
		return refuse("a compartment")
	}
	for _, a := range p.r.Applied {
		name, _, _ := strings.Cut(a.Name, ":")
		head, _, chained := strings.Cut(name, ".")
		switch name {
		case "_sort", "_total", "_include", "_revinclude", "_elements", "_has", "_list", "_text", "_content", "_lastUpdated":
			return refuse(name)
		case "_summary":
			if a.Value != "false" {
				return refuse(name)
			}
		}
		if chained || strings.Contains(a.Name, ".") {
			return refuse("a chained parameter, as by " + printable(head))
		}
		for _, b := range p.branches {
			if sp, ok := p.o.Base.Definitions.SearchParameter(b.typ, head); ok && sp.Type == conformance.SearchSpecial {
				return refuse(sp.Code)
			}
		}
	}
	if p.r.CountOnly {
		return refuse("_count=0")
	}
	if _, ok := under("", p.r.Where); !ok || follows(p.r.Where) {
		return refuse("a _filter that follows references")
	}
	return nil
}

// under is a clause on keys that have a prefix before them; not ok when it
// asks for what others refer to, which nothing contained can be.
func under(prefix string, c store.Clause) (_ store.Clause, ok bool) {
	switch c := c.(type) {
	case store.Range:
		return store.Range{From: prefix + c.From, To: prefix + c.To}, true
	case store.Refers:
		c.Prefix = prefix + c.Prefix
		return c, true
	case store.And:
		all := make(store.And, len(c))
		for i := range c {
			if all[i], ok = under(prefix, c[i]); !ok {
				return nil, false
			}
		}
		return all, true
	case store.Or:
		any := make(store.Or, 0, len(c))
		for _, part := range c {
			if part, ok = under(prefix, part); ok {
				any = append(any, part)
			}
		}
		return any, len(any) > 0 || len(c) == 0
	case store.Not:
		inner, ok := under(prefix, c.Clause)
		return store.Not{Clause: inner}, ok
	}
	return nil, false
}

// relaxed is a clause without what must not be: a container of two resources
// is no match by what the one has and the other has not.
func relaxed(c store.Clause) store.Clause {
	switch c := c.(type) {
	case store.And:
		all := make(store.And, 0, len(c))
		for _, part := range c {
			if _, not := part.(store.Not); !not {
				all = append(all, relaxed(part))
			}
		}
		return all
	case store.Or:
		any := make(store.Or, len(c))
		for i := range c {
			any[i] = relaxed(c[i])
		}
		return any
	}
	return c
}

// follows reports whether a clause looks at other resources.
func follows(c store.Clause) bool {
	switch c := c.(type) {
	case store.Refers, store.ReferredBy:
		return true
	case store.And:
		return slices.ContainsFunc(c, follows)
	case store.Or:
		return slices.ContainsFunc(c, follows)
	case store.Not:
		return follows(c.Clause)
	}
	return false
}
