package resttest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// https://hl7.org/fhir/R4/search.html#return
func results(t *testing.T, open Open) {
	s := Serve(t, open)
	s.Put(
		`{"resourceType":"Practitioner","id":"doc","name":[{"family":"Who"}]}`,
		`{"resourceType":"Organization","id":"o","name":"Org"}`,
		`{"resourceType":"Patient","id":"p","birthDate":"1970","gender":"male","name":[{"family":"B"}],"generalPractitioner":[{"reference":"Practitioner/doc"},{"reference":"Organization/o"}]}`,
		`{"resourceType":"Patient","id":"q","birthDate":"1960-05-01","name":[{"family":"a"}],"link":[{"other":{"reference":"Patient/p"},"type":"seealso"}]}`,
		`{"resourceType":"Patient","id":"r","birthDate":"1980-01","gender":"female","name":[{"family":"C"}],"generalPractitioner":[{"reference":"Practitioner/gone"}]}`,
		`{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"performer":[{"reference":"Practitioner/doc"}]}`,
		`{"resourceType":"Observation","id":"o2","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/q"}}`,
		`{"resourceType":"Observation","id":"o3","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`,
	)
	for _, c := range []struct{ rule, query, match, include string }{
		{"_sort", "Patient?_sort=birthdate", "q p r", ""},
		{"_sort, descending", "Patient?_sort=-birthdate", "r p q", ""},
		{"_sort by a string ignores case", "Patient?_sort=family", "q p r", ""},
		{"_sort: without a value comes last", "Patient?_sort=gender", "r p q", ""},
		{"_sort: without a value comes last when descending too", "Patient?_sort=-gender", "p r q", ""},
		{"_sort by two", "Observation?_sort=-status,-_id", "o3 o2 o1", ""},
		{"_sort by _id", "Patient?_sort=-_id", "r q p", ""},
		{"_sort by _lastUpdated", "Patient?_sort=-_lastUpdated", "p q r", ""},
		{"_sort by a reference", "Observation?_sort=-subject", "o2 o1 o3", ""},
		{"_count", "Patient?_count=2", "p q", ""},
		{"_include", "Observation?_id=o1&_include=Observation:subject", "o1", "p"},
		{"_include once", "Observation?_include=Observation:patient", "o1 o2 o3", "p q"},
		{"_include of two parameters", "Observation?_id=o1&_include=Observation:subject&_include=Observation:performer", "o1", "p doc"},
		{"_include with a target type", "Patient?_id=p&_include=Patient:general-practitioner:Organization", "p", "o"},
		{"_include of what is not there", "Patient?_id=r&_include=Patient:general-practitioner", "r", ""},
		{"_include does not repeat a match", "Patient?_id=p,q&_include=Patient:link", "p q", ""},
		{"_revinclude", "Patient?_id=p&_revinclude=Observation:patient", "p", "o1 o3"},
		{"_revinclude with a target type", "Patient?_id=p&_revinclude=Observation:subject:Patient", "p", "o1 o3"},
		{"_revinclude and _include", "Patient?_id=q&_revinclude=Observation:subject&_include=Patient:link", "q", "p o2"},
		{"_include of nothing", "Patient?_id=none&_include=Patient:link", "", ""},
		{"_include:iterate", "Observation?_id=o1&_include=Observation:patient&_include:iterate=Patient:general-practitioner", "o1", "p doc o"},
		{"_include without iterate does not go on", "Observation?_id=o2&_include=Observation:patient", "o2", "q"},
		{"_include:iterate over its own type", "Observation?_id=o2&_include=Observation:patient&_include:iterate=Patient:link", "o2", "q p"},
		{"_revinclude:iterate", "Practitioner?_id=doc&_revinclude=Patient:general-practitioner&_revinclude:iterate=Patient:link", "doc", "p q"},
		{"_include of all", "Patient?_id=p&_include=*", "p", "doc o"},
		{"_include of all of a type", "Observation?_id=o1&_include=Observation:*", "o1", "p doc"},
		{"_revinclude of all of a type", "Practitioner?_id=doc&_revinclude=Observation:*", "doc", "o1"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			b := s.In(t).Get(c.query).Bundle("searchset")
			if match, include := b.IDs("match"), b.IDs("include"); match != c.match || include != c.include {
				t.Errorf("GET %s: matches %q, includes %q, want %q and %q", c.query, match, include, c.match, c.include)
			}
		})
	}
	for _, c := range []struct {
		rule, query, code, word string
	}{
		{"_sort by an unknown parameter", "Patient?_sort=shoesize", "not-supported", "shoesize"},
		{"_sort by a composite", "Observation?_sort=code-value-quantity", "not-supported", "code-value-quantity"},
		{"_sort by a special", "Location?_sort=near", "not-supported", "near"},
		{"_sort with a modifier", "Patient?_sort:desc=name", "not-supported", ":desc"},
		{"_count is no number", "Patient?_count=x", "value", "_count"},
		{"_count is negative", "Patient?_count=-1", "value", "_count"},
		{"_total of another kind", "Patient?_total=exact", "value", "_total"},
		{"_summary of another kind", "Patient?_summary=short", "value", "_summary"},
		{"_include of an unknown type", "Patient?_include=Thing:x", "value", "Thing"},
		{"_include of another type", "Patient?_include=Observation:subject", "value", "Observation"},
		{"_include of an unknown parameter", "Patient?_include=Patient:thing", "not-supported", "thing"},
		{"_include of no reference", "Patient?_include=Patient:name", "value", "name"},
		{"_include without a parameter", "Patient?_include=Patient", "value", "_include"},
		{"_include of another kind", "Patient?_include:recurse=Patient:link", "not-supported", ":recurse"},
		{"_revinclude of what does not refer here", "Patient?_revinclude=Patient:organization", "value", "organization"},
		{"_revinclude of everything", "Patient?_revinclude=*", "not-supported", "_revinclude"},
		{"_elements of nothing", "Patient?_elements=", "value", "_elements"},
		{"_elements of an unknown element", "Patient?_elements=shoesize", "value", "_elements"},
		{"_summary=text with _include", "Patient?_summary=text&_include=Patient:link", "value", "_summary"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s.In(t).Get(c.query).WantOutcome(http.StatusBadRequest, c.code, c.word)
		})
	}
	t.Run("totals", func(t *testing.T) { totals(s.In(t)) })
	t.Run("bundle", func(t *testing.T) { searchset(s.In(t)) })
	t.Run("lenient", func(t *testing.T) { lenient(s.In(t)) })
}

