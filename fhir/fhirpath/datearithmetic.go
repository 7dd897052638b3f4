package fhirpath

import (
	"time"

	"github.com/shopspring/decimal"
)

// addDuration adds a quantity of time to a date, dateTime or time, sign -1 to
// subtract it (FHIRPath 2.0 § 6.6.5 and 6.6.6). ok is false for a unit that is
// no calendar duration or definite duration; overflow leaves the year range.
func addDuration(kind Kind, t DateTime, q *Quantity, sign int64) (result DateTime, ok, overflow bool) {
	unit := durationUnit(q.Unit)
	if unit == nil {
		return t, false, false
	}
	// "For precisions above seconds, the decimal portion of the time-valued
	// quantity is ignored."
	amount := q.Value.Truncate(0)
	if unit.name == "second" {
		amount = q.Value
	}
	if amount.Abs().GreaterThan(decimal.New(1e12, 0)) {
		return t, true, true
	}
	amount = amount.Mul(decimal.New(sign, 0))
	if kind == KindTime {
		return addToTime(t, unit, amount), true, false
	}
	var years, months, days int64
	var rest time.Duration
	whole := amount.IntPart()
	switch unit.name {
	case "year":
		years = whole
	case "month":
		months = whole
	case "week":
		days = 7 * whole
	case "day":
		days = whole
	default:
		// The value's own precision bounds what is added: "the operation is
		// performed by converting the time-based quantity to the highest
		// precision in the left operand".
		nanoseconds := amount.Mul(decimal.New(unit.ms, 6)).IntPart()
		if t.Precision < Hour {
			days = nanoseconds / int64(24*time.Hour)
		} else {
			days, rest = nanoseconds/int64(24*time.Hour), time.Duration(nanoseconds%int64(24*time.Hour))
		}
	}
	if t.Precision < Day {
		if unit.ms != 0 {
			// A partial date has no days to add to: whole months of 30 days.
			months, days = days/30, 0
		}
		if t.Precision < Month {
			years, months = years+months/12, 0
		}
	}
	if abs(years) > 20000 || abs(months) > 240000 || abs(days) > 7300000 {
		return t, true, true
	}
	result = addCalendar(t, int(years), int(months), int(days), rest)
	return result, true, result.Year < 1 || result.Year > 9999
}

// addCalendar adds years and months first, moving back to the last day of a
// shorter month, and then the definite rest.
func addCalendar(t DateTime, years, months, days int, rest time.Duration) DateTime {
	total := (t.Year+years)*12 + t.Month - 1 + months
	year, month := total/12, total%12+1
	if total < 0 {
		return DateTime{} // before year 0: reported as overflow by its Year
	}
	day := min(t.Day, daysIn(year, month))
	at := time.Date(year, time.Month(month), day+days, t.Hour, t.Minute, t.Second, t.Nanosecond, time.UTC).Add(rest)
	return cutTo(t.with(at))
}

// addToTime adds to a time of day, which wraps around at midnight.
func addToTime(t DateTime, unit *calendarUnit, amount decimal.Decimal) DateTime {
	nanoseconds := amount.Mul(decimal.New(unit.ms, 6)).IntPart() % int64(24*time.Hour)
	at := time.Date(2000, 1, 2, t.Hour, t.Minute, t.Second, t.Nanosecond, time.UTC).Add(time.Duration(nanoseconds))
	t.Hour, t.Minute, t.Second, t.Nanosecond = at.Hour(), at.Minute(), at.Second(), at.Nanosecond()
	return cutTo(t)
}

// cutTo drops what lies beyond the value's precision.
func cutTo(t DateTime) DateTime {
	if t.Precision < Second {
		t.Second, t.Nanosecond = 0, 0
	}
	if t.Precision < Minute {
		t.Minute = 0
	}
	if t.Precision < Hour {
		t.Hour = 0
	}
	if t.Precision < Day && t.Precision > 0 {
		t.Day = 1
	}
	if t.Precision < Month && t.Precision > 0 {
		t.Month = 1
	}
	if t.Precision == Second && t.Nanosecond != 0 {
		// Show the fraction that arithmetic has brought, at least to milliseconds.
		t.FractionDigits = max(t.FractionDigits, 3)
	}
	return t
}

func abs(i int64) int64 {
	if i < 0 {
		return -i
	}
	return i
}
