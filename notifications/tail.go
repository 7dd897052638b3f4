package notifications

import (
	"context"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// window is how many entries of a log's end are kept in memory. A queue that
// is further behind reads the log by itself.
const window = 4096

// tail follows one tenant's log, so that all queues of the tenant together
// read each new entry once.
type tail struct {
	log    store.Log
	tenant store.Tenant
	after  func(time.Duration) <-chan time.Time

	mu      sync.Mutex
	entries []store.Entry // contiguous; the last one is the head
	grown   chan struct{}
}

func newTail(log store.Log, t store.Tenant, after func(time.Duration) <-chan time.Time) *tail {
	return &tail{log: log, tenant: t, after: after, grown: make(chan struct{})}
}

// retryLog is the pause after the log could not be read.
const retryLog = time.Second

// run follows the log from its present end until ctx ends.
func (t *tail) run(ctx context.Context) {
	head, err := t.log.Head(ctx, t.tenant)
	for ctx.Err() == nil {
		if err != nil {
			select {
			case <-t.after(retryLog):
			case <-ctx.Done():
				return
			}
			if head == 0 {
				head, err = t.log.Head(ctx, t.tenant)
				continue
			}
		}
		if _, err = t.log.WaitLog(ctx, t.tenant, head); err != nil {
			continue
		}
		var entries []store.Entry
		if entries, err = t.log.ReadLog(ctx, t.tenant, head, window/4); err != nil || len(entries) == 0 {
			continue
		}
		head = entries[len(entries)-1].Seq
		t.append(entries)
	}
}

func (t *tail) append(entries []store.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, entries...)
	if over := len(t.entries) - window; over > 0 {
		t.entries = append([]store.Entry(nil), t.entries[over:]...)
	}
	close(t.grown)
	t.grown = make(chan struct{})
}

// next returns entries behind after, as soon as there are any. The entries are
// shared and must not be changed.
func (t *tail) next(ctx context.Context, after int64, limit int) ([]store.Entry, error) {
	for {
		t.mu.Lock()
		grown, n := t.grown, len(t.entries)
		if n > 0 && t.entries[0].Seq <= after+1 {
			from := int(after + 1 - t.entries[0].Seq)
			if from < n {
				found := t.entries[from:min(n, from+limit)]
				t.mu.Unlock()
				return found, nil
			}
			t.mu.Unlock()
		} else {
			t.mu.Unlock()
			found, err := t.log.ReadLog(ctx, t.tenant, after, limit)
			if err != nil || len(found) > 0 {
				return found, err
			}
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
