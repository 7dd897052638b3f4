package guide

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

const usCore = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"

func check(t testing.TB, resource []byte, profiles ...string) []conformance.Issue {
	t.Helper()
	return checkBy(t, Builtin(), resource, profiles...)
}

func checkBy(t testing.TB, l *profile.Library, resource []byte, profiles ...string) []conformance.Issue {
	t.Helper()
	doc, err := rawjson.Parse(resource, nil)
	if err != nil {
		t.Fatal(err)
	}
	issues, err := profile.Resource(context.Background(), doc.Root(), profile.Options{
		Source: l, Units: validate.Units{}, Profiles: profiles, Thorough: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return issues
}

// exampleFaults are what is wrong with R4's examples by the profiles that they
// claim and the extensions that they have.
var exampleFaults = map[string]string{
	// It has the form that the extension had before it was complex.
	"Observation-example-genetics-brcapat.json Observation.extension[1].extension": "required",
	"Observation-example-genetics-brcapat.json Observation.extension[1].value":     "structure",
	// Profiles that R4 does not have.
	"Bundle-ussg-fht.json Bundle.entry[0].resource.meta.profile[0]":              "not-supported",
	"Bundle-ussg-fht.json Bundle.entry[0].resource.contained[0].meta.profile[0]": "not-supported",
	"Questionnaire-phq-9-questionnaire.json Questionnaire.extension[0]":          "not-supported",
}

// R4's examples that claim a profile meet it, but for the known faults.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	met, seen := 0, map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		issues := check(t, data)
		for _, i := range issues {
			if i.Severity == conformance.SeverityInformation {
				continue
			}
			at := filepath.Base(file) + " " + i.Expression
			if exampleFaults[at] != string(i.Code) {
				t.Errorf("%s: %+v", filepath.Base(file), i)
			}
			seen[at] = true
		}
		if len(issues) == 0 && bytes.Contains(data, []byte(`"profile":`)) {
			met++
		}
	}
	for at := range exampleFaults {
		if !seen[at] {
			t.Errorf("%s: the fault was not found", at)
		}
	}
	if met < 40 {
		t.Errorf("%d examples that name profiles have no issue, want 40 or more", met)
	}
}

// profileOf is the US Core profile for a resource of Synthea's, "" for none.
func profileOf(resource rawjson.Node) string {
	typ, _ := resource.Member("resourceType")
	switch typ.String() {
	case "Observation":
		switch category := string(resource.Raw()); {
		case strings.Contains(category, `"code":"laboratory"`):
			return usCore + "observation-lab"
		case strings.Contains(category, `"code":"vital-signs"`):
			return usCore + "vital-signs"
		}
		return ""
	case "Condition":
		return usCore + "condition-problems-health-concerns"
	case "DiagnosticReport":
		return usCore + "diagnosticreport-lab"
	case "Device":
		return usCore + "implantable-device"
	case "Patient", "Encounter", "Procedure", "Immunization", "MedicationRequest", "CarePlan", "CareTeam", "Organization",
		"Practitioner", "AllergyIntolerance", "Goal", "DocumentReference", "Provenance", "Location", "Medication", "Specimen":
		return usCore + strings.ToLower(typ.String())
	}
	return ""
}

// syntheaResources are the resources of some bundles, each by itself and
// without indentation, with the US Core profile for it.
func syntheaResources(t testing.TB, bundles int) (resources [][]byte, profiles []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "synthea"), "*.json"))
	if err != nil || len(files) < bundles {
		t.Fatal("no bundles", err)
	}
	for _, file := range files[:bundles] {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		data = compact(t, data)
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			t.Fatal(err)
		}
		entries, _ := doc.Root().Member("entry")
		for e := range entries.Elements() {
			r, _ := e.Member("resource")
			if p := profileOf(r); p != "" {
				resources, profiles = append(resources, r.Raw()), append(profiles, p)
			}
		}
	}
	return resources, profiles
}

// syntheaFaults are the errors of Synthea's resources by US Core 6.1.0, which
// is younger than they are: the element, and the start of the text.
var syntheaFaults = []string{
	"Condition.category: at least 1",
	"Slice 'Condition.category:us-core': at least 1",
	"Slice 'CarePlan.category:AssessPlan': at least 1",
	"Slice 'Practitioner.identifier:NPI': us-core-16",
	"Slice 'Practitioner.identifier:NPI': us-core-17",
}

// Synthea's resources meet US Core's profiles, but for the known faults.
func TestSynthea(t *testing.T) {
	resources, profiles := syntheaResources(t, 12)
	found := map[string]int{}
	for i, resource := range resources {
		for _, issue := range check(t, resource, profiles[i]) {
			if issue.Severity != conformance.SeverityError {
				continue
			}
			at := slices.IndexFunc(syntheaFaults, func(f string) bool { return strings.HasPrefix(issue.Diagnostics, f) })
			if at < 0 {
				t.Errorf("%s: %+v", profiles[i], issue)
				continue
			}
			found[syntheaFaults[at]]++
		}
	}
	for _, f := range syntheaFaults {
		if found[f] == 0 {
			t.Errorf("the fault was not found: %s", f)
		}
	}
	t.Logf("%d resources; faults: %v", len(resources), found)
}
