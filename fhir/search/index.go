package search

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Index turns resources into keys. It is safe for concurrent use.
type Index struct {
	definitions *conformance.Definitions
	model       fhirpath.Model
	// parent has what was compiled for the types that are the same there.
	parent *Index

	mu    sync.RWMutex
	types map[string]*typeIndex
	// extractors keeps the memory of extractions for the next.
	extractors sync.Pool
}

// typeIndex is what is extracted from one resource type.
type typeIndex struct {
	number     uint16
	parameters []indexed
}

type indexed struct {
	sp         *conformance.SearchParameter
	expression *fhirpath.Expression
	components []component
}

// NewIndex makes an index that extracts every supported search parameter of
// the definitions. Expressions are compiled when their type is first met.
func NewIndex(d *conformance.Definitions, model fhirpath.Model) *Index {
	x := &Index{definitions: d, model: model, types: map[string]*typeIndex{}}
	x.extractors.New = func() any { return &extractor{ctx: fhirpath.Context{Model: model, Units: fhirpath.UCUM{}}} }
	return x
}

// Model is what the index knows of FHIR's types.
func (x *Index) Model() fhirpath.Model { return x.model }

// With is an index of other definitions, made by Definitions.With from those
// of x. What is compiled for types that have the same parameters is shared.
func (x *Index) With(d *conformance.Definitions) *Index {
	if d == x.definitions {
		return x
	}
	y := NewIndex(d, x.model)
	y.parent = x
	return y
}

// shares reports whether the parent has the same parameters of a type.
func (x *Index) shares(typ string) bool {
	if x.parent == nil {
		return false
	}
	mine, theirs := x.definitions.SearchParameters(typ), x.parent.definitions.SearchParameters(typ)
	return len(mine) == len(theirs) && (len(mine) == 0 || &mine[0] == &theirs[0])
}

