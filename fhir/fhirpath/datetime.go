package fhirpath

import (
	"cmp"
	"strconv"
	"time"
)

// Precision is how much of a date or time is given.
type Precision uint8

// The precisions. Seconds and their fractions are one (FHIRPath 2.0 § 6.2).
const (
	Year Precision = iota + 1
	Month
	Day
	Hour
	Minute
	Second
)

// DateTime is a Date, a DateTime or a Time of some precision. What lies beyond
// the precision is at its lowest value.
type DateTime struct {
	Year, Month, Day, Hour, Minute, Second, Nanosecond int

	Precision Precision
	// FractionDigits is how many digits of the second are written.
	FractionDigits int
	// HasOffset tells whether an offset from UTC is given; Offset is in minutes.
	HasOffset bool
	Offset    int
}

// maxFractionDigits is what a DateTime keeps of a second.
const maxFractionDigits = 9

// parseTemporal reads a date (2015-02), a dateTime (2015-02-04T14:34:28.123Z,
// T and what follows optional) or a time (14:34) as FHIR writes it.
func parseTemporal(kind Kind, s string) (DateTime, bool) {
	p := temporalParser{s: s}
	switch kind {
	case KindDate:
		p.date()
	case KindDateTime:
		p.date()
		if p.ok() && p.i < len(s) {
			p.dateTimeRest()
		}
	case KindTime:
		p.clock()
	default:
		return DateTime{}, false
	}
	if !p.ok() || p.i != len(s) || !p.t.valid(kind) {
		return DateTime{}, false
	}
	return p.t, true
}

type temporalParser struct {
	s      string
	i      int
	t      DateTime
	failed bool
}

func (p *temporalParser) ok() bool { return !p.failed }

// digits reads exactly n digits.
func (p *temporalParser) digits(n int) int {
	if p.i+n > len(p.s) {
		p.failed = true
		return 0
	}
	value := 0
	for _, c := range []byte(p.s[p.i : p.i+n]) {
		if c < '0' || c > '9' {
			p.failed = true
			return 0
		}
		value = value*10 + int(c-'0')
	}
	p.i += n
	return value
}

// next consumes c if it comes next.
func (p *temporalParser) next(c byte) bool {
	if p.failed || p.i >= len(p.s) || p.s[p.i] != c {
		return false
	}
	p.i++
	return true
}

func (p *temporalParser) date() {
	p.t.Year, p.t.Month, p.t.Day, p.t.Precision = p.digits(4), 1, 1, Year
	if p.next('-') {
		p.t.Month, p.t.Precision = p.digits(2), Month
		if p.next('-') {
			p.t.Day, p.t.Precision = p.digits(2), Day
		}
	}
}

// dateTimeRest reads from the T on. "2015T" is a DateTime of year precision.
func (p *temporalParser) dateTimeRest() {
	if !p.next('T') {
		p.failed = true
		return
	}
	if p.i >= len(p.s) || p.s[p.i] < '0' || p.s[p.i] > '9' {
		return
	}
	if p.t.Precision != Day {
		p.failed = true
		return
	}
	p.clock()
	switch {
	case p.next('Z'):
		p.t.HasOffset = true
	case p.next('+'):
		p.t.HasOffset, p.t.Offset = true, p.offset()
	case p.next('-'):
		p.t.HasOffset, p.t.Offset = true, -p.offset()
	}
}

func (p *temporalParser) offset() int {
	minutes := p.digits(2) * 60
	if !p.next(':') {
		p.failed = true
	}
	rest := p.digits(2)
	if rest > 59 || minutes+rest > 14*60 {
		p.failed = true
	}
	return minutes + rest
}

func (p *temporalParser) clock() {
	p.t.Hour, p.t.Precision = p.digits(2), Hour
	if !p.next(':') {
		return
	}
	p.t.Minute, p.t.Precision = p.digits(2), Minute
	if !p.next(':') {
		return
	}
	p.t.Second, p.t.Precision = p.digits(2), Second
	// A point may also be the start of a function call on a literal.
	if p.i+1 < len(p.s) && p.s[p.i] == '.' && p.s[p.i+1] >= '0' && p.s[p.i+1] <= '9' {
		p.i++
		scale := 100_000_000
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.t.Nanosecond += int(p.s[p.i]-'0') * scale
			scale /= 10
			p.t.FractionDigits++
			p.i++
		}
		p.t.FractionDigits = min(p.t.FractionDigits, maxFractionDigits)
	}
}

