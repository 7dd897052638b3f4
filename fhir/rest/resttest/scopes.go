package resttest

import (
	"net/http"
	"strings"
	"testing"
)

// Searches that are not of one type: https://hl7.org/fhir/R4/http.html#search,
// https://hl7.org/fhir/R4/search.html#2.1.1, $everything, and what of each
// resource is sent: #summary, #elements.
func scopes(t *testing.T, open Open) {
	s := Serve(t, open)
	s.Put(
		`{"resourceType":"Practitioner","id":"doc"}`,
		`{"resourceType":"Patient","id":"p","active":true,"maritalStatus":{"text":"m"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">p</div>"},"name":[{"family":"P","_family":{"id":"f"}}],"birthDate":"1970","_birthDate":{"id":"b"},"contact":[{"name":{"family":"C"}}],"generalPractitioner":[{"reference":"Practitioner/doc"}],"meta":{"tag":[{"code":"t"}]}}`,
		`{"resourceType":"Patient","id":"q"}`,
		`{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"},"component":[{"code":{"text":"y"}}]}`,
		`{"resourceType":"Observation","id":"o2","status":"final","code":{"text":"x"},"performer":[{"reference":"Patient/p"}]}`,
		`{"resourceType":"Observation","id":"o3","status":"amended","code":{"text":"x"},"subject":{"reference":"Patient/q"}}`,
		`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/p"}}]}`,
	)
	for _, c := range []struct{ rule, query, match, include string }{
		{"compartment of one type", "Patient/p/Observation", "o1 o2", ""},
		{"compartment with parameters", "Patient/p/Observation?encounter=e", "o1", ""},
		{"compartment of all types", "Patient/p/*", "p e o1 o2 g", ""},
		{"compartment of all types, narrowed", "Patient/p/*?_type=Encounter,Group", "e g", ""},
		{"compartment of all types, by a common parameter", "Patient/p/*?_id=o1,g", "o1 g", ""},
		{"compartment of an encounter", "Encounter/e/Observation", "o1", ""},
		{"compartment with _include", "Patient/p/Observation?_id=o1&_include=Observation:encounter", "o1", "e"},
		{"across types", "?_type=Patient,Practitioner", "doc p q", ""},
		{"across types, by a common parameter", "?_type=Patient,Observation&_id=p,o3", "p o3", ""},
		{"across types, by a tag", "?_type=Patient,Observation&_tag=t", "p", ""},
		{"across types, :not", "?_type=Patient,Practitioner&_tag:not=t", "doc q", ""},
		{"_type of the type itself", "Patient?_type=Patient", "p q", ""},
		{"$everything", "Patient/p/$everything", "p e o1 o2 g", "doc"},
		{"$everything of types", "Patient/p/$everything?_type=Observation", "o1 o2", ""},
		{"$everything of types, and what they refer to", "Patient/p/$everything?_type=Observation,Encounter,Practitioner&_type=Patient", "p e o1 o2", "doc"},
		{"$everything of all patients", "Patient/$everything", "p q e o1 o2 o3 g", "doc"},
		{"$everything of a group", "Group/g/$everything", "p e o1 o2 g", "doc"},
		{"$everything of a group, of types", "Group/g/$everything?_type=Patient", "p", ""},
		{"$everything since", "Patient/p/$everything?_since=2030-01-01T00:00:00Z", "", ""},
		{"$everything of an encounter", "Encounter/e/$everything", "e o1", "p"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := s.In(t)
			b := s.Get(c.query).Bundle("searchset")
			if match, include := b.IDs("match"), b.IDs("include"); match != c.match || include != c.include {
				t.Errorf("GET %s: matches %q, includes %q, want %q and %q", c.query, match, include, c.match, c.include)
			}
			if again := s.Get(b.LinkTo("self")).Bundle("searchset"); again.IDs("match") != c.match {
				t.Errorf("the self link %s finds %q", b.LinkTo("self"), again.IDs("match"))
			}
		})
	}
	for _, c := range []struct {
		rule, query string
		status      int
		code        string
	}{
		{"across all types by a parameter of some", "?name=p", http.StatusBadRequest, "not-supported"},
		{"across types that are none", "?_type=Patient,Thing", http.StatusBadRequest, "value"},
		{"across types by a parameter of one of them", "?_type=Patient,Observation&gender=male", http.StatusBadRequest, "not-supported"},
		{"across types, sorted by a parameter of one of them", "?_type=Patient,Observation&_sort=gender", http.StatusBadRequest, "not-supported"},
		{"across types, sorted by what has no common order", "?_type=Observation,Composition&_sort=entry", http.StatusBadRequest, "not-supported"},
		{"_include of another type than those named", "?_type=Patient,Observation&_include=Encounter:subject", http.StatusBadRequest, "value"},
		{"a compartment of a type without one", "Organization/o/Patient", http.StatusNotFound, "not-found"},
		{"a type that is not in the compartment", "Patient/p/Location", http.StatusNotFound, "not-supported"},
		{"a compartment and no type", "Patient/p/things", http.StatusNotFound, "not-found"},
		{"another _type", "Patient?_type=Observation", http.StatusBadRequest, "value"},
		{"$everything of what is not there", "Patient/none/$everything", http.StatusNotFound, "not-found"},
		{"$everything from no date", "Patient/p/$everything?start=yesterday", http.StatusBadRequest, "value"},
		{"$everything since no time", "Patient/p/$everything?_since=now", http.StatusBadRequest, "value"},
		{"$everything of an encounter has no dates", "Encounter/e/$everything?start=2020", http.StatusBadRequest, "not-supported"},
		{"$everything of all encounters", "Encounter/$everything", http.StatusNotFound, "not-supported"},
		{"$everything of all groups", "Group/$everything", http.StatusNotFound, "not-supported"},
		{"$everything with a search parameter", "Patient/p/$everything?code=x", http.StatusBadRequest, "not-supported"},
		{"$everything of a type that is not in the compartment", "Patient/p/$everything?_type=Location", http.StatusBadRequest, "value"},
		{"$everything of another type", "Observation/o1/$everything", http.StatusNotFound, "not-supported"},
	} {
		t.Run(c.rule, func(t *testing.T) { s.In(t).Get(c.query).WantOutcome(c.status, c.code) })
	}
	t.Run("$everything in pages", func(t *testing.T) {
		s := s.In(t)
		var all []string
		for next := "Patient/p/$everything?_count=2"; next != ""; {
			b := s.Get(next).Bundle("searchset")
			all = append(all, b.IDs("match"))
			next = b.LinkTo("next")
		}
		if got := strings.Join(all, " "); got != "p e o1 o2 g" {
			t.Error(got)
		}
	})
	t.Run("POST _search", func(t *testing.T) {
		form := []string{"Content-Type", "application/x-www-form-urlencoded"}
		for path, want := range map[string]string{"_search": "p q", "Patient/p/Observation/_search": "o1 o2", "Patient/_search": "p q"} {
			if got := s.In(t).Do("POST", path, "_type="+map[bool]string{true: "Observation", false: "Patient"}[strings.Contains(path, "Obs")], form...).Bundle("searchset").IDs("match"); got != want {
				t.Errorf("%s: %q", path, got)
			}
		}
	})
	t.Run("subsets", func(t *testing.T) { subsets(s.In(t)) })
	t.Run("$validate", func(t *testing.T) { validates(s.In(t)) })
	t.Run("levels of validation", func(t *testing.T) { levels(s.In(t)) })
	t.Run("profiles", func(t *testing.T) { profiled(s.In(t)) })
}

