package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// The checked-in definitions must be what the generator makes, or a change of
// one would be lost at the next go generate.
func TestCheckedInFileIsGenerated(t *testing.T) {
	got, err := generate(filepath.Dir(sharedtest.Dir(t, "data", "r4")))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "..", "definitions.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("definitions.json is out of date: run go generate ./fhir/guide")
	}
}
