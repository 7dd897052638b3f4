package rest_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// Every official example that is valid goes in, comes out byte for byte but
// for id and meta, and is found by each kind of search that its own content
// gives rise to.
func TestExamplesRoundTrip(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := resttest.Serve(t, open)
	index := search.NewIndex(conformance.R4(), r4model.R4())
	asked := map[string]bool{}
	stored, refused := 0, 0
	for _, file := range files {
		name := filepath.Base(file)
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := rawjson.Parse(body, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		typ, id := text(doc, "resourceType"), text(doc, "id")
		path := typ + "/" + id
		answer := s.Do(http.MethodPut, path, string(body))
		if invalid(doc) {
			answer.Want(http.StatusBadRequest)
			refused++
			continue
		}
		if answer.Status != http.StatusCreated && answer.Status != http.StatusOK {
			t.Errorf("%s: %d %.300s", name, answer.Status, answer.Body)
			continue
		}
		stored++
		// What is sent of a part of it is a resource, too.
		for _, subset := range []string{"_summary=true", "_summary=text", "_summary=data", "_elements=id"} {
			for _, issue := range conformance.ValidateStructure(s.Get(path + "?" + subset).Want(http.StatusOK).Body) {
				t.Errorf("%s with %s: %s: %s", name, subset, issue.Expression, issue.Diagnostics)
			}
		}
		same(t, name, doc, s.Get(path).Want(http.StatusOK).Body)
		keys, err := index.Keys(typ, doc.Root(), search.Base{Definitions: conformance.R4()})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			_, p, ok := search.Explain(conformance.R4(), k)
			if !ok {
				continue
			}
			class := typ + " " + p.Name + " " + k[4:5]
			if asked[class] {
				continue
			}
			asked[class] = true
			form := url.Values{p.Name: {p.Value}, "_id": {id}}
			if p.Name == "_id" {
				continue
			}
			b := s.Do(http.MethodPost, typ+"/_search", form.Encode(), "Content-Type", "application/x-www-form-urlencoded").Bundle("searchset")
			if b.IDs("match") != id {
				t.Errorf("%s is not found by %s=%s", name, p.Name, p.Value)
			}
		}
	}
	t.Logf("%d stored, %d refused as not valid, %d kinds of search", stored, refused, len(asked))
	if stored < 800 || len(asked) < 1500 {
		t.Error("too few")
	}
}

func text(doc *rawjson.Document, name string) string {
	m, _ := doc.Root().Member(name)
	return m.String()
}

func invalid(doc *rawjson.Document) bool {
	for _, i := range conformance.ValidateStructureOf(doc.Root()) {
		if i.Severity == conformance.SeverityError || i.Severity == conformance.SeverityFatal {
			return true
		}
	}
	return false
}

// same compares the members of what was sent and what came back: all but id
// and meta have the same bytes, in the same order.
func same(t *testing.T, name string, sent *rawjson.Document, got []byte) {
	t.Helper()
	back, err := rawjson.Parse(got, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	members := func(d *rawjson.Document) []string {
		var all []string
		for m := range d.Root().Members() {
			if n := m.Name(); n != "id" && n != "meta" {
				all = append(all, n+" "+string(m.Raw()))
			}
		}
		return all
	}
	a, b := members(sent), members(back)
	if len(a) != len(b) {
		t.Errorf("%s: %d members, sent %d", name, len(b), len(a))
		return
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("%s: came back as %.100s, sent %.100s", name, b[i], a[i])
		}
	}
}

// Synthea's bundles are transactions; they go in whole.
func TestSyntheaLoads(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "synthea"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Synthea files: %v", err)
	}
	s := resttest.Serve(t, open)
	loaded := 0
	for _, file := range files[:min(4, len(files))] {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b := s.Do(http.MethodPost, "", string(body)).Bundle("transaction-response")
		for i, e := range b.Entry {
			if e.Response.Status != "201 Created" && e.Response.Status != "200 OK" {
				t.Fatalf("%s entry %d: %s", filepath.Base(file), i, e.Response.Status)
			}
		}
		loaded += len(b.Entry)
	}
	b := s.Get("Patient?_total=accurate&_count=1").Bundle("searchset")
	patient := b.Entry[0].Ref()
	everything := s.Get(patient + "/$everything?_count=50").Bundle("searchset")
	observations := s.Get("Observation?patient=" + patient + "&_total=accurate&_count=0").Bundle("searchset")
	t.Logf("%d entries, %d patients; the first has %d observations; everything: %d on the first page",
		loaded, *b.Total, *observations.Total, len(everything.Entry))
	if *observations.Total == 0 || len(everything.Entry) < 50 {
		t.Error("the references do not hold together")
	}
}
