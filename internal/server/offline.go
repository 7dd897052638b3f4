package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// Offline is a store that is opened without a server, for an operator.
type Offline struct {
	core      *core
	directory *tenant.Directory
}

// OpenOffline opens a store that exists. Listen and PublicURL must be those of
// the server: references below its base are local.
func OpenOffline(ctx context.Context, c Config) (*Offline, error) {
	if c.Learn == 0 {
		c.Learn = defaultLearn
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.MongoDBURI == "" && !pebble.Exists(c.Data) {
		return nil, fmt.Errorf("there is no store in %s", c.Data)
	}
	st, err := openStore(ctx, c)
	if err != nil {
		return nil, err
	}
	url := c.PublicURL
	if url == "" {
		url = "http://" + c.Listen
	}
	directory := tenant.NewDirectory(st, time.Now, forgetting(c, st))
	k, err := newCore(c, st, directory, url, nil)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	k.maintain(maintenance.Options{Data: embedded(c)})
	k.api = rest.New(rest.Options{
		Repository: k.repository, Tenant: directory.Tenant, MaxBody: c.MaxBody, Bulk: k.bulk, Now: time.Now, NewID: newID, Logger: c.Logger, Version: c.Version,
	})
	return &Offline{k, directory}, nil
}

// Close closes the store.
func (o *Offline) Close() error { return o.core.store.Close() }

// Organizations lists the organizations.
func (o *Offline) Organizations(ctx context.Context) ([]tenant.Organization, error) {
	return o.directory.Organizations(ctx)
}

// Tenant finds the tenant of an organization's environment.
func (o *Offline) Tenant(ctx context.Context, organization, environment string) (store.Tenant, error) {
	return o.directory.Tenant(ctx, organization, environment)
}

// showEvery is how often progress is shown.
const showEvery = 500 * time.Millisecond

// Reindex does the open jobs of a tenant, or else a new one, here. show is
// told now and then how far it is.
func (o *Offline) Reindex(ctx context.Context, t store.Tenant, types []string, show func(maintenance.Job)) (*maintenance.Job, error) {
	r := o.core.runner
	j, err := r.Order(ctx, t, types, "requested")
	if err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() {
		for {
			err := r.Tenant(ctx, t)
			if now, read := r.Jobs().Get(ctx, t, j.ID); err != nil || read != nil || !now.Open() {
				done <- errors.Join(err, read)
				return
			}
			// A process that is gone may still have the lease.
			select {
			case <-time.After(showEvery):
			case <-ctx.Done():
				done <- ctx.Err()
				return
			}
		}
	}()
	for {
		select {
		case err = <-done:
			last, read := r.Jobs().Get(context.WithoutCancel(ctx), t, j.ID)
			return last, errors.Join(err, read)
		case <-time.After(showEvery):
			if at, err := r.Jobs().Get(ctx, t, j.ID); err == nil {
				show(*at)
			}
		}
	}
}
