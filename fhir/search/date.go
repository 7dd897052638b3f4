package search

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"
)

// interval is the time that a date covers: from low up to but without high.
// 2026-03 covers all of March, 2026-03-01T10:30Z that minute.
type interval struct{ low, high time.Time }

// Open ends of periods.
var (
	beginning = time.Date(-9999, 1, 1, 0, 0, 0, 0, time.UTC)
	never     = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
)

var errDate = errors.New("not a date")

// parseDate reads a date, dateTime or instant of any precision. A value
// without an offset is read as UTC, in resources and in searches alike.
func parseDate(s string) (interval, error) {
	var format string
	var years, months, days int
	switch len(s) {
	case 4:
		format, years = "2006", 1
	case 7:
		format, months = "2006-01", 1
	case 10:
		format, days = "2006-01-02", 1
	default:
		return parseTime(s)
	}
	low, err := time.Parse(format, s)
	if err != nil {
		return interval{}, errDate
	}
	return interval{low, low.AddDate(years, months, days)}, nil
}

// parseTime reads yyyy-mm-ddThh:mm[:ss[.fff]][offset].
func parseTime(s string) (interval, error) {
	const minutes, seconds = len("2006-01-02T15:04"), len("2006-01-02T15:04:05")
	if len(s) < minutes || s[10] != 'T' {
		return interval{}, errDate
	}
	end := len(s)
	if i := strings.IndexAny(s[11:], "Z+-"); i >= 0 {
		end = 11 + i
	}
	local, offset := s[:end], s[end:]
	format, step, leap := "2006-01-02T15:04", time.Minute, false
	if len(local) >= seconds {
		format, step = "2006-01-02T15:04:05", time.Second
		// A leap second is read as the last second of its minute.
		if leap = local[16:seconds] == ":60"; leap {
			local = local[:17] + "59" + local[seconds:]
		}
		if len(local) > seconds {
			// time.Parse would take a comma too.
			if local[seconds] != '.' || len(local) == seconds+1 {
				return interval{}, errDate
			}
			for digits := len(local) - seconds - 1; digits > 0 && step > time.Microsecond; digits-- {
				step /= 10
			}
		}
	}
	if offset != "" {
		format += "Z07:00"
	}
	low, err := time.Parse(format, local+offset)
	if err != nil {
		return interval{}, errDate
	}
	// Keys hold microseconds, the precision of everything that is compared.
	low = low.Truncate(time.Microsecond)
	return interval{low, low.Add(step)}, nil
}

// appendTime keeps the order of times: microseconds with the sign flipped.
func appendTime(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t.UnixMicro())^(1<<63))
}

func encodeTime(t time.Time) string { return string(appendTime(nil, t)) }

// afterAll is greater than every encoded time.
const afterAll = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"

// The calendar's steps, finest first. Each step's intervals lie wholly within
// one interval of the next, which is what makes within work.
const (
	stepFraction = '1'
	stepSecond   = '2'
	stepMinute   = '3'
	stepDay      = '4'
	stepMonth    = '5'
	stepYear     = '6'
	stepNone     = '7' // of no step
)

// steps are the calendar's steps, finest first.
const steps = "123456"

// step is the finest step of the calendar with an interval that holds i;
// stepNone when i spans years.
func (i interval) step() byte {
	a, b := i.low.UTC(), i.high.Add(-time.Microsecond).UTC()
	switch {
	case a.Year() != b.Year():
		return stepNone
	case a.Month() != b.Month():
		return stepYear
	case a.Day() != b.Day():
		return stepMonth
	case a.Hour() != b.Hour() || a.Minute() != b.Minute():
		return stepDay
	case a.Second() != b.Second():
		return stepMinute
	case i.high.Sub(i.low) < time.Second:
		return stepFraction
	}
	return stepSecond
}

// approximate widens an interval for the prefix ap: by a tenth of the gap
// between now and the value (R4 search, prefixes), to its start.
func (i interval) approximate(now time.Time) interval {
	gap := now.UnixMicro() - i.low.UnixMicro() // a Duration holds 292 years only
	gap = max(gap, -gap) / 10
	return interval{time.UnixMicro(i.low.UnixMicro() - gap).UTC(), time.UnixMicro(i.high.UnixMicro() + gap).UTC()}
}
