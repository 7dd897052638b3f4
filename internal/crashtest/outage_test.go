package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// mongodb is a server of the test's own, by scripts/mongodb.
type mongodb struct {
	t   *testing.T
	uri string
}

// ownMongoDB starts one. It is skipped, loudly, where none can be paused and
// restarted: only what the script started may be.
func ownMongoDB(t *testing.T, name string) *mongodb {
	t.Helper()
	if testing.Short() {
		t.Skip("freezes and kills a MongoDB; run without -short")
	}
	if os.Getenv("MONGODB_URI") != "" {
		t.Skip("SKIPPED, NOTHING WAS TESTED: MONGODB_URI names a server that is not the test's to pause; unset it")
	}
	m := &mongodb{t: t}
	uri, err := m.run(name, "start")
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 && os.Getenv("MONGODB") != "require" {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: no MongoDB can be started here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.uri = uri
	t.Cleanup(func() {
		if _, err := m.run(name, "stop"); err != nil {
			t.Error(err)
		}
	})
	return m
}

// run runs the script with its own name for the server.
func (m *mongodb) run(name, command string) (string, error) {
	cmd := exec.Command("../../scripts/mongodb", command)
	cmd.Env = append(os.Environ(), "FHIRFACADE_MONGODB_NAME="+name)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("scripts/mongodb %s: %w: %s", command, err, said.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[len(lines)-1], nil
}

// While MongoDB is frozen, or dies and comes back, requests wait or are
// answered with 503 and Retry-After; none is answered wrongly; and all goes on
// by itself.
func TestMongoDBOutage(t *testing.T) {
	const name = "outage"
	m := ownMongoDB(t, name)
	i := newInstance(t, "--mongodb-uri", m.uri+"&timeoutMS=1000&serverSelectionTimeoutMS=1000", "--mongodb-database", "outage")
	i.start()
	l := newLoad(t)
	k := newChecker(t, l.book)
	k.unfinished = true
	l.seedShared(i.url)
	l.transactions = takesTransactions(t, i.url)
	random := rand.New(rand.NewPCG(seed(t), 3))
	command := func(c string) {
		t.Helper()
		if _, err := m.run(name, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, outage := range []struct {
		name     string
		down, up string
	}{
		{"paused", "pause", "resume"},
		{"killed and restarted", "", "restart"},
		{"paused again", "pause", "resume"},
	} {
		t.Run(outage.name, func(t *testing.T) {
			stop := make(chan struct{})
			var all sync.WaitGroup
			for range 2 * writers {
				w := &writer{load: l, c: newClient(i.url), random: rand.New(rand.NewPCG(random.Uint64(), 4))}
				all.Go(func() {
					defer w.c.close()
					w.run(t.Context(), stop)
				})
			}
			before := l.book.count(acknowledged)
			until(t, "writes", time.Minute, func(context.Context) error { return l.book.more(before + 20) })
			failed := l.unavailable.Load()
			if outage.down != "" {
				command(outage.down)
				i.wantsStatus(http.StatusServiceUnavailable)
				until(t, "a request that is told of the outage", time.Minute, func(context.Context) error {
					if l.unavailable.Load() == failed {
						return errors.New("none")
					}
					return nil
				})
			}
			command(outage.up)
			i.wantsStatus(http.StatusOK)
			before = l.book.count(acknowledged)
			until(t, "writes after the outage", time.Minute, func(context.Context) error { return l.book.more(before + 20) })
			close(stop)
			all.Wait()
			t.Logf("%d requests were answered with 503", l.unavailable.Load()-failed)
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	k.check(i.url, true)
	t.Log(l.book.summary())
}

// wantsStatus waits until the health page has a status.
func (i *instance) wantsStatus(status int) {
	i.t.Helper()
	c := newClient(i.url)
	defer c.close()
	until(i.t, fmt.Sprintf("/health/ready to answer %d", status), time.Minute, func(ctx context.Context) error {
		a, err := c.send(ctx, http.MethodGet, "/health/ready", nil)
		switch {
		case err != nil:
			return err
		case a.status != status:
			return fmt.Errorf("status %d", a.status)
		case status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "":
			i.t.Errorf("a 503 without Retry-After")
		}
		return nil
	})
}

// until polls what another process does until it is as it should be.
func until(t *testing.T, what string, patience time.Duration, ok func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := ok(ctx)
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("waited %v for %s; last: %v", patience, what, err)
		}
	}
}
