package fhirpath_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// syntheaResources are the resources of a Synthea bundle, each as its own text.
func syntheaResources(b *testing.B) [][]byte {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(b, "data", "synthea"), "*.json"))
	if err != nil || len(files) == 0 {
		b.Fatal(len(files), err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		b.Fatal(err)
	}
	entries, _ := parse(b, data).Root().Member("entry")
	var resources [][]byte
	for entry := range entries.Elements() {
		resource, _ := entry.Member("resource")
		resources = append(resources, resource.Raw())
	}
	return resources
}

// BenchmarkSearchExpressions is what the index keys of a resource cost before
// they are encoded: reading its JSON and evaluating every search parameter of
// its type.
func BenchmarkSearchExpressions(b *testing.B) {
	resources := syntheaResources(b)
	model := r4model.R4()
	byType := map[string][]*fhirpath.Expression{}
	compiled := map[string]*fhirpath.Expression{}
	for _, name := range conformance.R4().ResourceTypes() {
		for _, parameter := range conformance.R4().SearchParameters(name) {
			if parameter.Expression == "" {
				continue
			}
			if compiled[parameter.Expression] == nil {
				compiled[parameter.Expression] = fhirpath.MustCompile(parameter.Expression)
			}
			byType[name] = append(byType[name], compiled[parameter.Expression])
		}
	}
	evaluations := 0
	var doc rawjson.Document
	ctx := &fhirpath.Context{Model: model}
	var values fhirpath.Collection
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := doc.Parse(resources[i%len(resources)], nil); err != nil {
			b.Fatal(err)
		}
		i++
		root, ok := fhirpath.NewResource(model, doc.Root())
		if !ok {
			b.Fatal("no resource")
		}
		for _, expression := range byType[root.TypeName()] {
			var err error
			if values, err = expression.AppendTo(values[:0], ctx, root); err != nil {
				b.Fatal(err)
			}
			evaluations++
		}
	}
	b.ReportMetric(float64(evaluations)/float64(b.N), "expressions/op")
}

func BenchmarkEvaluate(b *testing.B) {
	data, err := os.ReadFile(filepath.Join(sharedtest.Dir(b, "data", "examples-r4"), "Patient-example.json"))
	if err != nil {
		b.Fatal(err)
	}
	model := r4model.R4()
	root, _ := fhirpath.NewResource(model, parse(b, data).Root())
	for _, text := range []string{
		"Patient.birthDate",
		"Patient.name.family",
		"Patient.name.given | Patient.name.family",
		"Patient.telecom.where(system='phone')",
		"(Patient.deceased as dateTime)",
		"Patient.deceased.exists() and Patient.deceased != false",
		"Patient.generalPractitioner.where(resolve() is Practitioner)",
		"Patient.managingOrganization.where(resolve() is Organization)",
		"Patient.extension('http://hl7.org/fhir/us/core/StructureDefinition/us-core-race')",
		"Patient.contact.all(name.exists() or telecom.exists() or address.exists() or organization.exists())",
		"Patient.birthDate < @2000-01-01",
	} {
		b.Run(text, func(b *testing.B) {
			expression := fhirpath.MustCompile(text)
			ctx := &fhirpath.Context{Model: model}
			var values fhirpath.Collection
			b.ReportAllocs()
			for b.Loop() {
				if values, err = expression.AppendTo(values[:0], ctx, root); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
