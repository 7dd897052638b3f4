package resttest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// searchOperations are HL7's operations that are searches, and $explain.
func searchOperations(t *testing.T, open Open) {
	s := Serve(t, open)
	for _, path := range []string{"Patient/$graphql", "Patient/1/$graphql"} {
		s.Get(path).WantOutcome(http.StatusNotImplemented, "not-supported", "left out")
		s.Do("POST", path, "").WantOutcome(http.StatusNotImplemented, "not-supported", "left out")
	}
	t.Run("$everything", func(t *testing.T) { s.In(t).On("everything/test").periodsOfCare() })
	t.Run("$lastn", func(t *testing.T) { s.In(t).On("lastn/test").lastN() })
	t.Run("$explain", func(t *testing.T) { s.In(t).On("explain/test").explains() })
}

// https://hl7.org/fhir/R4/operation-patient-everything.html, start and end.
func (s *Server) periodsOfCare() {
	s.Put(
		`{"resourceType":"Patient","id":"p","birthDate":"1950-01-01"}`,
		`{"resourceType":"Encounter","id":"old","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"start":"2010-01-01","end":"2010-02-01"}}`,
		`{"resourceType":"Encounter","id":"open","status":"in-progress","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"start":"2019-12-01"}}`,
		`{"resourceType":"Observation","id":"may","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2020-05"}`,
		`{"resourceType":"Observation","id":"undated","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Condition","id":"from2015","subject":{"reference":"Patient/p"},"onsetDateTime":"2015","recordedDate":"2021-01-01"}`,
		`{"resourceType":"Coverage","id":"c","status":"active","beneficiary":{"reference":"Patient/p"},"payor":[{"reference":"Patient/p"}]}`,
	)
	for query, want := range map[string]string{
		"":                              "p old open may undated from2015 c",
		"start=2020-05-20":              "p open may undated from2015 c",
		"end=2014":                      "p old undated c",
		"start=2010-01-15&end=2010":     "p old undated c",
		"start=2015&end=2015-12-31":     "p undated from2015 c",
		"start=2022":                    "p open undated c",
		"start=2020-06&_type=Condition": "from2015",
		"end=2009":                      "p undated c",
	} {
		b := s.Get("Patient/p/$everything?" + query).Bundle("searchset")
		if got := b.IDs("match"); got != want {
			s.Errorf("%q: %s, want %s", query, got, want)
		}
		if got := s.Get(b.LinkTo("self")).Bundle("searchset").IDs("match"); got != want {
			s.Errorf("%q: the self link %s finds %s", query, b.LinkTo("self"), got)
		}
	}
	posted := s.Do("POST", "Patient/p/$everything", `{"resourceType":"Parameters","parameter":[{"name":"start","valueDate":"2010-01-15"},{"name":"end","valueDate":"2010-12-31"},{"name":"_count","valueInteger":2},{"name":"_type","valueCode":"Encounter"},{"name":"_type","valueCode":"Patient"}]}`).Bundle("searchset")
	if got := posted.IDs("match"); got != "p old" {
		s.Errorf("by POST: %s", got)
	}
	if got := s.Do("POST", "Patient/p/$everything", "end=2009", "Content-Type", "application/x-www-form-urlencoded").Bundle("searchset").IDs("match"); got != "p undated c" {
		s.Errorf("by a form: %s", got)
	}
	if got := s.Do("POST", "Patient/p/$everything", "").Bundle("searchset").IDs("match"); got != "p old open may undated from2015 c" {
		s.Errorf("by POST of nothing: %s", got)
	}
	next := s.Get("Patient/p/$everything?_count=2&start=2010").Bundle("searchset").LinkTo("next")
	if got := s.Get(next).Bundle("searchset").IDs("match"); got != "open may" {
		s.Errorf("the second page: %s", got)
	}
	s.Get(strings.Replace(next, "start=2010", "start=2022", 1)).WantOutcome(http.StatusBadRequest, "value", "_page")
	s.Do("POST", "Patient/p/$everything", `{"resourceType":"Patient"}`).WantOutcome(http.StatusBadRequest, "invalid", "Parameters")
	s.Do("POST", "Patient/p/$everything", `{"resourceType":"Parameters","parameter":[{"name":"start","valuePeriod":{"start":"2020"}}]}`).WantOutcome(http.StatusBadRequest, "value", "start")
}

