package fhirpath

import (
	"strings"

	"github.com/shopspring/decimal"
)

// lowBoundary(), highBoundary() and precision() of FHIRPath's continuous build:
// the least and the greatest value that one of limited precision may stand for.
var boundaryFunctions = map[string]function{
	"lowBoundary":  {0, 1, func(m *machine, c *callNode, mark int) error { return callBoundary(m, c, mark, false) }},
	"highBoundary": {0, 1, func(m *machine, c *callNode, mark int) error { return callBoundary(m, c, mark, true) }},
	"precision": {0, 0, func(m *machine, c *callNode, mark int) error {
		v, ok, err := m.inputSingle(c, mark)
		if err != nil || !ok {
			return err
		}
		switch {
		case v.isNumber():
			d, _ := v.decimal()
			m.push(Integer(scaleOf(d)))
		case v.isTemporal():
			m.push(Integer(int32(temporalDigits(v.kind, v.dateTime()))))
		default:
			return m.errorf(ExecutionError, c.pos, "precision() on %s", v.kind)
		}
		return nil
	}},
}

// temporalDigits is the number of digits that a date or time is written with.
func temporalDigits(kind Kind, t *DateTime) int {
	text := t.format(kind)
	if kind != KindTime && t.Precision >= Hour {
		// The offset does not count.
		if i := strings.LastIndexAny(text, "Z+-"); i > len("2006-01-02") {
			text = text[:i]
		}
	}
	digits := 0
	for _, r := range text {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return digits
}

// maxPrecision is the number of digits after the point that boundaries go to.
const maxPrecision = 31

func callBoundary(m *machine, c *callNode, mark int, high bool) error {
	v, ok, err := m.inputSingle(c, mark)
	if err != nil || !ok {
		return err
	}
	digits := int32(-1)
	given := false
	if len(c.args) > 0 {
		if digits, given, err = m.integerArg(c, 0); err != nil || !given {
			return err
		}
	}
	switch {
	case v.isNumber():
		d, _ := v.decimal()
		if boundary, ok := decimalBoundary(d, digits, given, high); ok {
			m.push(Decimal(boundary))
		}
	case v.kind == KindQuantity:
		q := *v.quantity()
		if q.Value, ok = decimalBoundary(q.Value, digits, given, high); ok {
			m.push(QuantityOf(q))
		}
	case v.isTemporal():
		if !given {
			digits = map[Kind]int32{KindDate: 8, KindDateTime: 17, KindTime: 9}[v.kind]
		}
		if boundary, ok := temporalBoundary(v.kind, *v.dateTime(), int(digits), high); ok {
			m.push(temporal(v.kind, boundary))
		}
	default:
		return m.errorf(ExecutionError, c.pos, "%s() on %s", c.name, v.kind)
	}
	return nil
}

// decimalBoundary takes half a unit of the last digit off or adds it, and rounds
// outward to the wanted number of digits.
func decimalBoundary(d decimal.Decimal, digits int32, given, high bool) (decimal.Decimal, bool) {
	if !given {
		digits = 8
	}
	if digits < 0 || digits > maxPrecision {
		return decimal.Decimal{}, false
	}
	half := decimal.New(5, -scaleOf(d)-1)
	if high {
		return withScale(d.Add(half).RoundCeil(digits), digits), true
	}
	return withScale(d.Sub(half).RoundFloor(digits), digits), true
}

// withScale writes zeros up to the wanted number of digits.
func withScale(d decimal.Decimal, digits int32) decimal.Decimal {
	if d.Exponent() <= -digits {
		return d
	}
	return decimal.NewFromBigInt(d.Shift(digits).BigInt(), -digits)
}

// temporalBoundary fills what is not given with its lowest or highest value, and
// cuts to the wanted number of digits: 4, 6, 8 for dates, 10, 12, 14, 17 for
// dateTimes, 2, 4, 6, 9 for times.
func temporalBoundary(kind Kind, t DateTime, digits int, high bool) (DateTime, bool) {
	if kind == KindTime {
		digits += 8
	}
	precision, ok := map[int]Precision{4: Year, 6: Month, 8: Day, 10: Hour, 12: Minute, 14: Second, 17: Second}[digits]
	if !ok || kind == KindDate && precision > Day || kind == KindTime && precision < Hour {
		return DateTime{}, false
	}
	given := t.Precision
	if given == Hour && kind == KindDateTime {
		given = Minute // FHIR has no hours without minutes: 08 is 08:00
	}
	if high {
		fillHigh(&t, given)
	}
	if kind == KindDateTime && !t.HasOffset && precision >= Hour {
		// The earliest moment of a local time is in the east, the latest in the west.
		t.HasOffset, t.Offset = true, mostEastern
		if high {
			t.Offset = mostWestern
		}
	}
	t.Precision, t.FractionDigits = precision, 0
	if digits == 17 {
		t.FractionDigits = 3
	} else {
		t.Nanosecond = 0
	}
	if precision < Hour {
		t.HasOffset, t.Offset = false, 0
	}
	return cutTo(t), true
}

func fillHigh(t *DateTime, given Precision) {
	if given < Month {
		t.Month = 12
	}
	if given < Day {
		t.Day = daysIn(t.Year, t.Month)
	}
	if given < Hour {
		t.Hour = 23
	}
	if given < Minute {
		t.Minute = 59
	}
	if given < Second {
		t.Second = 59
		t.Nanosecond = 999_000_000
	} else if t.FractionDigits == 0 {
		t.Nanosecond = 999_000_000
	}
}
