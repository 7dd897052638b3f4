package resttest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Searches across types, in pages: https://hl7.org/fhir/R4/http.html#search.
func acrossTypes(t *testing.T, open Open) {
	s := Serve(t, open)
	var byTime, byID []string
	for i := range 24 {
		s.Clock.Advance(time.Duration(i%3) * time.Minute) // some share a time
		typ := []string{"Patient", "Practitioner", "Organization", "Observation"}[i*7%4]
		id := fmt.Sprintf("%c%02d", 'a'+i*5%26, i)
		body := map[string]string{
			"Patient":      `"name":[{"family":"F%02d"}],"gender":"male"`,
			"Practitioner": `"name":[{"family":"f%02d"}],"gender":"male"`,
			"Organization": `"name":"F%02d"`,
			"Observation":  `"status":"final","code":{"text":"t%02d"}`,
		}[typ]
		s.Put(`{"resourceType":"` + typ + `","id":"` + id + `",` + fmt.Sprintf(body, 90-i) + `,"meta":{"tag":[{"code":"` + []string{"x", "y"}[i%2] + `"}]}}`)
		byTime = append(byTime, typ+"/"+id)
		byID = append(byID, typ+"/"+id)
	}
	slices.SortFunc(byID, func(a, b string) int {
		_, x, _ := strings.Cut(a, "/")
		_, y, _ := strings.Cut(b, "/")
		return strings.Compare(x, y)
	})
	of := func(all []string, types ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(ref string) bool {
			typ, _, _ := strings.Cut(ref, "/")
			return !slices.Contains(types, typ)
		})
	}
	people := of(byTime, "Patient", "Practitioner")
	backwards := slices.Clone(people) // the later, the lesser the name
	slices.Reverse(backwards)
	for _, c := range []struct {
		rule, query string
		refs        []string
	}{
		{"all types, in the order of creation", "?_tag=x,y", byTime},
		{"all types without any parameter", "?", byTime},
		{"all types by _id", "?_id=" + strings.Split(byID[0], "/")[1], byID[:1]},
		{"sorted by _id", "?_sort=_id", byID},
		{"sorted by time: ties go by the order of creation", "?_sort=_lastUpdated", byTime},
		{"two types by time", "?_type=Patient,Observation&_sort=_lastUpdated", of(byTime, "Patient", "Observation")},
		{"two types by what they share", "?_type=Patient,Practitioner&gender=male&family:contains=f", people},
		{"two types sorted by what they share", "?_type=Patient,Practitioner&_sort=family", backwards},
		{"three types sorted by name", "?_type=Patient,Practitioner,Organization&_sort=-name", of(byTime, "Patient", "Practitioner", "Organization")},
		{"two keys, the second decides", "?_type=Patient,Practitioner&_sort=gender,-family", people},
		{"a type without matches", "?_type=Patient,Slot&_sort=_lastUpdated", of(byTime, "Patient")},
		{":not", "?_type=Patient,Observation&_tag:not=zzz&_sort=_lastUpdated", of(byTime, "Patient", "Observation")},
	} {
		for _, count := range []int{1, 5, 50} {
			t.Run(fmt.Sprintf("%s, %d a page", c.rule, count), func(t *testing.T) {
				s := s.In(t)
				var all []string
				pages := 0
				for next := fmt.Sprintf("%s&_count=%d&_total=accurate", c.query, count); next != ""; pages++ {
					b := s.Get(next).Bundle("searchset")
					for _, e := range b.Entry {
						all = append(all, e.Ref())
					}
					if len(b.Entry) > count || b.Total == nil || *b.Total != len(c.refs) {
						t.Fatalf("%d entries, total %v", len(b.Entry), b.Total)
					}
					next = b.LinkTo("next")
				}
				if !slices.Equal(all, c.refs) {
					t.Errorf("%s finds %v, want %v", c.query, all, c.refs)
				}
				if want := max(1, (len(c.refs)+count-1)/count); pages != want {
					t.Errorf("%d pages, want %d", pages, want)
				}
			})
		}
	}
	t.Run("by time, the latest first", func(t *testing.T) {
		b := s.In(t).Get("?_sort=-_lastUpdated&_count=50&_elements=id").Bundle("searchset")
		got := map[string]int{}
		for i, e := range b.Entry {
			got[e.Ref()] = i
		}
		if len(got) != len(byTime) || got[byTime[23]] > 2 || got[byTime[0]] < 21 {
			t.Errorf("%v", b.IDs("match"))
		}
	})
	t.Run("a page link belongs to its types", func(t *testing.T) {
		s := s.In(t)
		next := s.Get("?_type=Patient,Observation&_sort=_id&_count=2").Bundle("searchset").LinkTo("next")
		s.Get(strings.Replace(next, "Patient,Observation", "Patient", 1)).WantOutcome(http.StatusBadRequest, "value", "_page")
	})
	t.Run("includes", func(t *testing.T) {
		s := s.In(t)
		s.Put(`{"resourceType":"Observation","id":"about","status":"final","code":{"text":"x"},"subject":{"reference":"` + people[0] + `"}}`)
		b := s.Get("?_type=Observation,Slot&_id=about&_include=Observation:subject&_sort=_id").Bundle("searchset")
		if b.IDs("match") != "about" || b.IDs("include") != strings.Split(people[0], "/")[1] {
			t.Errorf("%s, %s", b.IDs("match"), b.IDs("include"))
		}
	})
	t.Run("while others write", func(t *testing.T) { s.In(t).acrossWhileWriting() })
}

// acrossWhileWriting: what stays as it is, is found once, whatever comes and
// goes between the pages.
func (s *Server) acrossWhileWriting() {
	s = s.On("across-busy/test")
	for i := range 9 {
		s.Put(fmt.Sprintf(`{"resourceType":"Patient","id":"p%d"}`, i), fmt.Sprintf(`{"resourceType":"Device","id":"p%d-d"}`, i))
	}
	seen := map[string]int{}
	step := 0
	for next := "?_sort=_id&_count=3"; next != ""; step++ {
		b := s.Get(next).Bundle("searchset")
		for _, e := range b.Entry {
			seen[e.Ref()]++
		}
		s.Put(fmt.Sprintf(`{"resourceType":"Group","id":"a%d","type":"person","actual":true}`, step), fmt.Sprintf(`{"resourceType":"Patient","id":"p%d"}`, step))
		s.Do("DELETE", fmt.Sprintf("Device/p%d-d", step), "").Want(http.StatusNoContent)
		next = b.LinkTo("next")
	}
	for i := range 9 {
		if ref := fmt.Sprintf("Patient/p%d", i); seen[ref] != 1 {
			s.Errorf("%s was found %d times", ref, seen[ref])
		}
	}
	for ref, n := range seen {
		if n > 1 {
			s.Errorf("%s was found %d times", ref, n)
		}
	}
}
