package resttest

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// caches: what an answer says to caches, and that HEAD says what GET says
// (RFC 9110 § 9.3.2).
func caches(t *testing.T, open Open) {
	s := Serve(t, open)
	s.Put(`{"resourceType":"Patient","id":"p","meta":{"tag":[{"code":"x"}]}}`, `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`)
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	said := func(t *testing.T, a *Answer) {
		t.Helper()
		a.WantHeader("Vary", "Accept, Prefer").WantHeader("Cache-Control", "private, no-cache")
	}
	for _, c := range []struct {
		path   string
		status int
	}{
		{"Patient/p", http.StatusOK}, {"Patient/p/_history/1", http.StatusOK}, {"Patient/p/_history", http.StatusOK}, {"_history", http.StatusOK},
		{"Patient?_id=p", http.StatusOK}, {"?_type=Patient", http.StatusOK}, {"Patient/p/Observation", http.StatusOK}, {"Patient/p/$everything", http.StatusOK},
		{"Patient/p?_summary=true", http.StatusOK}, {"Patient/p?_pretty=true", http.StatusOK}, {"metadata", http.StatusOK},
		{"Patient/p/$meta", http.StatusOK}, {"Patient/p/_history/1/$meta", http.StatusOK}, {"Patient/$meta", http.StatusOK}, {"$meta", http.StatusOK},
		{"Observation/$explain?code:text=x", http.StatusOK}, {"Observation/$lastn?patient=p&code:text=x", http.StatusOK},
		{"Patient/none", http.StatusNotFound}, {"Nothing/p", http.StatusNotFound}, {"Patient?shoesize=1", http.StatusBadRequest},
		{"Patient/p?_format=ttl", http.StatusNotAcceptable},
	} {
		for _, accept := range []string{"", "application/fhir+json", "application/json", "application/fhir+xml"} {
			t.Run(c.path+" as "+accept, func(t *testing.T) {
				s := s.In(t)
				get := s.Get(c.path, "Accept", accept).Want(c.status)
				head := s.Do(http.MethodHead, c.path, "", "Accept", accept).Want(c.status)
				said(t, get)
				if len(head.Body) > 0 {
					t.Errorf("HEAD has a body: %s", head.Body)
				}
				// Bundles and explanations are made anew, with ids and times.
				for name := range get.Header {
					if name != "Date" && name != "Content-Length" {
						head.WantHeader(name, get.Header.Get(name))
					}
				}
				for name := range head.Header {
					if !slices.Contains([]string{"Date", "Content-Length"}, name) {
						get.WantHeader(name, head.Header.Get(name))
					}
				}
				anew := bytes.Contains(get.Body, []byte("Bundle")) || strings.Contains(c.path, "explain")
				if n := head.Header.Get("Content-Length"); !anew && n != itoa(len(get.Body)) {
					t.Errorf("HEAD says %s bytes, GET has %d", n, len(get.Body))
				}
			})
		}
	}
	t.Run("others", func(t *testing.T) {
		s := s.In(t)
		said(t, s.Get("Patient/p", "If-None-Match", `W/"1"`).Want(http.StatusNotModified))
		said(t, s.Do(http.MethodPost, "Patient/_search", "_id=p", form...).Want(http.StatusOK))
		said(t, s.Do(http.MethodPost, "", bundleOf("batch", does("GET", "Patient/p", ""))).Want(http.StatusOK))
		said(t, s.Do(http.MethodPost, "Patient", `{"resourceType":"Patient"}`, "Prefer", "return=minimal").Want(http.StatusCreated))
		said(t, s.Do(http.MethodDelete, "Patient/p", "").Want(http.StatusNoContent))
		said(t, s.Get("Patient/p").Want(http.StatusGone))
	})
}
