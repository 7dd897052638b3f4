package pebble

import (
	"context"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// maxBatch is how many waiting commits share one batch.
const maxBatch = 256

// tenant is the open state of one tenant: where its log ends.
type tenant struct {
	id       tenantID
	pipeline store.Pipeline

	// writing is held from the look at what a batch goes by until the batch
	// is applied.
	writing sync.Mutex
	// planned is the end of the log as the pipeline sees it; only the
	// pipeline touches it.
	planned  int64
	lastTime time.Time

	// gate is held for reading while something of the tenant is written, so
	// that nothing can be left behind by a write that overtakes a drop.
	gate    sync.RWMutex
	dropped bool

	trimming sync.Mutex // one at a time

	mu      sync.Mutex
	floor   floor
	durable int64         // the head that readers may see
	grown   chan struct{} // closed and replaced when durable grows
}

func (e *Engine) openTenant(id tenantID) (*tenant, error) {
	t := &tenant{id: id, grown: make(chan struct{})}
	t.pipeline.MaxBatch = maxBatch
	t.pipeline.Append = func(ctx context.Context, commits []store.Commit) ([]store.Outcome, func() error, error) {
		return e.append(ctx, t, commits)
	}
	if err := e.loadFloor(t); err != nil {
		return nil, err
	}
	p := prefix(spaceLog, id)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: end(p)})
	if err != nil {
		return nil, wrap(err)
	}
	defer it.Close()
	if it.Last() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, wrap(err)
		}
		seq, _, err := cutOrdered(it.Key()[len(p):])
		if err != nil {
			return nil, err
		}
		t.planned = int64(seq)
		entry, _, err := decodeEntry(v, t.planned)
		if err != nil {
			return nil, err
		}
		t.durable, t.lastTime = t.planned, entry.Time
	}
	return t, wrap(it.Error())
}

func (t *tenant) head() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.durable
}

func (t *tenant) publish(head int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if head > t.durable {
		t.durable = head
		close(t.grown)
		t.grown = make(chan struct{})
	}
}

// watch returns the head and a channel that is closed when it grows.
func (t *tenant) watch() (int64, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.durable, t.grown
}
