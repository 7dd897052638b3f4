package hl7v2_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestNode reads, builds and sends with node-hl7-client.
func TestNode(t *testing.T) {
	modules := os.Getenv("FHIRFACADE_TEST_CLIENTS")
	if modules == "" {
		t.Skip("SKIPPED, NO CLIENT WAS RUN: set FHIRFACADE_TEST_CLIENTS to the folder that scripts/clients prints; `make test` does it")
	}
	port, ids := listen(t)
	script, err := os.ReadFile("node-hl7-client.mjs")
	if err != nil {
		t.Fatal(err)
	}
	// Node finds packages beside the script.
	dir, err := os.MkdirTemp(modules, "session-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "session.mjs")
	if err := os.WriteFile(file, script, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", file, port) //nolint:gosec // a script of ours
	cmd.Stdin = strings.NewReader(messages[0])
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, stderr.Bytes())
	}
	var got struct {
		ID, Family, Code string
		Answers          []string
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := got
	want.ID, want.Family, want.Code, want.Answers = "M1", "Müller", "24323-8", []string{"AA M1", "AA NODE1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if ids() != "M1 NODE1" {
		t.Error(ids())
	}
}
