package search

import (
	"encoding/binary"
	"errors"
	"math"
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
// without an offset is read in zone.
func parseDate(s string, zone *time.Location) (interval, error) {
	type layout struct {
		format           string
		years, months, d int
		step             time.Duration
	}
	var l layout
	switch len(s) {
	case 4:
		l = layout{format: "2006", years: 1}
	case 7:
		l = layout{format: "2006-01", months: 1}
	case 10:
		l = layout{format: "2006-01-02", d: 1}
	default:
		return parseTime(s, zone)
	}
	low, err := time.ParseInLocation(l.format, s, zone)
	if err != nil {
		return interval{}, errDate
	}
	return interval{low, low.AddDate(l.years, l.months, l.d)}, nil
}

func parseTime(s string, zone *time.Location) (interval, error) {
	if len(s) < len("2006-01-02T15:04") || s[10] != 'T' {
		return interval{}, errDate
	}
	// A leap second is the last instant of its minute.
	clock, offset := s[11:], ""
	if i := strings.IndexAny(clock, "Z+-"); i >= 0 {
		clock, offset = clock[:i], clock[i:]
	}
	step := time.Minute
	format := "2006-01-02T15:04"
	if len(clock) >= 8 {
		format, step = "2006-01-02T15:04:05", time.Second
		if dot := strings.IndexByte(clock, '.'); dot >= 0 {
			digits := len(clock) - dot - 1
			if digits < 1 {
				return interval{}, errDate
			}
			for step = time.Second; digits > 0 && step > 1; digits-- {
				step /= 10
			}
		}
	}
	value := s[:11] + strings.Replace(clock, ":60", ":59", 1)
	var low time.Time
	var err error
	if offset == "" {
		low, err = time.ParseInLocation(format, value, zone)
	} else {
		low, err = time.Parse(format+"Z07:00", value+offset)
	}
	if err != nil {
		return interval{}, errDate
	}
	return interval{low, low.Add(step)}, nil
}

// encodeTime keeps the order of times: microseconds with the sign flipped.
func encodeTime(t time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMicro())^(1<<63))
	return string(b[:])
}

// afterAll is greater than every encoded time.
var afterAll = string([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})

// approximate widens an interval for the prefix ap: by a tenth of the gap
// between now and the value (R4 search §3.1.1.4.5), at least by a day for
// values that name no time.
func (i interval) approximate(now time.Time) interval {
	gap := time.Duration(math.Abs(float64(now.Sub(i.low))) / 10)
	if i.high.Sub(i.low) >= 24*time.Hour {
		gap = max(gap, 24*time.Hour)
	}
	return interval{i.low.Add(-gap), i.high.Add(gap)}
}
