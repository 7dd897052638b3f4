package fhirjson

import (
	"reflect"
	"strconv"
	"strings"
	"time"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
)

func timeWriter(write func([]byte, reflect.Value) ([]byte, error)) func([]byte, reflect.Value) ([]byte, bool, error) {
	return func(dst []byte, v reflect.Value) ([]byte, bool, error) {
		dst, err := write(append(dst, '"'), v)
		return append(dst, '"'), true, err
	}
}

// Precisions of all types of times.
const (
	year = iota + 1
	month
	day
	second
	millisecond
	microsecond
)

func appendDate(dst []byte, d *dtpb.Date) ([]byte, error) {
	switch d.GetPrecision() {
	case dtpb.Date_YEAR:
		return appendMoment(dst, d.GetValueUs(), d.GetTimezone(), year)
	case dtpb.Date_MONTH:
		return appendMoment(dst, d.GetValueUs(), d.GetTimezone(), month)
	case dtpb.Date_DAY:
		return appendMoment(dst, d.GetValueUs(), d.GetTimezone(), day)
	}
	return dst, errPrecision
}

func appendDateTime(dst []byte, d *dtpb.DateTime) ([]byte, error) {
	precision := 0
	switch d.GetPrecision() {
	case dtpb.DateTime_YEAR:
		precision = year
	case dtpb.DateTime_MONTH:
		precision = month
	case dtpb.DateTime_DAY:
		precision = day
	case dtpb.DateTime_SECOND:
		precision = second
	case dtpb.DateTime_MILLISECOND:
		precision = millisecond
	case dtpb.DateTime_MICROSECOND:
		precision = microsecond
	}
	return appendMoment(dst, d.GetValueUs(), d.GetTimezone(), precision)
}

func appendInstant(dst []byte, i *dtpb.Instant) ([]byte, error) {
	precision := 0
	switch i.GetPrecision() {
	case dtpb.Instant_SECOND:
		precision = second
	case dtpb.Instant_MILLISECOND:
		precision = millisecond
	case dtpb.Instant_MICROSECOND:
		precision = microsecond
	}
	return appendMoment(dst, i.GetValueUs(), i.GetTimezone(), precision)
}

func appendTime(dst []byte, t *dtpb.Time) ([]byte, error) {
	at := time.UnixMicro(t.GetValueUs()).UTC()
	switch t.GetPrecision() {
	case dtpb.Time_SECOND:
		return appendClock(dst, at, second), nil
	case dtpb.Time_MILLISECOND:
		return appendClock(dst, at, millisecond), nil
	case dtpb.Time_MICROSECOND:
		return appendClock(dst, at, microsecond), nil
	}
	return dst, errPrecision
}

// appendMoment appends a date or a date and time with its offset.
func appendMoment(dst []byte, us int64, zone string, precision int) ([]byte, error) {
	if precision == 0 {
		return dst, errPrecision
	}
	at := time.UnixMicro(us).UTC()
	seconds, ok := offset(zone)
	if !ok {
		l, err := time.LoadLocation(zone)
		if err != nil {
			return dst, errZone
		}
		_, seconds = at.In(l).Zone()
	}
	at = at.Add(time.Duration(seconds) * time.Second)
	y, m, d := at.Date()
	if y < 0 || y > 9999 { // FHIR has no such year; what is there is shown
		dst = strconv.AppendInt(dst, int64(y), 10)
	} else {
		dst = appendPadded(dst, y, 4)
	}
	if precision >= month {
		dst = appendPadded(append(dst, '-'), int(m), 2)
	}
	if precision >= day {
		dst = appendPadded(append(dst, '-'), d, 2)
	}
	if precision < second {
		return dst, nil
	}
	dst = appendClock(append(dst, 'T'), at, precision)
	if zone == "Z" {
		return append(dst, 'Z'), nil
	}
	sign := byte('+')
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	dst = appendPadded(append(dst, sign), seconds/3600, 2)
	return appendPadded(append(dst, ':'), seconds/60%60, 2), nil
}

func appendClock(dst []byte, at time.Time, precision int) []byte {
	h, m, s := at.Clock()
	dst = appendPadded(dst, h, 2)
	dst = appendPadded(append(dst, ':'), m, 2)
	dst = appendPadded(append(dst, ':'), s, 2)
	switch precision {
	case millisecond:
		dst = appendPadded(append(dst, '.'), at.Nanosecond()/1e6, 3)
	case microsecond:
		dst = appendPadded(append(dst, '.'), at.Nanosecond()/1e3, 6)
	}
	return dst
}

func appendPadded(dst []byte, n, width int) []byte {
	for limit := 10; width > 1; width, limit = width-1, limit*10 {
		if n < limit {
			for range width - 1 {
				dst = append(dst, '0')
			}
			break
		}
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

// offset reads the time zones that are offsets: Z, +01:00. The others are
// names of the time zone database.
func offset(zone string) (seconds int, ok bool) {
	if zone == "" || zone == "Z" || zone == "UTC" {
		return 0, true
	}
	if zone[0] != '+' && zone[0] != '-' {
		return 0, false
	}
	hours, minutes, ok := strings.Cut(zone[1:], ":")
	if !ok {
		return 0, false
	}
	h, errH := strconv.Atoi(hours)
	m, errM := strconv.Atoi(minutes)
	if errH != nil || errM != nil {
		return 0, false
	}
	if seconds = h*3600 + m*60; zone[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
