package maintenance

import (
	"context"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/store"
)

// BulkJobs keeps exports and imports as jobs. wake is called when there is
// something to do.
type BulkJobs struct {
	*Jobs
	wake func()
}

var _ bulk.Jobs = BulkJobs{}

// NewBulkJobs makes them of the records of jobs.
func NewBulkJobs(l *Jobs, wake func()) BulkJobs { return BulkJobs{l, wake} }

// Order implements bulk.Jobs.
func (b BulkJobs) Order(ctx context.Context, t store.Tenant, j bulk.Job) error {
	err := b.put(ctx, t, &Job{ID: j.ID, Kind: Kind(j.Kind), Reason: "requested", State: Queued, Work: j.Work, CreatedAt: b.now().UTC()})
	if err == nil {
		b.wake()
	}
	return err
}

// Get implements bulk.Jobs.
func (b BulkJobs) Get(ctx context.Context, t store.Tenant, id string) (bulk.Job, error) {
	j, err := b.Jobs.Get(ctx, t, id)
	switch {
	case err != nil:
		return bulk.Job{}, err
	case j.Kind != Export && j.Kind != Import:
		return bulk.Job{}, store.ErrNotFound
	}
	return bulkJob(j), nil
}

// Open implements bulk.Jobs.
func (b BulkJobs) Open(ctx context.Context, t store.Tenant, k bulk.Kind) (int, error) {
	open, err := b.openJobs(ctx, t)
	n := 0
	for _, j := range open {
		if j.Kind == Kind(k) {
			n++
		}
	}
	return n, err
}

// Cancel implements bulk.Jobs.
func (b BulkJobs) Cancel(ctx context.Context, t store.Tenant, id string) error {
	_, err := b.Jobs.Cancel(ctx, t, id)
	b.wake()
	return err
}

// Remove implements bulk.Jobs.
func (b BulkJobs) Remove(ctx context.Context, t store.Tenant, id string) error {
	return b.items.DeleteItem(ctx, t, kindJob, id, store.ItemAny)
}

func bulkJob(j *Job) bulk.Job {
	b := bulk.Job{
		ID: j.ID, Kind: bulk.Kind(j.Kind), State: bulk.State(j.State), Work: j.Work, Done: j.Done, Failed: j.Failed, Total: j.Total,
		Error: j.Error, CreatedAt: j.CreatedAt, Cancelling: j.Cancel,
	}
	if j.Expires != nil {
		b.Expires = *j.Expires
	}
	return b
}

// bulk does an export or import.
func (r *Runner) bulk(ctx context.Context, t store.Tenant, j *Job) error {
	b := bulkJob(j)
	err := r.o.Bulk.Do(ctx, t, &b, func(ctx context.Context) (stop bool, err error) {
		if j.StartedAt == nil {
			now := r.o.Now().UTC()
			j.StartedAt = &now
		}
		j.State, j.Work, j.Done, j.Failed, j.Total, j.Error = State(b.State), b.Work, b.Done, b.Failed, b.Total, b.Error
		if !b.Expires.IsZero() {
			j.Expires = &b.Expires
		}
		if !j.Open() {
			j.end(j.State, r.o.Now(), b.Error)
		}
		return r.save(ctx, t, j)
	})
	if err == nil && !j.Open() {
		r.o.Logger.Info("bulk data", "kind", j.Kind, "tenant", t, "job", j.ID, "state", j.State, "done", j.Done, "failed", j.Failed)
	}
	return err
}

// expire removes what exports and imports have made when its time is over, and
// when they were cancelled.
func (r *Runner) expire(ctx context.Context, t store.Tenant) error {
	if r.o.Bulk == nil {
		return nil
	}
	for after := ""; ; {
		jobs, next, err := r.jobs.List(ctx, t, after, recentJobs)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if j.Kind != Export && j.Kind != Import || j.Open() || !over(j, r.o.Now()) {
				continue
			}
			b := bulkJob(j)
			if err := r.o.Bulk.Discard(ctx, t, &b); err != nil {
				return err
			}
			if err := r.o.Store.DeleteItem(ctx, t, kindJob, j.ID, store.ItemAny); err != nil {
				return err
			}
		}
		if after = next; next == "" {
			return nil
		}
	}
}

func over(j *Job, now time.Time) bool {
	return j.State == Cancelled || j.Cancel || j.Expires != nil && !now.Before(*j.Expires)
}
