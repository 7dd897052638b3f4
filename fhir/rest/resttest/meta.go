package resttest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
)

func metaParameters(meta string) string {
	return `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":` + meta + `}]}`
}

// labels are what tests look at in the Meta that an operation returns: its
// profiles, and the codes of security labels and tags.
func (a *Answer) labels() string {
	a.t.Helper()
	a.Want(http.StatusOK)
	if strings.Contains(string(a.Body), `{"name":"return"}`) {
		a.t.Errorf("%s: a parameter without a value", a.what)
	}
	for _, issue := range conformance.ValidateStructure(a.Body) {
		a.t.Errorf("%s: not valid at %s: %s", a.what, issue.Expression, issue.Diagnostics)
	}
	var p struct {
		Parameter []struct {
			Name      string
			ValueMeta struct {
				VersionID     string
				Profile       []string
				Security, Tag []struct{ Code string }
			}
		}
	}
	a.Decode(&p)
	if len(p.Parameter) != 1 || p.Parameter[0].Name != "return" {
		a.t.Fatalf("%s: %s", a.what, a.Body)
	}
	m := p.Parameter[0].ValueMeta
	words := append([]string{"v" + m.VersionID}, m.Profile...)
	for _, c := range append(m.Security, m.Tag...) {
		words = append(words, c.Code)
	}
	return strings.Join(words, " ")
}

