package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2/v2fhir"
)

// mapCommand translates what is on stdin and sends nothing.
type mapCommand struct {
	HL7v2ToFHIR hl7v2ToFHIRCommand `cmd:"" name:"hl7v2-to-fhir" help:"Write the FHIR message of an HL7 v2 message."`
	FHIRToHL7v2 fhirToHL7v2Command `cmd:"" name:"fhir-to-hl7v2" help:"Write the HL7 v2 message of a FHIR Bundle."`
}

type mapOptions struct {
	Slug    string            `help:"Organization in the systems of local names: urn:hl7v2:<slug>:<name>." default:"local"`
	Zone    string            `help:"Time zone of times without an offset, and of those that are written."`
	System  map[string]string `help:"FHIR system of an assigning authority or of a local code system." placeholder:"NAME=URI"`
	Explain bool              `help:"Write the rule behind every value, and what was left over, as JSON instead."`
}

func (c mapOptions) options() (v2fhir.Options, error) {
	o := v2fhir.Options{Slug: c.Slug, Systems: c.System}
	if c.Zone != "" {
		zone, err := time.LoadLocation(c.Zone)
		if err != nil {
			return o, fmt.Errorf("--zone is not a time zone")
		}
		o.Zone = zone
	}
	return o, nil
}

// explanation is what --explain writes.
type explanation struct {
	Message  string        `json:"message"`
	Steps    []v2fhir.Step `json:"steps"`
	Left     []string      `json:"left"`
	Warnings []string      `json:"warnings,omitempty"`
}

func (e explanation) write(out io.Writer) error {
	j := json.NewEncoder(out)
	j.SetEscapeHTML(false)
	j.SetIndent("", "  ")
	return j.Encode(e)
}

type hl7v2ToFHIRCommand struct {
	mapOptions
	Charset string `help:"Character set of messages that declare none and are not UTF-8." default:"WINDOWS-1252"`
}

// Help is shown by fhirfacade map hl7v2-to-fhir --help.
func (hl7v2ToFHIRCommand) Help() string {
	return `  fhirfacade map hl7v2-to-fhir < message.hl7 > bundle.json
  fhirfacade map hl7v2-to-fhir --explain < message.hl7`
}

func (c hl7v2ToFHIRCommand) Run() error {
	o, err := c.options()
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(os.Stdin, hl7v2.MaxBytes+1))
	if err != nil {
		return err
	}
	m, err := hl7v2.Parse(data, hl7v2.Options{Charset: c.Charset})
	if err != nil {
		return err
	}
	r, err := v2fhir.ToFHIR(m, o)
	if err != nil {
		return err
	}
	if c.Explain {
		e := explanation{Message: r.Code, Steps: r.Steps, Left: r.Left}
		for _, w := range r.Warnings {
			e.Warnings = append(e.Warnings, w.Error())
		}
		return e.write(os.Stdout)
	}
	bundle, err := r.Bundle()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(bundle)
	return err
}

type fhirToHL7v2Command struct {
	mapOptions
	Event     string `help:"Message type and event, such as SIU^S12; the MessageHeader's where it is not given."`
	ControlID string `name:"control-id" help:"MSH-10." default:"1"`
	From      string `help:"Sending application and facility, MSH-3|MSH-4." default:"FHIRFACADE|"`
	To        string `help:"Receiving application and facility, MSH-5|MSH-6."`
}

// Help is shown by fhirfacade map fhir-to-hl7v2 --help.
func (fhirToHL7v2Command) Help() string {
	return `  fhirfacade map fhir-to-hl7v2 --event 'SIU^S12' --to 'EHR|HOSPITAL' < bundle.json > message.hl7

Messages: ` + strings.Join(v2fhir.Events(), " ")
}

func (c fhirToHL7v2Command) Run() error {
	o, err := c.options()
	if err != nil {
		return err
	}
	if len(c.ControlID) > 20 {
		return fmt.Errorf("--control-id has at most 20 characters")
	}
	o.Now, o.ControlID = time.Now(), c.ControlID
	o.SendingApplication, o.SendingFacility, _ = strings.Cut(c.From, "|")
	o.ReceivingApplication, o.ReceivingFacility, _ = strings.Cut(c.To, "|")
	bundle, err := io.ReadAll(io.LimitReader(os.Stdin, hl7v2.MaxBytes+1))
	if err != nil {
		return err
	}
	w, err := v2fhir.FromFHIR(bundle, c.Event, o)
	if err != nil {
		return err
	}
	if c.Explain {
		return explanation{Message: w.Code, Steps: w.Steps, Left: w.Left}.write(os.Stdout)
	}
	text, err := w.Encode()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}
