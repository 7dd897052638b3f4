package crashtest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// program builds the real binary once.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("FHIRFACADE_CRASH_PROGRAM"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "fhirfacade-crash-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "fhirfacade")
	out, err := exec.Command("go", "build", "-o", path, "github.com/fhirfacade/fhirfacade/cmd/fhirfacade").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("FHIRFACADE_CRASH_PROGRAM") == "" && built {
		if path, err := program(); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
	}
	os.Exit(code)
}

// built is whether a test needed the program: TestMain must not build it only
// to remove it.
var built bool

// instance is one process of the program, running or killed.
type instance struct {
	t    *testing.T
	args []string
	url  string
	cmd  *exec.Cmd
	log  *lockedBuffer
	out  *bufio.Scanner
}

// lockedBuffer takes what a process says while the test may read it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newInstance(t *testing.T, args ...string) *instance {
	t.Helper()
	i := &instance{t: t, args: append([]string{"serve", "--sandbox", "--listen", "127.0.0.1:0"}, args...)}
	t.Cleanup(i.kill)
	return i
}

var fhirBase = regexp.MustCompile(`FHIR base\s+(http://\S+?)/fhir/R4/\S+`)

// launch starts the process and does not wait for it.
func (i *instance) launch() {
	i.t.Helper()
	built = true
	path, err := program()
	if err != nil {
		i.t.Fatal(err)
	}
	i.log, i.url = &lockedBuffer{}, ""
	i.cmd = exec.Command(path, i.args...)
	i.cmd.Env = environment()
	i.cmd.Stderr = i.log
	out, err := i.cmd.StdoutPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	i.out = bufio.NewScanner(out)
	if err := i.cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
}

// ready waits until the process says where it listens.
func (i *instance) ready() {
	i.t.Helper()
	for i.out.Scan() {
		line := i.out.Text()
		if m := fhirBase.FindStringSubmatch(line); m != nil {
			i.url = m[1]
		}
		if strings.HasPrefix(line, "Try: curl") {
			return
		}
	}
	i.kill()
	i.t.Fatalf("the program did not start: %s", i.log)
}

func (i *instance) start() {
	i.t.Helper()
	i.launch()
	i.ready()
}

// kill is SIGKILL: no handler runs, nothing is flushed.
func (i *instance) kill() {
	if i.cmd != nil && i.cmd.ProcessState == nil {
		_ = i.cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, pipe{i.out})
		_ = i.cmd.Wait()
	}
}

// pipe reads what a scanner has left, so that Wait does not meet a reader.
type pipe struct{ s *bufio.Scanner }

func (p pipe) Read([]byte) (int, error) {
	if p.s.Scan() {
		return 0, nil
	}
	return 0, io.EOF
}

// environment without what this machine may have set.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FHIRFACADE_") && !strings.HasPrefix(e, "MONGODB") {
			env = append(env, e)
		}
	}
	return env
}
