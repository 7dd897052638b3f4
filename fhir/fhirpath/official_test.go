package fhirpath_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// officialCase is a case of HL7's test suite for FHIRPath.
type officialCase struct {
	Name       string `xml:"name,attr"`
	Input      string `xml:"inputfile,attr"`
	Mode       string `xml:"mode,attr"`
	Predicate  bool   `xml:"predicate,attr"`
	Ordered    string `xml:"ordered,attr"`
	Expression struct {
		Text    string `xml:",chardata"`
		Invalid string `xml:"invalid,attr"`
		Mode    string `xml:"mode,attr"`
	} `xml:"expression"`
	Outputs []struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	} `xml:"output"`
}

// deviations are the official cases that this engine does not meet, with the
// reason. A case that starts to pass has to be taken off the list.
var deviations = map[string]string{}

func TestOfficialCases(t *testing.T) {
	data, err := os.ReadFile(sharedtest.Dir(t, "data", "fhirpath", "tests-fhir-r4.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Groups []struct {
			Name  string         `xml:"name,attr"`
			Tests []officialCase `xml:"test"`
		} `xml:"group"`
	}
	if err := xml.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	inputs := officialInputs(t)
	total, passed := 0, 0
	seen := map[string]bool{}
	for _, group := range suite.Groups {
		for _, c := range group.Tests {
			total++
			name := group.Name + "/" + c.Name
			seen[name] = true
			problem := runOfficialCase(&c, inputs)
			reason, listed := deviations[name]
			switch {
			case problem == "" && listed:
				t.Errorf("%s passes and is still listed as a deviation (%s)", name, reason)
			case problem == "":
				passed++
			case !listed:
				t.Errorf("%s: %s: %s", name, strings.TrimSpace(c.Expression.Text), problem)
			}
		}
	}
	for name := range deviations {
		if !seen[name] {
			t.Errorf("deviation %s is no case of the suite", name)
		}
	}
	t.Logf("%d of %d official cases pass (%.2f %%)", passed, total, 100*float64(passed)/float64(total))
	if passed*100 < total*98 {
		t.Errorf("fewer than 98 %% pass")
	}
}

func officialInputs(t *testing.T) map[string]*rawjson.Document {
	inputs := map[string]*rawjson.Document{}
	for name, file := range map[string]string{
		"patient-example":              "Patient-example.json",
		"observation-example":          "Observation-example.json",
		"questionnaire-example":        "Questionnaire-3141.json",
		"valueset-example-expansion":   "ValueSet-example-expansion.json",
		"codesystem-example":           "CodeSystem-example.json",
		"explanationofbenefit-example": "ExplanationOfBenefit-EB3500.json",
		"appointment-examplereq":       "Appointment-examplereq.json",
	} {
		data, err := os.ReadFile(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), file))
		if err != nil {
			t.Fatal(err)
		}
		inputs[name] = parse(t, data)
	}
	return inputs
}

func parse(t testing.TB, data []byte) *rawjson.Document {
	t.Helper()
	doc, err := rawjson.Parse(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func runOfficialCase(c *officialCase, inputs map[string]*rawjson.Document) (problem string) {
	root := fhirpath.Value{}
	ctx := &fhirpath.Context{
		Model:  r4model.R4(),
		Now:    func() time.Time { return time.Date(2024, 5, 17, 13, 28, 17, 239e6, time.FixedZone("", -7*3600)) },
		Strict: c.Mode == "strict" || c.Expression.Mode == "strict" || c.Expression.Invalid == "semantic",
	}
	if c.Input != "" {
		doc := inputs[strings.TrimSuffix(strings.TrimSuffix(c.Input, ".xml"), ".json")]
		if doc == nil {
			return "no input " + c.Input
		}
		var ok bool
		if root, ok = fhirpath.NewResource(ctx.Model, doc.Root()); !ok {
			return "input is no resource"
		}
	}
	expression, err := fhirpath.Compile(c.Expression.Text)
	var result fhirpath.Collection
	if err == nil {
		result, err = expression.Evaluate(ctx, root)
	}
	if c.Expression.Invalid != "" {
		if err == nil {
			return fmt.Sprintf("gave %s, want a failure (%s)", describe(result), c.Expression.Invalid)
		}
		return ""
	}
	if err != nil {
		return err.Error()
	}
	if c.Predicate {
		truth, ok, err := expression.Truth(ctx, root)
		if err != nil {
			return err.Error()
		}
		result = fhirpath.Collection{fhirpath.Boolean(truth && ok)}
	}
	var got, want []string
	for i, output := range c.Outputs {
		want = append(want, strings.TrimPrefix(output.Text, "@"))
		if i < len(result) && output.Type != "" && !strings.EqualFold(result[i].TypeName(), output.Type) {
			return fmt.Sprintf("item %d is a %s, want a %s", i, result[i].TypeName(), output.Type)
		}
	}
	for _, v := range result {
		got = append(got, strings.TrimPrefix(text(v), "T"))
	}
	for i := range want {
		want[i] = strings.TrimPrefix(want[i], "T")
	}
	if c.Ordered == "false" {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		return fmt.Sprintf("gave %q, want %q", got, want)
	}
	return ""
}

var toText = fhirpath.MustCompile("toString()")

// text is the value as toString() writes it.
func text(v fhirpath.Value) string {
	result, err := toText.Evaluate(&fhirpath.Context{Model: r4model.R4()}, v)
	if err != nil || len(result) != 1 {
		return v.TypeName()
	}
	s, _ := result[0].AsString()
	return s
}

func describe(values fhirpath.Collection) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, text(v))
	}
	return fmt.Sprintf("%q", texts)
}

var _ = errors.Is
