package fhirpath

import (
	"github.com/shopspring/decimal"
)

const ucumURI = "http://unitsofmeasure.org"

// Quantity is a number with a unit: a UCUM code, or one of the calendar duration
// words such as year or days (FHIRPath 2.0 § 3.1.8).
type Quantity struct {
	Value decimal.Decimal
	Unit  string
}

// String writes the quantity as a literal: 4 'mg', 1 week.
func (q Quantity) String() string {
	if isCalendarWord(q.Unit) {
		return formatDecimal(q.Value) + " " + q.Unit
	}
	return formatDecimal(q.Value) + " '" + q.Unit + "'"
}

// calendarUnit is a calendar duration and its nearest unit in UCUM.
type calendarUnit struct {
	name   string // singular
	ucum   string
	ms     int64 // 0 for month and year, whose length is not fixed
	months int64 // 0 for the others
}

// FHIRPath 2.0 § 3.1.8: up to week the calendar durations are equal to UCUM's
// definite ones; a calendar month or year is not the mean one of UCUM.
var calendarUnits = [...]calendarUnit{
	{"year", "a", 0, 12}, {"month", "mo", 0, 1}, {"week", "wk", 7 * 86400000, 0}, {"day", "d", 86400000, 0},
	{"hour", "h", 3600000, 0}, {"minute", "min", 60000, 0}, {"second", "s", 1000, 0}, {"millisecond", "ms", 1, 0},
}

func calendarWord(word string) *calendarUnit {
	for i := range calendarUnits {
		name := calendarUnits[i].name
		if len(word) >= len(name) && word[:len(name)] == name && (len(word) == len(name) || word[len(name):] == "s") {
			return &calendarUnits[i]
		}
	}
	return nil
}

func isCalendarWord(word string) bool { return calendarWord(word) != nil }

// durationUnit finds a calendar word or the UCUM code of a definite duration.
func durationUnit(unit string) *calendarUnit {
	if u := calendarWord(unit); u != nil {
		return u
	}
	for i := range calendarUnits {
		if u := &calendarUnits[i]; u.ms != 0 && u.ucum == unit {
			return u
		}
	}
	return nil
}

// commensurable brings two quantities to one unit; ok is false when that cannot
// be done, and then they can neither be compared nor added.
func (m *machine) commensurable(a, b *Quantity) (x, y decimal.Decimal, unit string, ok bool) {
	if a.Unit == b.Unit {
		return a.Value, b.Value, a.Unit, true
	}
	ua, ub := durationUnit(a.Unit), durationUnit(b.Unit)
	if ua != nil && ub != nil {
		switch {
		case ua == ub:
			return a.Value, b.Value, a.Unit, true
		case ua.months != 0 && ub.months != 0:
			x, y, unit = toSmaller(a, b, ua.months, ub.months)
			return x, y, unit, true
		case ua.ms != 0 && ub.ms != 0:
			x, y, unit = toSmaller(a, b, ua.ms, ub.ms)
			return x, y, unit, true
		}
		return decimal.Decimal{}, decimal.Decimal{}, "", false
	}
	x, ux, okx := m.canonical(a)
	y, uy, oky := m.canonical(b)
	return x, y, ux, okx && oky && ux == uy
}

// toSmaller expresses both in the smaller of their units, of which a's unit has
// sizeA and b's sizeB; the one divides the other.
func toSmaller(a, b *Quantity, sizeA, sizeB int64) (x, y decimal.Decimal, unit string) {
	if sizeA < sizeB {
		return a.Value, b.Value.Mul(decimal.New(sizeB/sizeA, 0)), a.Unit
	}
	return a.Value.Mul(decimal.New(sizeA/sizeB, 0)), b.Value, b.Unit
}

// canonical is the quantity in base units, as far as they are known.
func (m *machine) canonical(q *Quantity) (decimal.Decimal, string, bool) {
	unit := q.Unit
	if word := calendarWord(unit); word != nil {
		if word.ms == 0 {
			return decimal.Decimal{}, "", false
		}
		unit = word.ucum
	}
	if m.ctx.Units == nil {
		return q.Value, unit, true
	}
	return m.ctx.Units.Canonical(q.Value, unit)
}

// multiply and divide make quantities of new units (FHIRPath 2.0 § 6.6.1).
func multiplyQuantities(a, b *Quantity) Quantity {
	q := Quantity{Value: a.Value.Mul(b.Value)}
	switch {
	case b.Unit == "1":
		q.Unit = a.Unit
	case a.Unit == "1":
		q.Unit = b.Unit
	default:
		q.Unit = "(" + ucumOf(a.Unit) + ").(" + ucumOf(b.Unit) + ")"
	}
	return q
}

func divideQuantities(a, b *Quantity) Quantity {
	q := Quantity{Value: divide(a.Value, b.Value)}
	switch {
	case b.Unit == "1":
		q.Unit = a.Unit
	case a.Unit == b.Unit:
		q.Unit = "1"
	default:
		q.Unit = "(" + ucumOf(a.Unit) + ")/(" + ucumOf(b.Unit) + ")"
	}
	return q
}

func ucumOf(unit string) string {
	if word := calendarWord(unit); word != nil {
		return word.ucum
	}
	return unit
}

// parseQuantity reads what toQuantity() accepts (FHIRPath 2.0 § 5.5): a number,
// and then a unit in quotes or a calendar word.
func parseQuantity(s string) (Quantity, bool) {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	value, ok := parseDecimal(s[:i])
	if !ok {
		return Quantity{}, false
	}
	rest := s[i:]
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r') {
		rest = rest[1:]
	}
	switch {
	case rest == "":
		return Quantity{value, "1"}, true
	case len(rest) > 2 && rest[0] == '\'' && rest[len(rest)-1] == '\'':
		return Quantity{value, rest[1 : len(rest)-1]}, true
	case isCalendarWord(rest) && len(rest) < len(s)-i:
		return Quantity{value, rest}, true
	}
	return Quantity{}, false
}
