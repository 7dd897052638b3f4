// Package demo plays the main job in front of a reader: it starts the real
// program as a server, as a simulated vendor API and as webhook subscribers,
// and walks messages all the way through, checking each step from outside.
//
//	demo.go     the order of the steps, and the timeline it prints
//	process.go  the processes
//	client.go   HTTP with JSON
//	steps.go    what each step does and how it is checked
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options say how the demo is played.
type Options struct {
	// Program is the fhirfacade executable.
	Program string
	Out     io.Writer
	// Keep leaves the folder with data, logs and deliveries.
	Keep bool
}

// limit is how long the whole may take.
const limit = 90 * time.Second

// Run plays the demo; an error says which step did not happen.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "fhirfacade-demo-")
	if err != nil {
		return err
	}
	d := &demo{o: o, dir: dir, began: time.Now()}
	defer d.finish()
	steps := []struct {
		title string
		play  func(ctx context.Context) error
	}{
		{"Start a server, a simulated athenahealth and three webhook subscribers", d.start},
		{"Subscribe: one lightweight, one detailed, one for writebacks as Redox JSON (Production)", d.subscribe},
		{"Push a Redox Scheduling.New", d.pushScheduling},
		{"Find it again by FHIR search", d.search},
		{"Push a Redox PatientAdmin.Arrival for the same patient", d.pushArrival},
		{"Poll what cannot push: a change in the vendor's system arrives as if it had been pushed", d.poll},
		{"Take the detailed subscriber down for three deliveries and push three changes", d.outage},
		{"Write back: Appointment/$appointment-create becomes Scheduling.New at the EHR", d.writeback},
		{"The detailed subscriber is back: nothing lost, order kept", d.recovery},
	}
	for i, s := range steps {
		fmt.Fprintf(o.Out, "\n%d. %s\n", i+1, s.title)
		if err := s.play(ctx); err != nil {
			fmt.Fprintf(o.Out, "%s  FAILED: %v\n", d.elapsed(), err)
			d.o.Keep = true
			return fmt.Errorf("step %d, %s: %w", i+1, s.title, err)
		}
	}
	fmt.Fprintf(o.Out, "\nAll %d steps happened, in %s.\n", len(steps), time.Since(d.began).Round(100*time.Millisecond))
	return nil
}

// demo is one performance.
type demo struct {
	o     Options
	dir   string
	began time.Time

	processes []*process
	server    string // URLs
	vendor    string
	light     *subscriber
	detailed  *subscriber
	ehr       *subscriber

	patient, appointment string // "Type/id"
}

func (d *demo) elapsed() string {
	return fmt.Sprintf("  %6.2f s", time.Since(d.began).Seconds())
}

// tell prints a line of the timeline.
func (d *demo) tell(format string, args ...any) {
	fmt.Fprintf(d.o.Out, "%s  %s\n", d.elapsed(), fmt.Sprintf(format, args...))
}

// finish stops the processes and removes the folder.
func (d *demo) finish() {
	for i := len(d.processes) - 1; i >= 0; i-- {
		d.processes[i].stop()
	}
	if d.o.Keep {
		fmt.Fprintf(d.o.Out, "Data, logs and deliveries are in %s\n", d.dir)
		return
	}
	_ = os.RemoveAll(d.dir)
}

func (d *demo) path(elem ...string) string { return filepath.Join(append([]string{d.dir}, elem...)...) }
