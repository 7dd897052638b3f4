package validate

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

func files(t testing.TB, elem ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, elem...), "*.json"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no files in %v: %v", elem, err)
	}
	return found
}

func parse(t testing.TB, text string) *rawjson.Document {
	t.Helper()
	doc, err := rawjson.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// knownFaults are the official examples that break a rule, beside those whose
// structure is at fault (conformance's corpus_test.go).
var knownFaults = map[string]string{
	// Narratives that say nothing, which txt-2 forbids.
	"ActivityDefinition-blood-tubes-supply.json":        "txt-1, txt-2",
	"ActivityDefinition-heart-valve-replacement.json":   "txt-1, txt-2",
	"EventDefinition-example.json":                      "txt-1, txt-2",
	"Questionnaire-zika-virus-exposure-assessment.json": "txt-1, txt-2",
}

// The official examples are R4's own idea of valid: every rule is evaluated on
// them, and but for the faults above none of severity error is broken. Only
// dom-6 and the names of definitions give warnings.
func TestOfficialExamples(t *testing.T) {
	checked, warnings := 0, map[string]int{}
	for _, file := range files(t, "data", "examples-r4") {
		name := filepath.Base(file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		issues, err := Rules(t.Context(), parse(t, string(data)).Root(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		checked++
		found := map[string]bool{}
		for _, i := range issues {
			key, _, _ := strings.Cut(i.Diagnostics, ":")
			switch {
			case i.Severity != conformance.SeverityError:
				warnings[key]++
			case knownFaults[name] == key:
				found[key] = true
			default:
				t.Errorf("%s:%d:%d: %s %s: %s", name, i.Line, i.Column, i.Code, i.Expression, i.Diagnostics)
			}
		}
		if known := knownFaults[name]; known != "" && !found[known] {
			t.Errorf("%s: its fault %s is not found", name, known)
		}
	}
	t.Logf("%d examples, %d expressions, warnings %v", checked, r4Plan().rules, warnings)
	for _, file := range slices.Sorted(maps.Keys(knownFaults)) {
		t.Logf("known fault, %s: %s", knownFaults[file], file)
	}
	for key := range warnings {
		if key != "dom-6" && !strings.HasSuffix(key, "-0") && !strings.HasPrefix(key, "only ") && !strings.HasPrefix(key, "a modifier extension") {
			t.Errorf("unexpected warning %s", key)
		}
	}
}

func TestSyntheaBundles(t *testing.T) {
	for _, file := range files(t, "data", "synthea") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		issues, err := Resource(t.Context(), parse(t, string(data)).Root(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(issues, func(i conformance.Issue) bool { return i.Severity == conformance.SeverityError }); i >= 0 {
			t.Errorf("%s: %+v", filepath.Base(file), issues[i])
		}
	}
}
