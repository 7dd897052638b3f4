package maintenance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// Options of New. Store, Repository, Parameters, Leases, Owner and NewID are
// needed.
type Options struct {
	Store      store.Store
	Repository *repository.Repository
	Parameters *parameters.Registry
	Leases     *lease.Leases
	// Owner names this instance in jobs.
	Owner string
	NewID func() string
	// Now is the clock; time.Now when nil. After is a timer; time.After when
	// nil.
	Now    func() time.Time
	After  func(time.Duration) <-chan time.Time
	Logger *slog.Logger
	// Retention is how long log entries are kept; 0 for ever.
	Retention time.Duration
	// Readers are who reads logs.
	Readers []LogReader
	// Dropper removes what belongs to organizations outside their tenants; nil
	// where nothing is ever dropped.
	Dropper Dropper
	// Bulk does exports and imports; nil where there are none.
	Bulk *bulk.Service
	// Elsewhere is how long other instances may go on with what was stopped
	// here; 20 s when zero.
	Elsewhere time.Duration
	// Data is the folder of the embedded store; "" for another store.
	Data string
}

// Runner does the jobs of all tenants.
type Runner struct {
	o    Options
	jobs *Jobs

	wake chan struct{}
	// turns are atOnce; they are given in the order in which they were asked
	// for.
	turns *semaphore.Weighted
	mu    sync.Mutex
	// busy are tenants whose jobs are being done here; true when another look
	// was asked for meanwhile.
	busy map[store.Tenant]bool
	// looked is up to where a tenant's log was when its SearchParameters were
	// looked at.
	looked map[store.Tenant]int64
	// holding is what the last look at the logs found.
	holding map[store.Tenant]LogState
}

// atOnce is how many tenants' jobs are worked on at the same time. Jobs of more
// tenants take turns: whenever one has written how far it is, the one that has
// waited longest goes on. So no tenant waits for the end of another's job.
const atOnce = 2

// Rounds look for jobs that other instances have left behind.
const (
	sharedRound    = 15 * time.Second
	exclusiveRound = 5 * time.Minute
)

// New makes a runner; Run runs it.
func New(o Options) *Runner {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	if o.Elsewhere == 0 {
		o.Elsewhere = 20 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Runner{
		o: o, jobs: NewJobs(o.Store, o.Now), wake: make(chan struct{}, 1), turns: semaphore.NewWeighted(atOnce),
		busy: map[store.Tenant]bool{}, looked: map[store.Tenant]int64{}, holding: map[store.Tenant]LogState{},
	}
}

// Jobs are the records of jobs.
func (r *Runner) Jobs() *Jobs { return r.jobs }

// Wake makes the runner look at once. It never waits.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run does what there is to do until ctx ends.
func (r *Runner) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	round := exclusiveRound
	if !r.o.Store.Exclusive() {
		round = sharedRound
	}
	all.Add(1)
	go func() {
		defer all.Done()
		r.trimForever(ctx)
	}()
	for ctx.Err() == nil {
		tenants, err := r.o.Store.Tenants(ctx)
		if err != nil && ctx.Err() == nil {
			r.o.Logger.Error("jobs cannot be looked for; it is tried again", "error", err)
		}
		for _, t := range tenants {
			if !r.claim(t) {
				continue
			}
			all.Add(1)
			go func() {
				defer all.Done()
				defer r.release(t)
				if err := r.Tenant(ctx, t); err != nil && ctx.Err() == nil {
					r.o.Logger.Error("a job was interrupted; it goes on by itself", "tenant", t, "error", err)
				}
			}()
		}
		select {
		case <-r.wake:
		case <-r.o.After(round):
		case <-ctx.Done():
		}
	}
}

func (r *Runner) claim(t store.Tenant) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, busy := r.busy[t]; busy {
		r.busy[t] = true
		return false
	}
	r.busy[t] = false
	return true
}

