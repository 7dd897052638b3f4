package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

type checkCommand struct {
	Data string `help:"Folder of the embedded store." default:"data" type:"path" env:"FHIRFACADE_DATA"`
}

// Help is shown by fhirfacade check --help.
func (checkCommand) Help() string {
	return `Reads the whole store of a server that is stopped, or a backup, and reports what does not belong together: versions or log entries missing, resources that cannot be found by their search keys, keys of what is not there. Findings name resources by their numbers in the store, never by their ids. The exit code is 1 when there are any.`
}

func (c checkCommand) Run(ctx context.Context) error {
	return c.run(ctx, os.Stdout)
}

func (c checkCommand) run(ctx context.Context, out io.Writer) error {
	e, err := openExisting(c.Data)
	if err != nil {
		return err
	}
	defer e.Close()
	return check(ctx, e, out)
}

// maxFindings is how many findings are printed; the last line counts all.
const maxFindings = 100

func check(ctx context.Context, e *pebble.Engine, out io.Writer) error {
	printed := 0
	done, err := e.Check(ctx, func(f pebble.Finding) {
		if printed++; printed <= maxFindings {
			fmt.Fprintln(out, f)
		}
	}, func(t store.Tenant) { fmt.Fprintln(out, "Checking", t) })
	fmt.Fprintf(out, "%d tenants, %d resources in %d versions, %d keys, %d log entries, %d items: %d findings\n",
		done.Tenants, done.Documents, done.Versions, done.Keys, done.Entries, done.Items, done.Findings)
	return err
}
