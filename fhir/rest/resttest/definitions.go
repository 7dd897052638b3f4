package resttest

import (
	"net/http"
	"strings"
	"testing"
)

// definitions reads what the CapabilityStatement refers to: each operation's
// and search parameter's definition, and the types.
func definitions(t *testing.T, open Open) {
	s := Serve(t, open)
	var c statement
	s.Get("metadata").Want(http.StatusOK).Decode(&c)
	t.Run("claimed", func(t *testing.T) {
		s := s.In(t)
		read := map[string]bool{}
		resolves := func(typ, url string) {
			if read[url] {
				return
			}
			read[url] = true
			at := typ + "/" + url[strings.LastIndex(url, "/")+1:]
			if strings.HasPrefix(url, s.Base) {
				at = url
			}
			a := s.Get(at).Want(http.StatusOK)
			s.valid(a)
			if !strings.Contains(string(a.Body), `"url":"`+url+`"`) {
				s.Errorf("%s: %s", url, a.Body)
			}
			if found := s.Get(typ + "?url=" + url).Bundle("searchset"); len(found.Entry) != 1 || string(found.Entry[0].Resource) != string(a.Body) {
				s.Errorf("%s by url: %d entries", url, len(found.Entry))
			}
		}
		for _, op := range c.Rest[0].Operation {
			resolves("OperationDefinition", op.Definition)
		}
		for _, res := range c.Rest[0].Resource {
			for _, op := range res.Operation {
				resolves("OperationDefinition", op.Definition)
			}
			for _, p := range res.SearchParam {
				resolves("SearchParameter", p.Definition)
			}
			resolves("StructureDefinition", "http://hl7.org/fhir/StructureDefinition/"+res.Type)
			for _, profile := range res.SupportedProfile {
				resolves("StructureDefinition", profile)
				// What is claimed is what $validate goes by.
				s.Do(http.MethodPost, res.Type+"/$validate?profile="+profile, `{"resourceType":"`+res.Type+`"}`).Want(http.StatusOK)
			}
		}
		if len(read) < 1500 {
			s.Errorf("only %d definitions", len(read))
		}
	})
	t.Run("versions", func(t *testing.T) {
		s := s.In(t)
		if a := s.Get("$versions").Want(http.StatusOK); string(a.Body) !=
			`{"resourceType":"Parameters","parameter":[{"name":"version","valueCode":"4.0"},{"name":"default","valueCode":"4.0"}]}` {
			t.Errorf("%s", a.Body)
		}
		s.Get("$versions?x=1").WantOutcome(http.StatusBadRequest, "not-supported")
	})
	t.Run("reading", func(t *testing.T) {
		s := s.In(t)
		a := s.Get("StructureDefinition/HumanName").Want(http.StatusOK).WantHeader("ETag", `W/"4.0.1"`)
		s.Get("StructureDefinition/HumanName", "If-None-Match", `W/"4.0.1"`).Want(http.StatusNotModified)
		if got := s.Get("StructureDefinition/HumanName?_format=xml").JSON(); string(got.Body) != string(a.Body) {
			t.Errorf("through XML it is %s", got.Body)
		}
		var summary struct {
			Meta         struct{ Tag []struct{ Code string } }
			URL          string
			Differential any
		}
		s.Get("StructureDefinition/HumanName?_elements=url").Want(http.StatusOK).Decode(&summary)
		if summary.URL == "" || summary.Differential != nil || len(summary.Meta.Tag) != 1 || summary.Meta.Tag[0].Code != "SUBSETTED" {
			t.Errorf("%+v", summary)
		}
		for _, none := range []string{"StructureDefinition/Patient.contact", "StructureDefinition/none", "SearchParameter/none", "OperationDefinition/Composition-document", "StructureDefinition/HumanName/_history/1"} {
			s.Get(none).WantOutcome(http.StatusNotFound, "not-found")
		}
	})
	t.Run("searching", func(t *testing.T) {
		s := s.In(t)
		for query, want := range map[string]string{
			"SearchParameter?url=http://hl7.org/fhir/us/core/SearchParameter/us-core-race|6.1.0":     "us-core-race",
			"SearchParameter?url=http://hl7.org/fhir/us/core/SearchParameter/us-core-race|4.0.1":     "",
			"SearchParameter?_id=us-core-race,clinical-code,none&_count=1":                           "us-core-race clinical-code",
			"SearchParameter?_id=us-core-race&url=http://hl7.org/fhir/SearchParameter/clinical-code": "",
			"SearchParameter?_id=us-core-race&code=race":                                             "",
			"SearchParameter?code=race": "",
			"StructureDefinition?url=" + structureDefinition + "Patient," + structureDefinition + "string&_sort=_id": "Patient string",
			"OperationDefinition?_id=Resource-meta": "Resource-meta",
		} {
			if got := s.Search(query); got != want {
				t.Errorf("%s finds %q, not %q", query, got, want)
			}
		}
		if b := s.Get("SearchParameter?_id=us-core-race&_summary=count").Bundle("searchset"); *b.Total != 1 || len(b.Entry) != 0 {
			t.Errorf("a count of %d with %d entries", *b.Total, len(b.Entry))
		}
	})
	t.Run("a tenant's own", func(t *testing.T) {
		s := s.In(t).On("clinic/own")
		own := `{"resourceType":"StructureDefinition","id":"Patient","url":"` + structureDefinition + `Patient","name":"Own","status":"draft","kind":"resource","abstract":false,"type":"Patient"}`
		s.Put(own)
		for i, b := range []*Answer{s.Get("StructureDefinition/Patient"), s.Get("StructureDefinition?url=" + structureDefinition + "Patient")} {
			if text := string(b.Want(http.StatusOK).Body); !strings.Contains(text, `"Own"`) || strings.Contains(text, `"fhirVersion"`) {
				t.Errorf("%d: %s", i, text)
			}
		}
		s.Do("DELETE", "StructureDefinition/Patient", "").Want(http.StatusNoContent)
		s.Get("StructureDefinition/Patient").Want(http.StatusGone)
		if got := s.Search("StructureDefinition?_id=Patient"); got != "" {
			t.Errorf("what was deleted is found: %s", got)
		}
	})
}

const structureDefinition = "http://hl7.org/fhir/StructureDefinition/"
