package conformance

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

var expressionForm = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9]*(\[[0-9]+\])?(\.[A-Za-z][A-Za-z0-9]*(\[[0-9]+\])?)*)?$`)

func FuzzValidateStructure(f *testing.F) {
	for _, seed := range []string{
		`{"resourceType":"Patient"}`,
		`{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"u","valueCode":"a"}]}]}],"_birthDate":{"id":"x"}}`,
		`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"1-8"}]},"valueQuantity":{"value":1.50,"unit":"mg"},"subject":{"reference":"Patient/1"}}`,
		`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient","contained":[{"resourceType":"Organization"}]},"request":{"method":"POST","url":"Patient"}}]}`,
		`{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","valueInstant":"2000-01-01T00:00:00Z"}]}]}`,
		`{"\u0072esourceType":"Patient","activ\u0065":true}`,
		`{"id":"a","resourceType":"Condition","clinicalStatus":{"text":"a"},"onsetAge":{"value":1},"onsetString":"x"}`,
		`[1,{"a":null}]`, `{"resourceType":"Patient","_name":[null]}`, "", "\xef\xbb\xbf{}", `{"resourceType":"Patient","_deceasedBoolean":[[[]]]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := slices.Clone(data)
		issues := ValidateStructure(data)
		if !slices.Equal(before, data) {
			t.Fatal("the text was changed")
		}
		if len(issues) == 0 && !json.Valid(data) {
			t.Fatal("what is no JSON was found valid")
		}
		lines := 1
		for _, c := range data {
			if c == '\n' {
				lines++
			}
		}
		for _, issue := range issues {
			if issue.Severity == "" || issue.Code == "" || issue.Diagnostics == "" {
				t.Fatalf("incomplete issue %+v", issue)
			}
			if !expressionForm.MatchString(issue.Expression) {
				t.Fatalf("expression %q is no path of elements", issue.Expression)
			}
			if issue.Line < 1 || issue.Line > lines || issue.Column < 1 {
				t.Fatalf("%d:%d is outside the text", issue.Line, issue.Column)
			}
		}
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			if len(issues) != 1 || issues[0].Severity != SeverityFatal {
				t.Fatalf("unreadable JSON gave %+v", issues)
			}
			return
		}
		if again := ValidateStructureOf(doc.Root()); !slices.Equal(again, issues) {
			t.Fatalf("the parsed text gives other issues:\n%+v\n%+v", issues, again)
		}
	})
}
