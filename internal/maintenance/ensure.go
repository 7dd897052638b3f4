package maintenance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/store"
)

// recentJobs is how far back a job that was cancelled is looked for.
const recentJobs = 100

// Check compares, for every tenant, how its search keys were made with how
// this program makes them, and orders a reindexing where that differs. A
// server does it before it serves, so that no search is answered by keys of
// which it does not know.
func (r *Runner) Check(ctx context.Context) error {
	tenants, err := r.o.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if t == store.System {
			continue
		}
		rebuild, err := r.o.Parameters.Check(ctx, t)
		switch {
		case errors.Is(err, parameters.ErrNewer):
			r.o.Logger.Error(err.Error(), "tenant", t)
		case err != nil:
			return err
		case rebuild:
			r.o.Logger.Warn("search keys are made differently now: they are built anew, and searches say so until that has finished", "tenant", t)
		}
		if _, err := r.o.Parameters.Reconcile(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// reconcile takes up SearchParameters that whoever stored them did not come to
// take up. It looks only where something was committed since.
func (r *Runner) reconcile(ctx context.Context, t store.Tenant) error {
	head, err := r.o.Store.Head(ctx, t)
	if err != nil {
		return err
	}
	r.mu.Lock()
	same := r.looked[t] == head
	r.mu.Unlock()
	if same {
		return nil
	}
	if _, err := r.o.Parameters.Reconcile(ctx, t); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked[t] = head
	return nil
}

// ensure orders the reindexing that a tenant needs and nobody has ordered.
// What an operator has cancelled, or what failed, is not ordered again.
func (r *Runner) ensure(ctx context.Context, t store.Tenant) error {
	if err := r.reconcile(ctx, t); err != nil {
		return err
	}
	rec, err := r.o.Parameters.Record(ctx, t)
	if err != nil {
		return err
	}
	var codes, types []string
	everything := rec.Rebuilding != ""
	if !everything && !slices.ContainsFunc(rec.Parameters, waiting) {
		return nil
	}
	jobs, _, err := r.jobs.List(ctx, t, "", recentJobs)
	if err != nil {
		return err
	}
	ordered := func(types []string, generation int64) bool {
		return slices.ContainsFunc(jobs, func(j *Job) bool {
			return j.State != Finished && j.covers(types, generation)
		})
	}
	if everything {
		if !ordered(nil, rec.RebuildingFrom) {
			_, err = r.Order(ctx, t, nil, "the program makes search keys differently now")
		}
		return err
	}
	d := r.o.Parameters.Definitions()
	for i := range rec.Parameters {
		p := &rec.Parameters[i]
		if !waiting(*p) || ordered(p.Types(d), p.Generation) {
			continue
		}
		codes = append(codes, p.Code)
		for _, typ := range p.Types(d) {
			if !slices.Contains(types, typ) {
				types = append(types, typ)
			}
		}
	}
	if len(codes) == 0 {
		return nil
	}
	slices.Sort(types)
	if len(types) == len(d.ResourceTypes()) {
		types = nil
	}
	_, err = r.Order(ctx, t, types, "search parameter "+strings.Join(codes, ", "))
	return err
}

func waiting(p parameters.Parameter) bool {
	return p.State == parameters.Building && p.Problem == ""
}

// Progress says how far the keys of a parameter are: for the outcome of a
// search that names it.
func (r *Runner) Progress(ctx context.Context, t store.Tenant, p parameters.Parameter) string {
	jobs, _, err := r.jobs.List(ctx, t, "", recentJobs)
	if err != nil {
		return ""
	}
	for _, j := range jobs {
		if !j.covers(p.Types(r.o.Parameters.Definitions()), p.Generation) {
			continue
		}
		switch j.State {
		case Queued:
			return fmt.Sprintf("The reindexing %s that builds its keys has not begun.", j.ID)
		case Running:
			return fmt.Sprintf("The reindexing %s has built the keys of %d of %d resources.", j.ID, j.Done, j.Total)
		case Cancelled:
			return fmt.Sprintf("The reindexing %s that builds its keys was cancelled; order another.", j.ID)
		}
	}
	return ""
}
