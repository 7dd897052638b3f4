package search

import (
	"bytes"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/ucum"
)

// currencies is the system of Money.currency.
const currencies = "urn:iso:std:iso:4217"

// number: R4 search, number. A Range is one value, from its low to its high;
// RiskAssessment.probability, which may be one, is in percent then as else.
func (e *emitter) number(typeName string, n rawjson.Node) {
	if typeName == "Range" {
		e.between(n, func(s *scales, q rawjson.Node) { s.plain(q) })
		return
	}
	if n.Kind() != rawjson.KindNumber {
		return
	}
	var room [maxDigits]byte
	if v, err := parseDecimal(n.Raw(), room[:0]); err == nil {
		e.start(formNormal)
		e.buf = appendNumber(e.buf, v)
		e.end()
	}
}

// quantity: R4 search, quantity: Quantity with its kinds (Age, Count,
// Distance, Duration, SimpleQuantity), Money, Range and SampledData. What is
// not one value but lies between two is a span.
func (e *emitter) quantity(typeName string, n rawjson.Node) {
	switch typeName {
	case "Range":
		e.between(n, func(s *scales, q rawjson.Node) { s.of(e, "Quantity", q) })
		return
	case "SampledData":
		e.sampled(n)
		return
	}
	v, ok := n.Member("value")
	if !ok || v.Kind() != rawjson.KindNumber {
		return
	}
	on := e.one.empty()
	on.of(e, typeName, n)
	switch comparator, _ := n.Member("comparator"); {
	case comparator.Is("<"):
		e.span(nil, on, false, true)
	case comparator.Is("<="):
		e.span(nil, on, false, false)
	case comparator.Is(">"):
		e.span(on, nil, true, false)
	case comparator.Is(">="):
		e.span(on, nil, false, false)
	default:
		for i := range on.count {
			s := &on.all[i]
			e.start(s.form)
			e.buf = append(e.buf, s.unit...)
			e.buf = appendNumber(e.buf, s.value)
			e.end()
		}
	}
}

// scale is a way in which a quantity can be asked for: form and unit, which
// ends in 0, and the value in that unit.
type scale struct {
	form  byte
	unit  []byte
	value number
}

// scales are all of one quantity: its number alone, its system and code or
// its amount in base units, its code, its unit.
type scales struct {
	all   [4]scale
	count int
	// room is for digits and units.
	digits, converted [maxDigits]byte
	units             [192]byte
}

func (s *scales) empty() *scales {
	s.count = 0
	return s
}

func (s *scales) add(form byte, unit []byte, v number) {
	s.all[s.count] = scale{form, unit, v}
	s.count++
}

// plain is the number alone of a Quantity.
func (s *scales) plain(q rawjson.Node) bool {
	v, ok := q.Member("value")
	if !ok || v.Kind() != rawjson.KindNumber {
		return false
	}
	d, err := parseDecimal(v.Raw(), s.digits[:0])
	if err != nil {
		return false
	}
	s.add(formNormal, nil, d)
	return true
}

// of is all scales of a Quantity or Money.
func (s *scales) of(e *emitter, typeName string, q rawjson.Node) {
	if !s.plain(q) {
		return
	}
	system, code, unit := member(q, "system"), member(q, "code"), member(q, "unit")
	if typeName == "Money" {
		system, code = currencies, member(q, "currency")
	}
	s.in(e, system, code, unit, s.all[0].value)
}

// in adds the scales of a unit.
func (s *scales) in(e *emitter, system, code, unit string, v number) {
	room := s.units[:0]
	if code != "" {
		if u := e.units.of(system, code); u != nil {
			room = append(append(room, u.Dimension()...), 0)
			s.add(formCanonical, room, canonical(u, v, s.converted[:0]))
		} else {
			room = append(bound(appendJoined(room, system, code), 0), 0)
			s.add(formSystem, room, v)
		}
		room = append(bound(append(room[len(room):], code...), 0), 0)
		s.add(formCode, room, v)
	}
	if unit != "" && unit != code {
		s.add(formCode, append(bound(append(room[len(room):], unit...), 0), 0), v)
	}
}

// canonical is an amount in base units.
func canonical(u *ucum.Unit, v number, room []byte) number {
	d := u.Base(ucum.Decimal{Digits: v.digits, Exponent: v.exponent, Negative: v.negative}, room)
	return number{digits: d.Digits, exponent: d.Exponent, negative: d.Negative && len(d.Digits) > 0}
}

// maxSpans is how many spans of one parameter of a resource are told apart.
// More share the last place, where one's low end may be taken for another's.
const maxSpans = 4

// Where a bound lies: at its number, or just beside it.
const (
	justBelow = 1
	justAt    = 2
	justAbove = 3
)

// Infinite bounds; an encoded number begins with neither.
const (
	minusInfinity = 0x00
	plusInfinity  = 0xFF
)

// span adds the keys of a value that lies between two, either of which may be
// nil, which is infinite, or just not reached (open). Both keys have the
// number of the span in them, so that a search for both bounds asks one span.
func (e *emitter) span(low, high *scales, lowOpen, highOpen bool) {
	place := byte('0' + min(e.spans, maxSpans-1))
	e.spans++
	from := low
	if from == nil {
		from = high
	}
	for i := range from.count {
		s := &from.all[i]
		if low != nil && high != nil && high.like(s) == nil {
			continue // the ends do not share the unit
		}
		e.bound(formLow, place, s, low, minusInfinity, lowOpen, justAbove)
		e.bound(formHigh, place, s, high, plusInfinity, highOpen, justBelow)
	}
}

// like is the scale of the same form and unit.
func (s *scales) like(other *scale) *scale {
	for i := range s.count {
		if s.all[i].form == other.form && bytes.Equal(s.all[i].unit, other.unit) {
			return &s.all[i]
		}
	}
	return nil
}

func (e *emitter) bound(form, place byte, on *scale, end *scales, infinite byte, open bool, beside byte) {
	e.start(form)
	e.buf = append(append(e.buf, place, on.form), on.unit...)
	switch {
	case end == nil:
		e.buf = append(e.buf, infinite)
	case open:
		e.buf = append(appendNumber(e.buf, end.like(on).value), beside)
	default:
		e.buf = append(appendNumber(e.buf, end.like(on).value), justAt)
	}
	e.end()
}

// between adds the span of a Range.
func (e *emitter) between(n rawjson.Node, read func(*scales, rawjson.Node)) {
	var have [2]*scales
	for i, room := range [2]*scales{&e.one, &e.other} {
		if q, ok := n.Member([2]string{"low", "high"}[i]); ok {
			if read(room.empty(), q); room.count > 0 {
				have[i] = room
			}
		}
	}
	if have[0] != nil || have[1] != nil {
		e.span(have[0], have[1], false, false)
	}
}

// unitCache keeps UCUM units that were read; nil for codes that are none.
type unitCache map[string]*ucum.Unit

// maxUnits bounds the cache; there are a few hundred units in use.
const maxUnits = 1000

// of is the unit of a quantity when it is one of UCUM's.
func (c *unitCache) of(system, code string) *ucum.Unit {
	if system != ucum.System {
		return nil
	}
	if u, ok := (*c)[code]; ok {
		return u
	}
	if *c == nil || len(*c) == maxUnits {
		*c = unitCache{}
	}
	u, err := ucum.Parse(code)
	if err != nil {
		u = nil
	}
	(*c)[code] = u
	return u
}
