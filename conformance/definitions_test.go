package conformance

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

func TestResourceTypesAreThoseOfTheSpecification(t *testing.T) {
	data, err := os.ReadFile(sharedtest.Dir(t, "data", "r4", "resource-types.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(data))
	slices.Sort(want)
	if got := R4().ResourceTypes(); !slices.Equal(got, want) {
		t.Errorf("ResourceTypes differ:\n got %v\nwant %v", got, want)
	}
}

func TestResourceTypesAreNumberedBothWays(t *testing.T) {
	d := R4()
	if n := len(d.ResourceTypes()); n != 146 {
		t.Errorf("R4 has 146 resource types, got %d", n)
	}
	for _, name := range append([]string{"Resource", "DomainResource"}, d.ResourceTypes()...) {
		n, ok := d.TypeNumber(name)
		if !ok || n == 0 {
			t.Errorf("%s has no number", name)
		}
		if back, ok := d.TypeName(n); !ok || back != name {
			t.Errorf("TypeName(%d) = %q, want %q", n, back, name)
		}
	}
	for name, want := range map[string]bool{
		"Patient": true, "patient": false, "Resource": false, "DomainResource": false, "HumanName": false, "": false,
	} {
		if got := d.IsResourceType(name); got != want {
			t.Errorf("IsResourceType(%q) = %v", name, got)
		}
	}
	if _, ok := d.TypeName(60000); ok {
		t.Error("number 60000 has a name")
	}
}

func TestElement(t *testing.T) {
	tests := []struct {
		rule              string
		typeName, element string
		path              string
		min, max          int
		types             string
		targets           string
		binding           string
	}{
		{"own element", "Patient", "birthDate", "Patient.birthDate", 0, 1, "date", "", ""},
		{"inherited from Resource; an id although R4's file says string", "Patient", "id", "Resource.id", 0, 1, "id", "", ""},
		{"inherited from DomainResource", "Patient", "text", "DomainResource.text", 0, 1, "Narrative", "", ""},
		{"Bundle is no DomainResource", "Bundle", "text", "", 0, 0, "", "", ""},
		{"datatype", "HumanName", "given", "HumanName.given", 0, -1, "string", "", ""},
		{"inherited datatype element", "Age", "value", "Quantity.value", 0, 1, "decimal", "", ""},
		{"narrowed by a profile", "SimpleQuantity", "comparator", "SimpleQuantity.comparator", 0, 0, "code", "", "required http://hl7.org/fhir/ValueSet/quantity-comparator"},
		{"backbone's type is its path", "Patient", "contact", "Patient.contact", 0, -1, "Patient.contact", "", ""},
		{"backbone's child", "Patient.contact", "name", "Patient.contact.name", 0, 1, "HumanName", "", ""},
		{"backbone inherits modifierExtension", "Patient.contact", "modifierExtension", "BackboneElement.modifierExtension", 0, -1, "Extension", "", ""},
		{"content reference", "Questionnaire.item", "item", "Questionnaire.item.item", 0, -1, "Questionnaire.item", "", ""},
		{"choice", "Patient", "deceased", "Patient.deceased[x]", 0, 1, "boolean dateTime", "", ""},
		{"reference targets", "Observation", "subject", "Observation.subject", 0, 1, "Reference", "Device Group Location Patient", ""},
		{"reference to any", "Provenance", "target", "Provenance.target", 1, -1, "Reference", "Resource", ""},
		{"required binding", "Patient", "gender", "Patient.gender", 0, 1, "code", "", "required http://hl7.org/fhir/ValueSet/administrative-gender"},
		{"extensible binding", "Patient", "maritalStatus", "Patient.maritalStatus", 0, 1, "CodeableConcept", "", "extensible http://hl7.org/fhir/ValueSet/marital-status"},
		{"min 1", "Observation", "code", "Observation.code", 1, 1, "CodeableConcept", "", ""},
		{"primitive's value", "positiveInt", "value", "integer.value", 0, 1, "System.Integer", "", ""},
		{"Extension.url is a uri", "Extension", "url", "Extension.url", 1, 1, "uri", "", ""},
		{"resource in a bundle", "Bundle.entry", "resource", "Bundle.entry.resource", 0, 1, "Resource", "", ""},
		{"unknown element", "Patient", "colour", "", 0, 0, "", "", ""},
		{"unknown type", "Martian", "id", "", 0, 0, "", "", ""},
		{"[x] is not a name", "Patient", "deceased[x]", "", 0, 0, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			e, ok := R4().Element(tt.typeName, tt.element)
			if ok != (tt.path != "") {
				t.Fatalf("found = %v", ok)
			}
			if !ok {
				return
			}
			if e.Path != tt.path || e.Min != tt.min || e.Max != tt.max {
				t.Errorf("got %s %d..%d, want %s %d..%d", e.Path, e.Min, e.Max, tt.path, tt.min, tt.max)
			}
			if got := strings.Join(e.Types, " "); got != tt.types {
				t.Errorf("types %q, want %q", got, tt.types)
			}
			if got := strings.Join(e.TargetTypes, " "); got != tt.targets {
				t.Errorf("targets %q, want %q", got, tt.targets)
			}
			binding := ""
			if e.Binding != nil {
				binding = e.Binding.Strength + " " + e.Binding.ValueSet
			}
			if binding != tt.binding {
				t.Errorf("binding %q, want %q", binding, tt.binding)
			}
		})
	}
}

func TestChoiceElement(t *testing.T) {
	tests := []struct{ rule, typeName, json, element, choice string }{
		{"complex type", "Observation", "valueQuantity", "value", "Quantity"},
		{"primitive type", "Observation", "valueDateTime", "value", "dateTime"},
		{"a type that is no choice here", "Observation", "valueAddress", "", ""},
		{"not a choice element", "Observation", "status", "", ""},
		{"the bare name", "Observation", "value", "", ""},
		{"backbone", "Observation.component", "valueSampledData", "value", "SampledData"},
		{"choice named like another element's start", "Extension", "valueUri", "value", "uri"},
		{"url is not a choice", "Extension", "url", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			e, choice, ok := R4().ChoiceElement(tt.typeName, tt.json)
			if ok != (tt.element != "") {
				t.Fatalf("found = %v", ok)
			}
			if ok && (e.Name != tt.element || choice != tt.choice || !e.Choice) {
				t.Errorf("got %s of %s, want %s of %s", e.Name, choice, tt.element, tt.choice)
			}
		})
	}
}

