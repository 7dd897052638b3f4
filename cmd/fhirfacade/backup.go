package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/fhirfacade/fhirfacade/store/pebble"
)

type backupCommand struct {
	Data string `help:"Folder of the embedded store." default:"data" type:"path" env:"FHIRFACADE_DATA"`
	To   string `arg:"" help:"Folder to make; it must not exist." type:"path" name:"folder"`
}

// Help is shown by fhirfacade backup --help.
func (backupCommand) Help() string {
	return `Copies the embedded store of a server that is stopped. The copy is complete and is checked with "fhirfacade check --data FOLDER". Where both folders are on one file system, files are linked and take no space at first; copy the backup to another disk.`
}

func (c backupCommand) Run(ctx context.Context) error {
	return c.run(ctx, os.Stdout)
}

func (c backupCommand) run(ctx context.Context, out io.Writer) error {
	e, err := openExisting(c.Data)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Copying %s to %s\n", c.Data, c.To)
	err = e.Backup(ctx, c.To)
	if closed := e.Close(); err == nil {
		err = closed
	}
	if err == nil {
		fmt.Fprintln(out, "Done. Check it with: fhirfacade check --data", c.To)
	}
	return err
}

// openExisting opens a folder that holds a store; serve makes one where there
// is none, the commands for operators do not.
func openExisting(dir string) (*pebble.Engine, error) {
	if !pebble.Exists(dir) {
		return nil, fmt.Errorf("there is no store in %s", dir)
	}
	return pebble.Open(dir, pebble.Options{})
}
