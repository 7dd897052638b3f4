package v2fhir

import (
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

var (
	date     = timestamp("TS ↔ date", 8)
	dateTime = timestamp("TS ↔ dateTime", 20)
	instant  = timestamp("TS ↔ instant", 21)
)

// timestamp is TS in one of FHIR's types, with at most that many digits; an
// instant has all of a time.
func timestamp(name string, digits int) datatype {
	return datatype{
		name: name,
		to: func(w *writer, v hl7v2.Value) any {
			s := v.Component(1).String()
			if s == "" {
				return nil
			}
			t, ok, err := hl7v2.ParseTime(s, w.zone)
			if err != nil {
				w.problem(hl7v2.ErrDataType, "a time stamp is YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]][±ZZZZ]")
				return nil
			}
			if !ok {
				w.warn(hl7v2.ErrDataType, "zeros are no time; it is left out")
				return nil
			}
			if t.Moved {
				w.warn(hl7v2.ErrDataType, "the time is there twice or not at all on that day; the first one, or the one behind the gap, was taken")
			}
			if digits == 21 && t.Digits <= 8 {
				w.warn(hl7v2.ErrDataType, "a date where a time is wanted; the beginning of the day was taken")
				t.Time, t.Digits = time.Date(t.Time.Year(), t.Time.Month(), t.Time.Day(), 0, 0, 0, 0, w.zone), 14
			}
			if digits == 8 && t.Digits > 8 {
				t.Digits = 8
			}
			return isoTime(t)
		},
		from: func(r *reader, x any) []cell { return one(r.timestamp(scalar(x))) },
	}
}

// isoTime writes a time as FHIR does.
func isoTime(t hl7v2.Time) string {
	switch {
	case t.Digits == 4:
		return t.Time.Format("2006")
	case t.Digits == 6:
		return t.Time.Format("2006-01")
	case t.Digits == 8:
		return t.Time.Format("2006-01-02")
	case t.Digits > 14:
		return t.Time.Format("2006-01-02T15:04:05." + strings.Repeat("0", t.Digits-14) + "Z07:00")
	}
	return t.Time.Format("2006-01-02T15:04:05Z07:00")
}

// timestamp writes FHIR's time as TS, in the connection's zone.
func (r *reader) timestamp(s string) string {
	switch len(s) {
	case 4, 7, 10:
		return strings.ReplaceAll(s, "-", "")
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		r.problem("is no time of FHIR")
		return ""
	}
	if r.o.Zone != nil {
		t = t.In(r.o.Zone)
	}
	layout := "20060102150405-0700"
	if _, fraction, ok := strings.Cut(s, "."); ok {
		n := len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
		layout = "20060102150405." + strings.Repeat("0", min(n, 4)) + "-0700"
	}
	return t.Format(layout)
}

// minutes is a duration in minutes, in the unit that stands behind it.
var minutes = datatype{
	name: "NM ↔ minutes",
	to: func(w *writer, v hl7v2.Value) any {
		n, ok := decimal(v.String())
		if v.String() == "" {
			return nil
		}
		if !ok || strings.ContainsAny(string(n), ".-") || len(n) > 8 {
			w.problem(hl7v2.ErrDataType, "a duration is a whole number of its unit")
			return nil
		}
		value := 0
		for _, c := range n {
			value = value*10 + int(c-'0')
		}
		unit := ""
		switch w.segment.Name() {
		case "SCH":
			unit = w.segment.Field(10).Component(1).String()
		case "AIS":
			unit = w.segment.Field(8).Component(1).String()
		}
		switch strings.ToLower(unit) {
		case "", "m", "min", "mn", "minute", "minutes":
		case "h", "hr", "hour", "hours":
			value *= 60
		case "s", "sec", "second", "seconds":
			if value%60 != 0 {
				w.warn(hl7v2.ErrDataType, "seconds were rounded to minutes")
			}
			value = (value + 59) / 60
		default:
			w.warn(hl7v2.ErrTable, "the unit of the duration is not known; it is left out")
			return nil
		}
		if value == 0 {
			return nil
		}
		return number(itoa(value))
	},
	from: func(_ *reader, x any) []cell { return one(scalar(x)) },
}
