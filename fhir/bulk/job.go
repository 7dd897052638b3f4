package bulk

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// Kind of a job.
type Kind string

// Kinds.
const (
	Export Kind = "export"
	Import Kind = "import"
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

// Job is an export or import as whoever keeps jobs knows it.
type Job struct {
	ID    string
	Kind  Kind
	State State
	// Work is what the job is about and how far it is; whoever keeps jobs does
	// not look into it.
	Work json.RawMessage
	// Done, Failed and Total count resources. Total is an estimate while the
	// job is open.
	Done, Failed, Total int64
	// Error says why the job Failed.
	Error     string
	CreatedAt time.Time
	// Expires is when what the job has made goes; zero while it is open.
	Expires time.Time
	// Cancelling says that somebody asked for its end.
	Cancelling bool
}

// Open reports whether something is still to be done.
func (j *Job) Open() bool { return j.State == Queued || j.State == Running }

// Jobs keeps jobs and sees that each is done by one instance at a time, and
// gone on with by another when that one is gone.
type Jobs interface {
	// Order makes a job; its ID, Kind and Work are given.
	Order(ctx context.Context, t store.Tenant, j Job) error
	// Get returns a job or store.ErrNotFound.
	Get(ctx context.Context, t store.Tenant, id string) (Job, error)
	// Open counts the jobs of a kind that are open.
	Open(ctx context.Context, t store.Tenant, k Kind) (int, error)
	// Cancel asks for the end of a job. Cancelling one that has ended does
	// nothing.
	Cancel(ctx context.Context, t store.Tenant, id string) error
	// Remove removes the record of a job that has ended.
	Remove(ctx context.Context, t store.Tenant, id string) error
}

// Save writes how far a job is. stop says that somebody asked for its end,
// which is then written.
type Save func(ctx context.Context) (stop bool, err error)
