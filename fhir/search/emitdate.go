package search

import (
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// date: R4 search, date.
func (e *emitter) date(typeName string, n rawjson.Node) {
	switch typeName {
	case "Period":
		if i, ok := period(n); ok {
			e.interval(i)
		}
	case "Timing":
		if i, ok := timing(n); ok {
			e.interval(i)
		}
	default:
		if i, err := parseDate(n.String()); err == nil {
			e.interval(i)
		}
	}
}

// period is open where it has no start or no end.
func period(n rawjson.Node) (interval, bool) {
	i := interval{beginning, never}
	start, err1 := parseDate(member(n, "start"))
	if err1 == nil {
		i.low = start.low
	}
	end, err2 := parseDate(member(n, "end"))
	if err2 == nil {
		i.high = end.high
	}
	return i, err1 == nil || err2 == nil
}

// timing is from the first of its events, or of its bounds, to the last: R4
// looks at the outer limits only.
func timing(n rawjson.Node) (interval, bool) {
	var all interval
	found := false
	add := func(i interval) {
		if !found || i.low.Before(all.low) {
			all.low = i.low
		}
		if !found || i.high.After(all.high) {
			all.high = i.high
		}
		found = true
	}
	if repeat, ok := n.Member("repeat"); ok {
		if bounds, ok := repeat.Member("boundsPeriod"); ok {
			if i, ok := period(bounds); ok {
				add(i)
			}
		}
	}
	if events, ok := n.Member("event"); ok {
		for event := range events.Elements() {
			if i, err := parseDate(event.String()); err == nil {
				add(i)
			}
		}
	}
	return all, found
}

// interval adds the bounds, for the prefixes that look at one bound of any of
// the values, and the smallest interval of the calendar around the value, for
// eq, which looks at both bounds of the same value. That there are several values
// has a key of its own, see between.go; and from the second value on both
// bounds of each are also added with its place, see field.both.
func (e *emitter) interval(i interval) {
	e.moment(formLow, i.low)
	e.moment(formHigh, i.high)
	e.start(formWithin)
	e.buf = appendTime(append(e.buf, i.step()), i.low)
	e.end()
	switch e.intervals {
	case 0:
		e.first = i
	case 1:
		e.start(formSeveral)
		e.end()
		e.placed(0, e.first)
		fallthrough
	default:
		e.placed(min(e.intervals, maxSpans-1), i)
	}
	e.intervals++
}

func (e *emitter) moment(form byte, t time.Time) {
	e.start(form)
	e.buf = appendTime(e.buf, t)
	e.end()
}

func (e *emitter) placed(place int, i interval) {
	for bound, t := range map[byte]time.Time{formLow: i.low, formHigh: i.high} {
		e.start(formSeveral)
		e.buf = appendTime(append(e.buf, byte('0'+place), bound), t)
		e.end()
	}
}
