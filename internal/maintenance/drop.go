package maintenance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/store"
)

// Dropper knows what belongs to an organization beside its tenants' data. Its
// methods may be repeated.
type Dropper interface {
	// Close makes environments of an organization unknown to new requests.
	// store.ErrNotFound: there is no such organization.
	Close(ctx context.Context, organization string, environments []string) error
	// Stop removes what brings data into a tenant or carries it out, and what
	// of it is kept elsewhere. Here it has ended when Stop returns; other
	// instances find out within Options.Elsewhere.
	Stop(ctx context.Context, t store.Tenant) error
	// Remove ends what Close began, when the data is gone: all environments of
	// an organization are the organization.
	Remove(ctx context.Context, organization string, environments []string) error
	// Count is what of the machinery would go, by what it is called.
	Count(ctx context.Context, t store.Tenant) (map[string]int, error)
}

// Contents is what dropping a tenant would remove.
type Contents struct {
	Organization string           `json:"organization"`
	Environment  string           `json:"environment"`
	Resources    map[string]int64 `json:"resources"`
	LogEntries   int64            `json:"logEntries"`
	Machinery    map[string]int   `json:"machinery"`
}

func environments(environment string) []string {
	if environment == "" {
		return tenant.Environments
	}
	return []string{environment}
}

// Contents counts what dropping an organization, or one of its environments,
// would remove.
func (r *Runner) Contents(ctx context.Context, organization, environment string) ([]Contents, error) {
	var all []Contents
	for _, env := range environments(environment) {
		t := tenant.Of(organization, env)
		c := Contents{Organization: organization, Environment: env, Resources: map[string]int64{}}
		for _, typ := range r.o.Parameters.Definitions().ResourceTypes() {
			page, err := r.o.Store.Search(ctx, t, store.Query{Where: r.all(typ), Count: true})
			if err != nil {
				return nil, err
			}
			if page.Total > 0 {
				c.Resources[typ] = page.Total
			}
		}
		var err error
		if c.LogEntries, err = r.o.Store.Head(ctx, t); err != nil {
			return nil, err
		}
		if c.Machinery, err = r.o.Dropper.Count(ctx, t); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// OrderDrop makes a job of removing an organization, or one environment of it,
// for good. Requests for it are refused from then on.
func (r *Runner) OrderDrop(ctx context.Context, organization, environment string) (*Job, error) {
	if err := r.o.Dropper.Close(ctx, organization, environments(environment)); err != nil {
		return nil, err
	}
	j := &Job{
		ID: r.o.NewID(), Kind: Drop, Reason: "requested", State: Queued, CreatedAt: r.o.Now().UTC(),
		Organization: organization, Environment: environment, Total: int64(len(environments(environment))),
	}
	if err := r.jobs.put(ctx, store.System, j); err != nil {
		return nil, err
	}
	r.Wake()
	return j, nil
}

// drop removes the tenants of a job. It cannot be cancelled: what is gone is
// gone. A job that was cut short is done from its beginning.
func (r *Runner) drop(ctx context.Context, _ store.Tenant, j *Job) error {
	now := r.o.Now().UTC()
	j.State, j.StartedAt, j.Done = Running, &now, 0
	if err := r.jobs.put(ctx, store.System, j); err != nil {
		return err
	}
	envs := environments(j.Environment)
	if err := r.o.Dropper.Close(ctx, j.Organization, envs); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var tenants []store.Tenant
	for _, env := range envs {
		t := tenant.Of(j.Organization, env)
		tenants = append(tenants, t)
		if err := r.stop(ctx, t); err != nil {
			return err
		}
	}
	for {
		// What was under way here, or runs elsewhere without knowing yet, may
		// still write.
		if err := r.elsewhere(ctx); err != nil {
			return err
		}
		left, err := r.remove(ctx, tenants)
		if err != nil {
			return err
		}
		if !left {
			break
		}
	}
	if err := r.o.Dropper.Remove(ctx, j.Organization, envs); err != nil {
		return err
	}
	j.Done = j.Total
	j.end(Finished, r.o.Now(), "")
	if err := r.jobs.put(ctx, store.System, j); err != nil {
		return err
	}
	r.o.Logger.Info("an organization's data was removed", "organization", j.Organization, "environment", j.Environment, "job", j.ID)
	return nil
}

// elsewhere waits until other instances know what was stopped.
func (r *Runner) elsewhere(ctx context.Context) error {
	wait := time.Second
	if !r.o.Store.Exclusive() {
		wait = r.o.Elsewhere
	}
	select {
	case <-r.o.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends what works for a tenant, jobs included.
func (r *Runner) stop(ctx context.Context, t store.Tenant) error {
	open, err := r.jobs.openJobs(ctx, t)
	if err != nil {
		return err
	}
	for _, j := range open {
		if _, err := r.jobs.Cancel(ctx, t, j.ID); err != nil && !errors.Is(err, ErrEnded) && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return r.o.Dropper.Stop(ctx, t)
}

// remove removes tenants that hold something. left reports that there were
// any: somebody may still have been writing, so it is looked at again.
func (r *Runner) remove(ctx context.Context, tenants []store.Tenant) (left bool, err error) {
	there, err := r.o.Store.Tenants(ctx)
	if err != nil {
		return false, err
	}
	for _, t := range tenants {
		if !slices.Contains(there, t) {
			continue
		}
		left = true
		if err := r.o.Store.DropTenant(ctx, t); err != nil {
			return left, err
		}
		r.o.Parameters.Forget(t)
		r.mu.Lock()
		delete(r.holding, t)
		delete(r.looked, t)
		r.mu.Unlock()
	}
	return left, nil
}
