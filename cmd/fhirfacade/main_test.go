package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/demo"
)

// program builds the real binary once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fhirfacade-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "fhirfacade")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func built(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environment without what this machine may have set.
func environment(extra ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FHIRFACADE_") && !strings.HasPrefix(e, "MONGODB") {
			env = append(env, e)
		}
	}
	return append(env, extra...)
}

// The demo is the main job from end to end, by the real program.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("the demo takes half a minute; run without -short")
	}
	var out bytes.Buffer
	if err := demo.Run(t.Context(), demo.Options{Program: built(t), Out: &out}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, step := range []string{"lightweight  got AppointmentBooked", "each once", "Scheduling.New for", "All 9 steps"} {
		if !strings.Contains(out.String(), step) {
			t.Errorf("the timeline does not say %q:\n%s", step, out.String())
		}
	}
}

// What cannot start says why in one line and exits with a code other than 0.
func TestClearRefusals(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("lisen: 127.0.0.1:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no admin token":           {[]string{"serve", "--data", dir}, "--admin-token"},
		"sandbox on all":           {[]string{"serve", "--sandbox", "--listen", "0.0.0.0:0", "--data", dir}, "loopback"},
		"misspelt setting":         {[]string{"serve", "--sandbox", "--config", bad}, "lisen"},
		"unknown flag":             {[]string{"serve", "--sandbx"}, "--sandbx"},
		"unreachable MongoDB":      {[]string{"serve", "--sandbox", "--listen", "127.0.0.1:0", "--mongodb-uri", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"}, "reach"},
		"MongoDB URI that is none": {[]string{"serve", "--sandbox", "--listen", "127.0.0.1:0", "--mongodb-uri", "postgres://x"}, "MongoDB"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(built(t), c.args...)
			cmd.Env = environment()
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() == 0 {
				t.Fatalf("ended with %v", err)
			}
			if !strings.Contains(string(out), c.says) || strings.Contains(string(out), "goroutine") {
				t.Errorf("says: %s", out)
			}
		})
	}
}

// serving is a server process.
type serving struct {
	t   *testing.T
	url string
	cmd *exec.Cmd
}

var fhirBase = regexp.MustCompile(`FHIR base\s+(http://\S+?)/fhir/R4/\S+`)

// startServer starts a server and reads its address from its first lines.
func startServer(t *testing.T, env []string, args ...string) *serving {
	t.Helper()
	cmd := exec.Command(built(t), append([]string{"serve"}, args...)...)
	cmd.Env = environment(env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &serving{t: t, cmd: cmd}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := fhirBase.FindStringSubmatch(lines.Text()); m != nil {
			s.url = m[1]
		}
		if strings.HasPrefix(lines.Text(), "Try: curl") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if s.url == "" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the server did not say where it is: %s", log.String())
	}
	t.Cleanup(func() { s.stop(os.Interrupt) })
	return s
}

func (s *serving) stop(signal os.Signal) {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(signal)
		_ = s.cmd.Wait()
	}
}

func (s *serving) get(path string) (int, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// Flags, environment and file, in this order of precedence.
func TestSettings(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "settings.yaml")
	text := "listen: 127.0.0.1:0\nsandbox: true\nlog-format: json\ndata: " + filepath.Join(dir, "from-file") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServer(t, nil, "--config", file)
	if status, body := s.get("/health/ready"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	if _, err := os.Stat(filepath.Join(dir, "from-file")); err != nil {
		t.Error("the file's data folder is not used")
	}
	startServer(t, []string{"FHIRFACADE_DATA=" + filepath.Join(dir, "from-environment")}, "--config", file)
	if _, err := os.Stat(filepath.Join(dir, "from-environment")); err != nil {
		t.Error("the environment does not go before the file")
	}
	startServer(t, []string{"FHIRFACADE_DATA=" + filepath.Join(dir, "unused")}, "--config", file, "--data", filepath.Join(dir, "from-flag"))
	if _, err := os.Stat(filepath.Join(dir, "from-flag")); err != nil {
		t.Error("the flag does not go before the environment")
	}
}

// A second server on the same folder is refused with a clear line.
func TestFolderIsNotOpenedTwice(t *testing.T) {
	dir := t.TempDir()
	startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", dir)
	cmd := exec.Command(built(t), "serve", "--sandbox", "--listen", "127.0.0.1:0", "--data", dir)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another process has it open") {
		t.Errorf("%v: %s", err, out)
	}
}

// What was answered is still there after the process is killed.
func TestKilledServerKeepsWhatItAnswered(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", dir)
	res, err := http.Post(s.url+"/fhir/R4/sandbox/Development/Patient", "application/fhir+json",
		strings.NewReader(`{"resourceType":"Patient","name":[{"family":"Fernsby"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("status %d", res.StatusCode)
	}
	s.stop(os.Kill)
	s = startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", dir)
	if status, body := s.get("/fhir/R4/sandbox/Development/Patient?family=fernsby"); status != http.StatusOK || !strings.Contains(body, "Fernsby") {
		t.Errorf("%d %s", status, body)
	}
}

func TestExampleSettingsAreSettings(t *testing.T) {
	cmd := exec.Command(built(t), "serve", "--config", "../../deploy/settings.yaml", "--data", t.TempDir(), "--listen", "127.0.0.1:0")
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--admin-token") {
		t.Errorf("the example is refused for another reason than the token: %s", out)
	}
}
