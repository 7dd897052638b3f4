package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

// sessions are the scripts in the folder clients, and how many steps each has
// at least: one that ends early must not pass.
var sessions = map[string]int{
	"fhir-kit-client": 18,
	"fhirclient":      10,
	"medplum":         11,
}

const adminToken = "an-invented-token-of-the-interop-tests"

// TestClients runs a session of each client with a sandbox, and with a server
// that wants a token.
func TestClients(t *testing.T) {
	modules := os.Getenv("FHIRFACADE_TEST_CLIENTS")
	if modules == "" {
		t.Skip("SKIPPED, NO CLIENT WAS RUN: set FHIRFACADE_TEST_CLIENTS to the folder that scripts/clients prints; `make test` does it")
	}
	for _, mode := range []struct {
		name, token string
	}{{"sandbox", ""}, {"token", adminToken}} {
		t.Run(mode.name, func(t *testing.T) {
			url := start(t, server.Config{Sandbox: mode.token == "", AdminToken: mode.token})
			for client, steps := range sessions {
				t.Run(client, func(t *testing.T) {
					base := url + "/fhir/R4/" + organization(t, url, mode.token, client) + "/Development"
					run(t, modules, client, steps, base, mode.token)
				})
			}
		})
	}
}

// start runs a server on Pebble until the test ends.
func start(t *testing.T, c server.Config) string {
	t.Helper()
	var logs bytes.Buffer
	c.Listen, c.Version, c.Data = "127.0.0.1:0", "test", t.TempDir()
	c.Logger = slog.New(slog.NewTextHandler(&logs, nil))
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, c)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("the server stopped with", err)
		}
		if t.Failed() {
			t.Log(logs.String())
		}
	})
	return s.URL()
}

// organization makes one that belongs to this client's session alone.
func organization(t *testing.T, url, token, client string) string {
	t.Helper()
	const add = `{"id": "%ID%", "name": "Interop"}`
	post(t, url+"/organizations", token, strings.ReplaceAll(add, "%ID%", client))
	return client
}

// run runs a session and reports its steps.
func run(t *testing.T, modules, client string, steps int, base, token string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// Node finds packages beside the script, so the scripts go to where the
	// packages are, in a folder of this test's own.
	dir, err := os.MkdirTemp(modules, "session-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{"session.mjs", client + ".mjs"} {
		script, err := os.ReadFile(filepath.Join("clients", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), script, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, client+".mjs")) //nolint:gosec // a script of ours
	cmd.Env = append(os.Environ(), "FHIR_BASE="+base, "FHIR_TOKEN="+token)
	out, err := cmd.CombinedOutput()
	passed := 0
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "ok ") {
			passed++
		}
	}
	if err != nil {
		t.Fatalf("%v after %d steps:\n%s", err, passed, out)
	}
	if passed < steps {
		t.Fatalf("the session ended after %d of %d steps:\n%s", passed, steps, out)
	}
}
