package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// smallDisk is a file system of its own. Only root can make one; where the
// test cannot, it is skipped.
func smallDisk(t *testing.T, size, options string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size+options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small disk here, so a full one is not tested with the real program: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return dir
}

// refused runs the server, which must say one line and end with a code other
// than 0.
func refused(t *testing.T, dir, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, built(t), "serve", "--sandbox", "--listen", "127.0.0.1:0", "--data", dir)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() < 1 {
		t.Fatalf("ended with %v: %s", err, out)
	}
	line := strings.TrimSuffix(string(out), "\n")
	if !strings.Contains(line, says) || !strings.Contains(line, dir) || strings.Contains(line, "\n") {
		t.Errorf("says, where one line with %q is wanted:\n%s", says, out)
	}
}

func TestDataFolderThatCannotBeUsed(t *testing.T) {
	t.Run("open already", func(t *testing.T) {
		dir := t.TempDir()
		startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", dir)
		refused(t, dir, "another process has it open")
	})
	t.Run("a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, file, "not a directory")
	})
	t.Run("read-only", func(t *testing.T) {
		if os.Geteuid() == 0 { // whom permissions do not stop
			refused(t, smallDisk(t, "1m", ",ro"), "cannot write there")
			return
		}
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, "cannot write there")
	})
	t.Run("read-only and used before", func(t *testing.T) {
		dir := smallDisk(t, "200m", "")
		startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", dir).stop(os.Interrupt)
		if out, err := exec.Command("mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		refused(t, dir, "cannot write there")
	})
	t.Run("on a full disk", func(t *testing.T) {
		dir := smallDisk(t, "64k", "")
		takeSpace(t, filepath.Join(dir, "ballast"), 0)
		refused(t, dir, "the disk is full")
	})
	t.Run("of a newer layout", func(t *testing.T) {
		dir := t.TempDir()
		startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", dir).stop(os.Interrupt)
		db, err := pebble.Open(dir, &pebble.Options{Logger: silent{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Set([]byte("mlayout"), []byte{200}, pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, "a newer version of this program made it")
	})
}

// silent takes pebble's messages.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// takeSpace writes a file until so many bytes are free.
func takeSpace(t *testing.T, file string, free int) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4<<10)
	n := int64(0)
	for err == nil {
		_, err = f.Write(block)
		n += int64(len(block))
	}
	if err := errors.Join(f.Truncate(max(0, n-int64(free))), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// A disk that fills up while the server runs: writes are refused and leave
// nothing behind, reads go on, and with space again all does.
func TestDiskThatFillsUp(t *testing.T) {
	dir := smallDisk(t, "256m", "")
	s := startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"))
	const patients = "/fhir/R4/sandbox/Development/Patient"
	create := func(family string) int {
		t.Helper()
		res, err := http.Post(s.url+patients, "application/fhir+json", strings.NewReader(`{"resourceType":"Patient","name":[{"family":"`+family+`"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	found := func(family string) bool {
		t.Helper()
		status, body := s.get(patients + "?family=" + family)
		if status != http.StatusOK {
			t.Errorf("a search is answered with %d: %s", status, body)
		}
		return strings.Contains(body, `"family":"`+family+`"`)
	}
	if status := create("Before"); status != http.StatusCreated {
		t.Fatalf("status %d", status)
	}
	ballast := filepath.Join(dir, "ballast")
	for _, free := range []int{32 << 20, 0} {
		takeSpace(t, ballast, free)
		for range 20 {
			if status := create("Refused"); status != http.StatusServiceUnavailable && status != http.StatusInsufficientStorage {
				t.Fatalf("with %d bytes free: status %d", free, status)
			}
		}
		if !found("Before") || found("Refused") {
			t.Errorf("with %d bytes free: what was answered is not what is found", free)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if status := create("Afterwards"); status != http.StatusCreated || !found("Afterwards") {
		t.Errorf("with space again: status %d", status)
	}
	s.stop(os.Interrupt)
	cmd := exec.Command(built(t), "check", "--data", filepath.Join(dir, "data"))
	cmd.Env = environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the check finds: %v: %s", err, out)
	}
}