func (x *Index) of(typ string) (*typeIndex, error) {
	if x.shares(typ) {
		return x.parent.of(typ)
	}
	x.mu.RLock()
	t, ok := x.types[typ]
	x.mu.RUnlock()
	if ok {
		return t, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if t, ok := x.types[typ]; ok {
		return t, nil
	}
	t, err := x.compile(typ)
	if err == nil {
		x.types[typ] = t
	}
	return t, err
}

func (x *Index) compile(typ string) (*typeIndex, error) {
	number, ok := x.definitions.TypeNumber(typ)
	if !ok {
		return nil, fmt.Errorf("search: %q is no resource type", typ)
	}
	t := &typeIndex{number: number}
	for _, sp := range x.definitions.SearchParameters(typ) {
		// The server assigns these two: see IDKeys and VersionKeys.
		if !Supported(sp) || sp.Code == "_lastUpdated" || sp.Code == "_id" {
			continue
		}
		p := indexed{sp: sp}
		var err error
		if p.expression, err = fhirpath.Compile(sp.Expression); err != nil {
			return nil, fmt.Errorf("search: parameter %s of %s: %w", sp.Code, typ, err)
		}
		for _, c := range sp.Components {
			e, err := fhirpath.Compile(c.Expression)
			if err != nil {
				return nil, fmt.Errorf("search: component %s of parameter %s of %s: %w", c.Code, sp.Code, typ, err)
			}
			p.components = append(p.components, component{c.Type, e})
		}
		t.parameters = append(t.parameters, p)
	}
	return t, nil
}

// extractor is what an extraction works with.
type extractor struct {
	ctx    fhirpath.Context
	values fhirpath.Collection
	emit   emitter
	// parts hold the keys of a composite's components.
	parts  [2]emitter
	inside fhirpath.Collection
	// space begins the keys of contained resources; empty for others.
	space string
}

// Keys extracts the keys of a resource. Those that depend on its id and
// version are made by IDKeys and VersionKeys.
func (x *Index) Keys(typ string, resource rawjson.Node, base Base) ([]store.Key, error) {
	t, err := x.of(typ)
	if err != nil {
		return nil, err
	}
	root, ok := fhirpath.NewResource(x.model, resource)
	if !ok {
		return nil, errNotResource
	}
	ex := x.extractors.Get().(*extractor)
	defer x.release(ex, resource)
	ex.limits(resource)
	ex.emit.reset()
	ex.emit.base, ex.space = base, ""
	if err := ex.resource(typ, t, root); err != nil {
		return nil, err
	}
	if err := x.contained(ex, t.number, resource); err != nil {
		return nil, err
	}
	if base.FullText {
		ex.fullText(x.definitions, typ, t.number, resource)
	}
	return ex.emit.keys(), nil
}

// resource adds the keys of a resource, or of a contained one.
func (ex *extractor) resource(typ string, t *typeIndex, root fhirpath.Value) error {
	ex.emit.prefix = appendParam(append(ex.emit.prefix[:0], ex.space...), t.number, ownExists)
	ex.emit.buf = append(ex.emit.buf, ex.emit.prefix...)
	ex.emit.end()
	for i := range t.parameters {
		if err := ex.parameter(t.number, &t.parameters[i], root); err != nil {
			return extraction(typ, t.parameters[i].sp, err)
		}
	}
	return nil
}

var errNotResource = errors.New("search: not a resource")

// largeResource is from how many JSON values on the memory of an extraction is
// not kept.
const largeResource = 50_000

// release gives the extractor back. It must not keep the resource alive.
func (x *Index) release(ex *extractor, resource rawjson.Node) {
	if resource.Document().Len() > largeResource {
		return
	}
	clear(ex.values[:cap(ex.values)])
	clear(ex.inside[:cap(ex.inside)])
	clear(ex.emit.references[:cap(ex.emit.references)])
	ex.emit.base, ex.parts[0].base, ex.parts[1].base = Base{}, Base{}, Base{}
	x.extractors.Put(ex)
}

// limits lets the work on a resource grow with its size: a CodeSystem may
// well have more concepts than FHIRPath's default allows.
func (ex *extractor) limits(resource rawjson.Node) {
	n := resource.Document().Len()
	ex.ctx.MaxCollection = max(fhirpath.DefaultMaxCollection, n)
	ex.ctx.MaxSteps = max(fhirpath.DefaultMaxSteps, 20*n)
}

func (ex *extractor) parameter(typ uint16, p *indexed, root fhirpath.Value) error {
	var err error
	if ex.values, err = p.expression.AppendTo(ex.values[:0], &ex.ctx, root); err != nil {
		return err
	}
	ex.emit.prefix, ex.emit.spans, ex.emit.intervals = appendParam(append(ex.emit.prefix[:0], ex.space...), typ, p.sp.Number), 0, 0
	ex.emit.param = p.sp.Number
	if p.sp.Type == conformance.SearchComposite {
		return ex.composites(p.components, root)
	}
	for _, v := range ex.values {
		ex.emit.fhirpath(p.sp.Type, v)
	}
	return nil
}

// extraction words the failure of an expression: that a resource is too
// large is the client's, and what a custom parameter's expression does not
// take is for its author; all else is the server's.
func extraction(typ string, sp *conformance.SearchParameter, err error) error {
	if errors.Is(err, fhirpath.LimitError) || errors.Is(err, errCombinations) {
		return outcome.New(http.StatusUnprocessableEntity, outcome.CodeTooCostly,
			"The %s is too large to be indexed by its search parameter %s.", typ, sp.Code)
	}
	if sp.Number >= conformance.FirstCustomParameterNumber {
		e := outcome.New(http.StatusUnprocessableEntity, outcome.CodeBusinessRule,
			"The %s cannot be indexed by the search parameter %s of this environment: its expression fails on it. Correct or retire the SearchParameter.", typ, sp.Code)
		e.Cause = err
		return e
	}
	return fmt.Errorf("search: parameter %s of %s: %w", sp.Code, typ, err)
}
