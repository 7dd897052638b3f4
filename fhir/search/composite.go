package search

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// component is one of the parts of a composite parameter.
type component struct {
	typ        conformance.SearchType
	expression *fhirpath.Expression
}

// Composites (R4 search, composite) are pairs of values of the same element.
// A pair is one key, so that a range over keys can have both: the whole key
// of the first value, with its length before it, and then the key of the
// second, both without the parameter's numbers. The first value is always
// compared by equality, the second may be a range.
const (
	firstForms  = string(formCode) + string(formSystem) + string(formReference) + string(formURL)
	secondForms = firstForms + string(formNormal) + string(formLow) + string(formHigh) + string(formWithin) + string(formCanonical)
)

// maxCombinations bounds the keys of one composite parameter of a resource.
const maxCombinations = 10_000

var errCombinations = errors.New("too many combinations")

// composable reports whether a composite is one of those that keys can answer:
// pairs, and the coordinates of MolecularSequence.
func composable(sp *conformance.SearchParameter) bool {
	if coordinates(sp) {
		return true
	}
	if len(sp.Components) != 2 {
		return false
	}
	switch sp.Components[0].Type {
	case conformance.SearchToken, conformance.SearchReference:
	default:
		return false
	}
	return clauses[sp.Components[1].Type] != nil
}

// composites adds the keys of a composite for each of the elements that its
// own expression selected.
func (ex *extractor) composites(components []component, root fhirpath.Value) error {
	ex.ctx.Resource, ex.ctx.RootResource = root, root
	defer func() { ex.ctx.Resource, ex.ctx.RootResource = fhirpath.Value{}, fhirpath.Value{} }()
	count, spans := 0, 0
	var starts []uint32
	for _, v := range ex.values {
		for i := range components {
			part := &ex.parts[min(i, 1)]
			part.reset()
			part.spans = spans
			part.base = ex.emit.base
			var err error
			if ex.inside, err = components[i].expression.AppendTo(ex.inside[:0], &ex.ctx, v); err != nil {
				return err
			}
			if i == 1 && len(components) == 3 {
				starts = integers(starts[:0], ex.inside)
				continue
			}
			for _, w := range ex.inside {
				part.fhirpath(components[i].typ, w)
			}
			part.only([2]string{firstForms, secondForms}[min(i, 1)])
		}
		count += len(ex.parts[0].ends) * len(ex.parts[1].ends)
		if len(components) == 3 {
			if count > maxCoordinates/(coordinateLevels+1) {
				return errCombinations
			}
			ex.emit.triples(&ex.parts[0], &ex.parts[1], starts)
			continue
		}
		if count > maxCombinations {
			return errCombinations
		}
		ex.emit.pairs(&ex.parts[0], &ex.parts[1])
		spans = ex.parts[1].spans // the spans of all elements are told apart
	}
	return nil
}

// integers are values that are integers of 32 bits, as FHIR's are.
func integers(all []uint32, values fhirpath.Collection) []uint32 {
	for _, v := range values {
		if n, err := strconv.ParseInt(string(v.Node().Raw()), 10, 32); err == nil {
			all = append(all, coordinate(n))
		}
	}
	return all
}

func (e *emitter) pairs(first, second *emitter) {
	i := 0
	for _, j := range first.ends {
		k := 0
		for _, l := range second.ends {
			e.start(formComposite)
			e.buf = appendFirst(e.buf, first.buf[i:j])
			e.buf = append(e.buf, second.buf[k:l]...)
			e.end()
			k = l
		}
		i = j
	}
}

// appendFirst adds the first half of a pair.
func appendFirst[T []byte | string](dst []byte, key T) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(key))), key...)
}

// composite: R4 search, composite: first$second.
func (f field) composite(value string) (store.Clause, error) {
	if f.modifier != "" {
		return nil, f.badModifier()
	}
	values := split(value, '$')
	if n := len(f.sp.Components); len(values) != n {
		return nil, f.wrong("a composite has " + [...]string{2: "two", 3: "three"}[n] + " values with $ between them")
	}
	first := field{p: f.p, sp: f.part(0)}
	clause, err := clauses[first.sp.Type](first, values[0])
	if err != nil {
		return nil, err
	}
	exact, ok := exactly(clause)
	if !ok {
		return nil, outcome.BadRequest(outcome.CodeNotSupported,
			"The first value of the search parameter %s must be a whole one, not a system alone.", f.sp.Code)
	}
	if len(values) == 3 {
		return f.coordinates(exact, values[1], values[2])
	}
	var any store.Or
	for _, k := range exact {
		second := field{p: f.p, sp: f.part(1), many: f.sp.Expression != f.sp.Base, prefix: string(appendFirst([]byte(f.key(formComposite)), k))}
		c, err := clauses[second.sp.Type](second, values[1])
		if err != nil {
			return nil, err
		}
		any = append(any, c)
	}
	return oneOf(any), nil
}

// part is a component as a parameter, with the name and the targets that it
// has in the composite.
func (f field) part(i int) *conformance.SearchParameter {
	c := f.sp.Components[i]
	sp := conformance.SearchParameter{Type: c.Type}
	if defined, ok := f.p.o.Base.Definitions.SearchParameter(f.sp.Base, c.Code); ok {
		sp = *defined
	}
	sp.Code = f.sp.Code
	return &sp
}

// exactly are the keys that a clause asks for when it asks for whole keys.
func exactly(c store.Clause) ([]store.Key, bool) {
	switch c := c.(type) {
	case store.Range:
		k, ok := c.Single()
		return []store.Key{k}, ok
	case store.Or:
		var all []store.Key
		for _, part := range c {
			keys, ok := exactly(part)
			if !ok {
				return nil, false
			}
			all = append(all, keys...)
		}
		return all, true
	}
	return nil, false
}
