package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const development = "/fhir/R4/sandbox/Development"

// put stores a Patient and says whether that was acknowledged.
func (s *serving) put(ctx context.Context, id string) bool {
	body := fmt.Sprintf(`{"resourceType":"Patient","id":%q,"name":[{"family":"Fernsby","suffix":["Senior"]}]}`, id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+development+"/Patient/"+id, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusCreated || res.StatusCode == http.StatusOK
}

// A backup that is made while clients write holds every write that was
// acknowledged before it began, passes the check and is restored.
func TestBackupUnderLoad(t *testing.T) {
	dir := t.TempDir()
	data, backup, restored := filepath.Join(dir, "data"), filepath.Join(dir, "backup"), filepath.Join(dir, "restored")
	s := startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", data)
	listen := strings.TrimPrefix(s.url, "http://")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var acknowledged []string
	var writers sync.WaitGroup
	enough := make(chan struct{})
	for w := range 4 {
		writers.Add(1)
		go func() {
			defer writers.Done()
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("w%d-%d", w, i)
				if !s.put(ctx, id) {
					continue
				}
				mu.Lock()
				if acknowledged = append(acknowledged, id); len(acknowledged) == 300 {
					close(enough)
				}
				mu.Unlock()
			}
		}()
	}
	<-enough
	mu.Lock()
	before := append([]string(nil), acknowledged...)
	mu.Unlock()
	out, err := command(t, "backup", "--data", data, "--listen", listen, backup)
	if err != nil || !strings.Contains(out, "Copying the store of the server") || !strings.Contains(out, "Done.") {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := command(t, "backup", "--server", s.url, backup); err == nil || !strings.Contains(out, "not empty") {
		t.Errorf("written over a backup: %v, %s", err, out)
	}
	cancel()
	writers.Wait()
	s.stop(os.Kill)

	if out, err := command(t, "check", "--data", backup); err != nil || !strings.Contains(out, "0 findings") {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := command(t, "restore", "--data", restored, backup); err != nil || !strings.Contains(out, "Restored to") {
		t.Fatalf("%v: %s", err, out)
	}
	e, err := pebble.Open(restored, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, id := range before {
		if _, err := e.Get(t.Context(), "sandbox/Development", store.Ref{Type: "Patient", ID: id}); err != nil {
			t.Fatalf("a write that was acknowledged before the backup is not in it: %v", err)
		}
	}
}

// The command reindexes by the server that runs, and by itself when none does;
// stopped in the middle, or killed, it goes on where it was.
func TestReindexCommand(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", data)
	listen := strings.TrimPrefix(s.url, "http://")
	for i := range 40 {
		if !s.put(t.Context(), fmt.Sprint("p", i)) {
			t.Fatal("not stored")
		}
	}
	for _, args := range [][]string{
		{"--data", data, "--listen", listen},
		{"--server", s.url, "--organization", "sandbox", "--environment", "Development", "--type", "Patient"},
	} {
		out, err := command(t, append([]string{"reindex"}, args...)...)
		if err != nil || !strings.Contains(out, "sandbox/Development: finished, 40 resources have their keys") {
			t.Errorf("reindex %v: %v\n%s", args, err, out)
		}
	}
	for want, args := range map[string][]string{
		"no FHIR R4 resource type": {"--server", s.url, "--organization", "sandbox", "--type", "Shoe"},
		"does not have":            {"--server", s.url, "--organization", "none"},
		"no server answers":        {"--server", "http://127.0.0.1:1"},
		"where it listens":         {"--data", data, "--listen", "127.0.0.1:1"},
		"needs --organization":     {"--server", s.url, "--environment", "Development"},
		"there is no store in":     {"--data", filepath.Join(t.TempDir(), "none"), "--listen", "127.0.0.1:1"},
	} {
		if out, err := command(t, append([]string{"reindex"}, args...)...); err == nil || !strings.Contains(out, want) {
			t.Errorf("reindex %v: %v\n%s", args, err, out)
		}
	}
	s.stop(os.Interrupt)
	out, err := command(t, "reindex", "--data", data, "--listen", listen)
	if err != nil || !strings.Contains(out, "No server runs") || !strings.Contains(out, "sandbox/Development: finished, 40 resources") {
		t.Errorf("offline: %v\n%s", err, out)
	}
}

// A server that is killed while it reindexes goes on when it starts again, and
// the parameter is refused until then.
func TestKilledReindexGoesOn(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", data)
	var bundle bytes.Buffer
	const n = 4000
	bundle.WriteString(`{"resourceType":"Bundle","type":"transaction","entry":[`)
	for i := range n {
		if i > 0 {
			bundle.WriteByte(',')
		}
		fmt.Fprintf(&bundle, `{"resource":{"resourceType":"Patient","name":[{"family":"Fernsby","suffix":["Senior"]}]},"request":{"method":"POST","url":"Patient"}}`)
	}
	bundle.WriteString(`]}`)
	send := func(method, path string, body []byte) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/fhir+json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if status := send(http.MethodPost, development, bundle.Bytes()); status != http.StatusOK {
		t.Fatal(status)
	}
	const parameter = `{"resourceType":"SearchParameter","id":"suffix","url":"http://example.org/suffix","name":"x","status":"active",
		"description":"x","code":"suffix","base":["Patient"],"type":"string","expression":"Patient.name.suffix"}`
	if status := send(http.MethodPut, development+"/SearchParameter/suffix", []byte(parameter)); status != http.StatusCreated {
		t.Fatal(status)
	}
	s.stop(os.Kill) // while it reindexes, or before
	s = startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", data)
	deadline := time.Now().Add(time.Minute)
	for {
		status, body := s.get(development + "/Patient?suffix=senior&_summary=count")
		if status == http.StatusOK {
			var b struct{ Total int }
			if err := json.Unmarshal([]byte(body), &b); err != nil || b.Total != n {
				t.Errorf("found %d of %d, %v", b.Total, n, err)
			}
			break
		}
		if status != http.StatusBadRequest || !strings.Contains(body, "SearchParameter/suffix is not ready") || time.Now().After(deadline) {
			t.Fatalf("%d %s", status, body)
		}
	}
	if out, err := command(t, "check", "--data", data); err == nil || !strings.Contains(out, "has it open") {
		t.Errorf("%v: %s", err, out)
	}
	s.stop(os.Interrupt)
	if out, err := command(t, "check", "--data", data); err != nil || !strings.Contains(out, "0 findings") {
		t.Errorf("%v: %s", err, out)
	}
}

// Removing asks for the name again.
func TestDropOrganizationCommand(t *testing.T) {
	s := startServer(t, []string{"FHIRFACADE_ADMIN_TOKEN=a-token-for-tests-only"}, "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"))
	drop := func(typed string, args ...string) (string, error) {
		cmd := exec.Command(built(t), append([]string{"drop-organization", "--server", s.url}, args...)...)
		cmd.Env = environment("FHIRFACADE_ADMIN_TOKEN=a-token-for-tests-only")
		cmd.Stdin = strings.NewReader(typed)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/organizations", strings.NewReader(`{"id":"clinic"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer a-token-for-tests-only")
	res, err := http.DefaultClient.Do(req)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatal(res, err)
	}
	res.Body.Close()
	if out, err := command(t, "drop-organization", "--server", s.url, "clinic"); err == nil || !strings.Contains(out, "administrator's token") {
		t.Errorf("without the token: %v, %s", err, out)
	}
	if out, err := drop("", "clinic", "--dry-run"); err != nil || !strings.Contains(out, "clinic/Production: 0 resources") || !strings.Contains(out, "dry run") {
		t.Errorf("%v: %s", err, out)
	}
	for _, typed := range []string{"", "y\n", "clinics\n"} {
		if out, err := drop(typed, "clinic"); err == nil || !strings.Contains(out, "nothing was removed") {
			t.Errorf("typed %q: %v, %s", typed, err, out)
		}
	}
	if out, err := drop("clinic\n", "clinic"); err != nil || !strings.Contains(out, "Removed clinic") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := drop("", "clinic", "--yes"); err == nil || !strings.Contains(out, "no such thing") {
		t.Errorf("twice: %v, %s", err, out)
	}
}

func TestRetentionSetting(t *testing.T) {
	for value, want := range map[string]string{"29d": "at least 30d", "soon": "90d", "-5d": "90d", "1h": "at least 30d"} {
		out, err := command(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--log-retention="+value)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("--log-retention %s: %v, %s", value, err, out)
		}
	}
	startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--log-retention", "90d")
}
