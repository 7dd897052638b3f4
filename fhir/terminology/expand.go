package terminology

import (
	"context"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// expander makes one expansion.
type expander struct {
	s   *Service
	ctx context.Context
	// open are the value sets that are being expanded, to find circles.
	open []string
	// done are those that were, which several may import.
	done map[string]*set
	// systems are the code systems that were read.
	systems map[string]*codeSystem
}

// set is a set of codes that keeps their order.
type set struct {
	codes []Code
	has   map[[2]string]int
}

func newSet() *set { return &set{has: map[[2]string]int{}} }

func (s *set) add(c Code) {
	if _, ok := s.has[c.key()]; !ok {
		s.has[c.key()] = len(s.codes)
		s.codes = append(s.codes, c)
	}
}

func (s *set) keep(keep func(Code) bool) {
	s.codes = slices.DeleteFunc(s.codes, func(c Code) bool { return !keep(c) })
	s.has = map[[2]string]int{}
	for i, c := range s.codes {
		s.has[c.key()] = i
	}
}

func (s *set) contains(c Code) bool {
	_, ok := s.has[c.key()]
	return ok
}

func (s *set) list() []Code { return s.codes }

// maxImports is how deep value sets may import each other.
const maxImports = 30

// valueSet expands a value set by its canonical URL or ValueSet/id.
func (e *expander) valueSet(name string) (*set, error) {
	if done, ok := e.done[name]; ok {
		return done, nil
	}
	all, err := e.read(name)
	if err == nil {
		if e.done == nil {
			e.done = map[string]*set{}
		}
		e.done[name] = all
	}
	return all, err
}

func (e *expander) read(name string) (*set, error) {
	switch {
	case slices.Contains(e.open, name):
		return nil, fail(ErrInvalid, "The value set %s imports itself.", name)
	case len(e.open) == maxImports:
		return nil, fail(ErrTooCostly, "More than %d value sets import each other.", maxImports)
	}
	e.open = append(e.open, name)
	defer func() { e.open = e.open[:len(e.open)-1] }()
	var body []byte
	var ok bool
	var err error
	url, version := canonical(name)
	if id, relative := strings.CutPrefix(name, "ValueSet/"); relative {
		body, ok, err = e.s.o.Reader.Resource(e.ctx, "ValueSet", id)
	} else {
		body, ok, err = e.s.o.Reader.Canonical(e.ctx, "ValueSet", url, version)
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		return e.own(url, version)
	}
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return nil, fail(ErrInvalid, "The ValueSet %s is not JSON.", name)
	}
	return e.resource(name, doc.Root())
}

// own is a value set of R4's required bindings.
func (e *expander) own(url, version string) (*set, error) {
	values, ok := e.s.o.Definitions.ValueSet(url)
	if !ok || version != "" && version != e.s.o.Definitions.Release() {
		return nil, notHeld("value set", url, version)
	}
	all := newSet()
	for _, system := range values.Systems() {
		for _, code := range values.Codes(system) {
			all.add(Code{System: system, Code: code})
		}
	}
	return all, e.bounded(name(url), all)
}

func name(url string) string { return "The value set " + url }

func (e *expander) bounded(what string, all *set) error {
	if len(all.codes) > e.s.o.MaxCodes {
		return fail(ErrTooCostly, "%s has more than %d codes.", what, e.s.o.MaxCodes)
	}
	return nil
}

// resource expands a ValueSet. One whose compose needs what is not held is
// taken by the expansion that it may have, if that is whole.
func (e *expander) resource(url string, root rawjson.Node) (*set, error) {
	compose, ok := root.Member("compose")
	if !ok {
		return e.stored(url, root, fail(ErrInvalid, "The ValueSet %s has neither compose nor a whole expansion.", url))
	}
	all, err := e.compose(url, compose)
	if err != nil {
		return e.stored(url, root, err)
	}
	return all, nil
}

