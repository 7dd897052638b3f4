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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// many writes NDJSON of n Patients, every other one without an id.
func many(t *testing.T, path string, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		id := ""
		if i%2 == 0 {
			id = fmt.Sprintf(`"id":"m%d",`, i)
		}
		fmt.Fprintf(&b, `{"resourceType":"Patient",%s"identifier":[{"system":"urn:x","value":"v%d"}],"name":[{"family":"Fernsby"}]}`+"\n", id, i)
	}
	return write(t, path, b.String())
}

// background runs the program until it ends or is killed.
type background struct {
	cmd *exec.Cmd
	out bytes.Buffer
	end chan error
}

func start(t *testing.T, args ...string) *background {
	t.Helper()
	b := &background{cmd: exec.Command(built(t), args...), end: make(chan error, 1)}
	b.cmd.Env, b.cmd.Stdout, b.cmd.Stderr = environment(), &b.out, &b.out
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { b.end <- b.cmd.Wait() }()
	return b
}

// running is what the one open job of a server has done, and whether there is
// one.
func (s *serving) running() (done int64, ok bool) {
	_, body := s.get("/maintenance/sandbox/Development/jobs")
	var jobs struct {
		Items []struct {
			State string
			Done  int64
		}
	}
	if err := json.Unmarshal([]byte(body), &jobs); err != nil {
		s.t.Fatalf("%v: %s", err, body)
	}
	for _, j := range jobs.Items {
		if j.State == "running" {
			return j.Done, true
		}
	}
	return 0, false
}

// until waits for what becomes true.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(what)
		}
	}
}

// An import whose server is killed in the middle, and whose command is, ends
// with every line stored once; so does an export of that.
func TestKilledImportAndExportGoOn(t *testing.T) {
	const n = 12_000
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	file, rejects := many(t, filepath.Join(dir, "many.ndjson"), n), filepath.Join(dir, "rejects.ndjson")
	s := startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", data)
	listen := strings.TrimPrefix(s.url, "http://")
	again := []string{"--sandbox", "--listen", listen, "--data", data}
	importing := []string{"import", "--rejects", rejects, "--data", data, "--listen", listen, file}

	first := start(t, importing...)
	until(t, "the import does not begin", func() bool { done, ok := s.running(); return ok && done > 0 })
	s.stop(os.Kill)
	if err := <-first.end; err == nil || !strings.Contains(first.out.String(), "no server answers") {
		t.Errorf("the command whose server was killed: %v: %s", err, first.out.String())
	}
	s = startServer(t, nil, again...)
	second := start(t, importing...)
	_ = second.cmd.Process.Kill()
	if err := <-second.end; err == nil {
		t.Error("what was killed ended well")
	}
	out, err := command(t, importing...)
	if err != nil || !strings.Contains(out, fmt.Sprintf("Imported %d resources from 1 files", n)) {
		t.Fatalf("%v: %s", err, out)
	}
	if got := s.total("Patient?family=fernsby"); got != n {
		t.Errorf("%d of %d are stored", got, n)
	}
	// No line was stored as a second version either.
	var history struct{ Entry []json.RawMessage }
	if status, body := s.get(development + "/Patient/m0/_history"); status != http.StatusOK || json.Unmarshal([]byte(body), &history) != nil || len(history.Entry) != 1 {
		t.Errorf("%d: m0 has %d versions: %s", status, len(history.Entry), body)
	}

	to := filepath.Join(dir, "to")
	exporting := []string{"export", "--data", data, "--listen", listen, "--to", to}
	first = start(t, exporting...)
	until(t, "the export does not begin", func() bool {
		_, ok := s.running()
		_, err := os.Stat(filepath.Join(to, "export.state"))
		return ok && err == nil
	})
	s.stop(os.Kill)
	t.Logf("the export whose server was killed: %v", <-first.end)
	s = startServer(t, nil, again...)
	// What is written behind the moment of the export is not in it.
	if !s.put(t.Context(), "m2") || !s.put(t.Context(), "late") {
		t.Fatal("not stored")
	}
	out, err = command(t, exporting...)
	if err != nil || !strings.Contains(out, fmt.Sprintf("Exported %d resources", n)) {
		t.Fatalf("%v: %s", err, out)
	}
	once(t, to, n)

	// Without a server: the command itself is killed and goes on.
	s.stop(os.Interrupt)
	other := filepath.Join(dir, "other")
	startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", other).stop(os.Interrupt)
	importing = []string{"import", "--rejects", rejects, "--data", other, "--listen", "127.0.0.1:1", to}
	first = start(t, importing...)
	until(t, "the import is not sent", func() bool {
		text, err := os.ReadFile(rejects + ".state")
		return err == nil && bytes.Contains(text, []byte(`"status"`))
	})
	_ = first.cmd.Process.Signal(syscall.SIGKILL)
	if err := <-first.end; err == nil {
		t.Error("what was killed ended well")
	}
	out, err = command(t, importing...)
	if err != nil || !strings.Contains(out, fmt.Sprintf("Imported %d resources", n)) {
		t.Fatalf("%v: %s", err, out)
	}
	to = filepath.Join(dir, "to-again")
	out, err = command(t, "export", "--data", other, "--listen", "127.0.0.1:1", "--to", to)
	if err != nil || !strings.Contains(out, fmt.Sprintf("Exported %d resources", n)) {
		t.Fatalf("%v: %s", err, out)
	}
	once(t, to, n)
}

// once checks that every line of many is in the files once, in its first
// version.
func once(t *testing.T, folder string, n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "Patient-*.ndjson"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	seen := make([]int, n)
	for _, f := range files {
		for _, l := range lines(t, f) {
			var p struct {
				Meta       struct{ VersionID string }
				Identifier []struct{ Value string }
			}
			if err := json.Unmarshal([]byte(l), &p); err != nil || len(p.Identifier) != 1 || p.Meta.VersionID != "1" {
				t.Fatalf("%v: %s", err, l)
			}
			number, err := strconv.Atoi(p.Identifier[0].Value[1:])
			if err != nil || number >= n {
				t.Fatalf("%v: %s", err, l)
			}
			seen[number]++
		}
	}
	for i, times := range seen {
		if times != 1 {
			t.Errorf("line %d is there %d times", i, times)
		}
	}
}
