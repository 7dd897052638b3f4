package definitions

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/guide"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

func set() *Set {
	d := conformance.R4()
	var operations []Operation
	for _, o := range d.Operations() {
		operations = append(operations, Operation{Code: o.Code, URL: o.URL})
	}
	own := Operation{Code: "explain", URL: "http://localhost/OperationDefinition/explain", Types: []string{"Patient"}, Type: true}
	return New(d, nil).With(append(operations, own))
}

// hl7 are the definitions of HL7's files, by URL.
func hl7(t *testing.T, file, typ string) map[string]map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedtest.Dir(t, "data", "r4"), file))
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		Entry []struct{ Resource map[string]any }
	}
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, e := range bundle.Entry {
		if e.Resource["resourceType"] == typ && e.Resource["id"] != "example" {
			all[e.Resource["url"].(string)] = e.Resource
		}
	}
	return all
}

// made is a definition that is valid by all of R4's rules.
func made(t *testing.T, s *Set, typ, url string) map[string]any {
	t.Helper()
	def, ok := s.ByURL(typ, url)
	if !ok {
		t.Errorf("there is no %s %s", typ, url)
		return map[string]any{}
	}
	doc, err := rawjson.Parse(def.Body, nil)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	issues, err := validate.Resource(t.Context(), doc.Root(), validate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, issue := range issues {
		if issue.Severity == conformance.SeverityError {
			t.Errorf("%s: not valid at %s: %s", url, issue.Expression, issue.Diagnostics)
		}
	}
	var r map[string]any
	if err := json.Unmarshal(def.Body, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// same compares members of what was made with HL7's.
func same(t *testing.T, what string, got, want map[string]any, names ...string) {
	t.Helper()
	for _, name := range names {
		a, _ := json.Marshal(got[name])
		b, _ := json.Marshal(want[name])
		if string(a) != string(b) {
			t.Errorf("%s: %s is %s, HL7 has %s", what, name, a, b)
		}
	}
}

func TestSearchParametersAreHL7s(t *testing.T) {
	s := set()
	all := hl7(t, "search-parameters.json", SearchParameter)
	for url, want := range all {
		got := made(t, s, SearchParameter, url)
		same(t, url, got, want, "resourceType", "id", "url", "version", "code", "type", "comparator", "modifier")
		bases := func(r map[string]any) []string {
			var all []string
			list, _ := r["base"].([]any)
			for _, b := range list {
				all = append(all, b.(string))
			}
			slices.Sort(all)
			return all
		}
		if !slices.Equal(bases(got), bases(want)) {
			t.Errorf("%s: bases %v", url, bases(got))
		}
	}
	if len(all) < 1300 {
		t.Errorf("only %d", len(all))
	}
	made(t, s, SearchParameter, "http://hl7.org/fhir/us/core/SearchParameter/us-core-race")
	if _, ok := s.ByURL(SearchParameter, "http://hl7.org/fhir/us/core/SearchParameter/us-core-race|6.1.0"); !ok {
		t.Error("a canonical with its version is not found")
	}
	for _, other := range []string{"http://hl7.org/fhir/SearchParameter/us-core-race", "http://hl7.org/fhir/us/core/SearchParameter/us-core-race|4.0.1", "", "/"} {
		if _, ok := s.ByURL(SearchParameter, other); ok {
			t.Errorf("%q is found", other)
		}
	}
}

func TestStructureDefinitionsAreHL7s(t *testing.T) {
	s := set()
	checked := 0
	for _, file := range []string{"profiles-types.json", "profiles-resources.json"} {
		for url, want := range hl7(t, file, StructureDefinition) {
			id := ID(url)
			if _, known := conformance.R4().Type(id); !known {
				continue // a profile that describes extensions or documents
			}
			got := made(t, s, StructureDefinition, url)
			same(t, url, got, want, "resourceType", "id", "url", "version", "fhirVersion", "kind", "abstract", "type", "baseDefinition", "derivation")
			for path, w := range elements(want) {
				g, ok := elements(got)[path].(map[string]any)
				if !ok {
					if narrowed(w) && !(want["kind"] == "primitive-type" && strings.HasSuffix(path, ".value")) { // its base has that
						t.Errorf("%s has no %s", url, path)
					}
					continue
				}
				for _, name := range []string{"min", "max", "contentReference"} {
					if w.(map[string]any)[name] != nil {
						same(t, path, g, w.(map[string]any), name)
					}
				}
				checked++
			}
		}
	}
	if checked < 4500 {
		t.Errorf("only %d elements", checked)
	}
}

func TestProfilesOfGuidesAreReadable(t *testing.T) {
	var profiles []Profile
	for _, p := range guide.Builtin().Definitions() {
		profiles = append(profiles, Profile{URL: p.URL, Version: p.Version, Body: p.Body})
	}
	whole := `{"resourceType":"StructureDefinition","id":"own","url":"http://example.org/own","name":"Own","status":"draft","fhirVersion":"4.0.1",
		"kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint",
		"differential":{"element":[{"id":"Patient","path":"Patient"}]}}`
	s := New(conformance.R4(), append(profiles, Profile{URL: "http://example.org/own", Body: []byte(whole)}))
	for _, p := range profiles {
		got := made(t, s, StructureDefinition, p.URL)
		if got["url"] != p.URL || got["version"] != p.Version || got["derivation"] != "constraint" || len(elements(got)) == 0 && p.URL != structures+"picoelement" {
			t.Errorf("%s: %.300v", p.URL, got)
		}
	}
	if len(profiles) < 90 {
		t.Errorf("only %d profiles", len(profiles))
	}
	if got := made(t, s, StructureDefinition, "http://example.org/own"); got["name"] != "Own" {
		t.Errorf("a whole resource is not left as it is: %v", got)
	}
	if _, ok := s.ByURL(StructureDefinition, "http://hl7.org/fhir/StructureDefinition/us-core-patient"); ok {
		t.Error("a profile is found by another URL that ends alike")
	}
}

// elements are those of a differential but the root, by path.
func elements(r map[string]any) map[string]any {
	all := map[string]any{}
	differential, _ := r["differential"].(map[string]any)
	list, _ := differential["element"].([]any)
	for _, e := range list {
		e := e.(map[string]any)
		if path := e["path"].(string); strings.Contains(path, ".") {
			all[path] = e
		}
	}
	return all
}

// narrowed reports whether an element of HL7's differential says more than its
// base does, as far as the tables go.
func narrowed(e any) bool {
	m := e.(map[string]any)
	return m["min"] != nil && m["max"] != nil && m["type"] != nil && !strings.HasSuffix(m["path"].(string), ".id") && !strings.HasSuffix(m["path"].(string), ".extension")
}

func TestOperationDefinitionsAreHL7s(t *testing.T) {
	s := set()
	for url, want := range hl7(t, "operation-definitions.json", OperationDefinition) {
		same(t, url, made(t, s, OperationDefinition, url), want, "resourceType", "id", "url", "version", "kind", "code", "resource", "system", "type", "instance")
	}
	own := made(t, s, OperationDefinition, "http://localhost/OperationDefinition/explain")
	if own["type"] != true || own["instance"] != false {
		t.Errorf("%v", own)
	}
}

func TestIDsAreUnique(t *testing.T) {
	urls := map[string]string{}
	for _, typ := range conformance.R4().ResourceTypes() {
		for _, sp := range conformance.R4().SearchParameters(typ) {
			if was, ok := urls[ID(sp.URL)]; ok && was != sp.URL {
				t.Errorf("%s and %s have one id", was, sp.URL)
			}
			urls[ID(sp.URL)] = sp.URL
		}
	}
	if _, ok := set().Find("Patient", "x"); ok {
		t.Error("a Patient is a definition")
	}
	if _, ok := set().Find(StructureDefinition, "Patient.contact"); ok {
		t.Error("a backbone is a definition")
	}
}
