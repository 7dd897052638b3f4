package resttest

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// statement is what tests look at in the CapabilityStatement.
type statement struct {
	Format      []string
	PatchFormat []string
	Rest        []struct {
		Documentation string
		Interaction   []struct{ Code string }
		Operation     []struct{ Name, Definition string }
		Compartment   []string
		Resource      []struct {
			Type                                                            string
			Interaction                                                     []struct{ Code string }
			ConditionalCreate, ConditionalUpdate, UpdateCreate, ReadHistory bool
			ConditionalRead, ConditionalDelete                              string
			SearchInclude, SearchRevInclude, SupportedProfile               []string
			SearchParam                                                     []struct{ Name, Definition, Type string }
			Operation                                                       []struct{ Name, Definition string }
		}
	}
}

// values are a value of each type of search parameter.
var values = map[string]string{
	"token": "urn:x|y", "reference": "x", "string": "x", "date": "ge2020-01-01", "number": "1", "quantity": "1||mg",
	"uri": "http://e.org/x", "special": "1|2|3",
}

// capabilities tries everything that the CapabilityStatement claims
// (https://hl7.org/fhir/R4/http.html#capabilities).
func capabilities(t *testing.T, open Open) {
	s := Serve(t, open)
	a := s.Get("metadata").Want(http.StatusOK)
	for _, issue := range conformance.ValidateStructure(a.Body) {
		t.Errorf("the statement is not valid at %s: %s", issue.Expression, issue.Diagnostics)
	}
	var c statement
	a.Decode(&c)
	t.Run("system", func(t *testing.T) { s.In(t).system(c) })
	t.Run("search parameters", func(t *testing.T) { s.In(t).searchable(c) })
	t.Run("interactions", func(t *testing.T) { s.In(t).interactive(c) })
	t.Run("formats", func(t *testing.T) {
		if got := strings.Join(c.Format, " "); got != "application/fhir+json application/fhir+xml json xml" {
			t.Errorf("formats: %s", got)
		}
		for _, format := range c.Format {
			a := s.In(t).Get("metadata?_format=" + strings.ReplaceAll(format, "+", "%2B"))
			if strings.Contains(format, "xml") {
				a = a.JSON()
			}
			a.Want(http.StatusOK).Decode(&c)
		}
	})
	t.Run("patch formats", func(t *testing.T) {
		s := s.In(t)
		s.Put(`{"resourceType":"Patient","id":"patched"}`)
		fhirPath := operation("delete", "Patient.language", "")
		bodies := map[string]string{"application/json-patch+json": `[]`, "application/fhir+json": fhirPath, "application/fhir+xml": s.inXML(fhirPath)}
		for _, format := range c.PatchFormat {
			s.Do("PATCH", "Patient/patched", bodies[format], "Content-Type", format).Want(http.StatusOK)
			delete(bodies, format)
		}
		if len(bodies) > 0 {
			t.Errorf("not claimed: %v", bodies)
		}
	})
	t.Run("operations", func(t *testing.T) { s.In(t).operable(c) })
	t.Run("modes", func(t *testing.T) {
		s.In(t).Get("metadata?mode=full").Want(http.StatusOK)
		s.In(t).Get("metadata?mode=terminology").WantOutcome(http.StatusBadRequest, "not-supported", "mode")
	})
}

func (s *Server) system(c statement) {
	s.Helper()
	tries := map[string]func(){
		"transaction":    func() { s.Do("POST", "", bundleOf("transaction")).Bundle("transaction-response") },
		"batch":          func() { s.Do("POST", "", bundleOf("batch")).Bundle("batch-response") },
		"history-system": func() { s.Get("_history").Bundle("history") },
		"search-system":  func() { s.Get("?_type=Patient").Bundle("searchset") },
	}
	for _, i := range c.Rest[0].Interaction {
		try, ok := tries[i.Code]
		if !ok {
			s.Errorf("claims %s", i.Code)
			continue
		}
		try()
		delete(tries, i.Code)
	}
	if len(tries) > 0 {
		s.Errorf("not claimed: %v", tries)
	}
	for _, op := range c.Rest[0].Operation {
		s.Get("$" + op.Name).Want(http.StatusOK)
	}
	if len(c.Rest[0].Operation) == 0 {
		s.Errorf("no operations of the system")
	}
	for _, url := range c.Rest[0].Compartment {
		typ := url[strings.LastIndexByte(url, '/')+1:]
		typ = strings.ToUpper(typ[:1]) + typ[1:]
		for name := range map[string]bool{"Patient": true, "Encounter": true, "RelatedPerson": true, "Practitioner": true, "Device": true} {
			if strings.EqualFold(typ, name) {
				s.Get(name + "/x/*").Bundle("searchset")
			}
		}
	}
	if len(c.Rest[0].Compartment) != 5 {
		s.Errorf("compartments: %v", c.Rest[0].Compartment)
	}
}

