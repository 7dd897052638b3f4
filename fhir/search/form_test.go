package search

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// Servers rebuild keys when FormVersion changes, and only then. This test
// knows the keys of HL7's examples: when they become others, the version has
// to be raised, and the line that the test prints put into the golden file.
func TestFormVersionFollowsTheForms(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), "*.json"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	slices.Sort(files)
	h := sha256.New()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		typ, _ := doc.Root().Member("resourceType")
		keys, err := testIndex().Keys(typ.String(), doc.Root(), Base{Definitions: conformance.R4(), URL: "http://hl7.org/fhir"})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%q\n", keys)
	}
	got := fmt.Sprintf("form %d makes %s", FormVersion, hex.EncodeToString(h.Sum(nil)[:16]))
	golden, err := os.ReadFile(filepath.Join("testdata", "form.golden"))
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(strings.TrimSpace(string(golden)))
	switch want := strings.TrimSpace(string(golden)); {
	case got == want:
	case len(known) > 1 && known[1] == fmt.Sprint(FormVersion):
		t.Errorf("the keys of HL7's examples have changed and FormVersion has not: raise it in form.go, so that stored resources get the new keys, and write testdata/form.golden anew.\n got %s\nwant %s", got, want)
	default:
		t.Errorf("FormVersion has changed: write this line into testdata/form.golden:\n%s", got)
	}
}

func TestFingerprint(t *testing.T) {
	d := conformance.R4()
	was := Fingerprint(d)
	if was != Fingerprint(d) {
		t.Error("it is not the same twice")
	}
	custom := conformance.SearchParameter{Number: conformance.FirstCustomParameterNumber, Code: "x", Base: "Patient", Type: conformance.SearchToken, Expression: "Patient.gender"}
	more, err := d.With([]*conformance.SearchParameter{&custom})
	if err != nil {
		t.Fatal(err)
	}
	other := custom
	other.Expression = "Patient.active"
	changed, err := d.With([]*conformance.SearchParameter{&other})
	if err != nil {
		t.Fatal(err)
	}
	if Fingerprint(more) == was || Fingerprint(more) == Fingerprint(changed) {
		t.Error("a parameter more, or another expression, makes no difference")
	}
}

// What an index shares with the one that it was made from extracts the same,
// and the types that differ extract the new parameter.
func TestIndexWith(t *testing.T) {
	custom := &conformance.SearchParameter{Number: conformance.FirstCustomParameterNumber, Code: "shoe", Base: "Patient", Type: conformance.SearchString, Expression: "Patient.name.suffix"}
	d, err := conformance.R4().With([]*conformance.SearchParameter{custom})
	if err != nil {
		t.Fatal(err)
	}
	x := testIndex().With(d)
	if testIndex().With(conformance.R4()) != testIndex() {
		t.Error("an index of the same definitions is a new one")
	}
	for resource, more := range map[string]bool{
		`{"resourceType":"Patient","name":[{"family":"Fernsby","suffix":["Sr"]}]}`: true,
		`{"resourceType":"Observation","status":"final","code":{"text":"x"}}`:      false,
	} {
		doc, err := rawjson.Parse([]byte(resource), nil)
		if err != nil {
			t.Fatal(err)
		}
		typ, _ := doc.Root().Member("resourceType")
		base := Base{Definitions: d}
		was, err := testIndex().Keys(typ.String(), doc.Root(), base)
		if err != nil {
			t.Fatal(err)
		}
		got, err := x.Keys(typ.String(), doc.Root(), base)
		if err != nil {
			t.Fatal(err)
		}
		number, _ := d.TypeNumber(typ.String())
		found := slices.ContainsFunc(got, func(k string) bool { return strings.HasPrefix(k, paramKey(number, custom.Number)) })
		if found != more || slices.Equal(was, got) == more {
			t.Errorf("%s: %d keys instead of %d, custom one: %v", typ.String(), len(got), len(was), found)
		}
	}
}
