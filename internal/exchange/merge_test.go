package exchange

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/store"
)

const mark = `{"extension":[{"url":"` + redox.DefaultBase + `/StructureDefinition/` + redox.Assumed + `","valueBoolean":true}]}`

func TestMerge(t *testing.T) {
	for _, c := range []struct{ rule, typ, known, said, want string }{
		{"a new record is what is said", "Patient",
			``, `{"resourceType":"Patient","gender":"male"}`, `{"gender":"male"}`},
		{"what is left out is kept", "Patient",
			`{"gender":"male","birthDate":"1990-01-01"}`, `{"gender":"female"}`, `{"gender":"female","birthDate":"1990-01-01"}`},
		{"what is new is added", "Patient",
			`{"gender":"male"}`, `{"birthDate":"1990-01-01"}`, `{"gender":"male","birthDate":"1990-01-01"}`},
		{"identifiers are joined by system and value", "Patient",
			`{"identifier":[{"system":"a","value":"1","use":"old"},{"system":"b","value":"2"}]}`,
			`{"identifier":[{"system":"c","value":"3"},{"system":"a","value":"1"}]}`,
			`{"identifier":[{"system":"a","value":"1"},{"system":"b","value":"2"},{"system":"c","value":"3"}]}`},
		{"extensions are joined by url", "Patient",
			`{"extension":[{"url":"a","valueString":"old"},{"url":"b","valueString":"kept"}]}`,
			`{"extension":[{"url":"a","valueString":"new"}]}`,
			`{"extension":[{"url":"a","valueString":"new"},{"url":"b","valueString":"kept"}]}`},
		{"a choice of another type replaces the one there is", "Patient",
			`{"deceasedBoolean":true}`, `{"deceasedDateTime":"2026-01-01"}`, `{"deceasedDateTime":"2026-01-01"}`},
		{"an assumed value does not replace a known one", "Encounter",
			`{"status":"finished"}`, `{"status":"in-progress","_status":` + mark + `}`, `{"status":"finished"}`},
		{"a known value replaces an assumed one, and its mark", "Encounter",
			`{"status":"in-progress","_status":` + mark + `}`, `{"status":"finished"}`, `{"status":"finished"}`},
		{"an assumed value replaces an assumed one", "Encounter",
			`{"status":"in-progress","_status":` + mark + `}`, `{"status":"finished","_status":` + mark + `}`,
			`{"status":"finished","_status":` + mark + `}`},
		{"an assumed actor does not replace known participants", "Appointment",
			`{"participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]}`,
			`{"participant":[{"actor":` + mark + `,"status":"accepted"}]}`,
			`{"participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var known []byte
			if c.known != "" {
				known = []byte(c.known)
			}
			got, err := merge(conformance.R4(), known, []byte(c.said), store.Ref{Type: c.typ, ID: "x"})
			if err != nil {
				t.Fatal(err)
			}
			var have, want map[string]any
			for text, into := range map[string]*map[string]any{string(got): &have, c.want: &want} {
				if err := json.Unmarshal([]byte(text), into); err != nil {
					t.Fatalf("%v: %s", err, text)
				}
			}
			want["resourceType"], want["id"] = c.typ, "x"
			if !reflect.DeepEqual(have, want) {
				t.Errorf("merged to %s", got)
			}
			again, err := merge(conformance.R4(), got, []byte(c.said), store.Ref{Type: c.typ, ID: "x"})
			if err != nil || !sameContent(got, again) {
				t.Errorf("merging the same again gives %s (%v)", again, err)
			}
		})
	}
}
