package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/serve"
	"github.com/fhirfacade/fhirfacade/polling/vendors/fhirr4/simulator"
	"github.com/fhirfacade/fhirfacade/polling/vendors/simulate"
)

type simulateFHIR struct {
	Listen       string        `help:"Address to listen on." default:"127.0.0.1:8092" env:"FHIRFACADE_SIMULATE_LISTEN"`
	Flavour      string        `help:"The vendor whose oddities it has: epic, cerner, canvas, nextech or eclinicalworks; none of them when not given."`
	ClientID     string        `help:"Accepted client id." default:"client"`
	ClientSecret string        `help:"Accepted client secret." default:"secret"`
	PublicKey    string        `help:"PEM file with the key that client assertions must be signed with; any signature is taken when not given." type:"existingfile" placeholder:"FILE"`
	Practice     string        `help:"What nextech wants in nx-practice-id." default:"195900"`
	Seed         uint64        `help:"Decides who is invented." default:"1"`
	Appointments int           `help:"How many appointments are booked from the start." default:"20"`
	Latency      time.Duration `help:"How long each answer takes." default:"0s"`
	Stream       time.Duration `help:"Make a random change this often; 0 for none." default:"0s"`
}

// Help is shown by fhirfacade simulate fhir --help.
func (simulateFHIR) Help() string {
	return `Examples:
  fhirfacade simulate fhir --stream 5s
  fhirfacade simulate fhir --flavour cerner
  curl -X POST http://127.0.0.1:8092/simulator/changes -d '{"count":3}'
  curl "http://127.0.0.1:8092/simulator/resources?type=Appointment"
  curl -X POST http://127.0.0.1:8092/simulator/faults -d '{"kind":"429","path":"Patient/","times":3}'`
}

func (c simulateFHIR) Run(ctx context.Context) error {
	key := []byte(nil)
	if c.PublicKey != "" {
		var err error
		if key, err = os.ReadFile(c.PublicKey); err != nil {
			return err
		}
	}
	s, err := simulator.New(simulator.Options{
		Options: simulate.Options{Latency: c.Latency}, Flavour: c.Flavour, ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		PublicKey: string(key), Practice: c.Practice, Seed: c.Seed, Appointments: c.Appointments,
	})
	if err != nil {
		return fmt.Errorf("--flavour: %w", err)
	}
	if c.Stream > 0 {
		s.Start(c.Stream)
		defer s.Stop()
	}
	return serve.HTTP(ctx, c.Listen, s, func(url string) {
		fmt.Printf("Simulated FHIR server is ready\n  API      %s/r4 (client %s, token at %s/token)\n  Control  %s/simulator/resources?type=Appointment\n", url, c.ClientID, url, url)
	})
}
