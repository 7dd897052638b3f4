package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// command runs the program and returns what it said.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(built(t), args...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func fill(t *testing.T, dir string) {
	t.Helper()
	e, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"1", "2", "3"} {
		change := store.Change{Ref: store.Ref{Type: "Patient", ID: id}, Render: func(store.Stamp) store.Content {
			return store.Content{Body: []byte("body " + id), Keys: []store.Key{"k", id}}
		}}
		if _, err := e.Commit(t.Context(), "org/Development", store.Commit{Changes: []store.Change{change}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	data, backup, restored := filepath.Join(dir, "data"), filepath.Join(dir, "backup"), filepath.Join(dir, "restored")
	fill(t, data)
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"backup", "--data", data, backup}, "Done."},
		{[]string{"check", "--data", backup}, "1 tenants, 3 resources in 3 versions, 6 keys, 3 log entries, 0 items: 0 findings"},
		{[]string{"restore", "--data", restored, backup}, "Restored to " + restored},
		{[]string{"check", "--data", restored}, "0 findings"},
	} {
		if out, err := command(t, step.args...); err != nil || !strings.Contains(out, step.want) {
			t.Fatalf("fhirfacade %v: %v\n%s", step.args, err, out)
		}
	}
	e, err := pebble.Open(restored, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d, err := e.Get(t.Context(), "org/Development", store.Ref{Type: "Patient", ID: "2"})
	if err != nil || string(d.Body) != "body 2" {
		t.Errorf("restored %q, %v", d.Body, err)
	}

	for name, refused := range map[string]struct {
		args []string
		want string
	}{
		"backup over a folder":       {[]string{"backup", "--data", data, backup}, "exists already"},
		"backup of nothing":          {[]string{"backup", "--data", filepath.Join(dir, "none"), backup + "2"}, "there is no store in"},
		"backup of an open store":    {[]string{"backup", "--data", restored, backup + "3"}, "another process has it open"},
		"restore over a store":       {[]string{"restore", "--data", data, backup}, "is not empty"},
		"restore of what is none":    {[]string{"restore", "--data", restored + "2", dir}, "is no backup"},
		"check of what is no folder": {[]string{"check", "--data", filepath.Join(dir, "none")}, "there is no store in"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := command(t, refused.args...)
			if err == nil || !strings.Contains(out, refused.want) || strings.Count(out, "\n") > 2 || strings.Contains(out, "goroutine") {
				t.Errorf("fhirfacade %v: %v\n%s", refused.args, err, out)
			}
		})
	}
	for _, left := range []string{backup + "2", backup + "3", restored + "2", filepath.Join(dir, "none")} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s was made by a command that was refused", filepath.Base(left))
		}
	}
}

// A backup that lost a file is not restored.
func TestRestoreChecks(t *testing.T) {
	dir := t.TempDir()
	data, backup := filepath.Join(dir, "data"), filepath.Join(dir, "backup")
	fill(t, data)
	if out, err := command(t, "backup", "--data", data, backup); err != nil {
		t.Fatal(err, out)
	}
	tables, err := filepath.Glob(filepath.Join(backup, "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Skip("the backup has its data in the log only")
	}
	if err := os.Truncate(tables[0], 100); err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(dir, "restored")
	if out, err := command(t, "restore", "--data", restored, backup); err == nil || strings.Contains(out, "goroutine") {
		t.Errorf("restored a damaged backup: %s", out)
	}
	if _, err := os.Stat(restored); err == nil {
		t.Error("a damaged backup got the data folder's name")
	}
}
