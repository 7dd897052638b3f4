package main

import (
	"context"
	"errors"
	"os"

	"github.com/fhirfacade/fhirfacade/internal/operate"
)

type reindexCommand struct {
	placeFlags
	Organization string   `help:"The organization; all when not given."`
	Environment  string   `help:"Its environment: Development, Staging or Production; all when not given."`
	Type         []string `help:"A resource type; may be repeated; all when not given." placeholder:"TYPE"`
}

// Help is shown by fhirfacade reindex --help.
func (reindexCommand) Help() string {
	return `Gives stored resources the search keys that they would get if they were written now. A running server
does it while it serves, and does it by itself where a new version or a SearchParameter needs it; this
command shows how far it is. Where no server runs it works on the store itself. It can be stopped at any
time: a server goes on, and so does the same command.

Examples:
  fhirfacade reindex
  fhirfacade reindex --organization clinic --environment Production --type Patient --type Observation
  FHIRFACADE_ADMIN_TOKEN=… fhirfacade reindex --server https://fhir.example.org --organization clinic
  fhirfacade reindex --config settings.yaml`
}

func (c reindexCommand) Run(ctx context.Context) error {
	if c.Organization == "" && c.Environment != "" {
		return errors.New("--environment needs --organization")
	}
	return operate.Reindex{Place: c.place(), Organization: c.Organization, Environment: c.Environment, Types: c.Type}.Run(ctx, os.Stdout)
}
