package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/serve"
	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth/simulator"
)

type simulateCommand struct {
	Athenahealth simulateAthenahealth `cmd:"" help:"The athenaOne API of athenahealth."`
	Fhir         simulateFHIR         `cmd:"" help:"A FHIR R4 server: of no vendor, Epic, Cerner, Canvas, Nextech or eClinicalWorks."`
}

type simulateAthenahealth struct {
	Listen       string        `help:"Address to listen on." default:"127.0.0.1:8091" env:"FHIRFACADE_SIMULATE_LISTEN"`
	Practice     string        `help:"Practice id." default:"195900"`
	ClientID     string        `help:"Accepted client id." default:"client"`
	ClientSecret string        `help:"Accepted client secret." default:"secret"`
	Seed         uint64        `help:"Decides who is invented." default:"1"`
	Appointments int           `help:"How many appointments are booked from the start." default:"20"`
	Latency      time.Duration `help:"How long each answer takes." default:"0s"`
	Stream       time.Duration `help:"Make a random change this often; 0 for none." default:"0s"`
}

// Help is shown by fhirfacade simulate athenahealth --help.
func (simulateAthenahealth) Help() string {
	return `Examples:
  fhirfacade simulate athenahealth --stream 5s
  curl -X POST http://127.0.0.1:8091/simulator/appointments -d '{}'                      # book one
  curl http://127.0.0.1:8091/simulator/appointments                                      # list them
  curl -X POST http://127.0.0.1:8091/simulator/appointments/{id}/reschedule -d '{}'
  curl -X POST http://127.0.0.1:8091/simulator/faults -d '{"kind":"429","times":3}'`
}

func (c simulateAthenahealth) Run(ctx context.Context) error {
	s := simulator.New(simulator.Options{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, PracticeID: c.Practice,
		Seed: c.Seed, Appointments: c.Appointments, Latency: c.Latency,
	})
	if c.Stream > 0 {
		s.Start(c.Stream)
		defer s.Stop()
	}
	return serve.HTTP(ctx, c.Listen, http.Handler(s), func(url string) {
		fmt.Printf("Simulated athenahealth practice %s is ready\n  API      %s/v1/%s (client %s)\n  Control  %s/simulator/appointments\n",
			c.Practice, url, c.Practice, c.ClientID, url)
	})
}
