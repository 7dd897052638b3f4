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
)

// Error says what could not be answered. Its text names canonical URLs and
// rules; both are definitions, nobody's data.
type Error struct {
	Cause error // ErrNotHeld, ErrTooCostly or ErrInvalid
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
}

// Options are what a service works with.
type Options struct {
	Reader      Reader
	Definitions *conformance.Definitions
	// MaxCodes is the most codes of an expansion; 10,000 by default.
	MaxCodes int
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
}

// key is what makes two codes the same.
func (c Code) key() [2]string { return [2]string{c.System, c.Code} }

// canonical cuts url|version.
func canonical(s string) (url, version string) {
	url, version, _ = strings.Cut(s, "|")
	return url, version
}

// Expand returns the codes of a value set, in its order: by canonical URL, with
// or without |version, or as ValueSet/id.
func (s *Service) Expand(ctx context.Context, valueSet string) ([]Code, error) {
	e := expander{s: s, ctx: ctx}
	set, err := e.valueSet(valueSet)
	if err != nil {
		return nil, err
	}
	return set.list(), nil
}

// ExpandResource returns the codes of a ValueSet that is given.
func (s *Service) ExpandResource(ctx context.Context, resource []byte) ([]Code, error) {
	doc, err := rawjson.Parse(resource, nil)
	if err != nil {
		return nil, fail(ErrInvalid, "The value set is not JSON.")
	}
	e := expander{s: s, ctx: ctx}
	set, err := e.resource("that is given", doc.Root())
	if err != nil {
		return nil, err
	}
	return set.list(), nil
}

// Below returns a code and all codes that lie below it.
func (s *Service) Below(ctx context.Context, system, code string) ([]Code, error) {
	return s.related(ctx, system, code, func(c *concept) []*concept { return c.children })
}

// Above returns a code and all codes that it lies below.
func (s *Service) Above(ctx context.Context, system, code string) ([]Code, error) {
	return s.related(ctx, system, code, func(c *concept) []*concept { return c.parents })
}

func (s *Service) related(ctx context.Context, system, code string, next func(*concept) []*concept) ([]Code, error) {
	cs, err := s.codeSystem(ctx, system, "")
	if err != nil {
		return nil, err
	}
	c, err := cs.find(code)
	if err != nil {
		return nil, err
	}
	if cs.flat {
		return nil, fail(ErrNotHeld, "The codes of %s are known here but not how they lie below each other: its CodeSystem is not held.", system)
	}
	var codes []Code
	for _, c := range reach(c, next) {
		codes = append(codes, cs.code(c))
	}
	return codes, nil
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
	cs, err := s.codeSystem(ctx, system, version)
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
	case cs.flat:
		return "", fail(ErrNotHeld, "The codes of %s are known here but not how they lie below each other: its CodeSystem is not held.", system)
	case below(y, x):
		return Subsumes, nil
	case below(x, y):
		return SubsumedBy, nil
	}
	return NotSubsumed, nil
}

// Lookup returns a code with its properties and designations.
func (s *Service) Lookup(ctx context.Context, system, version, code string) (Details, error) {
	cs, err := s.codeSystem(ctx, system, version)
	if err != nil {
		return Details{}, err
	}
	c, err := cs.find(code)
	if err != nil {
		return Details{}, err
	}
	return cs.details(c), nil
}

// Validation is whether a code is in a value set or code system.
type Validation struct {
	Result bool
	// Display is the code's own; Message says why Result is false.
	Display, Message string
}

// ValidateCode tells whether a value set has a code. Without a system the code
// alone decides, if only one system of the value set has it.
func (s *Service) ValidateCode(ctx context.Context, valueSet, system, code, display string) (Validation, error) {
	codes, err := s.Expand(ctx, valueSet)
	if err != nil {
		return Validation{}, err
	}
	return validate(codes, valueSet, system, code, display), nil
}

// ValidateIn is ValidateCode with a code system.
func (s *Service) ValidateIn(ctx context.Context, system, version, code, display string) (Validation, error) {
	cs, err := s.codeSystem(ctx, system, version)
	if err != nil {
		return Validation{}, err
	}
	c, ok := cs.lookup(code)
	if !ok {
		return Validation{Message: "The code system " + system + " does not have the code."}, nil
	}
	return validate([]Code{cs.code(c)}, system, system, cs.code(c).Code, display), nil
}

func validate(codes []Code, in, system, code, display string) Validation {
	var found []Code
	for _, c := range codes {
		if c.Code == code && (system == "" || c.System == system) {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0:
		return Validation{Message: in + " does not have the code."}
	case len(found) > 1:
		return Validation{Message: in + " has the code in several systems; say which is meant."}
	case found[0].Abstract:
		return Validation{Display: found[0].Display, Message: "The code is abstract: it groups others and is not for use."}
	case display != "" && found[0].Display != "" && !strings.EqualFold(display, found[0].Display):
		return Validation{Display: found[0].Display, Message: "The display is not that of the code."}
	}
	return Validation{Result: true, Display: found[0].Display}
}