// stored is the expansion in a ValueSet; failed, when there is none.
func (e *expander) stored(url string, root rawjson.Node, failed error) (*set, error) {
	expansion, ok := root.Member("expansion")
	if !ok {
		return nil, failed
	}
	all := newSet()
	listed := 0
	var contains func(n rawjson.Node)
	contains = func(n rawjson.Node) {
		for c := range elements(n, "contains") {
			listed++
			if code := text(c, "code"); code != "" {
				all.add(Code{
					System: text(c, "system"), Version: text(c, "version"), Code: code, Display: text(c, "display"), Abstract: is(c, "abstract", "true"), Inactive: is(c, "inactive", "true"),
				})
			}
			contains(c)
		}
	}
	contains(expansion)
	if total, ok := expansion.Member("total"); ok && string(total.Raw()) != itoa(listed) {
		return nil, failed // a page of it
	}
	return all, e.bounded(name(url), all)
}

// compose: R4, ValueSet.compose: what any include has and no exclude has.
func (e *expander) compose(url string, compose rawjson.Node) (*set, error) {
	all := newSet()
	for include := range elements(compose, "include") {
		part, err := e.include(url, include)
		if err != nil {
			return nil, err
		}
		for _, c := range part.codes {
			all.add(c)
		}
		if err := e.bounded(name(url), all); err != nil {
			return nil, err
		}
	}
	for exclude := range elements(compose, "exclude") {
		part, err := e.include(url, exclude)
		if err != nil {
			return nil, err
		}
		all.keep(func(c Code) bool { return !part.contains(c) })
	}
	if is(compose, "inactive", "false") {
		all.keep(func(c Code) bool { return !c.Inactive })
	}
	return all, nil
}

// include: codes of a system, listed, filtered or all, that every imported
// value set has too; or what all imported value sets have.
func (e *expander) include(url string, n rawjson.Node) (*set, error) {
	var all *set
	if system := text(n, "system"); system != "" {
		var err error
		if all, err = e.system(url, system, text(n, "version"), n); err != nil {
			return nil, err
		}
	}
	for imported := range elements(n, "valueSet") {
		other, err := e.valueSet(imported.String())
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = newSet() // others may import the same
			for _, c := range other.codes {
				all.add(c)
			}
			continue
		}
		all.keep(other.contains)
	}
	if all == nil {
		return nil, fail(ErrInvalid, "The value set %s includes neither a system nor a value set.", url)
	}
	return all, nil
}

// system is what an include says of a code system.
func (e *expander) system(url, system, version string, n rawjson.Node) (*set, error) {
	_, listed := n.Member("concept")
	_, filtered := n.Member("filter")
	all := newSet()
	if listed {
		if filtered {
			return nil, fail(ErrInvalid, "The value set %s lists and filters codes in one include.", url)
		}
		// Listed codes need no code system; one that is held has the displays.
		cs, err := e.codeSystem(system, version)
		if err != nil {
			cs = nil
		}
		for c := range elements(n, "concept") {
			code := Code{System: system, Version: version, Code: text(c, "code"), Display: text(c, "display")}
			if cs != nil {
				if known, ok := cs.lookup(code.Code); ok {
					code.Inactive, code.Abstract = known.inactive, known.abstract
					if code.Display == "" {
						code.Display = known.display
					}
				}
			}
			all.add(code)
		}
		return all, nil
	}
	cs, err := e.codeSystem(system, version)
	if err != nil {
		return nil, err
	}
	match, err := cs.filters(url, n)
	if err != nil {
		return nil, err
	}
	for _, c := range cs.concepts {
		if match(c) {
			all.add(cs.code(c))
			if len(all.codes) > e.s.o.MaxCodes {
				break // exclude may not save it: the work is bounded
			}
		}
	}
	return all, e.bounded(name(url), all)
}

func (e *expander) codeSystem(system, version string) (*codeSystem, error) {
	key := system + "|" + version
	if cs, ok := e.systems[key]; ok {
		return cs, nil
	}
	cs, err := e.s.codeSystem(e.ctx, system, version)
	if err == nil {
		if e.systems == nil {
			e.systems = map[string]*codeSystem{}
		}
		e.systems[key] = cs
	}
	return cs, err
}
