package maintenance

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/store"
)

// Kind of a job.
type Kind string

// Kinds.
const (
	Reindex Kind = "reindex"
	Drop    Kind = "drop"
	// Export and Import are bulk data (fhir/bulk).
	Export Kind = Kind(bulk.Export)
	Import Kind = Kind(bulk.Import)
)

// State of a job.
type State string

// States. A job that is Queued or Running is open.
const (
	Queued    State = "queued"
	Running   State = "running"
	Finished  State = "finished"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Job is the record of a piece of work.
type Job struct {
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	// Reason says who wanted it.
	Reason string `json:"reason"`
	State  State  `json:"state"`
	// Types are the resource types of a reindexing, sorted; empty for all.
	Types []string `json:"types,omitempty"`
	// Organization and Environment are what is dropped; all environments when
	// that is "".
	Organization string `json:"organization,omitempty"`
	Environment  string `json:"environment,omitempty"`
	// Work is what an export or import is about and how far it is.
	Work json.RawMessage `json:"work,omitempty"`
	// Expires is when what an export or import has made goes.
	Expires *time.Time `json:"expires,omitempty"`

	// Done counts the resources whose keys were built, Failed those that could
	// not be. Total is what was counted at the start, and at the end what it
	// came to.
	Done   int64 `json:"done"`
	Failed int64 `json:"failed,omitempty"`
	Total  int64 `json:"total"`
	// Position is how far the walk is.
	Position Position `json:"position,omitzero"`
	// Until is the number behind the last document that was there when the
	// walk began; those behind it have the new keys.
	Until int64 `json:"until,omitempty"`
	// Generation and Fingerprint are what the keys are built by (see
	// parameters.Record).
	Generation  int64  `json:"generation,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`

	CreatedAt  time.Time  `json:"createdAt"`
	StartedAt  *time.Time `json:"startedAt,omitempty"`
	UpdatedAt  time.Time  `json:"updatedAt"`
	FinishedAt *time.Time `json:"finishedAt,omitempty"`
	// Instance is who does it, or did last.
	Instance string `json:"instance,omitempty"`
	Error    string `json:"error,omitempty"`
	// Cancel asks whoever does it to stop.
	Cancel bool `json:"cancel,omitempty"`

	version int64
}

// Position is a place in a walk: behind the document of this number, among
// those of a type.
type Position struct {
	Type   string `json:"type,omitempty"`
	Number int64  `json:"number,omitempty"`
}

// Open reports whether something is still to be done.
func (j *Job) Open() bool { return j.State == Queued || j.State == Running }

func (j *Job) everyType() bool { return len(j.Types) == 0 }

const kindJob = "job"

// jobsKept is how long the records of jobs that have ended are kept.
const jobsKept = 30 * 24 * time.Hour

// Jobs keeps the records of jobs.
type Jobs struct {
	items store.Items
	now   func() time.Time
}

// NewJobs makes the records on a store's items.
func NewJobs(items store.Items, now func() time.Time) *Jobs { return &Jobs{items, now} }

// byTime orders all jobs, stillOpen those that are open.
func byTime(at time.Time) store.Key {
	return "t" + string(binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli())))
}

func stillOpen(at time.Time) store.Key { return "o" + byTime(at) }

// put writes a job, if nobody else has written it since it was read.
func (l *Jobs) put(ctx context.Context, t store.Tenant, j *Job) error {
	j.UpdatedAt = l.now().UTC()
	item := store.Item{Kind: kindJob, ID: j.ID, Keys: []store.Key{byTime(j.CreatedAt)}}
	if j.Open() {
		item.Keys = append(item.Keys, stillOpen(j.CreatedAt))
	} else {
		item.Expires = l.now().Add(jobsKept)
	}
	var err error
	if item.Body, err = json.Marshal(j); err != nil {
		return err
	}
	written, err := l.items.PutItem(ctx, t, item, j.version)
	if err != nil {
		return fmt.Errorf("%s: %w", kindJob, err)
	}
	j.version = written.Version
	return nil
}

func decodeJob(item store.Item) (*Job, error) {
	j := &Job{}
	if err := json.Unmarshal(item.Body, j); err != nil {
		return nil, fmt.Errorf("%s: %w", kindJob, err)
	}
	j.version = item.Version
	return j, nil
}

// Get returns a job or store.ErrNotFound.
func (l *Jobs) Get(ctx context.Context, t store.Tenant, id string) (*Job, error) {
	if store.CheckItem(kindJob, id, nil) != nil {
		return nil, store.ErrNotFound
	}
	item, err := l.items.GetItem(ctx, t, kindJob, id)
	if err != nil {
		return nil, err
	}
	return decodeJob(item)
}

// List returns jobs, newest first, and where the next page begins.
func (l *Jobs) List(ctx context.Context, t store.Tenant, after string, limit int) ([]*Job, string, error) {
	r := store.Prefix("t")
	return l.scan(ctx, t, store.ItemScan{Kind: kindJob, Range: &r, Reverse: true, After: after, Limit: limit})
}

// openJobs are the jobs of a tenant that are open, oldest first.
func (l *Jobs) openJobs(ctx context.Context, t store.Tenant) ([]*Job, error) {
	r := store.Prefix("o")
	all, _, err := l.scan(ctx, t, store.ItemScan{Kind: kindJob, Range: &r, Limit: 100})
	return all, err
}

func (l *Jobs) scan(ctx context.Context, t store.Tenant, scan store.ItemScan) ([]*Job, string, error) {
	page, err := l.items.ScanItems(ctx, t, scan)
	if err != nil {
		return nil, "", err
	}
	all := make([]*Job, 0, len(page.Items))
	for _, item := range page.Items {
		j, err := decodeJob(item)
		if err != nil {
			return nil, "", err
		}
		all = append(all, j)
	}
	return all, page.Next, nil
}

// ErrEnded: the job has ended already.
var ErrEnded = errors.New("the job has ended")

// Cancel asks for the end of a job; one that nobody has begun ends at once.
func (l *Jobs) Cancel(ctx context.Context, t store.Tenant, id string) (*Job, error) {
	for {
		j, err := l.Get(ctx, t, id)
		if err != nil {
			return nil, err
		}
		if !j.Open() {
			return j, ErrEnded
		}
		j.Cancel = true
		if j.State == Queued {
			j.end(Cancelled, l.now(), "")
		}
		if err = l.put(ctx, t, j); err == nil {
			return j, nil
		} else if !errors.Is(err, store.ErrConflict) {
			return nil, err
		}
	}
}

func (j *Job) end(s State, now time.Time, problem string) {
	now = now.UTC()
	j.State, j.FinishedAt, j.Error = s, &now, problem
}

// covers reports whether a reindexing gives all of these types the keys of
// this generation; nil are all types.
func (j *Job) covers(types []string, generation int64) bool {
	if j.Kind != Reindex || j.Generation < generation {
		return false
	}
	if j.everyType() {
		return true
	}
	return types != nil && !slices.ContainsFunc(types, func(t string) bool { return !slices.Contains(j.Types, t) })
}
