package sharedtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

func TestDirPrefersTheEnvironment(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "data", "r4"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(sharedtest.Env, root)
	if got, want := sharedtest.Dir(t, "data", "r4"), filepath.Join(root, "data", "r4"); got != want {
		t.Errorf("Dir = %q, want %q", got, want)
	}
}

func TestDirSkipsWhereTheDataIsAbsent(t *testing.T) {
	t.Setenv(sharedtest.Env, t.TempDir())
	var inner *testing.T
	t.Run("absent", func(t *testing.T) {
		inner = t
		sharedtest.Dir(t, "data", "no-such-folder")
		t.Error("Dir returned although the folder is absent")
	})
	if !inner.Skipped() {
		t.Error("the test was not skipped")
	}
}

func TestDirWalksUpToTheModuleRoot(t *testing.T) {
	base := t.TempDir()
	t.Setenv(sharedtest.Env, "")
	deep := filepath.Join(base, "module", "a", "b")
	for _, dir := range []string{deep, filepath.Join(base, "shared", "data")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(base, "module", "go.mod"), []byte("module m\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	got, err := filepath.EvalSymlinks(sharedtest.Dir(t, "data"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := filepath.EvalSymlinks(filepath.Join(base, "shared", "data"))
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("Dir = %q, want %q", got, want)
	}
}
