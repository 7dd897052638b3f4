package rest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// BenchmarkHTTP is one client, one request after another, over loopback, with
// the patients of eight Synthea bundles in a Pebble store. The time is that of
// client and server together.
func BenchmarkHTTP(b *testing.B) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(b, "data", "synthea"), "*.json"))
	if err != nil {
		b.Fatal(err)
	}
	s := resttest.Serve(b, open)
	for _, file := range files[:8] {
		body, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		s.Do(http.MethodPost, "", string(body)).Want(http.StatusOK)
	}
	patient := s.Get("Patient?_count=1").Bundle("searchset").Entry[0].Ref()
	observation := s.Get("Observation?_count=1").Bundle("searchset").Entry[0].Ref()
	for _, c := range []struct{ name, path string }{
		{"read", observation},
		{"search by token, 10 found", "Observation?code=8480-6,85354-9&_count=10"},
		{"search by patient and code", "Observation?patient=" + patient + "&code=85354-9&_count=10"},
		{"search by patient, newest first", "Observation?patient=" + patient + "&_sort=-date&_count=10"},
		{"search by name", "Patient?name=a&_count=10"},
		{"count", "Observation?_summary=count&status=final"},
		{"chain", "Observation?patient.gender=female&code=85354-9&_count=10"},
		{"composite", "Observation?component-code-value-quantity=8480-6$gt120&_count=10"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			s := s.In(b)
			for b.Loop() {
				s.Get(c.path).Want(http.StatusOK)
			}
		})
	}
	b.Run("create", func(b *testing.B) {
		s := s.In(b)
		for b.Loop() {
			s.Do(http.MethodPost, "Patient", `{"resourceType":"Patient","name":[{"family":"Chalmers","given":["Peter"]}],"birthDate":"1974-12-25"}`).Want(http.StatusCreated)
		}
	})
}
