package hl7v2

import (
	"strings"
	"time"
)

// Time is a time stamp (TS) as a message writes it: its digits say how precise
// it is. HL7 v2.5.1 § 2.A.77.
type Time struct {
	Time time.Time
	// Digits is the precision: 4 year, 6 month, 8 day, 10 hour, 12 minute, 14
	// second; more with fractions of a second.
	Digits int
	// Zoned tells that the offset is in the message.
	Zoned bool
	// Moved tells that a local time was read for another one: it does not
	// exist, or is there twice, because clocks were changed.
	Moved bool
}

// ParseTime reads YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][±ZZZZ]. A time without
// an offset is one of the zone. 24:00 is the beginning of the next day; ok is
// false for zeros alone, which senders write for no time.
func ParseTime(text string, zone *time.Location) (t Time, ok bool, err error) {
	text = strings.TrimSpace(text)
	digits, offset := text, ""
	if i := strings.IndexAny(text, "+-"); i >= 0 {
		digits, offset = text[:i], text[i:]
	}
	whole, fraction, fractional := strings.Cut(digits, ".")
	wrong := problem(ErrDataType, Path{}, "a time stamp is YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]][±ZZZZ]")
	if strings.Trim(whole+fraction, "0123456789") != "" || len(whole) < 4 || len(whole) > 14 || len(whole)%2 != 0 ||
		fractional && (len(whole) != 14 || fraction == "" || len(fraction) > 6) {
		return t, false, wrong
	}
	if strings.Trim(whole, "0") == "" {
		return t, false, nil
	}
	at := func(from, none int) int {
		if len(whole) < from+2 {
			return none
		}
		return int(whole[from]-'0')*10 + int(whole[from+1]-'0')
	}
	year := at(0, 0)*100 + at(2, 0)
	month, day, hour, minute, second := at(4, 1), at(6, 1), at(8, 0), at(10, 0), at(12, 0)
	nextDay := hour == 24 && minute == 0 && second == 0
	if nextDay {
		hour = 0
	}
	if day < 1 || day > 31 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 ||
		time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() != day {
		return t, false, wrong
	}
	if offset != "" && (len(offset) != 5 || strings.Trim(offset[1:], "0123456789") != "") {
		return t, false, wrong
	}
	if zone == nil {
		zone = time.UTC
	}
	t.Digits = len(whole) + len(fraction)
	if t.Digits <= 8 {
		zone = time.UTC // a date is the same everywhere
	} else if offset != "" {
		minutes := (int(offset[1]-'0')*10+int(offset[2]-'0'))*60 + int(offset[3]-'0')*10 + int(offset[4]-'0')
		if offset[0] == '-' {
			minutes = -minutes
		}
		if minutes < -14*60 || minutes > 14*60 {
			return t, false, wrong
		}
		zone, t.Zoned = time.FixedZone("", minutes*60), true
	}
	ns := 0
	if fraction != "" {
		for _, c := range (fraction + "000000000")[:9] {
			ns = ns*10 + int(c-'0')
		}
	}
	if nextDay {
		day++
	}
	t.Time, t.Moved = local(time.Date(year, time.Month(month), day, hour, minute, second, ns, time.UTC), zone)
	t.Moved = t.Moved || nextDay
	return t, true, nil
}

// local is the clock reading in the zone: the first of two, and behind the gap
// when there is none.
func local(clock time.Time, zone *time.Location) (time.Time, bool) {
	_, before := clock.Add(-26 * time.Hour).In(zone).Zone()
	_, after := clock.Add(26 * time.Hour).In(zone).Zone()
	early := clock.Add(-time.Duration(max(before, after)) * time.Second).In(zone)
	late := clock.Add(-time.Duration(min(before, after)) * time.Second).In(zone)
	reads := func(t time.Time) bool { return t.Format(time.DateTime) == clock.Format(time.DateTime) }
	switch {
	case before == after:
		return early, false
	case reads(early) && reads(late):
		return early, true
	case reads(early):
		return early, false
	case reads(late):
		return late, false
	}
	// In a gap the clock shows what it showed before, moved on by the gap.
	return clock.Add(-time.Duration(before) * time.Second).In(zone), true
}

// Layouts of the precisions, by Digits.
var timeLayouts = map[int]string{
	4: "2006", 6: "200601", 8: "20060102", 10: "2006010215-0700", 12: "200601021504-0700", 14: "20060102150405-0700",
}

// Format writes the time in its precision, with its offset.
func (t Time) Format() string {
	if layout := timeLayouts[t.Digits]; layout != "" {
		return t.Time.Format(layout)
	}
	return t.Time.Format("20060102150405." + strings.Repeat("0", min(max(t.Digits-14, 1), 4)) + "-0700")
}
