package fhirpatch

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

func options() Options {
	return Options{Definitions: conformance.R4(), Model: r4model.R4(), Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }}
}

func apply(t testing.TB, resource, patch string) (string, error) {
	t.Helper()
	doc, err := rawjson.Parse([]byte(patch), nil)
	if err != nil {
		t.Fatalf("%v in %s", err, patch)
	}
	out, err := Apply([]byte(resource), doc.Root(), options())
	return string(out), err
}

func equal(t testing.TB, a, b string) bool {
	t.Helper()
	var x, y any
	for text, into := range map[string]*any{a: &x, b: &y} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	if a == b {
		return true
	}
	return reflect.DeepEqual(x, y)
}

// The published test cases of FHIRPath Patch.
func TestPublishedCases(t *testing.T) {
	data, err := os.ReadFile(sharedtest.Dir(t, "data", "patch", "fhir-patch-tests.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var cases struct {
		Case []struct {
			Name   string `xml:"name,attr"`
			Input  inner  `xml:"input"`
			Diff   inner  `xml:"diff"`
			Output inner  `xml:"output"`
			Error  *struct {
				Msg string `xml:"msg,attr"`
			} `xml:"error"`
		} `xml:"case"`
	}
	if err := xml.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases.Case) != 33 {
		t.Errorf("%d cases", len(cases.Case))
	}
	for _, c := range cases.Case {
		t.Run(c.Name, func(t *testing.T) {
			got, err := apply(t, c.Input.json(t), c.Diff.json(t))
			if c.Error != nil {
				if err == nil {
					t.Errorf("no error, want one like %q: %s", c.Error.Msg, got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := c.Output.json(t); !equal(t, got, want) {
				t.Errorf("%s, want\n%s", got, want)
			}
		})
	}
}

// inner is the text of an element.
type inner struct {
	Text string `xml:",innerxml"`
}

var spaces = regexp.MustCompile(`(\\n|\s)+`)

func (i inner) json(t *testing.T) string {
	t.Helper()
	out, err := fhirxml.AppendJSON(nil, []byte(i.Text))
	if err != nil {
		t.Fatalf("%v in %s", err, i.Text)
	}
	// The narratives of the cases differ in white space, once as attribute.
	out = bytes.ReplaceAll(out, []byte("&quot;"), []byte(`\"`))
	return strings.ReplaceAll(strings.ReplaceAll(spaces.ReplaceAllString(string(out), " "), "> ", ">"), " <", "<")
}

// part is a part of an operation.
func part(name, value string) string { return `{"name":"` + name + `",` + value + `}` }

func index(name string, i int) string { return part(name, `"valueInteger":`+strconv.Itoa(i)) }

func does(typ, path string, parts ...string) string {
	path = strings.ReplaceAll(path, `"`, `\"`)
	return `{"name":"operation","part":[` + strings.Join(append([]string{
		part("type", `"valueCode":"`+typ+`"`), part("path", `"valueString":"`+path+`"`),
	}, parts...), ",") + `]}`
}

func patchOf(operations ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(operations, ",") + `]}`
}

func named(name, value string) []string {
	return []string{part("name", `"valueString":"`+name+`"`), part("value", value)}
}

const patient = `{"resourceType":"Patient","id":"p","_birthDate":{"id":"b"},"name":[{"given":["a","b"],"_given":[null,{"id":"x"}],"family":"f"}],` +
	`"contact":[{"gender":"male"},{"name":{"text":"t"}}],"extension":[{"url":"u","valueDecimal":1.50}],"address":[{ "city" : "c" }]}`

func TestApply(t *testing.T) {
	for _, c := range []struct{ rule, resource, operation, want string }{
		{"what is not touched keeps its bytes", patient, does("add", "Patient", named("active", `"valueBoolean":true`)...),
			strings.TrimSuffix(patient, "}") + `,"active":true}`},
		{"add to a list of primitives", patient, does("add", "Patient.name[0]", named("given", `"valueString":"c"`)...),
			strings.Replace(patient, `"given":["a","b"],"_given":[null,{"id":"x"}]`, `"given":["a","b","c"],"_given":[null,{"id":"x"},null]`, 1)},
		{"insert a primitive with an extension", patient, does("insert", "Patient.name[0].given", index("index", 0), part("value", `"valueString":"c","_valueString":{"id":"y"}`)),
			strings.Replace(patient, `"given":["a","b"],"_given":[null,{"id":"x"}]`, `"given":["c","a","b"],"_given":[{"id":"y"},null,{"id":"x"}]`, 1)},
		{"move a primitive with its id", patient, does("move", "Patient.name[0].given", index("source", 1), index("destination", 0)),
			strings.Replace(patient, `"given":["a","b"],"_given":[null,{"id":"x"}]`, `"given":["b","a"],"_given":[{"id":"x"},null]`, 1)},
		{"delete a primitive with its id", patient, does("delete", "Patient.name[0].given[1]"),
			strings.Replace(patient, `"given":["a","b"],"_given":[null,{"id":"x"}]`, `"given":["a"]`, 1)},
		{"delete a primitive without a value", patient, does("delete", "Patient.birthDate"), strings.Replace(patient, `"_birthDate":{"id":"b"},`, "", 1)},
		{"delete the id of a primitive", patient, does("delete", "Patient.birthDate.id"), strings.Replace(patient, `"_birthDate":{"id":"b"},`, "", 1)},
		{"delete the id of one of several", patient, does("delete", "Patient.name.given.id"), strings.Replace(patient, `,"_given":[null,{"id":"x"}]`, "", 1)},
		{"delete the last child, and the element with it", patient, does("delete", "Patient.contact[1].name.text"), strings.Replace(patient, `,{"name":{"text":"t"}}`, "", 1)},
		{"delete what is not there", patient, does("delete", "Patient.photo"), patient},
		{"replace an element of a list", patient, does("replace", "Patient.contact.where(gender='male')", part("value", `"part":[{"name":"gender","valueCode":"female"},{"name":"telecom","part":[{"name":"value","valueString":"1"}]},{"name":"telecom","valueContactPoint":{"value":"2"}}]`)),
			strings.Replace(patient, `{"gender":"male"}`, `{"gender":"female","telecom":[{"value":"1"},{"value":"2"}]}`, 1)},
		{"replace a choice by one of another type", patient, does("replace", "Patient.extension[0].value", part("value", `"valueString":"s"`)),
			strings.Replace(patient, `"valueDecimal":1.50`, `"valueString":"s"`, 1)},
		{"add a choice", `{"resourceType":"Patient"}`, does("add", "Patient", named("deceased", `"valueDateTime":"2020"`)...), `{"resourceType":"Patient","deceasedDateTime":"2020"}`},
		{"add a choice as element definitions name it", `{"resourceType":"Patient"}`, does("add", "Patient", named("deceased[x]", `"valueBoolean":true`)...), `{"resourceType":"Patient","deceasedBoolean":true}`},
		{"add an extension to a primitive", `{"resourceType":"Patient","birthDate":"2000"}`, does("add", "Patient.birthDate", named("extension", `"part":[{"name":"url","valueUri":"u"},{"name":"value","valueCode":"c"}]`)...),
			`{"resourceType":"Patient","birthDate":"2000","_birthDate":{"extension":[{"url":"u","valueCode":"c"}]}}`},
		{"add another extension to a primitive", `{"resourceType":"Patient","_birthDate":{"extension":[{"url":"u","valueCode":"c"}]}}`, does("add", "Patient.birthDate", named("extension", `"part":[{"name":"url","valueUri":"v"},{"name":"value","valueCode":"d"}]`)...),
			`{"resourceType":"Patient","_birthDate":{"extension":[{"url":"u","valueCode":"c"},{"url":"v","valueCode":"d"}]}}`},
		{"add an extension to one of several primitives", `{"resourceType":"Patient","name":[{"given":["a","b"]}]}`, does("add", "Patient.name.given[1]", named("id", `"valueString":"i"`)...),
			`{"resourceType":"Patient","name":[{"given":["a","b"],"_given":[null,{"id":"i"}]}]}`},
		{"add a contained resource", `{"resourceType":"Patient"}`, does("add", "Patient", named("contained", `"resource":{"resourceType":"Group","id":"g"}`)...), `{"resourceType":"Patient","contained":[{"resourceType":"Group","id":"g"}]}`},
		{"within a contained resource", `{"resourceType":"Patient","contained":[{"resourceType":"Group","id":"g"}]}`, does("add", "Patient.contained[0]", named("active", `"valueBoolean":true`)...),
			`{"resourceType":"Patient","contained":[{"resourceType":"Group","id":"g","active":true}]}`},
		{"the clock", `{"resourceType":"Patient","birthDate":"2000"}`, does("delete", "Patient.birthDate.where($this < today())"), `{"resourceType":"Patient"}`},
	} {
		got, err := apply(t, c.resource, patchOf(c.operation))
		if err != nil || got != c.want {
			t.Errorf("%s: %v\n%s, want\n%s", c.rule, err, got, c.want)
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	value := part("value", `"valueString":"secret"`)
	for _, c := range []struct {
		rule, patch string
		status      int
	}{
		{"another resource", `{"resourceType":"Patient"}`, 400},
		{"a parameter that is no operation", patchOf(`{"name":"op"}`), 400},
		{"no type", patchOf(`{"name":"operation","part":[` + part("path", `"valueString":"Patient"`) + `]}`), 400},
		{"an unknown type", patchOf(does("remove", "Patient.id")), 400},
		{"an unknown part", patchOf(does("delete", "Patient.id", part("secret", `"valueString":"x"`))), 400},
		{"a part that is not of the operation", patchOf(does("delete", "Patient.contact[0]", value)), 400},
		{"a part twice", patchOf(does("replace", "Patient.id", value, value)), 400},
		{"no value", patchOf(does("replace", "Patient.id")), 400},
		{"an empty value", patchOf(does("replace", "Patient.id", `{"name":"value"}`)), 400},
		{"a path that is none", patchOf(does("delete", "secret..secret")), 400},
		{"an index that is none", patchOf(does("insert", "Patient.contact", part("index", `"valueInteger":-1`), value)), 400},
		{"nothing to replace", patchOf(does("replace", "Patient.photo", value)), 422},
		{"nothing to add to", patchOf(does("add", "Patient.photo", named("title", `"valueString":"x"`)...)), 422},
		{"several to delete", patchOf(does("delete", "Patient.contact")), 422},
		{"several to add to", patchOf(does("add", "Patient.contact", named("gender", `"valueCode":"x"`)...)), 422},
		{"an element that is there", patchOf(does("add", "Patient.name", named("family", `"valueString":"x"`)...)), 422},
		{"a choice that is there", patchOf(does("add", "Patient.extension", named("value", `"valueString":"x"`)...)), 422},
		{"an unknown element", patchOf(does("add", "Patient", named("secret", `"valueString":"x"`)...)), 422},
		{"a type that the element does not take", patchOf(does("add", "Patient", named("photo", `"valueString":"x"`)...)), 422},
		{"a number for a string", patchOf(does("replace", "Patient.name.family", part("value", `"valueInteger":1`))), 422},
		{"a type that the choice does not have", patchOf(does("add", "Patient", named("deceased", `"valueString":"x"`)...)), 422},
		{"parts for a primitive", patchOf(does("replace", "Patient.name.family", part("value", `"part":[{"name":"id","valueString":"x"}]`))), 422},
		{"the value of a primitive", patchOf(does("add", "Patient.name.family", named("value", `"valueString":"x"`)...)), 422},
		{"no list", patchOf(does("insert", "Patient.photo", index("index", 0), value)), 422},
		{"a part of a list", patchOf(does("move", "Patient.contact.where(gender.exists())", index("source", 0), index("destination", 0))), 422},
		{"an element that does not repeat", patchOf(does("insert", "Patient.id", index("index", 0), value)), 422},
		{"an index beyond the end", patchOf(does("insert", "Patient.name.given", index("index", 3), value)), 422},
		{"a source beyond the end", patchOf(does("move", "Patient.name.given", index("source", 2), index("destination", 0))), 422},
		{"a value and no element", patchOf(does("delete", "'secret'")), 422},
		{"the resource itself", patchOf(does("delete", "Patient")), 422},
		{"the resource itself, replaced", patchOf(does("replace", "Patient", value)), 422},
		{"a path without an end", patchOf(does("delete", "'a'.repeat($this + 'a')")), 422},
		{"too many operations", patchOf(strings.Repeat(does("delete", "Patient.photo")+",", 500) + does("delete", "Patient.photo")), 422},
	} {
		got, err := apply(t, patient, c.patch)
		var e *outcome.Error
		switch {
		case !errors.As(err, &e) || e.Status != c.status || got != "":
			t.Errorf("%s: %v %s", c.rule, err, got)
		case strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the error shows a value: %v", c.rule, err)
		}
	}
}

// FuzzApply: whatever the patch, the result is one JSON object or an error.
func FuzzApply(f *testing.F) {
	for _, operation := range []string{
		does("delete", "Patient.name.given[1]"), does("add", "Patient.name", named("given", `"valueString":"x"`)...),
		does("move", "Patient.contact", index("source", 0), index("destination", 1)),
		does("insert", "Patient.contact", index("index", 1), part("value", `"part":[{"name":"gender","valueCode":"x","_valueCode":{"id":"y"}}]`)),
		does("replace", "Patient.descendants().where($this is Extension)", part("value", `"valueExtension":{"url":"x"}`)),
	} {
		f.Add(patient, patchOf(operation))
	}
	f.Fuzz(func(t *testing.T, resource, patch string) {
		r, err := rawjson.Parse([]byte(resource), nil)
		if err != nil || len(conformance.ValidateStructureOf(r.Root())) > 0 {
			return
		}
		p, err := rawjson.Parse([]byte(patch), nil)
		if err != nil || len(conformance.ValidateStructureOf(p.Root())) > 0 {
			return
		}
		out, err := Apply([]byte(resource), p.Root(), options())
		var e *outcome.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatal(err)
		}
		if err == nil && !json.Valid(out) {
			t.Fatalf("%s", out)
		}
	})
}