func subsets(s *Server) {
	for _, c := range []struct{ rule, path, has, lacks string }{
		{"_summary=true", "Patient/p?_summary=true", "active name _birthDate SUBSETTED", "text maritalStatus contact generalPractitioner"},
		{"_summary=text", "Patient/p?_summary=text", "text meta id SUBSETTED", "active name generalPractitioner"},
		{"_summary=text keeps what must be there", "Observation/o1?_summary=text", "status code", "subject component"},
		{"_summary=data", "Patient/p?_summary=data", "active name contact SUBSETTED", "generated"},
		{"_summary=false", "Patient/p?_summary=false", "text maritalStatus contact", "SUBSETTED"},
		{"_elements", "Patient/p?_elements=name,birthDate", "id meta name _birthDate SUBSETTED", "text maritalStatus contact"},
		{"_elements keeps what must be there", "Observation/o1?_elements=subject", "status code subject", "component encounter"},
		{"_elements keeps modifiers", "Patient/p?_elements=name", "active", "contact"},
		{"nothing left out", "Practitioner/doc?_elements=name", "id", "SUBSETTED"},
		{"the tag joins others", "Patient/p?_elements=name", `"t"`, ""},
		{"vread", "Patient/p/_history/1?_summary=text", "text", "maritalStatus"},
		{"search", "Patient?_id=p&_elements=name", "name SUBSETTED", "maritalStatus"},
		{"search with _summary", "Patient?_id=p&_summary=true", "name SUBSETTED", "maritalStatus"},
		{"_elements is about the matches", "Patient?_id=p&_elements=name&_revinclude=Observation:subject", "component", "maritalStatus"},
		{"_summary is about all", "Patient?_id=p&_summary=data&_revinclude=Observation:subject", "component", "div"},
	} {
		a := s.Get(c.path).Want(http.StatusOK)
		for _, has := range strings.Fields(c.has) {
			if !strings.Contains(string(a.Body), has) {
				s.Errorf("%s: no %s in %s", c.rule, has, a.Body)
			}
		}
		for _, lacks := range strings.Fields(c.lacks) {
			if strings.Contains(string(a.Body), `"`+lacks+`"`) {
				s.Errorf("%s: %s in %s", c.rule, lacks, a.Body)
			}
		}
		if !strings.Contains(c.path, "search") {
			a.Decode(new(any))
		}
	}
	s.Get("Patient/p?_summary=count").WantOutcome(http.StatusBadRequest, "not-supported", "_summary")
	s.Get("Patient/p?_summary=true&_elements=name").WantOutcome(http.StatusBadRequest, "value", "_elements")
}

func validates(s *Server) {
	const good, bad = `{"resourceType":"Patient"}`, `{"resourceType":"Patient","gender":"x"}`
	params := func(r string) string {
		return `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":` + r + `}]}`
	}
	for body, code := range map[string]string{
		good: "informational", bad: "code-invalid", params(good): "informational", params(bad): "code-invalid", "{": "structure",
		`{"resourceType":"Group","type":"person","actual":true}`: "invalid",
	} {
		s.Do("POST", "Patient/$validate", body).WantOutcome(http.StatusOK, code)
		s.Do("POST", "Patient/any/$validate", body).WantOutcome(http.StatusOK, code)
		s.On("clinic/unchecked").Do("POST", "Patient/$validate", body).WantOutcome(http.StatusOK, code)
	}
	validatesModes(s)
	if got := s.Search("Patient?gender=x"); got != "" {
		s.Errorf("$validate stored %q", got)
	}
}
