package differential

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/guide"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// BenchmarkBeside measures, over the same resources of Synthea, the structure
// validator and full validation, reading of JSON included, beside google/fhir's
// parser, with and without its validation.
func BenchmarkBeside(b *testing.B) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(b, "data", "synthea"), "*.json"))
	if err != nil || len(files) < 3 {
		b.Fatalf("%d files, %v", len(files), err)
	}
	var resources [][]byte
	size := int64(0)
	for _, file := range files[:3] {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			b.Fatal(err)
		}
		list, _ := doc.Root().Member("entry")
		for entry := range list.Elements() {
			if resource, ok := entry.Member("resource"); ok {
				resources = append(resources, resource.Raw())
				size += int64(len(resource.Raw()))
			}
		}
	}
	run := func(name string, do func(resource []byte) error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				for _, resource := range resources {
					if err := do(resource); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
	run("structure", func(resource []byte) error {
		if issues := conformance.ValidateStructure(resource); len(issues) > 0 {
			b.Fatal(issues[0])
		}
		return nil
	})
	var doc rawjson.Document
	run("full", func(resource []byte) error {
		if err := doc.Parse(resource, nil); err != nil {
			return err
		}
		issues, err := validate.Resource(b.Context(), doc.Root(), validate.Options{Units: validate.Units{}})
		for _, i := range issues {
			if i.Severity == conformance.SeverityError {
				b.Fatal(i)
			}
		}
		return err
	})
	// Synthea's resources claim no profile: each is asked for that of its type.
	// They do not meet all of US Core 6.1.0, which is younger.
	checked := 0
	run("full with US Core", func(resource []byte) error {
		if err := doc.Parse(resource, nil); err != nil {
			return err
		}
		if _, err := validate.Resource(b.Context(), doc.Root(), validate.Options{Units: validate.Units{}, Extensions: guide.Builtin()}); err != nil {
			return err
		}
		var profiles []string
		typ, _ := doc.Root().Member("resourceType")
		if name, ok := usCore[typ.String()]; ok {
			checked++
			profiles = []string{"http://hl7.org/fhir/us/core/StructureDefinition/us-core-" + name}
		}
		_, err := profile.Resource(b.Context(), doc.Root(), profile.Options{Source: guide.Builtin(), Units: validate.Units{}, Profiles: profiles})
		return err
	})
	if checked == 0 {
		b.Log("no resource was checked against US Core")
	}
	a := newAsks(b)
	run("google", a.refuses)
}

// usCore are profiles for the types that Synthea makes.
var usCore = map[string]string{
	"AllergyIntolerance": "allergyintolerance", "CarePlan": "careplan", "CareTeam": "careteam", "Condition": "condition-problems-health-concerns",
	"Device": "implantable-device", "DiagnosticReport": "diagnosticreport-lab", "DocumentReference": "documentreference", "Encounter": "encounter",
	"Goal": "goal", "Immunization": "immunization", "Location": "location", "Medication": "medication", "MedicationRequest": "medicationrequest",
	"Observation": "vital-signs", "Organization": "organization", "Patient": "patient", "Practitioner": "practitioner", "Procedure": "procedure",
	"Provenance": "provenance",
}
