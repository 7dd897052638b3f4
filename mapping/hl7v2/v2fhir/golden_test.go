package v2fhir_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2/v2fhir"
)

var update = flag.Bool("update", false, "write the golden files")

func options() v2fhir.Options {
	return v2fhir.Options{
		Slug: "good", Now: time.Date(2026, 3, 2, 14, 0, 0, 0, time.UTC), ControlID: "OUT1",
		Zone:               time.FixedZone("", -5*3600),
		SendingApplication: "FACADE", SendingFacility: "HOME", ReceivingApplication: "ADT1", ReceivingFacility: "GOOD HEALTH",
	}
}

func samples(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*.hl7")
	if err != nil || len(files) < 30 {
		t.Fatal(len(files), err)
	}
	return files
}

func read(t testing.TB, file string) *hl7v2.Message {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := hl7v2.Parse(bytes.ReplaceAll(data, []byte("\n"), []byte("\r")), hl7v2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestGolden: what each sample is in FHIR, what was left, and the message that
// is made of that FHIR.
func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range samples(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r, err := v2fhir.ToFHIR(read(t, file), options())
			if err != nil {
				t.Fatal(err)
			}
			seen[r.Code] = true
			bundle, err := r.Bundle()
			if err != nil {
				t.Fatal(err)
			}
			for _, issue := range conformance.ValidateStructure(bundle) {
				if issue.Severity == conformance.SeverityError || issue.Severity == conformance.SeverityFatal {
					t.Error(issue.Expression, issue.Code, issue.Diagnostics)
				}
			}
			w, err := v2fhir.FromFHIR(bundle, r.Code, options())
			if err != nil {
				t.Fatal(err)
			}
			back, err := w.Encode()
			if err != nil {
				t.Fatal(err)
			}
			m, err := hl7v2.Parse(back, hl7v2.Options{})
			if err != nil {
				t.Fatal(err)
			}
			h := m.Header()
			if problems := m.Group(hl7v2.StructureOf(h.Type, h.Event)).Check(); len(problems) > 0 {
				t.Error("what was written is not of its structure: ", problems)
			}
			var text strings.Builder
			for _, left := range r.Left {
				text.WriteString("left " + left + "\n")
			}
			for _, warning := range r.Warnings {
				text.WriteString("warning " + warning.Error() + "\n")
			}
			for _, left := range w.Left {
				text.WriteString("left " + left + "\n")
			}
			text.WriteString(strings.ReplaceAll(string(back), "\r", "\n"))
			golden(t, strings.TrimSuffix(file, ".hl7")+".fhir.golden", string(bundle))
			golden(t, strings.TrimSuffix(file, ".hl7")+".back.golden", text.String())

			// What FHIR says of the message that was made is the same again.
			again, err := v2fhir.ToFHIR(m, options())
			if err != nil {
				t.Fatal(err)
			}
			for i := range again.Entries {
				if i < len(r.Entries) {
					if diff := cmp.Diff(r.Entries[i].Resource, again.Entries[i].Resource); diff != "" {
						t.Error("FHIR → HL7 v2 → FHIR: " + diff)
					}
				}
			}
			if len(again.Entries) != len(r.Entries) {
				t.Error("resources: ", len(r.Entries), len(again.Entries))
			}
		})
	}
	for _, code := range v2fhir.Events() {
		if !seen[code] && code != "MDM^T04" && code != "MDM^T06" {
			t.Error("there is no sample of " + code)
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}