// interactive does each interaction on each type, with the smallest resource
// of the type that is valid: a Basic or Patient stands for those that have no
// small one.
func (s *Server) interactive(c statement) {
	s.Helper()
	for _, res := range c.Rest[0].Resource {
		typ := res.Type
		body := `{"resourceType":"` + typ + `","id":"x"}`
		if len(conformance.ValidateStructure([]byte(body))) > 0 {
			continue
		}
		if !res.ConditionalCreate || !res.ConditionalUpdate || !res.UpdateCreate || !res.ReadHistory || res.ConditionalDelete != "single" || res.ConditionalRead != "full-support" {
			s.Errorf("%s: %+v", typ, res)
		}
		s.Do("POST", typ, body, "If-None-Exist", "_id=x").Want(http.StatusCreated)
		s.Do("PUT", typ+"?_id=x", body).Want(http.StatusCreated)
		s.Get(typ+"/x", "If-None-Match", `W/"1"`).Want(http.StatusNotModified)
		tries := map[string]func(){
			"read":  func() { s.Get(typ + "/x").Want(http.StatusOK) },
			"vread": func() { s.Get(typ + "/x/_history/1").Want(http.StatusOK) },
			"update": func() {
				s.Do("PUT", typ+"/x", body).Want(http.StatusOK)
			},
			"patch": func() {
				s.Do("PATCH", typ+"/x", `[{"op":"add","path":"/language","value":"en"}]`, "Content-Type", c.PatchFormat[0]).Want(http.StatusOK)
			},
			"history-instance": func() { s.Get(typ + "/x/_history").Bundle("history") },
			"history-type":     func() { s.Get(typ + "/_history").Bundle("history") },
			"create":           func() { s.Do("POST", typ, body).Want(http.StatusCreated) },
			"search-type":      func() { s.Get(typ + "?_id=x").Bundle("searchset") },
			"delete":           func() {},
		}
		for _, i := range res.Interaction {
			if try, ok := tries[i.Code]; ok {
				try()
			} else {
				s.Errorf("%s claims %s", typ, i.Code)
			}
			delete(tries, i.Code)
		}
		if len(tries) > 0 {
			s.Errorf("%s does not claim %d interactions", typ, len(tries))
		}
		s.Do("DELETE", typ+"?_id=x", "").Want(http.StatusNoContent)
		s.Do("DELETE", typ+"/x", "").Want(http.StatusNoContent)
	}
	if !bytes.Contains([]byte(c.PatchFormat[0]), []byte("json-patch")) {
		s.Errorf("patch formats: %v", c.PatchFormat)
	}
}

// operable calls each operation of each type where HL7's definition, or the
// server's own, has it.
func (s *Server) operable(c statement) {
	s.Helper()
	called := map[string]int{}
	for _, res := range c.Rest[0].Resource {
		typ := res.Type
		for _, op := range res.Operation {
			called[op.Name]++
			switch op.Name {
			case "everything":
				body := map[string]string{"Encounter": `,"status":"planned","class":{"code":"AMB"}`, "Group": `,"type":"person","actual":true`}[typ]
				s.Put(`{"resourceType":"` + typ + `","id":"ops"` + body + `}`)
				s.Get(typ + "/ops/$everything").Bundle("searchset")
				s.Do("POST", typ+"/ops/$everything", "").Bundle("searchset")
				if typ == "Patient" {
					s.Get("Patient/$everything").Bundle("searchset")
				}
			case "lastn":
				s.Get(typ + "/$lastn?patient=x&category=y").Bundle("searchset")
			case "docref":
				s.Get(typ + "/$docref?patient=x").Bundle("searchset")
			case "explain":
				s.valid(s.Get(typ + "/$explain?_id=x").Want(http.StatusOK))
			case "meta":
				s.Get(typ + "/$meta").Want(http.StatusOK)
				s.Get(typ+"/nobody/$meta").WantOutcome(http.StatusNotFound, "not-found")
			case "meta-add", "meta-delete":
				s.Do("POST", typ+"/nobody/$"+op.Name, metaParameters(`{"tag":[{"code":"x"}]}`)).WantOutcome(http.StatusNotFound, "not-found")
			case "validate":
				if a := s.Do("POST", typ+"/$validate", `{"resourceType":"`+typ+`"}`).Want(http.StatusOK); !strings.Contains(string(a.Body), "OperationOutcome") {
					s.Errorf("%s/$validate: %s", typ, a.Body)
				}
			case "expand", "validate-code", "lookup", "subsumes", "translate":
				s.Get(typ+"/$"+op.Name+"?url=urn:none&system=urn:none&code=x&codeA=x&codeB=x").WantOutcome(http.StatusBadRequest, "not-supported", "it has")
			default:
				s.Errorf("%s claims $%s", typ, op.Name)
			}
		}
	}
	want := map[string]int{"everything": 3, "lastn": 1, "docref": 1, "expand": 1, "validate-code": 2, "lookup": 1, "subsumes": 1, "translate": 1}
	for _, name := range []string{"meta", "meta-add", "meta-delete", "validate", "explain"} {
		want[name] = len(c.Rest[0].Resource)
	}
	if !maps.Equal(called, want) {
		s.Errorf("operations: %v, want %v", called, want)
	}
	for _, word := range []string{"_filter", "_has", "$graphql", "_query", "_sort", "_total"} {
		if !strings.Contains(c.Rest[0].Documentation, word) {
			s.Errorf("the documentation does not tell of %s", word)
		}
	}
}
