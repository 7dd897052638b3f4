package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
)

// Reindex says whose search keys are built anew.
type Reindex struct {
	Place
	// Organization is "" for all, Environment too.
	Organization, Environment string
	// Types are the resource types; none for all.
	Types []string
}

// ErrNotAll: a reindexing ended otherwise than finished.
var ErrNotAll = errors.New("not all search keys were built")

// pollEvery is how often a server is asked for the progress.
const pollEvery = 300 * time.Millisecond

// Run does it and shows the progress on out.
func (r Reindex) Run(ctx context.Context, out io.Writer) error {
	client, offline, err := r.find(ctx)
	if err != nil {
		return err
	}
	all := online(ctx, client)
	if offline != nil {
		defer offline.Close()
		fmt.Fprintln(out, "No server runs: working on the store itself.")
		all = offlineRun(ctx, offline)
	}
	organizations := []tenant.Organization{{ID: r.Organization}}
	if r.Organization == "" {
		if organizations, err = all.organizations(); err != nil {
			return err
		}
	}
	environments := tenant.Environments
	if r.Environment != "" {
		environments = []string{r.Environment}
	}
	b := newBar(out)
	var failed error
	for _, o := range organizations {
		for _, env := range environments {
			name := o.ID + "/" + env
			j, err := all.reindex(o.ID, env, r.Types, func(j maintenance.Job) { showReindex(b, name, j) })
			if errors.Is(err, context.Canceled) {
				b.end("")
				return all.stopped(j)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			endReindex(b, name, *j)
			if j.State != maintenance.Finished {
				failed = ErrNotAll
			}
		}
	}
	return failed
}

func showReindex(b *bar, name string, j maintenance.Job) {
	seen := j.Done + j.Failed
	text := fmt.Sprintf("%d of %d resources", seen, max(j.Total, seen))
	all := j.Total
	if j.State == maintenance.Queued {
		text, seen, all = "waiting to begin", 0, 1
	}
	if j.Failed > 0 {
		text += fmt.Sprintf(", %d of them cannot be indexed", j.Failed)
	}
	b.show(name, seen, all, text)
}

func endReindex(b *bar, name string, j maintenance.Job) {
	text := fmt.Sprintf("%s: %s, %d resources have their keys", name, j.State, j.Done)
	if j.Error != "" {
		text += ": " + j.Error
	}
	b.end(text)
}

// way is how a reindexing is done.
type way struct {
	organizations func() ([]tenant.Organization, error)
	reindex       func(organization, environment string, types []string, show func(maintenance.Job)) (*maintenance.Job, error)
	stopped       func(j *maintenance.Job) error
}

func online(ctx context.Context, c *Client) way {
	return way{
		organizations: func() (all []tenant.Organization, err error) {
			return all, c.Do(ctx, http.MethodGet, "/organizations", nil, &all)
		},
		reindex: func(organization, environment string, types []string, show func(maintenance.Job)) (*maintenance.Job, error) {
			path := "/maintenance/" + url.PathEscape(organization) + "/" + url.PathEscape(environment)
			j := &maintenance.Job{}
			if err := c.Do(ctx, http.MethodPost, path+"/reindex", map[string][]string{"types": types}, j); err != nil {
				return nil, err
			}
			return j, c.follow(ctx, path+"/jobs/"+j.ID, j, show)
		},
		stopped: func(j *maintenance.Job) error {
			if j == nil || j.ID == "" {
				return context.Canceled
			}
			return fmt.Errorf("the reindexing %s goes on in the server: run the same command to watch it", j.ID)
		},
	}
}

// follow reads a job until it has ended.
func (c *Client) follow(ctx context.Context, path string, j *maintenance.Job, show func(maintenance.Job)) error {
	for {
		now := maintenance.Job{}
		if err := c.Do(ctx, http.MethodGet, path, nil, &now); err != nil {
			return err
		}
		*j = now
		if !j.Open() {
			return nil
		}
		show(*j)
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func offlineRun(ctx context.Context, o *server.Offline) way {
	return way{
		organizations: func() ([]tenant.Organization, error) { return o.Organizations(ctx) },
		reindex: func(organization, environment string, types []string, show func(maintenance.Job)) (*maintenance.Job, error) {
			t, err := o.Tenant(ctx, organization, environment)
			if err != nil {
				return nil, err
			}
			return o.Reindex(ctx, t, types, show)
		},
		stopped: func(j *maintenance.Job) error {
			if j == nil {
				return context.Canceled
			}
			return fmt.Errorf("stopped after %d resources: the same command, or a server that starts, goes on from there", j.Done)
		},
	}
}
