package maintenance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// A reindexing has one batch in flight: so many resources, or bytes.
const (
	batchResources = 128
	batchBytes     = 4 << 20
)

// saveEvery is how often the progress of a job is written.
const saveEvery = time.Second

// Order makes a job of building the search keys of resources anew: those of
// some types, or of all. Types must be resource types, sorted. A job that is
// open and does just that is returned instead of another.
func (r *Runner) Order(ctx context.Context, t store.Tenant, types []string, reason string) (*Job, error) {
	rec, err := r.o.Parameters.Record(ctx, t)
	if err != nil {
		return nil, err
	}
	open, err := r.jobs.openJobs(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, j := range open {
		if j.Kind == Reindex && !j.Cancel && slices.Equal(j.Types, types) && j.Generation == rec.Generation {
			return j, nil
		}
	}
	j := &Job{
		ID: r.o.NewID(), Kind: Reindex, Reason: reason, State: Queued, Types: types, CreatedAt: r.o.Now().UTC(),
		Generation: rec.Generation, Fingerprint: r.o.Parameters.Fingerprint(),
	}
	if err := r.jobs.put(ctx, t, j); err != nil {
		return nil, err
	}
	r.Wake()
	return j, nil
}

// reindex walks all resources of a job's types in the order in which they
// were made and gives them the keys that they would get if they were written
// now. It goes on where an earlier walk by the same extraction ended.
func (r *Runner) reindex(ctx context.Context, t store.Tenant, j *Job) error {
	if j.StartedAt == nil || j.Fingerprint != r.o.Parameters.Fingerprint() {
		if err := r.begin(ctx, t, j); err != nil {
			return err
		}
	} else if _, err := r.o.Parameters.View(ctx, t); err != nil {
		return err
	}
	if stop, err := r.save(ctx, t, j); stop || err != nil {
		return err
	}
	problem := j.Error
	saved := r.o.Now()
	for _, typ := range r.types(j) {
		if typ < j.Position.Type {
			continue
		}
		if typ > j.Position.Type {
			j.Position = Position{Type: typ}
		}
		for more := true; more; {
			var err error
			if more, err = r.batch(ctx, t, j, &problem); err != nil {
				if ctx.Err() != nil {
					// Stopped: what was done is not done again.
					end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
					defer cancel()
					_, _ = r.save(end, t, j) // an earlier position is as good
				}
				return err
			}
			if r.o.Now().Sub(saved) < saveEvery {
				continue
			}
			saved = r.o.Now()
			if stop, err := r.save(ctx, t, j); stop || err != nil {
				return err
			}
		}
	}
	j.Total = j.Done + j.Failed
	types := j.Types
	if j.everyType() {
		types = nil
	}
	if err := r.o.Parameters.Built(ctx, t, types, j.Generation, j.Fingerprint, problem); err != nil {
		return err
	}
	state := Finished
	if j.Failed > 0 {
		state = Failed
	}
	j.end(state, r.o.Now(), problem)
	if _, err := r.save(ctx, t, j); err != nil {
		return err
	}
	r.o.Logger.Info("search keys were built", "tenant", t, "job", j.ID, "reason", j.Reason, "done", j.Done, "failed", j.Failed)
	return nil
}

// begin waits until all writes have the keys of now, and counts.
func (r *Runner) begin(ctx context.Context, t store.Tenant, j *Job) error {
	rec, err := r.o.Parameters.Reconcile(ctx, t)
	if err != nil {
		return err
	}
	if err := r.away(ctx, func() error { return r.o.Parameters.Settle(ctx, t) }); err != nil {
		return err
	}
	head, err := r.o.Store.Head(ctx, t)
	if err != nil {
		return err
	}
	now := r.o.Now().UTC()
	j.State, j.StartedAt, j.Position, j.Done, j.Failed, j.Error = Running, &now, Position{}, 0, 0, ""
	j.Generation, j.Fingerprint, j.Until, j.Total = rec.Generation, r.o.Parameters.Fingerprint(), store.NumberOf(head+1, 0), 0
	for _, typ := range r.types(j) {
		page, err := r.o.Store.Search(ctx, t, store.Query{Where: r.all(typ), Count: true, Estimate: true})
		if err != nil {
			return err
		}
		j.Total += page.Total
	}
	return nil
}

func (r *Runner) types(j *Job) []string {
	if j.everyType() {
		return r.o.Parameters.Definitions().ResourceTypes()
	}
	return j.Types
}

func (r *Runner) all(typ string) store.Clause {
	return search.Everything(r.o.Parameters.Definitions(), typ)
}

// batch does some resources of the type that the position is in.
func (r *Runner) batch(ctx context.Context, t store.Tenant, j *Job, problem *string) (more bool, err error) {
	page, err := r.o.Store.Search(ctx, t, store.Query{
		Where: r.all(j.Position.Type), After: &store.Cursor{Number: j.Position.Number}, Limit: batchResources, MaxBytes: batchBytes,
	})
	if err != nil {
		return false, err
	}
	docs := page.Documents
	for i, d := range docs {
		if d.Number >= j.Until {
			docs, page.Next = docs[:i], nil
			break
		}
	}
	if len(docs) == 0 {
		return false, nil
	}
	failed, err := r.o.Repository.Rekey(ctx, t, docs)
	if err != nil {
		return false, err
	}
	j.Done += int64(len(docs) - len(failed))
	if len(failed) > 0 {
		j.Failed += int64(len(failed))
		*problem = fmt.Sprintf("%d resources cannot be indexed, among them a %s: %s", j.Failed, failed[0].Ref.Type, failed[0].Err)
		j.Error = *problem
	}
	j.Position.Number = docs[len(docs)-1].Number
	return page.Next != nil, nil
}
