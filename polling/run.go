package polling

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fhirfacade/fhirfacade/store/lease"
)

// Report says what one run did.
type Report struct {
	Started, Ended time.Time
	// Changes is how many changes the feed named, Duplicates how many of them
	// it named more than once in this run.
	Changes, Duplicates int
	// Unchanged records made no message because nothing in them differed;
	// Ignored ones because there is nothing to tell of them.
	Unchanged, Ignored int
	// Noted records are how they were when the action began.
	Noted int
	// Delivered messages; Retried of them had been kept by an earlier run.
	Delivered, Retried int
	// Kept containers wait for a later run.
	Kept int
	// Parked messages were refused for good.
	Parked int
	// Calls is how many calls the vendor was sent.
	Calls int64
	// Cursor is where the run ended.
	Cursor string
}

// maxBatches bounds one run; what is left is read by the next.
const maxBatches = 1000

// chunk is how many containers are in memory at once.
const chunk = 64

// run is one poll.
type run struct {
	connection Connection
	action     ActionConfig
	connector  Connector
	sink       Sink
	now        func() time.Time
	logger     *slog.Logger
	lease      *lease.Lease
	records

	cache  Cache
	report Report
	// seen are the stamps that this run has dealt with.
	seen map[string]string
	kept map[string]bool
	// refusals counts deliveries that failed one after the other.
	refusals int
}

// poll is one run from beginning to end.
func (r *run) poll(ctx context.Context) error {
	at, err := r.cursor(ctx)
	if err != nil {
		return err
	}
	if at.Fence > r.lease.Fence() {
		return lease.ErrLost
	}
	defer func() { r.report.Cursor = at.Cursor }()
	if err := r.retryKept(ctx); err != nil {
		return err
	}
	for range maxBatches {
		batch, err := r.connector.Changed(ctx, r.action, at.Cursor)
		if err != nil {
			return err
		}
		if err := r.process(ctx, batch); err != nil {
			return err
		}
		if batch.Mark != "" {
			if batch, err = r.consume(ctx, at, batch); err != nil {
				return err
			}
		}
		if err := r.moveTo(ctx, at, batch.Cursor); err != nil {
			return err
		}
		if !batch.More {
			return nil
		}
	}
	return nil
}

// consume lets the feed forget what is delivered or kept by now, in the order
// that Consumer documents.
func (r *run) consume(ctx context.Context, at *cursor, batch Batch) (Batch, error) {
	consumer, ok := r.connector.(Consumer)
	if !ok {
		return Batch{}, errors.New("polling: the connector marks a batch but cannot consume")
	}
	if err := r.moveTo(ctx, at, batch.Mark); err != nil {
		return Batch{}, err
	}
	// The feed must not forget after the lease may have passed on: whoever
	// holds it then would have looked for what was forgotten already.
	if err := r.lease.Renew(ctx); err != nil {
		return Batch{}, err
	}
	limited, cancel := context.WithTimeout(ctx, r.lease.Remaining())
	defer cancel()
	consumed, err := consumer.Consume(limited, r.action, batch)
	if err != nil {
		return Batch{}, err
	}
	if err := r.process(ctx, consumed); err != nil {
		return Batch{}, err
	}
	consumed.More = consumed.More || batch.More
	return consumed, nil
}

func (r *run) moveTo(ctx context.Context, at *cursor, to string) error {
	return r.move(ctx, at, to, r.lease.Fence(), r.now())
}