func (r *Runner) release(t store.Tenant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy[t] {
		r.Wake()
	}
	delete(r.busy, t)
}

// Tenant sees to the jobs of one tenant until none of them can be done here:
// those that are needed are made, those that are open are done.
func (r *Runner) Tenant(ctx context.Context, t store.Tenant) error {
	if err := r.turns.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.turns.Release(1)
	tried := map[string]bool{}
	for {
		if t != store.System {
			if err := r.ensure(ctx, t); err != nil {
				return err
			}
			if err := r.expire(ctx, t); err != nil {
				return err
			}
		}
		open, err := r.jobs.openJobs(ctx, t)
		if err != nil {
			return err
		}
		next := ""
		for _, j := range open {
			if !tried[j.ID] {
				next = j.ID
				break
			}
		}
		if next == "" {
			return nil
		}
		tried[next] = true
		if err := r.job(ctx, t, next); err != nil && !errors.Is(err, lease.ErrHeld) {
			return err
		}
	}
}

// job does one job under its lease.
func (r *Runner) job(ctx context.Context, t store.Tenant, id string) error {
	held, err := r.o.Leases.Acquire(ctx, t, "job:"+id)
	if err != nil {
		return err
	}
	kept, stop := held.Keep(ctx)
	err = r.do(kept, t, id)
	stop()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = held.Release(end) // it runs out by itself otherwise
	// A lease for each job would stay for ever.
	if j, gone := r.jobs.Get(end, t, id); gone == nil && !j.Open() {
		_ = r.o.Store.DeleteItem(end, t, lease.Kind, "job:"+id, store.ItemAny)
	}
	return err
}

func (r *Runner) do(ctx context.Context, t store.Tenant, id string) error {
	// Read under the lease: whoever had it before may have ended the job.
	j, err := r.jobs.Get(ctx, t, id)
	if err != nil || !j.Open() {
		return err
	}
	j.Instance = r.o.Owner
	if j.Cancel {
		j.end(Cancelled, r.o.Now(), "")
		return r.jobs.put(ctx, t, j)
	}
	switch j.Kind {
	case Reindex:
		return r.reindex(ctx, t, j)
	case Drop:
		return r.drop(ctx, t, j)
	case Export, Import:
		if r.o.Bulk != nil {
			return r.bulk(ctx, t, j)
		}
	}
	j.end(Failed, r.o.Now(), "this version of the program does not know this kind of job")
	return r.jobs.put(ctx, t, j)
}

// away lets others have the turn while f does not need it, and waits for
// another. It does so also when ctx has ended: those who have turns then end,
// too.
func (r *Runner) away(ctx context.Context, f func() error) error {
	r.turns.Release(1)
	err := f()
	_ = r.turns.Acquire(context.WithoutCancel(ctx), 1) // cannot fail
	return err
}

// save writes how far a job is, and lets another tenant's have its turn. stop
// reports that somebody asked for its end, which is then written.
func (r *Runner) save(ctx context.Context, t store.Tenant, j *Job) (stop bool, err error) {
	err = r.away(ctx, func() error {
		stop, err = r.write(ctx, t, j)
		return err
	})
	return stop, err
}

func (r *Runner) write(ctx context.Context, t store.Tenant, j *Job) (stop bool, err error) {
	for {
		err := r.jobs.put(ctx, t, j)
		if !errors.Is(err, store.ErrConflict) {
			return false, err
		}
		was, err := r.jobs.Get(ctx, t, j.ID)
		switch {
		case err != nil:
			return false, err
		case !was.Open(), was.Instance != j.Instance && was.Instance != "":
			return false, lease.ErrLost
		}
		j.version, j.Cancel = was.version, was.Cancel
		if j.Cancel && j.Open() {
			j.end(Cancelled, r.o.Now(), "")
			stop = true
		}
		if err := r.jobs.put(ctx, t, j); !errors.Is(err, store.ErrConflict) {
			return stop, err
		}
	}
}
