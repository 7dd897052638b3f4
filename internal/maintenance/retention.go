package maintenance

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// MinRetention is the shortest time that log entries are kept: the records of
// messages, which are kept as long, read from the log that they succeeded.
const MinRetention = 30 * 24 * time.Hour

// trimEvery is how often logs are trimmed, heldLong for how long somebody may
// hold entries beyond their time before the log says so.
const (
	trimEvery = time.Hour
	heldLong  = 24 * time.Hour
)

// LogReader is who reads tenants' logs from a position that is kept.
type LogReader interface {
	// LogPositions are the positions in a tenant's log as they are written:
	// from where readers go on after a restart.
	LogPositions(ctx context.Context, t store.Tenant) ([]LogPosition, error)
}

// LogPosition is how far somebody has read a log.
type LogPosition struct {
	// Reader names it: "subscription 17".
	Reader string `json:"reader"`
	// Status says what it is doing, such as paused.
	Status string `json:"status,omitempty"`
	// Seq is the last entry that it has done with.
	Seq int64 `json:"seq"`
	// Since is the time of the first entry that it still needs; nil when it
	// has read all.
	Since *time.Time `json:"since,omitempty"`
}

// LogState is what a tenant's log holds, and why.
type LogState struct {
	Tenant store.Tenant `json:"-"`
	// Floor is the first entry there is, Head the last.
	Floor int64 `json:"floor"`
	Head  int64 `json:"head"`
	// Retention is the setting; "" keeps everything. Due is the first entry
	// that is within it, when there is one.
	Retention string `json:"retention,omitempty"`
	Due       int64  `json:"due,omitempty"`
	// Readers are all positions, HeldBy the one that keeps entries beyond
	// their time, and HeldFor for how many seconds it has kept the oldest.
	Readers []LogPosition `json:"readers"`
	HeldBy  string        `json:"heldBy,omitempty"`
	HeldFor float64       `json:"heldForSeconds,omitempty"`
}

// below is the first entry that is to stay.
func (s *LogState) below() int64 {
	below := s.Due
	for _, p := range s.Readers {
		below = min(below, p.Seq+1)
	}
	return max(below, s.Floor)
}

// LogState looks at a tenant's log and its readers.
func (r *Runner) LogState(ctx context.Context, t store.Tenant) (LogState, error) {
	s := LogState{Tenant: t, Floor: 1, Readers: []LogPosition{}}
	var err error
	if s.Head, err = r.o.Store.Head(ctx, t); err != nil {
		return s, err
	}
	if s.Floor, err = r.o.Store.LogFloor(ctx, t); err != nil {
		return s, err
	}
	for _, reader := range r.o.Readers {
		positions, err := reader.LogPositions(ctx, t)
		if err != nil {
			return s, err
		}
		s.Readers = append(s.Readers, positions...)
	}
	var oldest *LogPosition
	for i := range s.Readers {
		p := &s.Readers[i]
		if at, ok, err := r.timeOf(ctx, t, max(p.Seq+1, s.Floor)); err != nil {
			return s, err
		} else if ok {
			p.Since = &at
		}
		if oldest == nil || p.Seq < oldest.Seq {
			oldest = p
		}
	}
	if r.o.Retention == 0 {
		return s, nil
	}
	kept := r.o.Now().Add(-r.o.Retention)
	s.Retention = r.o.Retention.String()
	if s.Due, err = r.seqAt(ctx, t, s.Floor, s.Head, kept); err != nil {
		return s, err
	}
	if oldest != nil && oldest.Seq+1 < s.Due && oldest.Since != nil {
		s.HeldBy, s.HeldFor = oldest.Reader, kept.Sub(*oldest.Since).Seconds()
	}
	return s, nil
}

// timeOf is the time of a log entry; not ok when there is none yet.
func (r *Runner) timeOf(ctx context.Context, t store.Tenant, seq int64) (at time.Time, ok bool, err error) {
	entries, err := r.o.Store.ReadLog(ctx, t, seq-1, 1)
	if err != nil || len(entries) == 0 {
		return at, false, err
	}
	return entries[0].Time.UTC(), true, nil
}

// seqAt is the first entry of a log from floor to head that was committed at
// or after a time; one behind the head if there is none.
func (r *Runner) seqAt(ctx context.Context, t store.Tenant, floor, head int64, at time.Time) (int64, error) {
	var failed error
	// Entry times never decrease along the log.
	n := sort.Search(int(max(0, head-floor+1)), func(i int) bool {
		if failed != nil {
			return true
		}
		entry, ok, err := r.timeOf(ctx, t, floor+int64(i))
		failed = err
		return err != nil || !ok || !entry.Before(at)
	})
	return floor + int64(n), failed
}

// trimForever trims all logs now and then, on one instance.
func (r *Runner) trimForever(ctx context.Context) {
	if r.o.Retention == 0 {
		return
	}
	for ctx.Err() == nil {
		if err := r.trimAll(ctx); err != nil && ctx.Err() == nil {
			r.o.Logger.Error("logs were not trimmed; it is tried again in an hour", "error", err)
		}
		select {
		case <-r.o.After(trimEvery):
		case <-ctx.Done():
		}
	}
}

func (r *Runner) trimAll(ctx context.Context) error {
	held, err := r.o.Leases.Acquire(ctx, store.System, "maintenance:trim")
	if errors.Is(err, lease.ErrHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	kept, stop := held.Keep(ctx)
	defer func() {
		stop()
		_ = held.Release(context.WithoutCancel(ctx)) // it runs out by itself otherwise
	}()
	tenants, err := r.o.Store.Tenants(kept)
	if err != nil {
		return err
	}
	var failed []error
	for _, t := range tenants {
		if t != store.System {
			_, err := r.Trim(kept, t)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// Trim forgets the entries of a tenant's log that are out of the retention
// and that no reader needs any more.
func (r *Runner) Trim(ctx context.Context, t store.Tenant) (LogState, error) {
	s, err := r.LogState(ctx, t)
	if err != nil {
		return s, err
	}
	r.mu.Lock()
	r.holding[t] = s
	r.mu.Unlock()
	if time.Duration(s.HeldFor*float64(time.Second)) > heldLong {
		r.o.Logger.Warn("log entries are kept beyond their time for a reader that does not read them",
			"tenant", t, "reader", s.HeldBy, "seq", s.below(), "entries", s.Due-s.below())
	}
	if below := s.below(); below > s.Floor {
		if err := r.o.Store.TrimLog(ctx, t, below); err != nil {
			return s, err
		}
		r.o.Logger.Info("a log was trimmed", "tenant", t, "from", s.Floor, "to", below)
		s.Floor = below
		r.mu.Lock()
		r.holding[t] = s
		r.mu.Unlock()
	}
	return s, nil
}

// LogStates are what the last look at each log found here, for metrics.
func (r *Runner) LogStates() []LogState {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]LogState, 0, len(r.holding))
	for _, s := range r.holding {
		all = append(all, s)
	}
	return all
}
