package main

import (
	"context"
	"os"

	"github.com/fhirfacade/fhirfacade/internal/operate"
)

type importCommand struct {
	tenantFlags
	Files         []string `arg:"" help:"NDJSON or Bundles, also packed by gzip; of a folder, its .ndjson and .ndjson.gz." type:"path"`
	DryRun        bool     `help:"Check everything and store nothing."`
	MatchVersions bool     `help:"Store a resource only over the version that its meta.versionId names, and one without only where there is none."`
	Rejects       string   `help:"File for the lines that were rejected, by file and line." default:"import-rejects.ndjson" type:"path" placeholder:"FILE"`
}

// Help is shown by fhirfacade import --help.
func (importCommand) Help() string {
	return `Imports NDJSON, or Bundles, into an organization's environment ($import). Each resource is stored under its
id, as by PUT; one without an id gets one. Transactions are stored as one. What cannot be stored is listed
in the file of rejects, an OperationOutcome's issues for each line, and the command ends with an error; the
rest is stored. Where no server runs the command works on the store itself. Stopped, or killed, the same
command goes on where it was and stores nothing twice: how far it is stands beside the file of rejects
(FILE.state) until it is done.

Examples:
  fhirfacade import today
  fhirfacade import --dry-run patients.ndjson observations.ndjson.gz
  fhirfacade import bundle.json --rejects bundle-rejects.ndjson
  FHIRFACADE_ADMIN_TOKEN=… fhirfacade import --server https://fhir.example.org --organization clinic --environment Production today`
}

func (c importCommand) Run(ctx context.Context) error {
	return operate.Import{
		Tenant: c.tenant(), Files: c.Files, DryRun: c.DryRun, MatchVersions: c.MatchVersions, Rejects: c.Rejects,
	}.Run(ctx, os.Stdout)
}
