package redox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
	"github.com/fhirfacade/fhirfacade/mapping"
)

var testOptions = Options{Slug: "health-one", Base: "https://fhir.example.org"}

// through sends a message to FHIR, its resources through FHIR JSON, and the
// result back.
func through(t testing.TB, m *Message) (*mapping.Message, *Message) {
	t.Helper()
	return throughRapid(t, m)
}

// fatal is what testing and rapid have in common.
type fatal interface{ Fatalf(string, ...any) }

func throughRapid(t fatal, m *Message) (*mapping.Message, *Message) {
	f, err := m.ToFHIR(testOptions)
	if err != nil {
		t.Fatalf("ToFHIR: %v", err)
	}
	wire := *f
	wire.Entries = nil
	for _, e := range f.Entries {
		data, err := mapping.MarshalResource(e.Resource)
		if err != nil {
			t.Fatalf("%s: %v", mapping.TypeName(e.Resource), err)
		}
		for _, issue := range conformance.ValidateStructure(data) {
			t.Fatalf("%s is not valid: %+v\n%s", mapping.TypeName(e.Resource), issue, data)
		}
		c, err := mapping.UnmarshalResource(data)
		if err != nil {
			t.Fatalf("%s is not accepted: %v\n%s", mapping.TypeName(e.Resource), err, data)
		}
		e.Resource = c
		wire.Entries = append(wire.Entries, e)
	}
	back, err := FromFHIR(&wire, testOptions)
	if err != nil {
		t.Fatalf("FromFHIR: %v", err)
	}
	return f, back
}

// plain is a message as data without the members that mean nothing: null, "",
// [] and {}.
func plain(t testing.TB, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	v, _ = normal(v, true)
	return v
}

