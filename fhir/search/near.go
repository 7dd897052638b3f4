package search

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/ucum"
	"github.com/fhirfacade/fhirfacade/store"
)

// defaultDistance is what near means without a distance: metres.
const defaultDistance = 50_000

// The cells of a circle, and the positions at its edge that are measured one
// by one. A circle whose edge crosses cells with more of them is cut finer.
const (
	coverCells  = 100
	finestCells = 1600
	maxMeasured = 1000
)

// near: R4, Location, search parameter near: latitude|longitude, perhaps
// |distance, perhaps |units. The answer is exact: cells within the circle are
// ranges of keys, and what lies in cells at its edge is measured.
func (f field) near(value string) (store.Clause, error) {
	if f.modifier != "" {
		return nil, f.badModifier()
	}
	c, err := f.circle(value)
	if err != nil {
		return nil, err
	}
	prefix := f.key(formPosition)
	if c.radius >= math.Pi*earthRadius {
		return store.Prefix(prefix), nil
	}
	for count := coverCells; ; count *= 4 {
		inside, edge := c.cover(count)
		measured, more, err := f.measured(c, ranges(prefix, edge))
		switch {
		case err != nil:
			return nil, err
		case !more:
			return append(ranges(prefix, inside), measured...), nil
		case count >= finestCells:
			return nil, outcome.BadRequest(outcome.CodeTooCostly,
				"More than %d positions lie at the edge of what the search parameter %s names. Use another distance.", maxMeasured, f.sp.Code)
		}
	}
}

// measured selects, one by one, what a clause selects that lies in a circle;
// more says that there is too much.
func (f field) measured(c circle, where store.Or) (found store.Or, more bool, err error) {
	if f.p.o.Matching == nil {
		return nil, false, outcome.BadRequest(outcome.CodeNotSupported, "The search parameter %s is not supported here.", f.sp.Code)
	}
	if len(where) == 0 {
		return nil, false, nil
	}
	documents, err := f.p.o.Matching(where, maxMeasured+1)
	if err != nil || len(documents) > maxMeasured {
		return nil, true, err
	}
	for _, d := range documents {
		number, _ := f.p.o.Base.Definitions.TypeNumber(d.Ref.Type)
		id, ok := f.p.o.Base.Definitions.SearchParameter(d.Ref.Type, "_id")
		if !ok {
			continue
		}
		doc, err := rawjson.Parse(d.Body, nil)
		if err != nil {
			return nil, false, err
		}
		place, _ := doc.Root().Member("position")
		if p, ok := positionOf(place); ok && p.distance(c.middle) <= c.radius {
			found = append(found, store.Exactly(formKey(number, id.Number, formCode)+d.Ref.ID))
		}
	}
	return found, false, nil
}

// circle reads the value of near.
func (f field) circle(value string) (circle, error) {
	const rule = "near is latitude|longitude, perhaps |distance and |units, in degrees and a UCUM unit of length such as km, m or [mi_i]"
	parts := split(value, '|')
	var numbers [3]float64
	numbers[2] = defaultDistance
	if len(parts) < 2 || len(parts) > 4 {
		return circle{}, f.wrong(rule)
	}
	for i, part := range parts[:min(len(parts), 3)] {
		if i == 2 && part == "" {
			parts = parts[:2] // units without a distance are irrelevant
			break
		}
		x, err := strconv.ParseFloat(unescape(part), 64)
		if _, plain := parseDecimal([]byte(unescape(part)), nil); err != nil || plain != nil {
			return circle{}, f.wrong(rule)
		}
		numbers[i] = x
	}
	c := circle{position{numbers[0], numbers[1]}, numbers[2]}
	middle, ok := c.middle.normal()
	switch {
	case !ok || math.Abs(numbers[1]) > 180:
		return c, f.wrong("a latitude is from -90 to 90 and a longitude from -180 to 180")
	case c.radius < 0:
		return c, f.wrong("a distance is not negative")
	}
	c.middle = middle
	if len(parts) < 3 {
		return c, nil
	}
	unit := "km"
	if len(parts) == 4 && parts[3] != "" {
		unit = unescape(parts[3])
	}
	u, err := ucum.Parse(unit)
	if err != nil || u.Dimension() != "m" {
		return c, f.wrong("the units of a distance are a UCUM unit of length, such as km, m or [mi_i]")
	}
	d, err := parseDecimal([]byte(unescape(parts[2])), nil)
	if err != nil {
		return c, f.wrong(rule)
	}
	text, _ := decodeDecimal(string(appendNumber(nil, canonical(u, d, nil))))
	if c.radius, err = strconv.ParseFloat(text, 64); err != nil {
		return c, f.wrong("the distance is too great")
	}
	return c, nil
}

func sortCells(cells []cell) {
	slices.SortFunc(cells, func(a, b cell) int { return cmp.Compare(a.number, b.number) })
}

// distances reports whether a special parameter is one of distance: near.
func distances(sp *conformance.SearchParameter) bool {
	return sp.Usage == "nearby" && sp.Expression == sp.Base+".position"
}
