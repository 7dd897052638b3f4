package terminology

import (
	"context"
	"errors"
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
	// versions are what the one who asks says of versions.
	versions Versions
	// only are the codes that are asked about, in lower case; nil for all. So a
	// code is found in value sets of any size.
	only  map[string]bool
	asked []Coding
	// used are url|version of the code systems that codes were taken from.
	used []string
}

// wants reports whether a code is asked about.
func (e *expander) wants(code string) bool {
	return e.only == nil || e.only[strings.ToLower(code)]
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
		all, err := e.own(url, version)
		if errors.Is(err, ErrNotHeld) && e.s.asks(url) != Never {
			return e.elsewhere(name, nil)
		}
		return all, err
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
			if e.wants(code) {
				all.add(Code{System: system, Code: code})
			}
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
			if code := text(c, "code"); code != "" && e.wants(code) {
				all.add(contained(c))
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

// contained is a ValueSet.expansion.contains.
func contained(c rawjson.Node) Code {
	return Code{
		System: text(c, "system"), Version: text(c, "version"), Code: text(c, "code"), Display: text(c, "display"),
		Abstract: is(c, "abstract", "true"), Inactive: is(c, "inactive", "true"), Designations: designations(c),
	}
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
	version, err := e.versions.of(url, system, version)
	if err != nil {
		return nil, err
	}
	if listed {
		if filtered {
			return nil, fail(ErrInvalid, "The value set %s lists and filters codes in one include.", url)
		}
		return e.listed(system, version, n), nil
	}
	if e.s.asks(system) == Always {
		return e.elsewhere(url, alone(n, version))
	}
	cs, err := e.codeSystem(system, version)
	if errors.Is(err, ErrNotHeld) && e.s.asks(system) == Unheld {
		return e.elsewhere(url, alone(n, version))
	}
	if err != nil {
		return nil, err
	}
	match, err := cs.filters(url, n)
	if err != nil {
		return nil, err
	}
	all := newSet()
	for _, c := range cs.concepts {
		if e.wants(c.code) && match(c) {
			all.add(cs.code(c))
			if len(all.codes) > e.s.o.MaxCodes {
				break // exclude may not save it: the work is bounded
			}
		}
	}
	return all, e.bounded(name(url), all)
}

// listed are codes one by one. They need no code system; one that is held has
// the displays.
func (e *expander) listed(system, version string, n rawjson.Node) *set {
	all := newSet()
	cs, err := e.codeSystem(system, version)
	if err != nil {
		cs = nil
	}
	for c := range elements(n, "concept") {
		code := Code{System: system, Version: version, Code: text(c, "code"), Display: text(c, "display"), Designations: designations(c)}
		if !e.wants(code.Code) {
			continue
		}
		if cs != nil {
			if known, ok := cs.lookup(code.Code); ok {
				code.Inactive, code.Abstract, code.fold = known.inactive, known.abstract, cs.insensitive
				code.Designations = append(code.Designations, known.designations...)
				if code.Display == "" {
					code.Display = known.display
				}
			}
		}
		all.add(code)
	}
	return all
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
		e.uses(cs.url, cs.version)
	}
	return cs, err
}

func (e *expander) uses(system, version string) {
	if version != "" && !slices.Contains(e.used, system+"|"+version) {
		e.used = append(e.used, system+"|"+version)
	}
}

// Versions are what one who expands says of the versions of code systems, by
// their URL (https://hl7.org/fhir/R4/valueset-operation-expand.html).
type Versions struct {
	// Default is taken where the value set names none, Force in any case, and
	// what is not as Check says is refused.
	Default, Force, Check map[string]string
}

func (v Versions) of(valueSet, system, version string) (string, error) {
	if version == "" {
		version = v.Default[system]
	}
	if check := v.Check[system]; check != "" {
		if version != "" && version != check {
			return "", fail(ErrInvalid, "The value set %s takes the code system %s in another version than check-system-version says.", valueSet, system)
		}
		version = check
	}
	if force := v.Force[system]; force != "" {
		version = force
	}
	return version, nil
}
