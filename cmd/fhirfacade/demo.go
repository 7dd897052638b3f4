package main

import (
	"context"
	"os"

	"github.com/fhirfacade/fhirfacade/internal/demo"
)

type demoCommand struct {
	Keep bool `help:"Keep the folder with data, logs and deliveries, and say where it is."`
}

// Help is shown by fhirfacade demo --help.
func (demoCommand) Help() string {
	return `Starts a server, a simulated athenahealth and three webhook subscribers as processes of their
own on free ports, plays the main job and stops them. Exits with 1 when a step did not happen.`
}

func (c demoCommand) Run(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return demo.Run(ctx, demo.Options{Program: program, Out: os.Stdout, Keep: c.Keep})
}
