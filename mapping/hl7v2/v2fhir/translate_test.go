package v2fhir_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2/v2fhir"
)

const header = "MSH|^~\\&|A|B|C|D|20260302090000-0500||"

func toFHIR(t *testing.T, text string) (*v2fhir.Result, error) {
	t.Helper()
	m, err := hl7v2.Parse([]byte(text), hl7v2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v2fhir.ToFHIR(m, v2fhir.Options{Slug: "good"})
}

// TestBadMessages: what is wrong is named by its place and its rule, and
// decides between AE and AR.
func TestBadMessages(t *testing.T) {
	for _, c := range []struct {
		name, text, code, want, path string
	}{
		{"an unknown type", header + "ABC^A01|M1|P|2.5.1\r", "AR", "200", "MSH-9.1"},
		{"an unknown event", header + "ADT^A99|M1|P|2.5.1\r", "AR", "201", "MSH-9.2"},
		{"no PID", header + "ADT^A08|M1|P|2.5.1\rEVN||2026\r", "AE", "100", "PID"},
		{"no identifier", header + "ADT^A08|M1|P|2.5.1\rEVN||2026\rPID|1||||Muster^A\r", "AE", "101", "PID-3"},
		{"a date that is none", header + "ADT^A08|M1|P|2.5.1\rEVN||2026\rPID|1||1^^^A||Muster^A||19751301\r", "AE", "102", "PID[1]-7[1]"},
		{"a number that is none", header + "DFT^P03|M1|P|2.5.1\rEVN||2026\rPID|1||1^^^A\rFT1|1|||20260101||CG|X|||many\r", "AE", "102", "FT1[1]-10[1]"},
		{"an appointment without a time", header + "SIU^S12|M1|P|2.5.1\rSCH|1^A|2^B\rPID|1||1^^^A\r", "AE", "101", "SCH-11"},
		{"a document in base 64 that is none", header + "MDM^T02|M1|P|2.5.1\rEVN||2026\rPID|1||1^^^A\rPV1|1|I\rTXA|1|DS||||||||||D1|||||AU\rOBX|1|ED|||^application^pdf^Base64^!!\r", "AE", "102", "OBX[1]-5[1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := toFHIR(t, c.text)
			if got := hl7v2.CodeOf(err); got != c.code {
				t.Error(got, err)
			}
			var e *hl7v2.Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if got, _ := e.Condition(); got != c.want || e.Path.String() != c.path {
				t.Errorf("%s at %s: %v", got, e.Path, err)
			}
			if strings.Contains(err.Error(), "Muster") || strings.Contains(err.Error(), "19751301") {
				t.Error("the error tells a value: ", err)
			}
		})
	}
}

