package rest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

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
