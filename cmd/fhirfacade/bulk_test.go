package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// lines reads an NDJSON file, packed or not.
func lines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		var plain bytes.Buffer
		if _, err := plain.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
		text = plain.Bytes()
	}
	var all []string
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		all = append(all, scan.Text())
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	b := []byte(text)
	if strings.HasSuffix(path, ".gz") {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		b = packed.Bytes()
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// total counts resources by a search.
func (s *serving) total(query string) int {
	s.t.Helper()
	status, body := s.get(development + "/" + query + "&_summary=count")
	var b struct{ Total int }
	if err := json.Unmarshal([]byte(body), &b); err != nil || status != 200 {
		s.t.Fatalf("%d %s", status, body)
	}
	return b.Total
}

const faulty = `{"resourceType":"Patient","id":"a","name":[{"family":"Fernsby"}]}

{"resourceType":"Patient","id":"b","birthDate":"yesterday"}
no JSON
{"resourceType":"Patient","name":[{"family":"Fernsby"}]}
`

const document = `{
  "resourceType": "Bundle",
  "type": "collection",
  "entry": [
    {"resource": {"resourceType": "Patient", "id": "c"}},
    {"resource": {"resourceType": "Organization", "id": "o", "name": "General"}}
  ]
}`

// What is imported comes out by an export, with a server and without one.
func TestExportAndImport(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	s := startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", data)
	online := []string{"--server", s.url}
	listen := strings.TrimPrefix(s.url, "http://")
	plain := write(t, filepath.Join(dir, "patients.ndjson"), faulty)
	packed := write(t, filepath.Join(dir, "packed.ndjson.gz"), `{"resourceType":"Observation","id":"p","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/a"}}`)
	bundle := write(t, filepath.Join(dir, "bundle.json"), document)
	rejects := filepath.Join(dir, "rejects.ndjson")

	out, err := command(t, append([]string{"import", "--dry-run", "--rejects", rejects, plain, packed, bundle}, online...)...)
	if err == nil || !strings.Contains(out, "nothing was stored. Would import 5 resources from 3 files") || !strings.Contains(out, "2 lines were rejected") {
		t.Fatalf("%v: %s", err, out)
	}
	if n := s.total("Patient?_lastUpdated=gt2020"); n != 0 {
		t.Fatalf("a dry run has stored %d", n)
	}
	if out, err := command(t, append([]string{"import", "--rejects", rejects, plain}, online...)...); err == nil || !strings.Contains(out, "exists; remove it") {
		t.Errorf("%v: %s", err, out)
	}
	if err := os.Remove(rejects); err != nil {
		t.Fatal(err)
	}
	out, err = command(t, append([]string{"import", "--rejects", rejects, plain, packed, bundle}, online...)...)
	if err == nil || !strings.Contains(out, "Imported 5 resources from 3 files") || strings.Contains(out, "goroutine") {
		t.Fatalf("%v: %s", err, out)
	}
	found := map[int64]string{}
	for _, l := range lines(t, rejects) {
		var r struct {
			File  string
			Line  int64
			Issue []struct{ Diagnostics string }
		}
		if err := json.Unmarshal([]byte(l), &r); err != nil || r.File != plain {
			t.Fatalf("%v: %s", err, l)
		}
		found[r.Line] = r.Issue[0].Diagnostics
	}
	if len(found) != 2 || !strings.Contains(found[3], "Line 3: ") || !strings.Contains(found[4], "Line 4: ") {
		t.Errorf("rejected: %v", found)
	}
	if _, err := os.Stat(rejects + ".state"); err == nil {
		t.Error("the state stays behind")
	}

	first := filepath.Join(dir, "first")
	out, err = command(t, append([]string{"export", "--to", first}, online...)...)
	if err != nil || !strings.Contains(out, "Exported 5 resources in 3 files") {
		t.Fatalf("%v: %s", err, out)
	}
	for name, n := range map[string]int{"Patient-1.ndjson": 3, "Observation-1.ndjson": 1, "Organization-1.ndjson": 1} {
		if got := lines(t, filepath.Join(first, name)); len(got) != n {
			t.Errorf("%s has %d lines", name, len(got))
		}
	}
	for want, args := range map[string][]string{
		"export that is complete": {"export", "--to", first},
		"holds something else":    {"export", "--to", dir},
		"not a FHIR R4":           {"export", "--to", filepath.Join(dir, "x"), "--type", "Shoe"},
		"does not have":           {"export", "--to", filepath.Join(dir, "y"), "--organization", "none"},
		"no such file":            {"import", filepath.Join(dir, "none.ndjson")},
		"holds no .ndjson":        {"import", data},
	} {
		if out, err := command(t, append(args, online...)...); err == nil || !strings.Contains(out, want) || strings.Contains(out, "goroutine") {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
	out, err = command(t, "export", "--to", filepath.Join(dir, "some"), "--base-url", s.url+development, "--type", "Patient", "--since", "2020-01-01T00:00:00Z", "--filter", "Patient?_id=a,c", "--gzip")
	if err != nil || len(lines(t, filepath.Join(dir, "some", "Patient-1.ndjson.gz"))) != 2 {
		t.Errorf("%v: %s", err, out)
	}
	s.stop(os.Interrupt)

	offline := []string{"--data", data, "--listen", listen}
	second := filepath.Join(dir, "second")
	out, err = command(t, append([]string{"export", "--to", second}, offline...)...)
	if err != nil || !strings.Contains(out, "No server runs") || !strings.Contains(out, "Exported 5 resources in 3 files") {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"Patient-1.ndjson", "Observation-1.ndjson", "Organization-1.ndjson"} {
		if a, b := lines(t, filepath.Join(first, name)), lines(t, filepath.Join(second, name)); strings.Join(a, "\n") != strings.Join(b, "\n") {
			t.Errorf("%s: exported by the server\n%s\nand without\n%s", name, a, b)
		}
	}
	other := filepath.Join(dir, "other")
	startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", other).stop(os.Interrupt)
	out, err = command(t, "import", "--rejects", rejects+"2", "--data", other, "--listen", "127.0.0.1:1", second)
	if err != nil || !strings.Contains(out, "Imported 5 resources from 3 files") {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := os.Stat(rejects + "2"); err == nil {
		t.Error("there is a file of rejects, and nothing was rejected")
	}
	s = startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", other)
	if n := s.total("Patient?_lastUpdated=gt2020"); n != 3 {
		t.Errorf("%d patients", n)
	}
}