// TestOddities: what is understood with a warning, and what it becomes.
func TestOddities(t *testing.T) {
	adt := func(pid, rest string) string {
		return header + "ADT^A08|M1|P|2.5.1\rEVN||2026\rPID|1||1^^^A|" + pid + "\r" + rest
	}
	for _, c := range []struct {
		name, text, path, want string
		warnings               int
	}{
		{"zeros for a date", adt("|||00000000", ""), "birthDate", "", 1},
		{"a sex that is not of the table", adt("||||X", ""), "gender", "", 1},
		{"a sex in small letters", adt("||||f", ""), "gender", "female", 0},
		{"a local sex", adt("||||W", ""), "gender", "female", 0},
		{"a year alone", adt("|||1975", ""), "birthDate", "1975", 0},
		{"a birth with a time", adt("|||197501021530", ""), "birthDate", "1975-01-02", 0},
		{"an email in the number", adt("|||||||||a@example.org", ""), "telecom.0.system", "email", 0},
		{"a marital status of its own letter", adt("||||||||||||A^Separated", ""), "maritalStatus.coding.0.code", "L", 0},
		{"a social security number of equal digits", adt("|||||||||||||||000-00-0000", ""), "identifier.1.value", "", 1},
		{"a null", adt("||||\"\"", ""), "gender", "", 0},
		{"a death with a date", adt("|||||||||||||||||||||||||20260101|Y", ""), "deceasedBoolean", "", 0},
		{"no PV1", adt("", ""), "identifier.0.value", "1", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := hl7v2.Parse([]byte(c.text), hl7v2.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := v2fhir.ToFHIR(m, v2fhir.Options{Slug: "good", Codes: map[string]map[string]string{"0001": {"W": "female"}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := at(r.Entries[0].Resource, c.path); got != c.want {
				t.Errorf("%s is %q, want %q", c.path, got, c.want)
			}
			if len(r.Warnings) != c.warnings {
				t.Error(r.Warnings)
			}
			for _, s := range r.Steps {
				if s.Null != (c.name == "a null" && s.FHIR == "Patient.gender") {
					t.Error("null", s)
				}
			}
		})
	}
}

// at follows "telecom.0.system".
func at(x any, path string) string {
	for _, name := range strings.Split(path, ".") {
		switch v := x.(type) {
		case map[string]any:
			x = v[name]
		case []any:
			if n := int(name[0] - '0'); n < len(v) {
				x = v[n]
			} else {
				return ""
			}
		}
	}
	s, _ := x.(string)
	return s
}

// TestAnAppsBundle: FHIR that no message was behind.
func TestAnAppsBundle(t *testing.T) {
	bundle, err := os.ReadFile("../../redox/testdata/writeback.create.json")
	if err != nil {
		t.Fatal(err)
	}
	w, err := v2fhir.FromFHIR(bundle, "SIU^S12", options())
	if err != nil {
		t.Fatal(err)
	}
	text, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/app.create.golden", strings.ReplaceAll(string(text), "\r", "\n")+"left "+strings.Join(w.Left, "\nleft ")+"\n")
}

func TestBundlesThatMakeNoMessage(t *testing.T) {
	patient := `{"resourceType":"Patient","name":[{"family":"Muster"}]}`
	bundle := func(resource string) string {
		return `{"resourceType":"Bundle","type":"message","entry":[{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":` + resource + `}]}`
	}
	for _, c := range []struct {
		name, bundle, code string
		want               error
		at                 string
	}{
		{"no JSON", "{", "ADT^A08", v2fhir.ErrFHIR, ""},
		{"no Bundle", patient, "ADT^A08", v2fhir.ErrBundle, ""},
		{"no event", bundle(patient), "", v2fhir.ErrBundle, "MessageHeader"},
		{"an unknown event", bundle(patient), "ADT^A99", hl7v2.ErrEvent, "MSH-9.2"},
		{"no patient", bundle(`{"resourceType":"Basic","code":{"text":"x"}}`), "ADT^A08", v2fhir.ErrRequired, "Patient"},
		{"no identifier", bundle(patient), "ADT^A08", v2fhir.ErrRequired, "Patient.identifier"},
		{"not valid", bundle(`{"resourceType":"Patient","gender":7}`), "ADT^A08", v2fhir.ErrFHIR, "gender"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := v2fhir.FromFHIR([]byte(c.bundle), c.code, options())
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.at) || strings.Contains(err.Error(), "Muster") {
				t.Error(err)
			}
		})
	}
}

// TestStepsNameEveryLine: an explanation has a line for what is there.
func TestStepsNameEveryLine(t *testing.T) {
	r, err := v2fhir.ToFHIR(read(t, "testdata/ADT_A01.hl7"), options())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range r.Steps {
		if strings.HasPrefix(s.V2, "PID[1]-5") || strings.HasPrefix(s.V2, "PV1[1]-44") || strings.HasPrefix(s.V2, "NK1[1]-2") {
			got = append(got, s.V2+" "+s.FHIR+" "+s.Rule)
		}
	}
	want := []string{
		"PID[1]-5[1] Patient.name[] XPN ↔ HumanName", "PID[1]-5[2] Patient.name[] XPN ↔ HumanName",
		"NK1[1]-2[1] Patient.contact[].name XPN ↔ HumanName", "PV1[1]-44[1] Encounter.period.start TS ↔ dateTime",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzToFHIR: whatever the message, the result is valid FHIR or an error, and
// a message can be made of it or what is missing is named.
func FuzzToFHIR(f *testing.F) {
	for _, file := range samples(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := hl7v2.Parse(data, hl7v2.Options{})
		if err != nil {
			return
		}
		r, err := v2fhir.ToFHIR(m, options())
		if err != nil {
			return
		}
		bundle, err := r.Bundle()
		if err != nil || !json.Valid(bundle) {
			t.Fatal(err)
		}
		for _, issue := range conformance.ValidateStructure(bundle) {
			if issue.Severity == conformance.SeverityError || issue.Severity == conformance.SeverityFatal {
				t.Fatal(issue.Expression, issue.Code, issue.Diagnostics)
			}
		}
		w, err := v2fhir.FromFHIR(bundle, r.Code, options())
		if err != nil {
			return
		}
		if _, err := w.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkToFHIR(b *testing.B) {
	m := read(b, "testdata/SIU_S12.hl7")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v2fhir.ToFHIR(m, options()); err != nil {
			b.Fatal(err)
		}
	}
}
