package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// Lease is a lease that was taken. It is safe for concurrent use.
type Lease struct {
	leases *Leases
	at     place
	fence  int64

	mu      sync.Mutex
	version int64
	renewed time.Time
	over    bool
}

// Fence is greater than that of every earlier taking of this lease.
func (l *Lease) Fence() int64 { return l.fence }

// Valid reports whether the lease is surely still ours.
func (l *Lease) Valid() bool { return l.Remaining() > 0 }

// Remaining is how long the lease is surely ours if nothing renews it.
func (l *Lease) Remaining() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
		return 0
	case l.leases.Exclusive:
		return l.leases.TTL
	}
	return max(0, l.leases.TTL-l.leases.Now().Sub(l.renewed))
}

// Renew makes the lease last another time to live. It succeeds late as well,
// when nobody has taken the lease meanwhile. ErrLost is final; after any
// other error the lease lasts as long as it did before, and Renew may be
// called again.
func (l *Lease) Renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return ErrLost
	}
	if l.leases.Exclusive {
		return nil
	}
	start := l.leases.Now()
	err := l.write(ctx, false)
	if err == nil {
		l.renewed = start
	}
	return err
}

// Upkeep renews the lease if a third of its time to live is over, so that a
// frequent caller costs few writes.
func (l *Lease) Upkeep(ctx context.Context) error {
	if remaining := l.Remaining(); remaining > l.leases.TTL*2/3 {
		return nil
	}
	return l.Renew(ctx)
}

// Release gives the lease back, so that another owner need not wait. The
// lease is no longer valid, whatever the error.
func (l *Lease) Release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.leases.forget(l)
	if l.over {
		return nil
	}
	err := l.write(ctx, true)
	l.over = true
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// Keep renews the lease in the background until stop is called. The context
// it returns ends with the lease.
func (l *Lease) Keep(ctx context.Context) (kept context.Context, stop func()) {
	kept, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-kept.Done():
				return
			case <-l.leases.After(l.leases.TTL / 3):
			}
			err := l.Renew(kept)
			if errors.Is(err, ErrLost) || !l.Valid() {
				cancel(ErrLost)
				return
			}
		}
	}()
	return kept, func() {
		cancel(context.Canceled)
		<-done
	}
}

// end makes the lease invalid without a write.
func (l *Lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// write writes the item with the mutex held. A write that failed may have
// happened, in which case the version known here is old: the item itself
// says, by owner and fence, whether it is still this lease.
func (l *Lease) write(ctx context.Context, release bool) error {
	b := body{Owner: l.leases.Owner, Fence: l.fence, TTLMillis: l.leases.TTL.Milliseconds(), Released: release}
	for range 2 {
		item, err := l.leases.put(ctx, l.at.tenant, l.at.name, b, l.version)
		if err == nil {
			l.version = item.Version
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("lease: write: %w", err)
		}
		item, err = l.leases.items.GetItem(ctx, l.at.tenant, Kind, l.at.name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("lease: read: %w", err)
		}
		var found body
		if err != nil || json.Unmarshal(item.Body, &found) != nil || found.Owner != b.Owner || found.Fence != b.Fence || found.Released {
			break
		}
		l.version = item.Version
	}
	l.over = true
	l.leases.forget(l)
	return ErrLost
}
