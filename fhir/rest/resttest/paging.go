package resttest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// https://hl7.org/fhir/R4/http.html#paging
func paging(t *testing.T, open Open) {
	s := Serve(t, open)
	for i := range 10 {
		s.Put(fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","gender":"male","name":[{"family":"Family %d"}]}`, i, 9-i))
	}
	s.Put(`{"resourceType":"Patient","id":"nameless","gender":"male"}`)
	for _, c := range []struct{ rule, query, ids string }{
		{"in the order of creation", "Patient?_count=3", "p0 p1 p2 p3 p4 p5 p6 p7 p8 p9 nameless"},
		{"sorted", "Patient?_count=3&_sort=family", "p9 p8 p7 p6 p5 p4 p3 p2 p1 p0 nameless"},
		{"descending", "Patient?_count=4&_sort=-family", "p0 p1 p2 p3 p4 p5 p6 p7 p8 p9 nameless"},
		{"sorted by what all share", "Patient?_count=2&_sort=gender", "p0 p1 p2 p3 p4 p5 p6 p7 p8 p9 nameless"},
		{"by two", "Patient?_count=2&_sort=gender,family", "p9 p8 p7 p6 p5 p4 p3 p2 p1 p0 nameless"},
		{"filtered", "Patient?_count=2&family=family&_sort=-_id", "p9 p8 p7 p6 p5 p4 p3 p2 p1 p0"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := s.In(t)
			var all []string
			for next := c.query; next != ""; {
				b := s.Get(next).Bundle("searchset")
				if ids := b.IDs("match"); ids != "" {
					all = append(all, ids)
				}
				if next = b.LinkTo("next"); strings.Contains(next, "Family") || strings.Contains(decoded(next), "amily 9") {
					t.Errorf("the page link shows a value that the search did not name: %s", next)
				}
			}
			if got := strings.Join(all, " "); got != c.ids {
				t.Errorf("%s: %s, want %s", c.query, got, c.ids)
			}
		})
	}
	t.Run("links", func(t *testing.T) { s.In(t).pageLinks() })
	t.Run("while others write", func(t *testing.T) {
		s := s.In(t).On("busy/test")
		for i := range 9 {
			s.Put(fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","name":[{"family":"%d"}]}`, i, i))
		}
		var all []string
		step := 0
		for next := "Patient?_count=2&_sort=family"; next != ""; step++ {
			b := s.Get(next).Bundle("searchset")
			all = append(all, b.IDs("match"))
			switch step {
			case 0: // before and behind the page, and gone
				s.Put(`{"resourceType":"Patient","id":"early","name":[{"family":"00"}]}`, `{"resourceType":"Patient","id":"late","name":[{"family":"85"}]}`)
				s.Do("DELETE", "Patient/p0", "").Want(http.StatusNoContent)
				s.Do("DELETE", "Patient/p4", "").Want(http.StatusNoContent)
			case 1: // one that was shown, and one that was not, without a change of place
				s.Put(`{"resourceType":"Patient","id":"p2","active":true,"name":[{"family":"2"}]}`, `{"resourceType":"Patient","id":"p6","active":true,"name":[{"family":"6"}]}`)
			}
			next = b.LinkTo("next")
		}
		if got := strings.Join(all, " "); got != "p0 p1 p2 p3 p5 p6 p7 p8 late" {
			t.Errorf("%s", got)
		}
	})
	t.Run("tokens", func(t *testing.T) {
		s := s.In(t)
		next := s.Get("Patient?_count=3&_sort=family&gender=male").Bundle("searchset").LinkTo("next")
		s.Get(next).Bundle("searchset")
		before, _, _ := strings.Cut(next, "_page=")
		for rule, url := range map[string]string{
			"changed":                    next[:len(next)-1] + map[bool]string{true: "A", false: "B"}[next[len(next)-1] != 'A'],
			"cut":                        next[:len(next)-4],
			"empty":                      before + "_page=x",
			"of another search":          strings.Replace(next, "gender=male", "gender=female", 1),
			"of another sort":            strings.Replace(next, "_sort=family", "_sort=given", 1),
			"of another page size":       strings.Replace(next, "_count=3", "_count=4", 1),
			"of another type":            strings.Replace(next, "/Patient?", "/Practitioner?", 1),
			"of another organization":    strings.Replace(next, "/clinic/", "/other/", 1),
			"of another environment":     strings.Replace(next, "/test/", "/production/", 1),
			"with one parameter less":    strings.Replace(next, "&gender=male", "", 1),
			"with the parameters turned": strings.Replace(next, "_count=3&_sort=family", "_sort=family&_count=3", 1),
		} {
			if url == next {
				t.Fatalf("%s: the link was not changed", rule)
			}
			s.Get(url).WantOutcome(http.StatusBadRequest, "value", "_page")
		}
	})
}

// pageLinks goes through the pages by their links, there and back.
func (s *Server) pageLinks() {
	for _, query := range []string{"Patient?_count=2", "Patient?_count=2&_sort=-family", "?_type=Patient,Practitioner&_count=2&_sort=_id"} {
		var there []Bundle
		for next := query; next != ""; {
			b := s.Get(next).Bundle("searchset")
			there = append(there, b)
			next = b.LinkTo("next")
		}
		last := there[len(there)-1]
		if there[0].LinkTo("previous") != "" || last.LinkTo("last") != last.LinkTo("self") || there[0].LinkTo("last") != "" {
			s.Errorf("%s: the first page's links %v, the last's %v", query, there[0].Link, last.Link)
		}
		for i, b := range slices.Backward(there) {
			if got := s.Get(b.LinkTo("self")).Bundle("searchset").IDs("match"); got != b.IDs("match") {
				s.Errorf("%s: self of page %d has %s, not %s", query, i, got, b.IDs("match"))
			}
			if got := s.Get(b.LinkTo("first")).Bundle("searchset").IDs("match"); got != there[0].IDs("match") {
				s.Errorf("%s: first of page %d has %s", query, i, got)
			}
			if i == 0 {
				break
			}
			back := s.Get(b.LinkTo("previous")).Bundle("searchset")
			if back.IDs("match") != there[i-1].IDs("match") || (i > 1) != (back.LinkTo("previous") != "") {
				s.Errorf("%s: before page %d is %s", query, i, back.IDs("match"))
			}
			if got := s.Get(back.LinkTo("next")).Bundle("searchset").IDs("match"); got != b.IDs("match") {
				s.Errorf("%s: back and forth from page %d leads to %s", query, i, got)
			}
		}
	}
	// A way back that would be too long is not given, and first always is.
	long := strings.Repeat("x", 390)
	for i := range 9 {
		s.Put(fmt.Sprintf(`{"resourceType":"Organization","id":"o%d","name":"%s%d"}`, i, long, i))
	}
	b := s.Get("Organization?_count=1&_sort=name").Bundle("searchset")
	for b.LinkTo("next") != "" {
		if b = s.Get(b.LinkTo("next")).Bundle("searchset"); len(b.LinkTo("next")) > 6000 {
			s.Errorf("a link of %d bytes", len(b.LinkTo("next")))
		}
	}
	back := 0
	for ; b.LinkTo("previous") != ""; back++ {
		b = s.Get(b.LinkTo("previous")).Bundle("searchset")
	}
	if back < 3 || back > 7 || s.Get(b.LinkTo("first")).Bundle("searchset").IDs("match") != "o0" {
		s.Errorf("%d pages back", back)
	}
}

// decoded is a link's page token without its encoding.
func decoded(link string) string {
	_, token, _ := strings.Cut(link, "_page=")
	b, _ := base64.RawURLEncoding.DecodeString(token)
	return string(b)
}
