package resttest

import (
	"net/http"
	"strings"
	"testing"
)

// Whatever is asked, the answer comes soon and is an answer.
func bounds(t *testing.T, open Open) {
	s := Serve(t, open)
	s.Put(`{"resourceType":"Patient","id":"p","gender":"male"}`)
	form := func(t *testing.T, body string) *Answer {
		return s.In(t).Do("POST", "Patient/_search", body, "Content-Type", "application/x-www-form-urlencoded")
	}
	t.Run("1,000 values", func(t *testing.T) {
		form(t, "gender="+strings.Repeat("x,", 999)+"male").Bundle("searchset")
	})
	t.Run("10,000 values", func(t *testing.T) {
		form(t, "gender="+strings.Repeat("x,", 9999)+"male").WantOutcome(http.StatusBadRequest, "too-costly", "gender")
	})
	t.Run("10,000 parameters", func(t *testing.T) {
		form(t, strings.Repeat("gender=male&", 10_000)).WantOutcome(http.StatusBadRequest, "too-costly", "parameters")
	})
	t.Run("many alternatives in many parameters", func(t *testing.T) {
		form(t, strings.Repeat("birthdate=2020"+strings.Repeat(",2020", 900)+"&", 30)).WantOutcome(http.StatusBadRequest, "too-costly")
	})
	t.Run("many alternatives in chains over many types", func(t *testing.T) {
		s.In(t).Get("Provenance?"+strings.Repeat("target._id="+strings.Repeat("x,", 400)+"x&", 3)).WantOutcome(http.StatusBadRequest, "too-costly")
	})
	t.Run("a URL of 1 MB", func(t *testing.T) {
		a := s.In(t).Get("Patient?given=" + strings.Repeat("x", 1<<20))
		if a.Status != http.StatusRequestURITooLong && a.Status != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", a.Status)
		}
	})
	t.Run("a form of 2 MB", func(t *testing.T) {
		form(t, "given="+strings.Repeat("x", 2<<20)).WantOutcome(http.StatusRequestEntityTooLarge, "too-long")
	})
	t.Run("a value of 100 kB", func(t *testing.T) {
		form(t, "given="+strings.Repeat("x", 100_000)).Bundle("searchset")
	})
	t.Run("chains", func(t *testing.T) {
		s := s.In(t)
		s.Get("Patient?" + strings.Repeat("link:Patient.", 8) + "gender=male").Bundle("searchset")
		s.Get("Patient?"+strings.Repeat("link:Patient.", 9)+"gender=male").WantOutcome(http.StatusBadRequest, "too-costly", "8")
		s.Get("Patient?"+strings.Repeat("link:Patient.", 10_000)+"gender=male").WantOutcome(http.StatusBadRequest, "too-costly", "8")
		s.Get("Patient?"+strings.Repeat("_has:Patient:link:", 9)+"gender=male").WantOutcome(http.StatusBadRequest, "too-costly", "8")
		// Without types, each step of a chain has as many branches as the
		// reference has types.
		s.Get("Provenance?target.subject.subject.subject.subject.subject._id=x").WantOutcome(http.StatusBadRequest, "too-costly")
	})
	t.Run("a wide hierarchy", func(t *testing.T) {
		s := s.In(t)
		var entries []string
		for i, w := range wards(1001) {
			entries = append(entries, does("PUT", "Location/w"+itoa(i), w))
		}
		s.Do("POST", "", bundleOf("transaction", entries...)).Bundle("transaction-response")
		s.Get("Procedure?location:below=hospital").WantOutcome(http.StatusBadRequest, "too-costly", "location", ":below")
		s.Get("Procedure?location:above=w1").Bundle("searchset")
	})
	t.Run("_count", func(t *testing.T) {
		s.In(t).Get("Patient?_count=99999999").Bundle("searchset")
		s.In(t).Get("Patient?_count=99999999999999999999999999").Bundle("searchset")
	})
	t.Run("_sort", func(t *testing.T) {
		s.In(t).Get("Patient?_sort="+strings.Repeat("name,", 5000)+"name").WantOutcome(http.StatusBadRequest, "too-costly", "_sort")
	})
	t.Run("_include", func(t *testing.T) {
		s.In(t).Get("Patient?"+strings.Repeat("_include=Patient:link&", 500)).WantOutcome(http.StatusBadRequest, "too-costly", "_include")
	})
	t.Run("a deep body", func(t *testing.T) {
		s.In(t).Do("POST", "Patient", strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000)).Want(http.StatusBadRequest)
	})
	t.Run("a quadratic composite", func(t *testing.T) {
		codings := strings.TrimSuffix(strings.Repeat(`{"system":"urn:x","code":"y"},`, 400), ",")
		s.In(t).Do("POST", "Observation", `{"resourceType":"Observation","status":"final","code":{"coding":[`+codings+`]},"valueCodeableConcept":{"coding":[`+codings+`]}}`).
			WantOutcome(http.StatusUnprocessableEntity, "too-costly", "code-value-concept")
	})
}
