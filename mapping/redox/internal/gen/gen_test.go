package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// TestGenerated writes the models from the catalogue and compares them with
// those of the package: nobody has edited them, or the catalogue has changed.
func TestGenerated(t *testing.T) {
	dir := t.TempDir()
	if err := run(sharedtest.Dir(t, "data", "redox"), dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing generated: %v", err)
	}
	for _, f := range files {
		want, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", filepath.Base(f)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s is not what go generate writes", filepath.Base(f))
		}
	}
}
