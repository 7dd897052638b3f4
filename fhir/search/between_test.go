package search

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

// The clause that is added for two bounds changes nothing of what is found.
func TestBetweenSelectsWhatTheHalvesDo(t *testing.T) {
	number, _ := conformance.R4().TypeNumber("Encounter")
	sp, _ := conformance.R4().SearchParameter("Encounter", "date")
	formats := []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04Z", "2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z"}
	start := time.Date(2019, 12, 30, 0, 0, 0, 0, time.UTC)
	date := rapid.Custom(func(t *rapid.T) string {
		// Near the turn of a year, a month, a day and a minute.
		unit := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour, 31 * 24 * time.Hour}).Draw(t, "unit")
		at := start.Add(time.Duration(rapid.IntRange(-3, 60).Draw(t, "units")) * unit)
		return at.Format(rapid.SampledFrom(formats).Draw(t, "format"))
	})
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		e := emitter{prefix: appendParam(nil, number, sp.Number)}
		for range rapid.IntRange(1, 3).Draw(t, "values") {
			i := interval{beginning, never}
			if from := rapid.SampledFrom([]string{"", date.Draw(t, "from")}).Draw(t, "start"); from != "" {
				v, _ := parseDate(from)
				i = v
			}
			switch rapid.IntRange(0, 2).Draw(t, "end") {
			case 0:
				v, _ := parseDate(date.Draw(t, "to"))
				if !v.high.After(i.low) {
					return
				}
				i.high = v.high
			case 1:
				i.high = never
			}
			e.interval(i)
		}
		keys := store.SortKeys(append(e.keys(), paramKey(number, ownExists)))
		var params []Parameter
		halves := true
		for range rapid.IntRange(1, 3).Draw(t, "criteria") {
			prefix := rapid.SampledFrom([]string{"ge", "gt", "sa", "lt", "le", "eb", "ap", "eq", "ne"}).Draw(t, "prefix")
			p := Parameter{Name: "date", Value: prefix + date.Draw(t, "date")}
			halves = halves && store.MatchKeys(clauseOf(t, p), keys)
			params = append(params, p)
		}
		if whole := store.MatchKeys(clauseOf(t, params...), keys); whole != halves {
			t.Fatalf("%v finds a resource: %v; each of them: %v", params, whole, halves)
		} else if whole {
			found++
		}
	})
	if found == 0 {
		t.Error("nothing was found, so nothing was compared")
	}
}

func clauseOf(t interface{ Fatal(args ...any) }, params ...Parameter) store.Clause {
	r, err := Parse("Encounter", params, Options{
		Base: Base{Definitions: conformance.R4()}, Now: time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), DefaultCount: 10, MaxCount: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Where
}

func TestBetweenIsAdded(t *testing.T) {
	for query, want := range map[string]bool{
		"date=ge2020-03&date=lt2020-04":   true,
		"date=ap2020-03":                  true,
		"date=ge2020-03":                  false,
		"date=ge2020-03&date=lt2020,2021": false, // either of two
	} {
		var params []Parameter
		for _, p := range strings.Split(query, "&") {
			name, value, _ := strings.Cut(p, "=")
			params = append(params, Parameter{Name: name, Value: value})
		}
		number, _ := conformance.R4().TypeNumber("Encounter")
		sp, _ := conformance.R4().SearchParameter("Encounter", "date")
		several := store.Exactly(formKey(number, sp.Number, formSeveral))
		if got := holds(clauseOf(t, params...), several); got != want {
			t.Errorf("%s: added %v, want %v", query, got, want)
		}
	}
}

func holds(c, part store.Clause) bool {
	switch c := c.(type) {
	case store.And:
		for _, d := range c {
			if holds(d, part) {
				return true
			}
		}
	case store.Or:
		for _, d := range c {
			if holds(d, part) {
				return true
			}
		}
	case store.Range:
		return c == part
	}
	return false
}
