package repository

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// The cases of json-patch-tests, the common suite of RFC 6902, that begin with
// an object: a resource is never anything else.
func TestJSONPatchSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "patch", "json-patch-tests"), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, file := range append(files, sharedtest.Dir(t, "data", "patch", "json-patch-tests.json")) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			Comment, Error       string
			Doc, Patch, Expected json.RawMessage
			Disabled             bool
		}
		if json.Unmarshal(data, &cases) != nil {
			continue // not a list of cases
		}
		for i, c := range cases {
			if c.Disabled || len(c.Doc) == 0 || c.Doc[0] != '{' || len(c.Patch) == 0 {
				continue
			}
			if strings.Contains(string(c.Doc), `"": `) || strings.Contains(string(c.Doc), `"":`) {
				continue // a member without a name, which FHIR does not have
			}
			ran++
			name := filepath.Base(file) + " " + c.Comment
			got, err := applyPatch(c.Doc, c.Patch)
			switch {
			case c.Error != "" && err == nil:
				t.Errorf("%s (%d): no error, want %q: %s", name, i, c.Error, got)
			case c.Error != "":
				var e *outcome.Error
				if !errors.As(err, &e) || e.Status != 400 && e.Status != 422 {
					t.Errorf("%s (%d): %v", name, i, err)
				}
			case err != nil:
				t.Errorf("%s (%d): %v", name, i, err)
			case len(c.Expected) > 0 && !equal(got, c.Expected):
				t.Errorf("%s (%d): %s, want %s", name, i, got, c.Expected)
			}
		}
	}
	t.Logf("%d cases", ran)
	if ran < 50 {
		t.Error("too few cases")
	}
}

func equal(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// What a patch does not touch keeps its bytes, and errors show no values.
func TestPatchKeepsTheRest(t *testing.T) {
	const doc = `{"resourceType":"Observation","valueQuantity":{ "value": 1.500, "unit":"µg<>&" },"x":[1.0,{"y":2.00}]}`
	got, err := applyPatch([]byte(doc), []byte(`[{"op":"add","path":"/z","value":3.10}]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{`1.500`, `"µg<>&"`, `[1.0,{"y":2.00}]`, `"z":3.10`} {
		if !strings.Contains(string(got), kept) {
			t.Errorf("%s is not in %s", kept, got)
		}
	}
	for _, patch := range []string{
		`[{"op":"test","path":"/x/0","value":"secret-value"}]`, `[{"op":"remove","path":"/secret-value"}]`,
		`[{"op":"secret-value","path":"/x"}]`, `[{"op":"copy","from":"/secret-value","path":"/x"}]`, `"secret-value"`,
	} {
		if _, err := applyPatch([]byte(doc), []byte(patch)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", patch, err)
		}
	}
}

func FuzzPatch(f *testing.F) {
	f.Add(`[{"op":"add","path":"/a/-","value":[1]},{"op":"copy","from":"/a","path":"/b"},{"op":"move","from":"/b","path":"/a/0"}]`)
	f.Add(`[{"op":"replace","path":"","value":null}]`)
	f.Add(`[{"op":"test","path":"/a/1e0","value":null}]`)
	f.Fuzz(func(t *testing.T, patch string) {
		out, err := applyPatch([]byte(`{"resourceType":"Basic","a":[1,{"b":null}],"c":{"d":"e"}}`), []byte(patch))
		if err == nil && !json.Valid(out) {
			t.Fatalf("%s makes %s", patch, out)
		}
	})
}
