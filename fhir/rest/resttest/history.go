package resttest

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// https://hl7.org/fhir/R4/http.html#history
func histories(t *testing.T, open Open) {
	s := Serve(t, open)
	s.Put(`{"resourceType":"Patient","id":"a","active":true}`)
	s.Clock.Advance(time.Minute)
	s.Put(`{"resourceType":"Patient","id":"a","active":false}`, `{"resourceType":"Group","id":"g","type":"person","actual":true}`)
	s.Clock.Advance(time.Minute)
	s.Do("DELETE", "Patient/a", "").Want(http.StatusNoContent)
	s.Put(`{"resourceType":"Patient","id":"b"}`)
	s.Clock.Advance(time.Minute)
	s.Put(`{"resourceType":"Patient","id":"a"}`)

	for _, c := range []struct{ rule, path, entries string }{
		{"an instance's, newest first, deletes included", "Patient/a/_history", "POST a 4, DELETE a 3, PUT a 2, POST a 1"},
		{"a type's", "Patient/_history", "POST a 4, POST b 1, DELETE a 3, PUT a 2, POST a 1"},
		{"the system's", "_history", "POST a 4, POST b 1, DELETE a 3, POST g 1, PUT a 2, POST a 1"},
		{"_since", "_history?_since=2026-03-01T12:02:00Z", "POST a 4, POST b 1, DELETE a 3"},
		{"_since in another zone", "_history?_since=2026-03-01T13:02:00%2B01:00", "POST a 4, POST b 1, DELETE a 3"},
		{"_count", "Patient/a/_history?_count=2", "POST a 4, DELETE a 3"},
		{"_count beyond the limit", "Patient/a/_history?_count=99999999", "POST a 4, DELETE a 3, PUT a 2, POST a 1"},
		{"_at a moment before any", "_history?_at=2026-03-01T11:59:59Z", ""},
		{"_at the first moment", "_history?_at=2026-03-01T12:00:00Z", "POST a 1"},
		{"_at a moment between two versions", "_history?_at=2026-03-01T12:00:30Z", "POST a 1"},
		{"_at a minute, of which a version is the last", "_history?_at=2026-03-01T12:01Z", "POST g 1, PUT a 2"},
		{"_at a moment in which a version was replaced", "Patient/_history?_at=2026-03-01T12:02:00.000Z", "POST b 1, DELETE a 3"},
		{"_at a moment of being deleted", "Patient/_history?_at=2026-03-01T12:02:30Z", "POST b 1"},
		{"_at a day", "Patient/a/_history?_at=2026-03-01", "POST a 4, DELETE a 3, PUT a 2, POST a 1"},
		{"_at a day later", "_history?_at=2026-03-02", "POST a 4, POST b 1, POST g 1"},
		{"_at of an instance", "Patient/a/_history?_at=2026-03-01T12:01:30Z", "PUT a 2"},
		{"_at in another zone", "Patient/a/_history?_at=2026-03-01T13:01:30%2B01:00", "PUT a 2"},
		{"_at and _since", "Patient/_history?_at=2026-03-02&_since=2026-03-01T12:03:00Z", "POST a 4"},
		{"_at and _count", "_history?_at=2026-03-02&_count=2", "POST a 4, POST b 1"},
		{"_at of an instance that was deleted", "Patient/a/_history?_at=2026-03-01T12:02:30Z", ""},
		{"a type without any", "Account/_history", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := s.In(t)
			if got := entries(s, s.Get(c.path).Bundle("history")); got != c.entries {
				t.Errorf("%s: %q, want %q", c.path, got, c.entries)
			}
		})
	}
	t.Run("paging", func(t *testing.T) {
		s := s.In(t)
		var all []string
		pages := 0
		for next := "_history?_count=2"; next != ""; pages++ {
			b := s.Get(next).Bundle("history")
			all = append(all, entries(s, b))
			if pages == 0 {
				s.Put(`{"resourceType":"Patient","id":"later"}`)
			}
			next = b.LinkTo("next")
		}
		if got := strings.Join(all, ", "); got != "POST a 4, POST b 1, DELETE a 3, POST g 1, PUT a 2, POST a 1" || pages != 3 {
			t.Errorf("%d pages: %s", pages, got)
		}
		next := s.Get("_history?_count=2").Bundle("history").LinkTo("next")
		s.Get(strings.Replace(next, "_history", "Patient/_history", 1)).WantOutcome(http.StatusBadRequest, "value", "page")
		s.Get(strings.Replace(next, "/clinic/", "/other/", 1)).WantOutcome(http.StatusBadRequest, "value", "page")
		s.Get("_history?_page=1-1").WantOutcome(http.StatusBadRequest, "value", "page")
	})
	t.Run("paging with _at", func(t *testing.T) {
		s := s.In(t)
		var all []string
		for next := "_history?_count=1&_at=2026-03-01T12:04Z"; next != ""; {
			b := s.Get(next).Bundle("history")
			if got := entries(s, b); got != "" {
				all = append(all, got)
			}
			next = b.LinkTo("next")
		}
		if got := strings.Join(all, ", "); got != "POST later 1, POST a 4, POST b 1, POST g 1" {
			t.Errorf("%s", got)
		}
		next := s.Get("_history?_count=1&_at=2026-03-01T12:04Z").Bundle("history").LinkTo("next")
		s.Get(strings.Replace(next, "12:04", "12:03", 1)).WantOutcome(http.StatusBadRequest, "value", "page")
	})
	t.Run("refused", func(t *testing.T) {
		s := s.In(t)
		s.Get("Patient/never/_history").WantOutcome(http.StatusNotFound, "not-found")
		s.Get("Patient/a/_history?_count=-1").WantOutcome(http.StatusBadRequest, "value", "_count")
		s.Get("Patient/a/_history?_since=yesterday").WantOutcome(http.StatusBadRequest, "value", "_since")
		s.Get("Patient/a/_history?_at=now").WantOutcome(http.StatusBadRequest, "value", "_at")
		s.Get("Patient/a/_history?_at=ge2026").WantOutcome(http.StatusBadRequest, "value", "_at")
		s.Get("Patient/a/_history?_count=0").WantOutcome(http.StatusBadRequest, "value", "_count")
		s.Get("Patient/a/_history?gender=male").WantOutcome(http.StatusBadRequest, "not-supported", "gender")
	})
	t.Run("links", func(t *testing.T) {
		s := s.In(t)
		for _, path := range []string{"_history", "Patient/_history", "Patient/a/_history?_count=50"} {
			if got := s.Get(path).Bundle("history").LinkTo("self"); got != s.Base+"/"+path {
				t.Errorf("self link of %s: %s", path, got)
			}
		}
	})
}

// entries are the method, id and version of a history's entries.
func entries(s *Server, b Bundle) string {
	var all []string
	for _, e := range b.Entry {
		_, id, _ := strings.Cut(e.FullURL, s.Base+"/")
		_, id, _ = strings.Cut(id, "/")
		all = append(all, e.Request.Method+" "+id+" "+strings.Trim(e.Response.Etag, `W/"`))
		if (e.Request.Method == http.MethodDelete) != (len(e.Resource) == 0) {
			s.Errorf("%s of %s with resource %q", e.Request.Method, id, e.Resource)
		}
	}
	return strings.Join(all, ", ")
}
