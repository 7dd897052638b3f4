package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mapped runs the command with text on stdin and gives what it wrote.
func mapped(t *testing.T, in string, args ...string) (string, int) {
	t.Helper()
	dir := t.TempDir()
	input, output := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(input, []byte(in), 0o600); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	stdin, stdout := os.Stdin, os.Stdout
	os.Stdin, os.Stdout = from, to
	code := run(t.Context(), append([]string{"map"}, args...))
	os.Stdin, os.Stdout = stdin, stdout
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(to)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), code
}

func TestMap(t *testing.T) {
	message, err := os.ReadFile("../../mapping/hl7v2/v2fhir/testdata/SIU_S12.hl7")
	if err != nil {
		t.Fatal(err)
	}
	bundle, code := mapped(t, string(message), "hl7v2-to-fhir", "--slug", "good")
	if code != 0 || !strings.Contains(bundle, `"resourceType": "Appointment"`) {
		t.Fatal(code, bundle)
	}
	back, code := mapped(t, bundle, "fhir-to-hl7v2", "--slug", "good", "--to", "EHR|HOSPITAL", "--zone", "America/Chicago")
	if code != 0 || !strings.HasPrefix(back, `MSH|^~\&|FHIRFACADE||EHR|HOSPITAL|`) || !strings.Contains(back, "\rSCH|P100^EHR|F100^SCHED|") {
		t.Fatal(code, back)
	}
	for _, args := range [][]string{{"hl7v2-to-fhir", "--explain"}, {"fhir-to-hl7v2", "--explain"}} {
		in := string(message)
		if args[0] == "fhir-to-hl7v2" {
			in = bundle
		}
		out, code := mapped(t, in, args...)
		var e explanation
		if err := json.NewDecoder(bytes.NewReader([]byte(out))).Decode(&e); err != nil || code != 0 || e.Message != "SIU^S12" || len(e.Steps) < 20 || len(e.Left) == 0 {
			t.Error(code, err, out)
		}
	}
	if out, code := mapped(t, "hello", "hl7v2-to-fhir"); code != 1 || out != "" {
		t.Error(code, out)
	}
}
