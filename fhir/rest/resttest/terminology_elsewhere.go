package resttest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/terminology/remote"
)

// terminologyElsewhere: one server asks another for what it does not hold.
func terminologyElsewhere(t *testing.T, open Open) {
	far := Serve(t, open)
	far.Put(bodySites, valueSet("arms", `{"include":[`+ofSites+`,"filter":[{"property":"concept","op":"is-a","value":"arm"}]}]}`),
		`{"resourceType":"ConceptMap","id":"map","url":"http://example.org/map","status":"active","group":[{"source":"http://example.org/sites","target":"urn:t","element":[{"code":"arm","target":[{"code":"A","equivalence":"equivalent"}]}]}]}`)
	// Between the two: how often it was asked, by whom, and failures.
	var asked, failing atomic.Int64
	var credentials atomic.Value
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		credentials.Store(r.Header.Get("Authorization"))
		if failing.Load() > 0 {
			w.WriteHeader(int(failing.Load()))
			return
		}
		far.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(between.Close)
	near := func(systems ...string) *Server {
		var s *Server
		s = serve(t, open, func(o *repository.Options) {
			client, err := remote.New(remote.Settings{
				URL: between.URL + "/fhir/R4/clinic/test", Authorization: "Bearer secret", Systems: systems, Failures: 2,
				Now: func() time.Time { return s.Clock.Now() },
			})
			if err != nil {
				t.Fatal(err)
			}
			o.TerminologyServer = client
		}, func(*rest.Options) {})
		return s
	}
	s := near()
	s.Put(atSite("arm"), atSite("hand"), atSite("leg"),
		valueSet("mine", `{"include":[`+ofSites+`,"filter":[{"property":"concept","op":"is-a","value":"arm"}]}],"exclude":[`+ofSites+`,"concept":[{"code":"hand"}]}]}`),
		valueSet("nowhere", `{"include":[{"system":"urn:nowhere"}]}`))
	const cs = "system=http://example.org/sites"
	for _, c := range []struct{ rule, query, want string }{
		{"$expand of a value set there", "ValueSet/$expand?url=http://example.org/vs/arms", `"total":4`},
		{"$expand of one here, of codes there", "ValueSet/mine/$expand", `"total":3`},
		{"$validate-code", "ValueSet/mine/$validate-code?" + cs + "&code=thumb", `"valueBoolean":true`},
		{"$validate-code: no", "ValueSet/mine/$validate-code?" + cs + "&code=leg", `"valueBoolean":false`},
		{"$validate-code: excluded", "ValueSet/mine/$validate-code?" + cs + "&code=hand", `"valueBoolean":false`},
		{"$validate-code: display", "ValueSet/mine/$validate-code?" + cs + "&code=arm&display=Leg", `The display is not`},
		{"CodeSystem/$validate-code", "CodeSystem/$validate-code?url=http://example.org/sites&code=leg", `"valueBoolean":true`},
		{"CodeSystem/$validate-code: no", "CodeSystem/$validate-code?url=http://example.org/sites&code=tail", `"valueBoolean":false`},
		{"$lookup", "CodeSystem/$lookup?" + cs + "&code=leg", `"valueInteger":12`},
		{"$subsumes", "CodeSystem/$subsumes?" + cs + "&codeA=arm&codeB=thumb", `"subsumes"`},
		{"$translate", "ConceptMap/$translate?url=http://example.org/map&" + cs + "&code=arm", `"code":"A"`},
	} {
		a := s.Get(c.query).Want(http.StatusOK)
		s.valid(a)
		if !strings.Contains(string(a.Body), c.want) {
			t.Errorf("%s: no %s in %s", c.rule, c.want, a.Body)
		}
	}
	if credentials.Load() != "Bearer secret" {
		t.Errorf("it was asked with %q", credentials.Load())
	}
	for query, want := range map[string]string{
		"Condition?body-site:in=http://example.org/vs/arms":               "arm hand",
		"Condition?body-site:in=http://example.org/vs/mine":               "arm",
		"Condition?body-site:not-in=http://example.org/vs/arms":           "leg",
		"Condition?body-site:below=http://example.org/sites|arm":          "arm hand",
		"Condition?body-site:above=http://example.org/sites|hand":         "arm hand",
		"Condition?body-site:below=http://example.org/sites|leg&_count=9": "leg",
	} {
		if got := s.Search(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{
		"ValueSet/nowhere/$expand", "ValueSet/nowhere/$validate-code?system=urn:nowhere&code=x", "Condition?body-site:in=http://example.org/vs/nowhere",
		"CodeSystem/$lookup?system=urn:nowhere&code=x", "CodeSystem/$validate-code?url=urn:nowhere&code=x",
	} {
		s.Get(query).WantOutcome(http.StatusNotFound, "not-found", "urn:nowhere")
	}

	// Answers are remembered, for a time; failures are not, and never mean no.
	const known, other = "CodeSystem/$validate-code?url=http://example.org/sites&code=leg", "CodeSystem/$validate-code?url=http://example.org/sites&code=arm"
	before := asked.Load()
	s.Get(known).Want(http.StatusOK)
	if asked.Load() != before {
		t.Error("it was asked again for what it had answered")
	}
	failing.Store(500)
	s.Get(known).Want(http.StatusOK)
	s.Get(other).WantOutcome(http.StatusServiceUnavailable, "transient", "terminology-server")
	failing.Store(401)
	s.Get(other).WantOutcome(http.StatusBadGateway, "transient", "terminology-authorization")
	failing.Store(0)
	before = asked.Load()
	s.Get(other).WantOutcome(http.StatusServiceUnavailable, "transient", "in a row")
	if asked.Load() != before {
		t.Error("it was asked although it had failed twice")
	}
	s.Clock.Advance(time.Minute)
	s.Get(other).Want(http.StatusOK)
	before = asked.Load()
	s.Clock.Advance(2 * time.Hour)
	s.Get(known).Want(http.StatusOK)
	if asked.Load() == before {
		t.Error("an answer was remembered too long")
	}

	// Only the code systems that are listed go there.
	some := near("http://example.org/other")
	some.Get(known).WantOutcome(http.StatusNotFound, "not-found", "http://example.org/sites")

	// Bindings of profiles: in full validation, on writes too.
	const site = `{"resourceType":"StructureDefinition","id":"p","url":"http://example.org/p","name":"P","status":"active","kind":"resource","abstract":false,"type":"Condition","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Condition","derivation":"constraint","differential":{"element":[{"id":"Condition.bodySite","path":"Condition.bodySite","binding":{"strength":"required","valueSet":"http://example.org/vs/arms"}}]}}`
	strict := s.On("clinic/strict")
	strict.Put(site)
	write := func(code string) *Answer {
		return strict.Do("PUT", "Condition/"+code, strings.Replace(atSite(code), `"subject"`, `"meta":{"profile":["http://example.org/p"]},"subject"`, 1))
	}
	write("thumb").Want(http.StatusCreated)
	write("leg").WantOutcome(http.StatusBadRequest, "code-invalid", "http://example.org/vs/arms")
	failing.Store(503)
	write("finger").WantOutcome(http.StatusServiceUnavailable, "transient", "terminology-server")
}
