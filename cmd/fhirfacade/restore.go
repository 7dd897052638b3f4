package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fhirfacade/fhirfacade/store/pebble"
)

type restoreCommand struct {
	Data string `help:"Folder of the embedded store to make; it must not exist or be empty." default:"data" type:"path" env:"FHIRFACADE_DATA"`
	From string `arg:"" help:"Folder that fhirfacade backup made." type:"path" name:"folder"`
}

// Help is shown by fhirfacade restore --help.
func (restoreCommand) Help() string {
	return `Copies a backup into a new data folder and checks it there. What is in the way is refused, not replaced: move it aside first. The backup stays as it is.`
}

func (c restoreCommand) Run(ctx context.Context) error {
	return c.run(ctx, os.Stdout)
}

func (c restoreCommand) run(ctx context.Context, out io.Writer) error {
	if !pebble.Exists(c.From) {
		return fmt.Errorf("%s is no backup: there is no store in it", c.From)
	}
	switch held, err := os.ReadDir(c.Data); {
	case len(held) > 0:
		return fmt.Errorf("%s is not empty; move it aside or choose another --data folder", c.Data)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	// The folder gets its name when it is whole, so that a restore that was
	// cut short is never served from.
	part := c.Data + ".restoring"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := copyFolder(ctx, c.From, part, out); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	e, err := openExisting(part)
	if err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	err = check(ctx, e, out)
	if err = errors.Join(err, e.Close()); err != nil {
		return fmt.Errorf("nothing was restored; what was copied is left in %s: %w", part, err)
	}
	if err := os.Remove(c.Data); err != nil && !errors.Is(err, os.ErrNotExist) { // empty
		return err
	}
	if err := os.Rename(part, c.Data); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(c.Data)); err != nil {
		return err
	}
	fmt.Fprintln(out, "Restored to", c.Data)
	return nil
}

// copyFolder copies the files of a store's folder, which has no folders in it.
func copyFolder(ctx context.Context, from, to string, out io.Writer) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o750); err != nil {
		return err
	}
	var bytes int64
	for i, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !f.Type().IsRegular() || f.Name() == "LOCK" {
			continue
		}
		n, err := copyFile(filepath.Join(from, f.Name()), filepath.Join(to, f.Name()))
		if err != nil {
			return err
		}
		bytes += n
		if (i+1)%100 == 0 || i+1 == len(files) {
			fmt.Fprintf(out, "Copied %d of %d files, %.1f MB\n", i+1, len(files), float64(bytes)/1e6)
		}
	}
	return syncFolder(to)
}

func copyFile(from, to string) (int64, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, in)
	return n, errors.Join(err, out.Sync(), out.Close())
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
