package redox

import (
	"strings"
	"time"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
)

// moment is a point in time as a message writes it: with its precision and
// its offset.
type moment struct {
	time      time.Time
	precision dtpb.DateTime_Precision
}

var layouts = []struct {
	layout    string
	precision dtpb.DateTime_Precision
}{
	{"2006-01-02T15:04:05Z07:00", dtpb.DateTime_SECOND},
	{"2006-01-02T15:04:05Z0700", dtpb.DateTime_SECOND},
	{"2006-01-02T15:04Z07:00", dtpb.DateTime_SECOND},
	{"2006-01-02T15:04:05", dtpb.DateTime_SECOND},
	{"2006-01-02T15:04", dtpb.DateTime_SECOND},
	{"2006-01-02", dtpb.DateTime_DAY},
	{"2006-01", dtpb.DateTime_MONTH},
	{"2006", dtpb.DateTime_YEAR},
}

// parseTime reads an ISO 8601 time, with T or a space, with or without an
// offset. It does not take a time that FHIR cannot hold exactly.
func (o Options) parseTime(s string) (m moment, ok bool) {
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	for _, l := range layouts {
		zone := o.zone()
		if l.precision <= dtpb.DateTime_DAY {
			zone = time.UTC // a date is the same everywhere
		}
		t, err := time.ParseInLocation(l.layout, s, zone)
		if err != nil || t.Year() < 1 || t.Year() > 9999 {
			continue
		}
		m = moment{t, l.precision}
		if m.precision == dtpb.DateTime_SECOND {
			switch ns := t.Nanosecond(); {
			case ns%1000 != 0 || fractionDigits(s) > 6:
				return moment{}, false
			case fractionDigits(s) > 0 && (t.Year() < 1678 || t.Year() > 2261):
				// The FHIR library counts fractions in nanoseconds, in 64 bits.
				return moment{}, false
			case fractionDigits(s) > 3:
				m.precision = dtpb.DateTime_MICROSECOND
			case fractionDigits(s) > 0:
				m.precision = dtpb.DateTime_MILLISECOND
			}
		}
		if _, offset := t.Zone(); offset%60 != 0 { // local mean time of the 19th century
			return moment{}, false
		}
		return m, true
	}
	return moment{}, false
}

func fractionDigits(s string) int {
	_, fraction, ok := strings.Cut(s, ".")
	if !ok {
		return 0
	}
	return len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
}

// offset is the time zone as the FHIR protos have it.
func (m moment) offset() string {
	if _, seconds := m.time.Zone(); seconds == 0 {
		return "Z"
	}
	return m.time.Format("-07:00")
}

func (m moment) dateTime() *dtpb.DateTime {
	return &dtpb.DateTime{ValueUs: m.time.UnixMicro(), Timezone: m.offset(), Precision: m.precision}
}

func (m moment) instant() *dtpb.Instant {
	return &dtpb.Instant{ValueUs: m.time.UnixMicro(), Timezone: m.offset(), Precision: instantPrecisions[m.precision]}
}

var instantPrecisions = map[dtpb.DateTime_Precision]dtpb.Instant_Precision{
	dtpb.DateTime_SECOND:      dtpb.Instant_SECOND,
	dtpb.DateTime_MILLISECOND: dtpb.Instant_MILLISECOND,
	dtpb.DateTime_MICROSECOND: dtpb.Instant_MICROSECOND,
}

func (m moment) hasTime() bool { return m.precision >= dtpb.DateTime_SECOND }

func (m moment) plus(d time.Duration) moment { return moment{m.time.Add(d), m.precision} }

// text writes the moment as Redox does: ISO 8601 with an offset.
func (m moment) text() string {
	switch m.precision {
	case dtpb.DateTime_YEAR:
		return m.time.Format("2006")
	case dtpb.DateTime_MONTH:
		return m.time.Format("2006-01")
	case dtpb.DateTime_DAY:
		return m.time.Format("2006-01-02")
	case dtpb.DateTime_MILLISECOND:
		return m.time.Format("2006-01-02T15:04:05.000Z07:00")
	case dtpb.DateTime_MICROSECOND:
		return m.time.Format("2006-01-02T15:04:05.000000Z07:00")
	}
	return m.time.Format("2006-01-02T15:04:05Z07:00")
}

// same tells whether two spellings are the same moment.
func (o Options) same(a, b string) bool {
	x, okX := o.parseTime(a)
	y, okY := o.parseTime(b)
	return okX && okY && x.time.Equal(y.time) && x.hasTime() == y.hasTime()
}

func inZone(us int64, zone string) time.Time {
	t := time.UnixMicro(us).UTC()
	if zone == "Z" || zone == "" || zone == "UTC" {
		return t
	}
	if z, err := time.Parse("-07:00", zone); err == nil {
		_, seconds := z.Zone()
		return t.In(time.FixedZone("", seconds))
	}
	if l, err := time.LoadLocation(zone); err == nil {
		return t.In(l)
	}
	return t
}

func ofDateTime(d *dtpb.DateTime) (moment, bool) {
	if d == nil || d.Precision == dtpb.DateTime_PRECISION_UNSPECIFIED {
		return moment{}, false
	}
	return moment{inZone(d.ValueUs, d.Timezone), d.Precision}, true
}

func ofInstant(i *dtpb.Instant) (moment, bool) {
	for p, ip := range instantPrecisions {
		if i != nil && i.Precision == ip {
			return moment{inZone(i.ValueUs, i.Timezone), p}, true
		}
	}
	return moment{}, false
}

func ofDate(d *dtpb.Date) (moment, bool) {
	if d == nil || d.Precision == dtpb.Date_PRECISION_UNSPECIFIED {
		return moment{}, false
	}
	return moment{inZone(d.ValueUs, d.Timezone), dtpb.DateTime_Precision(d.Precision)}, true // year, month and day have the same numbers
}