// https://hl7.org/fhir/R4/observation-operation-lastn.html
func (s *Server) lastN() {
	put := func(id, patient, code, effective string) {
		if effective != "" {
			effective = `,"effectiveDateTime":"` + effective + `"`
		}
		s.Put(`{"resourceType":"Observation","id":"` + id + `","status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":` + code +
			`,"subject":{"reference":"Patient/` + patient + `"}` + effective + `}`)
	}
	coding := func(codes ...string) string {
		for i, c := range codes {
			system, code, _ := strings.Cut(c, "|")
			codes[i] = `{"system":"` + system + `","code":"` + code + `","display":"Display of it"}`
		}
		return `{"coding":[` + strings.Join(codes, ",") + `]}`
	}
	s.Put(`{"resourceType":"Patient","id":"p"}`, `{"resourceType":"Patient","id":"q"}`)
	for i := range 6 {
		put(fmt.Sprint("a", i), "p", coding("urn:x|a"), fmt.Sprintf("2020-01-%02d", 10+i))
	}
	put("q1", "q", coding("urn:x|a"), "2021-01-01")
	put("other-system", "p", coding("urn:y|a"), "2019-01-01")
	// Transitive: b is c, c is d.
	put("b", "p", coding("urn:x|b"), "2020-02-01")
	put("bc", "p", coding("urn:x|c", "urn:x|b"), "2020-02-02")
	put("cd", "p", coding("urn:x|d", "urn:x|c"), "2020-02-03")
	put("d", "p", coding("urn:x|d"), "2020-02-04")
	// Ties.
	put("t1", "p", coding("urn:x|t"), "2020-03-01")
	put("t2", "p", coding("urn:x|t"), "2020-03-01")
	put("t3", "p", coding("urn:x|t"), "2020-02-01")
	put("u1", "p", coding("urn:x|u"), "")
	put("u2", "p", coding("urn:x|u"), "")
	// Texts.
	put("text1", "p", `{"text":"Text"}`, "2020-01-01")
	put("text2", "p", `{"text":"text"}`, "2020-01-02")
	put("text3", "p", `{"text":"t e x t"}`, "2020-01-03")
	put("text4", "p", `{"text":"Text"}`, "2020-01-04")
	put("none", "p", `{"extension":[{"url":"http://e.org/x","valueString":"x"}]}`, "2020-01-04")
	for query, want := range map[string]string{
		"patient=p&category=vital-signs":                         "a5 d t1 t2 u1 other-system text3 text4 text2 none",
		"patient=p&category=vital-signs&max=2":                   "a5 a4 d cd t1 t2 u1 u2 other-system text3 text4 text1 text2 none",
		"patient=p&code=urn:x|a&max=3":                           "a5 a4 a3",
		"patient=p&code=urn:x|a&max=100":                         "a5 a4 a3 a2 a1 a0",
		"subject=Patient/p&code=urn:x|t&max=1":                   "t1 t2",
		"patient=p&code=urn:x|t&max=3":                           "t1 t2 t3",
		"patient=p&code=urn:x|b":                                 "bc",
		"patient=p&code=urn:x|a&date=lt2020-01-13&max=2":         "a2 a1",
		"patient=q&category=vital-signs":                         "q1",
		"patient=none&category=vital-signs":                      "",
		"patient=p,q&code=urn:x|a&max=2":                         "q1 a5",
		"patient=p&code-value-quantity=urn:x|a$gt5":              "",
		"patient.active:missing=true&code=urn:x|a&max=1":         "q1",
		"patient=p&code=urn:x|u&max=1":                           "u1",
		"patient=p&category=vital-signs&_elements=code&max=1000": "a5 a4 a3 a2 a1 a0 d cd bc b t1 t2 t3 u1 u2 other-system text3 text4 text1 text2 none",
	} {
		b := s.Get("Observation/$lastn?" + query).Bundle("searchset")
		if got := b.IDs("match"); got != want {
			s.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if b := s.Get("Observation/$lastn?patient=p&code=urn:x|a&_include=Observation:subject").Bundle("searchset"); b.IDs("include") != "p" {
		s.Errorf("_include: %s", b.IDs("include"))
	}
	if b := s.Do("POST", "Observation/$lastn", `{"resourceType":"Parameters","parameter":[{"name":"max","valuePositiveInt":2},{"name":"patient","valueString":"p"},{"name":"code","valueString":"urn:x|a"}]}`).Bundle("searchset"); b.IDs("match") != "a5 a4" {
		s.Errorf("by POST: %s", b.IDs("match"))
	}
	for query, word := range map[string]string{
		"category=vital-signs": "patient", "patient=p": "category", "patient=p&date=2020": "category", "patient=p&code=x&max=0": "max",
		"patient=p&code=x&max=many": "max", "patient=p&code=x&_count=5": "_count", "patient=p&code=x&_sort=date": "_sort", "patient=p&code=x&shoesize=44": "shoesize",
	} {
		if a := s.Get("Observation/$lastn?" + query).Want(http.StatusBadRequest); !strings.Contains(string(a.Body), word) {
			s.Errorf("%s: the outcome does not name %s: %s", query, word, a.Body)
		}
	}
	s.Get("Patient/$lastn?patient=p&code=x").WantOutcome(http.StatusNotFound, "not-supported")
}

// explains: what $explain says.
func (s *Server) explains() {
	s.Put(
		`{"resourceType":"Patient","id":"p","name":[{"family":"Chalmers"}]}`,
		`{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"urn:x","code":"a"}]},"subject":{"reference":"Patient/p"},"effectiveDateTime":"2020-01-10"}`,
	)
	a := s.Get("Observation/$explain?code=urn:x|a&patient.family=chal&date=ge2020&_count=5").Want(http.StatusOK)
	for _, want := range []string{
		`"Parameters"`, `"order"`, `"steps"`, `{"name":"documents","valueInteger":1}`, `"seconds"`, `"decided"`, `"where/and[0]"`,
		"Observation.code: code=urn:x|a", "Observation.patient", "Patient.family", "chal", "Observation.date (begin) from 2020-01-01", "_count=5",
	} {
		if !strings.Contains(string(a.Body), want) {
			s.Errorf("no %s in %s", want, a.Body)
		}
	}
	for _, answer := range []*Answer{a, s.Get("Patient/$explain"), s.Get("Patient/$explain?name:contains=x&birthdate:missing=true&_sort=-birthdate")} {
		var p struct {
			ResourceType string
			Parameter    []struct{ Name string }
		}
		if answer.Want(http.StatusOK).Decode(&p); p.ResourceType != "Parameters" || len(p.Parameter) < 6 {
			s.Errorf("%+v", p)
		}
		s.valid(answer)
	}
	s.Get("Patient/$explain?shoesize=44").WantOutcome(http.StatusBadRequest, "not-supported", "shoesize")
}