func marshal(t testing.TB, m *Message) []byte {
	t.Helper()
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// differences are what a message loses or changes on its way through FHIR and
// back, beside members without content.
var differences = []struct {
	path   string // member names from the top
	reason string
	same   func(before, after string) bool
}{
	{"Slots.DateTime", "the same instant, written with T as ISO 8601 has it", testOptions.same},
}

// forgive makes the known differences equal. A single number for PhoneNumber,
// which old messages have, comes back as its Office, as the model has it.
func forgive(before, after any, path string) any {
	switch a := after.(type) {
	case map[string]any:
		if number, ok := before.(string); ok && strings.HasSuffix(path, ".PhoneNumber") && len(a) == 1 && a["Office"] == number {
			return before
		}
		b, _ := before.(map[string]any)
		for k := range a {
			a[k] = forgive(b[k], a[k], strings.TrimPrefix(path+"."+k, "."))
		}
	case []any:
		b, _ := before.([]any)
		for i := range a {
			if i < len(b) {
				a[i] = forgive(b[i], a[i], path)
			}
		}
	case string:
		b, _ := before.(string)
		for _, d := range differences {
			if d.path == path && a != b && d.same(b, a) {
				return b
			}
		}
	}
	return after
}

// TestSamplesRoundTrip sends the documented messages that have a translation
// to FHIR and back.
func TestSamplesRoundTrip(t *testing.T) {
	count := 0
	for name, data := range samples(t) {
		model, event := pairOf(name)
		if !translated(model, event) {
			continue
		}
		count++
		t.Run(name, func(t *testing.T) {
			m := parseSample(t, name, data)
			_, back := through(t, m)
			want, got := plain(t, data), plain(t, marshal(t, back))
			if diff := cmp.Diff(want, forgive(want, got, "")); diff != "" {
				t.Errorf("differs (-sample +got):\n%s", diff)
			}
		})
	}
	if count < 19 {
		t.Errorf("%d samples of Scheduling and PatientAdmin, want at least 19", count)
	}
}

// catalogueField is a row of the catalogue, as the tests need it.
type catalogueField struct {
	Path, Type, Items string
	Required          bool
}

func catalogue(t testing.TB) map[string]map[string]struct{ Fields []catalogueField } {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(sharedtest.Dir(t, "data", "redox"), "models.json"))
	if err != nil {
		t.Fatal(err)
	}
	var models map[string]map[string]struct{ Fields []catalogueField }
	if err := json.Unmarshal(data, &models, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	return models
}

// fillings are words that the tables know, spelled as they spell them and
// otherwise, by the name of the field. The other fields get a text that nobody
// knows.
var fillings = map[string]map[string][]string{
	"unknown words": {},
	"known words": {
		"Sex": {"Female"}, "Race": {"Asian"}, "MaritalStatus": {"Widowed"}, "PatientClass": {"Emergency"},
		"RelationToPatient": {"Mother"}, "Roles": {"Emergency Contact", "Next of Kin"}, "Relationship": {"Father", "Spouse"},
		"Priority": {"Primary", "Secondary"}, "Type": {"Working", "Admitting"}, "Language": {"en"}, "IDType": {"MR", "NPI"},
		"Codeset": {"ICD-10", "SNOMED CT"}, "Code": {"A1", "B2", "C3"}, "Status": {"Arrived"}, "CanceledEvent": {"Discharge"},
	},
	"other spellings": {
		"Sex": {"F"}, "Race": {"black"}, "MaritalStatus": {"Registered domestic partner"}, "PatientClass": {"Recurring"},
		"RelationToPatient": {"SELF"}, "Roles": {"NEXT OF KIN", "Employer"}, "Relationship": {"SELF", "son"},
		"Priority": {"primary", "Quaternary"}, "Type": {"final", "Discharge"}, "Language": {"en US"}, "IDType": {"1.2.3", "VN", "urn:x:y"},
		"Codeset": {"I10", "2.16.840.1.113883.6.96", "http://example.org/cs", "1.2.3"}, "Code": {"A1", "B  2", " C3"}, "Status": {"checked in"},
		"CanceledEvent": {"Arrival"}, "DOB": {"1987-11-23T05:00:00Z", "23.11.1987", "1987"}, "FirstName": {"Ada"},
		"VisitDateTime": {"2026-03-09T15:21:47.123456789Z"}, "DateTime": {"2026-03-09", "soon"}, "StreetAddress": {"a, b"},
		"EffectiveDate": {"2025"}, "PolicyNumber": {"same"}, "MemberNumber": {"same"}, "GroupNumber": {"same"}, "GroupName": {"same"},
	},
}

// everyField builds a message with a value in every field of the catalogue,
// and two items in every list.
func everyField(model, event string, fields []catalogueField, words map[string][]string) map[string]any {
	root := map[string]any{}
	n := 0
	value := func(f catalogueField, kind string) any {
		n++
		last := strings.TrimSuffix(f.Path[strings.LastIndexByte(f.Path, '.')+1:], "[]")
		switch {
		case f.Path == "Meta.DataModel":
			return model
		case f.Path == "Meta.EventType":
			return event
		case kind != "number" && kind != "boolean" && len(words[last]) > 0:
			return words[last][n%len(words[last])]
		case kind == "datetime" || strings.HasSuffix(last, "DateTime"):
			return fmt.Sprintf("2026-03-%02dT09:%02d:00.000Z", n%28+1, n%60)
		case kind == "date":
			return fmt.Sprintf("2026-03-%02d", n%28+1)
		case kind == "number":
			return n
		case kind == "boolean":
			return true
		}
		return fmt.Sprintf("%s %d", last, n)
	}
	var fill func(at any, parts []string, f catalogueField)
	fill = func(at any, parts []string, f catalogueField) {
		if list, ok := at.([]any); ok {
			for _, item := range list {
				fill(item, parts, f)
			}
			return
		}
		object := at.(map[string]any)
		name := strings.TrimSuffix(parts[0], "[]")
		if len(parts) > 1 {
			fill(object[name], parts[1:], f)
			return
		}
		switch {
		case f.Type == "object":
			object[name] = map[string]any{}
		case f.Type == "array" && f.Items == "object":
			object[name] = []any{map[string]any{}, map[string]any{}}
		case f.Type == "array":
			object[name] = []any{value(f, f.Items), value(f, f.Items)}
		default:
			object[name] = value(f, f.Type)
		}
	}
	for _, f := range fields {
		fill(root, strings.Split(f.Path, "."), f)
	}
	return root
}

// parseEvent reads a message of an event, an answer too.
func parseEvent(e Event, data []byte) (*Message, error) {
	if e.Response {
		return ParseResponse(data, e.DataModel, e.EventType)
	}
	return Parse(data)
}

// TestEveryFieldSurvives fills every field that the catalogue has for an event
// and expects it back.
func TestEveryFieldSurvives(t *testing.T) {
	models := catalogue(t)
	for _, e := range Events() {
		if !translated(e.DataModel, e.EventType) {
			continue
		}
		for filling, words := range fillings {
			t.Run(e.DataModel+":"+e.EventType+"/"+filling, func(t *testing.T) {
				message := everyField(e.DataModel, e.EventType, models[e.DataModel][e.EventType].Fields, words)
				data, err := json.Marshal(message)
				if err != nil {
					t.Fatal(err)
				}
				m, err := parseEvent(e, data)
				if err != nil {
					t.Fatal(err)
				}
				_, back := through(t, m)
				want, got := plain(t, data), plain(t, marshal(t, back))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("differs (-sent +got):\n%s", diff)
				}
			})
		}
	}
}