// retryKept tries the containers that earlier runs have kept.
func (r *run) retryKept(ctx context.Context) error {
	kept, err := r.all(ctx, "k")
	if err != nil {
		return err
	}
	for _, rec := range kept {
		r.kept[rec.ID] = true
	}
	for _, rec := range kept {
		if err := r.retry(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

// retry takes a record's containers as far as they go.
func (r *run) retry(ctx context.Context, rec *record) error {
	for rec.Pending != nil && !rec.Pending.NotBefore.After(r.now()) {
		p, delivered := rec.Pending, r.report.Delivered
		var err error
		if p.Message != nil {
			err = r.deliver(ctx, rec)
		} else {
			var container Container
			container, err = r.connector.Fill(ctx, r.action, p.Change, &r.cache)
			err = r.settle(ctx, &work{change: p.Change, record: rec, container: container, err: err, baseline: p.Baseline})
		}
		r.report.Retried += r.report.Delivered - delivered
		if err != nil {
			return err
		}
		if rec.Pending != nil && rec.Pending.Attempts > 0 {
			return nil // failed once more
		}
	}
	return nil
}

// work is a change on its way through a run.
type work struct {
	change    Change
	record    *record
	container Container
	err       error // of filling
	skip      bool  // dealt with before
	baseline  bool  // to be noted, not told
}

// process delivers changes, or keeps them. nil says that every one of them is
// one or the other.
func (r *run) process(ctx context.Context, from Batch) error {
	fresh := r.distinct(from.Changes)
	links := map[string][]Change{}
	for _, c := range fresh {
		for _, to := range c.Links {
			links[to] = append(links[to], c)
		}
	}
	for len(fresh) > 0 {
		n := min(chunk, len(fresh))
		if err := r.lease.Upkeep(ctx); err != nil {
			return err
		}
		batch, err := r.fill(ctx, fresh[:n])
		if err != nil {
			return err
		}
		var ended error
		for _, w := range batch {
			w.baseline = from.Baseline
			// What was filled is delivered even when another one's call has
			// shown that this run cannot go on.
			if err := r.settleLinked(ctx, w, links[w.change.ID]); err != nil {
				if !concernsAll(err) && ctx.Err() == nil {
					return err
				}
				ended = err
			}
		}
		if ended != nil {
			return ended
		}
		fresh = fresh[n:]
	}
	return nil
}

// distinct drops what the feed names twice: the last row of a record counts.
func (r *run) distinct(changes []Change) []Change {
	last := map[string]int{}
	for i, c := range changes {
		last[c.ID] = i
	}
	var fresh []Change
	for i, c := range changes {
		if last[c.ID] != i {
			r.report.Duplicates++
			continue
		}
		// A consumed row was read before, as a rule.
		if stamp, seen := r.seen[c.ID]; !seen || stamp != c.Stamp {
			fresh = append(fresh, c)
		}
	}
	r.report.Changes += len(fresh)
	return fresh
}

// fill reads what is known of the records and makes the follow-up calls for
// those that changed, some at a time.
func (r *run) fill(ctx context.Context, changes []Change) ([]*work, error) {
	parallel := r.action.Parallel
	if parallel == 0 {
		parallel = 4
	}
	batch := make([]*work, len(changes))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	calling, stop := context.WithCancelCause(groupCtx)
	defer stop(nil)
	for i, c := range changes {
		w := &work{change: c}
		batch[i] = w
		group.Go(func() error {
			var err error
			if w.record, err = r.get(groupCtx, c.ID); err != nil {
				return err
			}
			if w.record.Stamp == c.Stamp && w.record.Pending == nil {
				w.skip = true
				return nil
			}
			if w.record.undelivered() {
				return nil // this change waits: there is nothing to fill yet
			}
			w.container, w.err = r.fillOne(calling, c)
			if concernsAll(w.err) {
				stop(w.err) // the others' calls would fare no better
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return batch, ctx.Err()
}

// fillOne makes the call for one change. Where the calls were stopped its
// error is why: its own would say only that it was cut short.
func (r *run) fillOne(calling context.Context, c Change) (Container, error) {
	if calling.Err() != nil {
		return Container{}, context.Cause(calling)
	}
	container, err := r.connector.Fill(calling, r.action, c, &r.cache)
	if err != nil && calling.Err() != nil {
		err = context.Cause(calling)
	}
	return container, err
}
