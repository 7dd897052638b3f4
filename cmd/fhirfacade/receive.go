package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/receiver"
	"github.com/fhirfacade/fhirfacade/internal/serve"
)

type receiveCommand struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8092" env:"FHIRFACADE_RECEIVE_LISTEN"`
	Name   string `help:"Name in front of each line." default:"receiver"`
	Token  string `help:"Verification token agreed on with the sender." env:"FHIRFACADE_RECEIVE_TOKEN"`
	Secret string `help:"Standard Webhooks secret (whsec_…) that deliveries must be signed with." env:"FHIRFACADE_RECEIVE_SECRET"`
	Dir    string `help:"Folder to store deliveries in." type:"path"`
}

// Help is shown by fhirfacade receive --help.
func (receiveCommand) Help() string {
	return `It answers the challenge, checks the verification token and the signature of each delivery,
stores the body in a file and prints one line.

  curl -X POST http://127.0.0.1:8092/control/down -d '{"deliveries":3}'   # refuse the next three
  curl http://127.0.0.1:8092/control/received                             # what came, without bodies`
}

func (c receiveCommand) Run(ctx context.Context) error {
	r, err := receiver.New(receiver.Options{
		Name: c.Name, Token: c.Token, Secret: c.Secret, Dir: c.Dir, Out: os.Stdout, Now: time.Now,
	})
	if err != nil {
		return err
	}
	return serve.HTTP(ctx, c.Listen, r, func(url string) { fmt.Printf("%s is ready at %s\n", c.Name, url) })
}
