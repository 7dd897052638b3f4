// Package sharedtest finds the public data that tests read but that the
// repository does not carry: HL7's definition files, the official examples,
// Synthea patients. The data lies in a folder called shared beside the module
// root.
package sharedtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Env names the environment variable that overrides the place of the data.
const Env = "FHIRFACADE_SHARED"

// Dir returns the path of the shared data folder joined with elem, for example
// Dir(t, "data", "r4"). It skips the test, saying which path is missing, where
// the data is absent: a checkout alone must stay testable.
//
// The folder is $FHIRFACADE_SHARED if that is set, else the folder shared
// beside the module root, found by walking up from the working directory,
// which go test sets to the package's own folder.
func Dir(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv(Env)
	if root == "" {
		module, ok := moduleRoot()
		if !ok {
			t.Skipf("SKIPPED, NOTHING WAS TESTED: no go.mod above the working directory, so the shared test data cannot be found; set %s", Env)
		}
		root = filepath.Join(filepath.Dir(module), "shared")
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: the shared test data is absent (%v); set %s to the folder that holds %s", err, Env, filepath.Join(elem...))
	}
	return path
}

func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
