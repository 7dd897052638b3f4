package main

import (
	"context"
	"errors"
	"os"

	"github.com/fhirfacade/fhirfacade/internal/operate"
)

// tenantFlags name an organization's environment, or a FHIR base.
type tenantFlags struct {
	placeFlags
	BaseURL      string `help:"A FHIR base, also of another server, instead of the organization and environment of one of ours." placeholder:"URL"`
	Organization string `help:"The organization; may be left out where there is only one."`
	Environment  string `help:"Its environment: Development, Staging or Production." default:"Development"`
}

func (t tenantFlags) tenant() operate.Tenant {
	return operate.Tenant{Place: t.place(), Base: t.BaseURL, Organization: t.Organization, Environment: t.Environment}
}

type exportCommand struct {
	tenantFlags
	To       string   `help:"Folder for the files; made if it is missing." required:"" type:"path" placeholder:"FOLDER"`
	Type     []string `help:"A resource type; may be repeated; all when not given." placeholder:"TYPE"`
	Since    string   `help:"What was changed, or deleted, since then: 2026-01-31T10:00:00Z." placeholder:"INSTANT"`
	Filter   []string `help:"A search of what is exported: Observation?status=final; may be repeated." placeholder:"SEARCH" sep:"none"`
	Patients bool     `help:"What belongs to patients only."`
	Group    string   `help:"What belongs to the members of this Group." placeholder:"ID"`
	Gzip     bool     `help:"Pack the files: .ndjson.gz."`
	Keep     bool     `help:"Leave the files on the server until their time is over."`
}

// Help is shown by fhirfacade export --help.
func (exportCommand) Help() string {
	return `Exports an organization's environment as NDJSON files, one and more for each resource type, as Bulk Data
Access has it ($export). The files are of one moment, whatever is written meanwhile. manifest.json is the
server's manifest; its transactionTime is what the next --since is. Where no server runs the command works
on the store itself. Stopped, or killed, the same command goes on where it was.

Examples:
  fhirfacade export --to today
  fhirfacade export --to today --type Patient --type Observation --gzip
  fhirfacade export --to changes --since 2026-01-31T10:00:00Z
  fhirfacade export --to diabetes --group diabetes --filter 'Observation?code=http://loinc.org|4548-4'
  FHIRFACADE_ADMIN_TOKEN=… fhirfacade export --to clinic --server https://fhir.example.org --organization clinic --environment Production
  fhirfacade export --to other --base-url https://other.example.org/fhir --token …`
}

func (c exportCommand) Run(ctx context.Context) error {
	if c.Patients && c.Group != "" {
		return errors.New("--patients and --group exclude each other: the members of a group are patients")
	}
	return operate.Export{
		Tenant: c.tenant(), To: c.To, Types: c.Type, Since: c.Since, Filters: c.Filter, Patients: c.Patients, Group: c.Group,
		Gzip: c.Gzip, Keep: c.Keep,
	}.Run(ctx, os.Stdout)
}
