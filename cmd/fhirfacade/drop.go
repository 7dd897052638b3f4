package main

import (
	"context"
	"os"

	"github.com/fhirfacade/fhirfacade/internal/operate"
)

type dropOrganizationCommand struct {
	adminFlags
	Organization string `arg:"" help:"The organization."`
	Environment  string `help:"Remove this environment only; the organization stays." placeholder:"ENVIRONMENT"`
	DryRun       bool   `help:"Count what would be removed, and remove nothing."`
	Yes          bool   `help:"Do not ask for the name once more."`
}

// Help is shown by fhirfacade drop-organization --help.
func (dropOrganizationCommand) Help() string {
	return `Removes an organization for good: resources with all versions, search keys, logs, messages,
transmissions, sources and their API keys, connections, subscriptions. It needs a running server, which
stops what works for the organization first. There is no way back but a backup.

Examples:
  fhirfacade drop-organization clinic --dry-run
  fhirfacade drop-organization clinic
  fhirfacade drop-organization clinic --environment Staging --yes`
}

func (c dropOrganizationCommand) Run(ctx context.Context) error {
	return operate.Drop{
		Client: c.client(), Organization: c.Organization, Environment: c.Environment, DryRun: c.DryRun, Yes: c.Yes,
	}.Run(ctx, os.Stdin, os.Stdout)
}