// https://hl7.org/fhir/R4/resource-operation-meta.html, -meta-add, -meta-delete
func metas(t *testing.T, open Open) {
	s := Serve(t, open)
	coding := func(system, code string) string { return fmt.Sprintf(`{"system":"urn:%s","code":"%s"}`, system, code) }
	s.Put(
		`{"resourceType":"Patient","id":"p","meta":{"source":"http://e.org","profile":["http://e.org/a"],"tag":[`+coding("t", "x")+`]},"active":true}`,
		`{"resourceType":"Patient","id":"q","meta":{"profile":["http://e.org/a","http://e.org/c"],"tag":[{"code":"bare"},`+coding("t", "z")+`]}}`,
		`{"resourceType":"Patient","id":"r","meta":{"tag":[`+coding("t", "x")+`,`+coding("u", "x2")+`]}}`,
		`{"resourceType":"Group","id":"g","type":"person","actual":true,"meta":{"security":[`+coding("s", "R")+`]}}`,
		`{"resourceType":"Basic","id":"none","code":{"text":"x"}}`,
	)
	for _, c := range []struct{ rule, path, labels string }{
		{"of a resource", "Patient/p/$meta", "v1 http://e.org/a x"},
		{"of a version", "Patient/p/_history/1/$meta", "v1 http://e.org/a x"},
		{"of a type", "Patient/$meta", "v http://e.org/a http://e.org/c x bare z x2"},
		{"of a type without any", "Account/$meta", "v"},
		{"of a type of resources without any", "Basic/$meta", "v"},
		{"of everything", "$meta", "v http://e.org/a http://e.org/c R x bare z x2"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := s.In(t)
			for _, method := range []string{"GET", "POST"} {
				got := strings.Fields(s.Do(method, c.path, "").labels())
				want := strings.Fields(c.labels)
				if !sameSet(got, want) {
					t.Errorf("%s: %v, want %v", method, got, want)
				}
			}
		})
	}
	t.Run("of nothing", func(t *testing.T) {
		s := s.In(t)
		s.Get("Patient/nobody/$meta").WantOutcome(http.StatusNotFound, "not-found")
		s.Get("Patient/p/_history/7/$meta").WantOutcome(http.StatusNotFound, "not-found")
		s.Get("Patient/p/_history/x/$meta").WantOutcome(http.StatusNotFound, "not-found")
		s.Get("Patients/$meta").WantOutcome(http.StatusNotFound, "not-supported")
		s.Get("Patient/p/$meta?x=y").WantOutcome(http.StatusBadRequest, "not-supported")
		s.Get("Patient/p/$meta", "Accept", "application/fhir+xml").JSON().labels()
	})
	t.Run("add", func(t *testing.T) {
		s := s.In(t)
		a := s.Do("POST", "Patient/p/$meta-add", metaParameters(`{"profile":["http://e.org/a","http://e.org/b"],"security":[`+coding("s", "R")+`],"tag":[{"system":"urn:t","code":"x","display":"again"},`+coding("t", "y")+`]}`))
		if got := a.WantHeader("ETag", `W/"2"`).labels(); got != "v2 http://e.org/a http://e.org/b R x y" {
			t.Errorf("%s", got)
		}
		if got := s.Search("Patient?_tag=urn:t|y"); got != "p" {
			t.Errorf("found %q", got)
		}
		if body := s.Get("Patient/p").Body; !strings.Contains(string(body), `"source":"http://e.org"`) || !strings.Contains(string(body), `"active":true`) || strings.Contains(string(body), "again") {
			t.Errorf("%s", body)
		}
		s.Do("POST", "Patient/p/$meta-add", metaParameters(`{"tag":[`+coding("t", "y")+`]}`)).WantHeader("ETag", `W/"2"`).labels()
		if got := s.Do("POST", "Basic/none/$meta-add", metaParameters(`{"tag":[{"code":"new"}]}`)).labels(); got != "v2 new" {
			t.Errorf("%s", got)
		}
	})
	t.Run("delete", func(t *testing.T) {
		s := s.In(t)
		a := s.Do("POST", "Patient/p/$meta-delete", metaParameters(`{"profile":["http://e.org/a"],"security":[`+coding("s", "R")+`],"tag":[{"system":"urn:t","code":"x","version":"7"},{"system":"urn:other","code":"y"},{"code":"y"}]}`))
		if got := a.WantHeader("ETag", `W/"3"`).labels(); got != "v3 http://e.org/b y" {
			t.Errorf("%s", got)
		}
		if got := s.Search("Patient?_tag=urn:t|x"); got != "r" {
			t.Errorf("found %q", got)
		}
		s.Do("POST", "Patient/p/$meta-delete", metaParameters(`{"tag":[{"code":"never"}]}`)).WantHeader("ETag", `W/"3"`).labels()
		if got := s.Get("Patient/p/_history/2/$meta").labels(); got != "v2 http://e.org/a http://e.org/b R x y" {
			t.Errorf("a version stays as it was: %s", got)
		}
	})
	t.Run("refused", func(t *testing.T) {
		s := s.In(t)
		meta := metaParameters(`{"tag":[{"code":"n"}]}`)
		s.Do("POST", "Patient/p/$meta-add", meta, "If-Match", `W/"1"`).WantOutcome(http.StatusPreconditionFailed, "conflict")
		s.Do("POST", "Patient/nobody/$meta-add", meta).WantOutcome(http.StatusNotFound, "not-found")
		s.Do("POST", "Patient/p/$meta-add", `{"resourceType":"Parameters"}`).WantOutcome(http.StatusBadRequest, "required", "meta")
		s.Do("POST", "Patient/p/$meta-add", strings.Replace(meta, `"meta"`, `"mate"`, 1)).WantOutcome(http.StatusBadRequest, "not-supported", "meta")
		s.Do("POST", "Patient/p/$meta-add", strings.Replace(meta, `"tag"`, `"tags"`, 1)).WantOutcome(http.StatusBadRequest, "structure")
		s.Do("POST", "Patient/p/$meta-add", `{"resourceType":"Patient"}`).WantOutcome(http.StatusBadRequest, "required")
		s.Do("POST", "Patient/p/$meta-delete", "").WantOutcome(http.StatusBadRequest, "required")
		s.Do("POST", "Patient/p/_history/1/$meta-add", meta).WantOutcome(http.StatusMethodNotAllowed, "not-supported", "Versions")
		s.Do("POST", "Patient/p/_history/1/$meta-delete", meta).WantOutcome(http.StatusMethodNotAllowed, "not-supported", "Versions")
		s.Get("Patient/p/$meta-add").WantOutcome(http.StatusNotFound, "not-supported")
		s.Do("POST", "Patient/$meta-add", meta).WantOutcome(http.StatusNotFound, "not-supported")
	})
	t.Run("another tenant's", func(t *testing.T) {
		if got := s.In(t).On("tenants/other").Get("$meta").labels(); got != "v" {
			t.Errorf("%s", got)
		}
	})
}

func sameSet(a, b []string) bool {
	count := map[string]int{}
	for _, x := range a {
		count[x]++
	}
	for _, x := range b {
		count[x]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}
