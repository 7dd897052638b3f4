package polling

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/fhirfacade/fhirfacade/store/lease"
)

// Status says how one action of a connection does.
type Status struct {
	Connection, Action, Vendor string
	Tenant                     string
	Schedule                   string
	// LastRun began then; LastSuccess is the last run that read the feed to
	// its end. NextRun is zero while nothing is scheduled.
	LastRun, LastSuccess, NextRun time.Time
	// Lag is how long ago what the facade has was the vendor's latest.
	Lag    time.Duration
	Cursor string
	// Totals since this instance began.
	Runs, Errors               int64
	Calls                      int64
	Changes, Delivered, Parked int64
	// Kept containers wait now.
	Kept int
	// State is one line for people.
	State string
	// Last is the report of the last run.
	Last Report
}

// job polls one action.
type job struct {
	manager    *Manager
	connection Connection
	action     ActionConfig
	connector  Connector
	schedule   cron.Schedule
	records    records
	logger     *slog.Logger
	entry      cron.EntryID

	// running is held by the run under way: a poll never overlaps itself.
	running sync.Mutex
	lease   *lease.Lease
	ended   bool
	// life ends with the job.
	life   context.Context
	finish context.CancelFunc

	mu        sync.Mutex
	now       Status
	notBefore time.Time
	setbacks  int
}

func newJob(m *Manager, c Connection, a ActionConfig, connector Connector) (*job, error) {
	schedule, err := parseSchedule(a.Schedule)
	if err != nil {
		return nil, err
	}
	life, finish := context.WithCancel(context.Background())
	return &job{
		manager: m, connection: c, action: a, connector: connector, schedule: schedule,
		records: records{items: m.o.Items, place: place{tenant: c.Tenant, connection: c.ID, action: a.Name}},
		logger:  m.o.Logger.With("connection", c.ID, "action", a.Name),
		life:    life, finish: finish,
		now: Status{
			Connection: c.ID, Action: a.Name, Vendor: c.Vendor, Tenant: string(c.Tenant), Schedule: a.Schedule, State: "has not run yet",
		},
	}, nil
}

// due is what the schedule calls.
func (j *job) due() {
	if !j.running.TryLock() {
		return // the run before is not over; the next will read what this one would
	}
	defer j.running.Unlock()
	if j.waiting() > 0 {
		return
	}
	_, _ = j.locked(j.life)
}

// run polls now.
func (j *job) run(ctx context.Context) (Report, error) {
	j.running.Lock()
	defer j.running.Unlock()
	if d := j.waiting(); d > 0 {
		return Report{}, &CallError{Kind: ErrRateLimited, Call: "poll", RetryAfter: d, Reason: "waiting as the vendor asked"}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(j.life, cancel)()
	return j.locked(ctx)
}

// end stops the job for good and gives its lease back.
func (j *job) end(ctx context.Context) {
	j.finish()
	j.running.Lock()
	defer j.running.Unlock()
	j.ended = true
	if j.lease != nil {
		if err := j.lease.Release(ctx); err != nil {
			j.logger.Warn("the lease was not given back and will run out", "cause", fmt.Sprintf("%T", err))
		}
		j.lease = nil
	}
}

// locked is one run, with running held.
func (j *job) locked(ctx context.Context) (Report, error) {
	if j.ended {
		return Report{}, ErrNoAction
	}
	started := j.manager.o.Now()
	j.begin(started)
	r := &run{
		connection: j.connection, action: j.action, connector: j.connector, sink: j.manager.o.Sink,
		now: j.manager.o.Now, logger: j.logger, records: j.records,
		seen: map[string]string{}, kept: map[string]bool{},
	}
	r.report.Started = started
	calls := j.connector.Calls()
	err := j.hold(ctx)
	if err == nil {
		kept, stop := j.lease.Keep(ctx)
		r.lease = j.lease
		err = r.poll(kept)
		stop()
	}
	r.report.Ended = j.manager.o.Now()
	r.report.Kept = len(r.kept)
	r.report.Calls = j.connector.Calls() - calls
	j.done(r.report, err)
	return r.report, err
}

// hold makes sure that the lease is ours. It is held from run to run, so that
// another instance takes over only when this one is gone.
func (j *job) hold(ctx context.Context) error {
	if j.lease != nil {
		err := j.lease.Upkeep(ctx)
		if !errors.Is(err, lease.ErrLost) {
			return err
		}
		j.lease = nil
	}
	taken, err := j.manager.leases.Acquire(ctx, j.connection.Tenant, j.leaseName())
	if err != nil {
		return err
	}
	j.lease = taken
	return nil
}

// leaseName is an item's id: ids of connections may hold what those may not.
func (j *job) leaseName() string {
	sum := sha256.Sum256([]byte(j.connection.ID + "\x00" + j.action.Name))
	return "poll." + hex.EncodeToString(sum[:16])
}

// waiting is how long the vendor is still to be left alone.
func (j *job) waiting() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.notBefore.Sub(j.manager.o.Now())
}

func (j *job) begin(started time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now.LastRun, j.now.State = started, "running"
}

// done notes how a run ended and decides when the next may begin.
func (j *job) done(report Report, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := &j.now
	s.Last = report
	s.Runs++
	s.Calls += report.Calls
	s.Changes += int64(report.Changes)
	s.Delivered += int64(report.Delivered)
	s.Parked += int64(report.Parked)
	switch {
	case err == nil:
		s.Kept, s.LastSuccess, s.State = report.Kept, report.Started, "ok"
		if report.Kept > 0 {
			s.State = fmt.Sprintf("ok, %d containers kept", report.Kept)
		}
		j.setbacks, j.notBefore = 0, time.Time{}
		if report.Changes > 0 || report.Delivered > 0 {
			j.logger.Info("polled", "changes", report.Changes, "delivered", report.Delivered, "unchanged", report.Unchanged, "kept", report.Kept, "calls", report.Calls)
		}
		return
	case errors.Is(err, lease.ErrHeld), errors.Is(err, lease.ErrLost):
		s.State = "another instance polls"
		return
	case errors.Is(err, context.Canceled) && j.life.Err() != nil:
		s.State = "stopped"
		return
	}
	s.Errors++
	s.State = "failed: " + kindOf(err)
	if concernsAll(err) {
		// 5 s, 10 s, 20 s, … five minutes, unless the vendor says how long.
		d := retryAfter(err)
		if d == 0 {
			d = min(5*time.Minute, 5*time.Second<<min(j.setbacks, 10))
		}
		j.setbacks++
		j.notBefore = report.Ended.Add(d)
		s.State += "; waiting until " + j.notBefore.UTC().Format(time.RFC3339)
	}
	j.logger.Warn("a poll failed", "cause", kindOf(err))
}

func (j *job) status() Status {
	j.mu.Lock()
	s := j.now
	j.mu.Unlock()
	if !s.LastSuccess.IsZero() {
		s.Lag = j.manager.o.Now().Sub(s.LastSuccess)
	}
	s.Cursor = s.Last.Cursor
	return s
}
