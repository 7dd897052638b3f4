// Command fhirfacade is a FHIR R4 facade server. Each subcommand has a file of
// its own; what they do lives in the packages below internal.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the linker (see the Makefile).
var version = "development"

type cli struct {
	Config kong.ConfigFlag `help:"YAML file with settings, under the names of the flags: listen: 127.0.0.1:8080." type:"existingfile" placeholder:"FILE" env:"FHIRFACADE_CONFIG"`

	Serve         serveCommand            `cmd:"" help:"Run the server."`
	Simulate      simulateCommand         `cmd:"" help:"Run the simulation of an EHR vendor's API."`
	Receive       receiveCommand          `cmd:"" help:"Run a webhook subscriber that verifies, stores and prints what it gets."`
	Map           mapCommand              `cmd:"" help:"Translate between HL7 v2 and FHIR, from stdin to stdout."`
	Demo          demoCommand             `cmd:"" help:"Play the main job from end to end on this machine."`
	Mongodb       mongodbCommand          `cmd:"" help:"Look after the MongoDB that servers run on."`
	Export        exportCommand           `cmd:"" help:"Export an organization's data to NDJSON files."`
	Import        importCommand           `cmd:"" help:"Import NDJSON files and Bundles."`
	Reindex       reindexCommand          `cmd:"" help:"Build the search keys of stored resources anew."`
	Backup        backupCommand           `cmd:"" help:"Copy the embedded store, also while a server runs on it."`
	Restore       restoreCommand          `cmd:"" help:"Make a data folder from a backup."`
	Check         checkCommand            `cmd:"" help:"Check the embedded store, or a backup, for consistency."`
	Drop          dropOrganizationCommand `cmd:"" name:"drop-organization" help:"Remove an organization and all of its data."`
	Subscriptions subscriptionsCommand    `cmd:"" help:"List, pause, resume, retry, replay and skip deliveries."`
	Version       versionCommand          `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("fhirfacade"),
		kong.Description("A FHIR R4 facade: stores what EHRs push, answers FHIR searches, notifies subscribers in order, polls what cannot push, and writes back.\n\nTry: fhirfacade serve --sandbox"),
		kong.UsageOnError(),
		kong.Configuration(yamlSettings),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Vars{"version": version},
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fhirfacade:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "fhirfacade: %v\nTry: fhirfacade --help\n", err)
		return 2
	}
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "fhirfacade:", err)
		return 1
	}
	return 0
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("fhirfacade", version)
	return nil
}
