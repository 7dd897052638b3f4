package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/fhirfacade/fhirfacade/internal/operate"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

type backupCommand struct {
	adminFlags
	Data string `help:"Folder of the embedded store." default:"data" type:"path" env:"FHIRFACADE_DATA"`
	To   string `arg:"" help:"Folder to make. With --server, an absolute path on the server's machine." name:"folder"`
}

// Help is shown by fhirfacade backup --help.
func (backupCommand) Help() string {
	return `Copies the embedded store as it is at one moment: every write that was answered before is in the copy.
A server that has the store open makes the copy and serves meanwhile; otherwise the command makes it. The
copy is checked with "fhirfacade check --data FOLDER". Where both folders are on one file system, files
are linked and take no space at first; copy the backup to another disk.

Examples:
  fhirfacade backup /backups/monday
  fhirfacade backup --data /var/lib/fhirfacade --config settings.yaml /backups/monday
  FHIRFACADE_ADMIN_TOKEN=… fhirfacade backup --server https://fhir.example.org /backups/monday`
}

func (c backupCommand) Run(ctx context.Context) error {
	return operate.Backup{
		Place: operate.Place{Server: c.Server, Token: c.AdminToken, Config: server.Config{
			Listen: c.Listen, Data: c.Data, Logger: slog.New(slog.DiscardHandler),
		}},
		To: c.To,
	}.Run(ctx, os.Stdout)
}

// openExisting opens a folder that holds a store; serve makes one where there
// is none, the commands for operators do not.
func openExisting(dir string) (*pebble.Engine, error) {
	if !pebble.Exists(dir) {
		return nil, fmt.Errorf("there is no store in %s", dir)
	}
	return pebble.Open(dir, pebble.Options{})
}
