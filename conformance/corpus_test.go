package conformance

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

func sharedFiles(t testing.TB, elem ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, elem...), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no files in %v", elem)
	}
	return files
}

// knownFaults are the official examples that break the rules of their own
// specification, with the one rule each breaks.
var knownFaults = map[string]struct {
	code   IssueCode
	reason string
}{
	// Reference targets (https://hl7.org/fhir/R4/references.html): the element's targetProfile does not have
	// the type.
	"DeviceMetric-example.json":        {IssueValue, "parent refers to a DeviceDefinition, the target is Device"},
	"DeviceUseStatement-example.json":  {IssueValue, "reasonReference refers to a Procedure, which is no target"},
	"MedicationRequest-medrx0301.json": {IssueValue, "dispenseRequest.performer refers to a Practitioner, the target is Organization"},
	"Observation-clinical-gender.json": {IssueValue, "performer refers to an Encounter, which is no target"},
	// Cardinality.
	"Questionnaire-qs1.json": {IssueRequired, "the fly-over items have no linkId, which is 1..1"},
}

// The official examples are the specification's own idea of valid.
func TestOfficialExamplesAreValid(t *testing.T) {
	types := map[string]bool{}
	files := sharedFiles(t, "data", "examples-r4")
	faults := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		issues := ValidateStructure(data)
		if fault, known := knownFaults[filepath.Base(file)]; known {
			faults++
			if len(issues) == 0 {
				t.Errorf("%s: its fault is not found: %s", filepath.Base(file), fault.reason)
			}
			issues = slices.DeleteFunc(issues, func(i Issue) bool { return i.Code == fault.code })
		}
		for _, issue := range issues {
			t.Errorf("%s:%d:%d: %s %s: %s", filepath.Base(file), issue.Line, issue.Column, issue.Code, issue.Expression, issue.Diagnostics)
		}
		var head struct {
			ResourceType string `json:"resourceType"`
		}
		if err := json.Unmarshal(data, &head); err != nil {
			t.Fatal(err)
		}
		types[head.ResourceType] = true
	}
	t.Logf("%d examples of %d resource types, %d with known faults", len(files), len(types), faults)
	for _, file := range slices.Sorted(maps.Keys(knownFaults)) {
		t.Logf("known fault, %s: %s: %s", knownFaults[file].code, file, knownFaults[file].reason)
	}
	if len(types) < 140 {
		t.Errorf("the examples cover only %d resource types", len(types))
	}
}

func TestSyntheaBundlesAreValid(t *testing.T) {
	entries := 0
	for _, file := range sharedFiles(t, "data", "synthea") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, issue := range ValidateStructure(data) {
			t.Errorf("%s:%d:%d: %s %s: %s", filepath.Base(file), issue.Line, issue.Column, issue.Code, issue.Expression, issue.Diagnostics)
		}
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		list, _ := doc.Root().Member("entry")
		for entry := range list.Elements() {
			resource, ok := entry.Member("resource")
			if !ok {
				continue
			}
			entries++
			for _, issue := range ValidateStructureOf(resource) {
				t.Errorf("%s:%d:%d: as an entry: %s %s: %s", filepath.Base(file), issue.Line, issue.Column, issue.Code, issue.Expression, issue.Diagnostics)
			}
		}
	}
	t.Logf("%d entries", entries)
}
