package terminology

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// The causes of what Service answers besides a Reader's own errors.
var (
	ErrNotHeld   = errors.New("not held")
	ErrTooCostly = errors.New("too many codes")
	ErrInvalid   = errors.New("cannot be used")
	// ErrServer: the terminology server gave no answer that can be used, or
	// (ErrUnavailable) none at all.
	ErrServer      = errors.New("no usable answer of the terminology server")
	ErrUnavailable = errors.New("the terminology server cannot be reached")
)

// Error says what could not be answered. Its text names canonical URLs and
// rules; both are definitions, nobody's data.
type Error struct {
	Cause error // ErrNotHeld, ErrTooCostly, ErrInvalid, ErrServer or ErrUnavailable
	Text  string
}

func (e *Error) Error() string { return "terminology: " + e.Text }
func (e *Error) Unwrap() error { return e.Cause }

func fail(cause error, format string, args ...any) error {
	return &Error{cause, fmt.Sprintf(format, args...)}
}

// Reader reads the terminology resources of a tenant.
type Reader interface {
	// Canonical returns the current resource of a type that has this
	// canonical URL and, unless it is "", this version; of several the newest.
	Canonical(ctx context.Context, typ, url, version string) (resource []byte, ok bool, err error)
	// Resource returns the current resource with an id.
	Resource(ctx context.Context, typ, id string) (resource []byte, ok bool, err error)
	// Maps returns the current ConceptMaps, max at most.
	Maps(ctx context.Context, max int) ([][]byte, error)
}

// Options are what a service works with.
type Options struct {
	Reader      Reader
	Definitions *conformance.Definitions
	// MaxCodes is the most codes of an expansion; 10,000 by default.
	MaxCodes int
	// Server is asked for what goes elsewhere; nil when there is none.
	Server Server
}

// Service answers for one tenant. Safe for concurrent use when its Reader is.
type Service struct{ o Options }

// New makes a service.
func New(o Options) *Service {
	if o.MaxCodes == 0 {
		o.MaxCodes = 10_000
	}
	return &Service{o}
}

// Code is a code of a code system.
type Code struct {
	System, Version, Code, Display string
	// Abstract is not for use in data, Inactive no longer.
	Abstract, Inactive bool
	Designations       []Designation
	// fold says that the code system does not tell upper from lower case.
	fold bool
}

// Coding is a code that somebody gives; all but Code may be missing.
type Coding struct{ System, Version, Code, Display string }

// key is what makes two codes the same.
func (c Code) key() [2]string { return [2]string{c.System, c.Code} }

// canonical cuts url|version.
func canonical(s string) (url, version string) {
	url, version, _ = strings.Cut(s, "|")
	return url, version
}

// ValueSet is a value set by its canonical URL, with or without |version, by
// ValueSet/id, or as the resource.
type ValueSet struct {
	Canonical string
	Resource  rawjson.Node
}

func (e *expander) expand(v ValueSet) (*set, error) {
	if v.Resource.Exists() {
		return e.resource("that is given", v.Resource)
	}
	return e.valueSet(v.Canonical)
}

// Expand returns the codes of a value set, in its order: by canonical URL, with
// or without |version, or as ValueSet/id.
func (s *Service) Expand(ctx context.Context, valueSet string) ([]Code, error) {
	x, err := s.ExpandBy(ctx, ValueSet{Canonical: valueSet}, Versions{})
	return x.Codes, err
}

// Expansion is what a value set stands for.
type Expansion struct {
	Codes []Code
	// Used are the code systems that it was made with, as url|version.
	Used []string
}

// ExpandBy is Expand of any value set with given versions of code systems.
func (s *Service) ExpandBy(ctx context.Context, v ValueSet, versions Versions) (Expansion, error) {
	e := expander{s: s, ctx: ctx, versions: versions}
	set, err := e.expand(v)
	if err != nil {
		return Expansion{}, err
	}
	return Expansion{set.list(), e.used}, nil
}

