package demo

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// process is a running fhirfacade.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	log  *os.File
}

// run starts the program with arguments; what it prints goes to a file.
func (d *demo) run(name string, args ...string) error {
	log, err := os.Create(d.path(name + ".log"))
	if err != nil {
		return err
	}
	cmd := exec.Command(d.o.Program, args...) //nolint:noctx // the program itself; stop ends it
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &process{cmd: cmd, done: make(chan struct{}), log: log}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its log
	}()
	d.processes = append(d.processes, p)
	return nil
}

// stopTime is how long a process may take to end by itself.
const stopTime = 10 * time.Second

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(stopTime):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	_ = p.log.Close()
}

// freeAddress is a loopback address with a port that was free just now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// pause is between two looks at something that is waited for.
const pause = 50 * time.Millisecond

// until waits until ok says so. What was seen last is part of the error.
func until(ctx context.Context, what string, ok func() (bool, string, error)) error {
	last := ""
	for {
		done, seen, err := ok()
		if err == nil && done {
			return nil
		}
		last = seen
		if err != nil {
			last = err.Error()
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("waited for %s; last seen: %s", what, last)
		}
	}
}