func (t *DateTime) valid(kind Kind) bool {
	if t.Hour > 23 || t.Minute > 59 || t.Second > 60 {
		return false // 60 is a leap second, which FHIR's instants allow
	}
	if kind == KindTime {
		return true
	}
	return t.Year >= 1 && t.Month >= 1 && t.Month <= 12 && t.Day >= 1 && t.Day <= daysIn(t.Year, t.Month)
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// dateTimeOf is for now() and today().
func dateTimeOf(now time.Time) DateTime {
	_, seconds := now.Zone()
	return DateTime{
		Year: now.Year(), Month: int(now.Month()), Day: now.Day(),
		Hour: now.Hour(), Minute: now.Minute(), Second: now.Second(),
		Nanosecond: now.Nanosecond() / 1e6 * 1e6,
		Precision:  Second, FractionDigits: 3, HasOffset: true, Offset: seconds / 60,
	}
}

// Instant is the moment in UTC, taking a value without an offset as if it were
// in UTC.
func (t *DateTime) Instant() time.Time {
	return time.Date(t.Year, time.Month(t.Month), t.Day, t.Hour, t.Minute-t.Offset, t.Second, t.Nanosecond, time.UTC)
}

// with sets the date and time of day, and keeps precision and offset.
func (t DateTime) with(at time.Time) DateTime {
	t.Year, t.Month, t.Day = at.Year(), int(at.Month()), at.Day()
	t.Hour, t.Minute, t.Second, t.Nanosecond = at.Hour(), at.Minute(), at.Second(), at.Nanosecond()
	return t
}

// format writes the value as a literal of its kind without the @.
func (t *DateTime) format(kind Kind) string {
	b := make([]byte, 0, 32)
	if kind != KindTime {
		b = appendPadded(b, t.Year, 4)
		if t.Precision >= Month {
			b = appendPadded(append(b, '-'), t.Month, 2)
		}
		if t.Precision >= Day {
			b = appendPadded(append(b, '-'), t.Day, 2)
		}
		if t.Precision >= Hour {
			b = append(b, 'T')
		}
	}
	if t.Precision >= Hour {
		b = appendPadded(b, t.Hour, 2)
	}
	if t.Precision >= Minute {
		b = appendPadded(append(b, ':'), t.Minute, 2)
	}
	if t.Precision >= Second {
		b = appendPadded(append(b, ':'), t.Second, 2)
		if t.FractionDigits > 0 {
			fraction := appendPadded(nil, t.Nanosecond, maxFractionDigits)
			b = append(append(b, '.'), fraction[:t.FractionDigits]...)
		}
	}
	if t.HasOffset && t.Precision >= Hour {
		switch offset := t.Offset; {
		case offset == 0:
			b = append(b, 'Z')
		default:
			sign := byte('+')
			if offset < 0 {
				sign, offset = '-', -offset
			}
			b = appendPadded(append(b, sign), offset/60, 2)
			b = appendPadded(append(b, ':'), offset%60, 2)
		}
	}
	return string(b)
}

func appendPadded(b []byte, value, width int) []byte {
	digits := strconv.Itoa(value)
	for range width - len(digits) {
		b = append(b, '0')
	}
	return append(b, digits...)
}

// compareTemporal orders two dates or two times. known is false when their
// precision leaves the answer open: is 2018-03 before 2018-03-01? (FHIRPath 2.0
// § 6.2; equality in § 6.1.1 by the same rule).
func compareTemporal(a, b *DateTime) (order int, known bool) {
	if a.HasOffset != b.HasOffset {
		return compareAcrossOffsets(a, b)
	}
	if a.HasOffset && a.Offset != b.Offset {
		x, y := a.with(a.Instant()), b.with(b.Instant())
		a, b = &x, &y
	}
	for _, pair := range [...]struct {
		precision Precision
		x, y      int
	}{
		{Year, a.Year, b.Year}, {Month, a.Month, b.Month}, {Day, a.Day, b.Day},
		{Hour, a.Hour, b.Hour}, {Minute, a.Minute, b.Minute}, {Second, a.Second, b.Second},
	} {
		if a.Precision < pair.precision || b.Precision < pair.precision {
			return 0, a.Precision == b.Precision
		}
		if pair.x != pair.y {
			return cmp.Compare(pair.x, pair.y), true
		}
	}
	return cmp.Compare(a.Nanosecond, b.Nanosecond), true
}

// Offsets in use reach from UTC-12 to UTC+14.
const (
	mostWestern = -12 * 60
	mostEastern = 14 * 60
)

// compareAcrossOffsets compares a value that has an offset with one that has
// none and so may be hours away from where it seems: only a greater distance
// gives an answer.
func compareAcrossOffsets(a, b *DateTime) (order int, known bool) {
	aFirst, aLast := a.span()
	bFirst, bLast := b.span()
	switch {
	case aLast.Before(bFirst):
		return -1, true
	case bLast.Before(aFirst):
		return 1, true
	}
	return 0, false
}

// span is the span of moments that the value may mean.
func (t *DateTime) span() (first, last time.Time) {
	first = t.Instant()
	switch t.Precision {
	case Year:
		last = first.AddDate(1, 0, 0)
	case Month:
		last = first.AddDate(0, 1, 0)
	case Day:
		last = first.AddDate(0, 0, 1)
	case Hour:
		last = first.Add(time.Hour)
	case Minute:
		last = first.Add(time.Minute)
	default:
		last = first.Add(1)
	}
	last = last.Add(-1)
	if !t.HasOffset {
		first = first.Add(-mostEastern * time.Minute)
		last = last.Add(-mostWestern * time.Minute)
	}
	return first, last
}