// Resource reads a ValueSet, CodeSystem or ConceptMap that is held, by its
// canonical URL or as Type/id.
func (s *Service) Resource(ctx context.Context, typ, name string) (rawjson.Node, error) {
	url, version := canonical(name)
	var body []byte
	var ok bool
	var err error
	if id, relative := strings.CutPrefix(name, typ+"/"); relative {
		body, ok, err = s.o.Reader.Resource(ctx, typ, id)
	} else {
		body, ok, err = s.o.Reader.Canonical(ctx, typ, url, version)
	}
	if err != nil {
		return rawjson.Node{}, err
	}
	if !ok {
		return rawjson.Node{}, notHeld(typ, url, version)
	}
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return rawjson.Node{}, fail(ErrInvalid, "The %s %s is not JSON.", typ, name)
	}
	return doc.Root(), nil
}

// Below returns a code and all codes that lie below it.
func (s *Service) Below(ctx context.Context, system, code string) ([]Code, error) {
	return s.related(ctx, system, code, "is-a", func(c *concept) []*concept { return c.children })
}

// Above returns a code and all codes that it lies below.
func (s *Service) Above(ctx context.Context, system, code string) ([]Code, error) {
	return s.related(ctx, system, code, "generalizes", func(c *concept) []*concept { return c.parents })
}

func (s *Service) related(ctx context.Context, system, code, op string, next func(*concept) []*concept) ([]Code, error) {
	cs, err := s.hierarchyOf(ctx, system, "")
	if s.goesElsewhere(system, err) {
		return s.relatedElsewhere(ctx, system, code, op)
	}
	if err != nil {
		return nil, err
	}
	c, err := cs.find(code)
	if err != nil {
		return nil, err
	}
	var codes []Code
	for _, c := range reach(c, next) {
		codes = append(codes, cs.code(c))
	}
	return codes, nil
}

// hierarchyOf is a code system of which it is known how codes lie below each
// other.
func (s *Service) hierarchyOf(ctx context.Context, system, version string) (*codeSystem, error) {
	cs, err := s.codeSystem(ctx, system, version)
	if err == nil && cs.flat {
		return nil, fail(ErrNotHeld, "The codes of %s are known here but not how they lie below each other: its CodeSystem is not held.", system)
	}
	return cs, err
}

// Subsumption is how two codes of one system relate
// (https://hl7.org/fhir/R4/codesystem-operation-subsumes.html).
type Subsumption string

// The outcomes of $subsumes.
const (
	Equivalent  Subsumption = "equivalent"
	Subsumes    Subsumption = "subsumes"
	SubsumedBy  Subsumption = "subsumed-by"
	NotSubsumed Subsumption = "not-subsumed"
)

// Subsumes tells whether code a is above, below or the same as b.
func (s *Service) Subsumes(ctx context.Context, system, version, a, b string) (Subsumption, error) {
	cs, err := s.hierarchyOf(ctx, system, version)
	if s.goesElsewhere(system, err) {
		return s.subsumesElsewhere(ctx, system, version, a, b)
	}
	if err != nil {
		return "", err
	}
	x, err := cs.find(a)
	if err != nil {
		return "", err
	}
	y, err := cs.find(b)
	switch {
	case err != nil:
		return "", err
	case x == y:
		return Equivalent, nil
	case below(y, x):
		return Subsumes, nil
	case below(x, y):
		return SubsumedBy, nil
	}
	return NotSubsumed, nil
}

// Lookup returns a code with its properties and designations. The properties
// that are named are asked for where the code is looked up elsewhere; here all
// are known.
func (s *Service) Lookup(ctx context.Context, system, version, code string, properties ...string) (Details, error) {
	cs, err := s.codeSystem(ctx, system, version)
	if s.goesElsewhere(system, err) {
		return s.lookupElsewhere(ctx, system, version, code, properties)
	}
	if err != nil {
		return Details{}, err
	}
	c, err := cs.find(code)
	if err != nil {
		return Details{}, err
	}
	return cs.details(c), nil
}