func totals(s *Server) {
	for query, want := range map[string]string{
		"Patient": "none 3", "Patient?_total=none": "none 3",
		"Patient?_total=accurate": "3 3", "Patient?_total=estimate": "3 3", "Patient?_total=accurate&_count=1": "3 1",
		"Patient?_summary=count": "3 0", "Patient?_count=0": "3 0", "Patient?_summary=count&gender=male": "1 0",
		"Patient?_summary=false&gender=male":                            "none 1",
		"Patient?_total=accurate&_id=p&_revinclude=Observation:patient": "1 3",
	} {
		b := s.Get(query).Bundle("searchset")
		total := "none"
		if b.Total != nil {
			total = itoa(*b.Total)
		}
		if got := fmt.Sprintf("%s %d", total, len(b.Entry)); got != want {
			s.Errorf("%s: total and entries %q, want %q", query, got, want)
		}
	}
}

func searchset(s *Server) {
	b := s.Get("Patient?gender=male&_format=json&_count=5&_pretty=false").Bundle("searchset")
	if want := s.Base + "/Patient?gender=male&_count=5"; b.LinkTo("self") != want {
		s.Errorf("self link %q, want %q", b.LinkTo("self"), want)
	}
	if len(b.Entry) != 1 || b.Entry[0].FullURL != s.Base+"/Patient/p" {
		s.Errorf("%+v", b.Entry)
	}
	if b := s.Get("Patient?_count=99999999").Bundle("searchset"); b.LinkTo("self") != s.Base+"/Patient?_count=1000" {
		s.Errorf("the self link says what took effect: %q", b.LinkTo("self"))
	}
	form := s.Do("POST", "Patient/_search?gender=male", "name=b", "Content-Type", "application/x-www-form-urlencoded").Bundle("searchset")
	if form.IDs("match") != "p" || form.LinkTo("self") != s.Base+"/Patient?gender=male&name=b" {
		s.Errorf("parameters of the URL and of the form: %s, %s", form.IDs("match"), form.LinkTo("self"))
	}
	value := "Zoë & Söhne, 100%"
	escaped := "Z%C3%B6&Co"
	b = s.Get("Patient?family=Zo%C3%AB%20%26%20S%C3%B6hne%5C,%20100%25").Bundle("searchset")
	if got := s.Get(b.LinkTo("self")).Bundle("searchset").LinkTo("self"); got != b.LinkTo("self") {
		s.Errorf("the self link of %q and %q is not itself: %q then %q", value, escaped, b.LinkTo("self"), got)
	}
}

// https://hl7.org/fhir/R4/search.html#errors
func lenient(s *Server) {
	b := s.Get("Patient?gender=male&shoesize=44&_text=x", "Prefer", "handling=lenient").Bundle("searchset")
	if b.IDs("match") != "p" {
		s.Errorf("the other parameters count: %q", b.IDs("match"))
	}
	if strings.Contains(b.LinkTo("self"), "shoesize") {
		s.Errorf("the self link holds what was ignored: %s", b.LinkTo("self"))
	}
	last := b.Entry[len(b.Entry)-1]
	if last.Search.Mode != "outcome" || !strings.Contains(string(last.Resource), "shoesize") ||
		!strings.Contains(string(last.Resource), "_text") || !strings.Contains(string(last.Resource), `"warning"`) {
		s.Errorf("no warning: %s", last.Resource)
	}
	s.Get("Patient?shoesize=44", "Prefer", "handling=strict").WantOutcome(http.StatusBadRequest, "not-supported")
	// Only what is unknown may be ignored: neither a wrong value nor a
	// modifier, which would change what is found.
	s.Get("Patient?birthdate=x", "Prefer", "handling=lenient").WantOutcome(http.StatusBadRequest, "value")
	s.Get("Patient?gender:sounds=x", "Prefer", "handling=lenient").WantOutcome(http.StatusBadRequest, "not-supported", ":sounds")
}
