package maintenance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// copier is an engine that can copy itself while it runs.
type copier interface {
	Backup(ctx context.Context, dir string) error
}

// Backup copies the embedded store as it is at one moment into a folder of
// the server's machine: every commit that was acknowledged before the call is
// in it. The folder must not exist or be empty, and lie outside the data.
func (r *Runner) Backup(ctx context.Context, dir string) error {
	c, ok := r.o.Store.(copier)
	if !ok || r.o.Data == "" {
		return outcome.New(http.StatusNotImplemented, outcome.CodeNotSupported,
			"This server keeps its data in MongoDB. Back it up with the database's own tools.")
	}
	if err := backupFolder(dir, r.o.Data); err != nil {
		return err
	}
	return c.Backup(ctx, dir)
}

// backupFolder refuses folders that a backup must not be written to.
func backupFolder(dir, data string) error {
	refused := func(why string) error {
		return outcome.BadRequest(outcome.CodeValue, "The folder of the backup %s", why)
	}
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == string(filepath.Separator) {
		return refused("must be an absolute path on the server's machine.")
	}
	inside, err := within(dir, data)
	if err != nil {
		return err
	}
	if inside {
		return refused("lies inside the data folder.")
	}
	held, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return refused("cannot be read, or is no folder.")
	case len(held) > 0:
		return refused("exists already and is not empty.")
	}
	return os.Remove(dir) // the engine makes it
}

// within reports whether a path is a folder, or lies inside of it, wherever
// links lead.
func within(path, folder string) (bool, error) {
	folder, err := filepath.Abs(folder)
	if err == nil {
		folder, err = filepath.EvalSymlinks(folder)
	}
	if err != nil {
		return false, fmt.Errorf("data folder: %w", err)
	}
	rest := ""
	for path = filepath.Clean(path); ; path = filepath.Dir(path) {
		real, err := filepath.EvalSymlinks(path)
		if err == nil {
			path = filepath.Join(real, rest)
			break
		}
		if path == filepath.Dir(path) {
			return false, nil
		}
		rest = filepath.Join(filepath.Base(path), rest)
	}
	relative, err := filepath.Rel(folder, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator)), nil
}