func TestSummaryModifierAndConstraints(t *testing.T) {
	d := R4()
	active, _ := d.Element("Patient", "active")
	if !active.Summary || !active.Modifier {
		t.Error("Patient.active is a modifier in the summary")
	}
	photo, _ := d.Element("Patient", "photo")
	if photo.Summary || photo.Modifier {
		t.Error("Patient.photo is neither a modifier nor in the summary")
	}
	contact, _ := d.Element("Patient", "contact")
	if len(contact.Constraints) != 1 || contact.Constraints[0].Key != "pat-1" || contact.Constraints[0].Severity != "error" {
		t.Errorf("Patient.contact has pat-1 and nothing else, got %v", contact.Constraints)
	}
	for typeName, keys := range map[string]string{
		"Element": "ele-1", "Extension": "ext-1", "DomainResource": "dom-2 dom-3 dom-4 dom-5 dom-6",
		"Quantity": "qty-3", "Age": "age-1", "Patient": "", "Observation": "obs-6 obs-7", "Reference": "ref-1",
	} {
		typ, ok := d.Type(typeName)
		if !ok {
			t.Errorf("no type %s", typeName)
			continue
		}
		var got []string
		for _, c := range typ.Constraints {
			got = append(got, c.Key)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != keys {
			t.Errorf("%s has constraints %v, want %s", typeName, got, keys)
		}
	}
	if !d.IsA("Age", "Quantity") || !d.IsA("Patient.contact", "Element") || d.IsA("Quantity", "Age") || !d.IsA("Patient", "Resource") {
		t.Error("IsA follows the bases")
	}
}

// Loading is on the way of every start and every test binary. The figures are
// printed, not asserted: they belong to the machine.
func TestLoadingFigures(t *testing.T) {
	decoding := testing.Benchmark(BenchmarkDecode)
	compiling := testing.Benchmark(BenchmarkCompileShapes)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, err := decode(r4Tables, assignedNumbers)
	if err != nil {
		t.Fatal(err)
	}
	s, err := compile(d)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d bytes are embedded; decoding takes %v, compiling the validator's shapes %v; both hold %d KiB",
		len(r4Tables)+len(assignedNumbers), time.Duration(decoding.NsPerOp()), time.Duration(compiling.NsPerOp()),
		(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1024)
	runtime.KeepAlive(d)
	runtime.KeepAlive(s)
	if embedded := len(r4Tables) + len(assignedNumbers); embedded > 2<<20 {
		t.Errorf("%d bytes are embedded, more than 2 MiB", embedded)
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(r4Tables, assignedNumbers); err != nil {
			b.Fatal(err)
		}
	}
}
