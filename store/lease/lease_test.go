package lease_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const (
	tenant = store.Tenant("clinic/Development")
	ttl    = 30 * time.Second
)

// clock is one instance's own clock, moved by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock(offset time.Duration) *clock {
	return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(offset)}
}

func items(t testing.TB) store.Items {
	t.Helper()
	s, err := pebble.Open(t.TempDir(), pebble.Options{CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func open(t testing.TB, i store.Items, o lease.Options) *lease.Leases {
	t.Helper()
	if o.TTL == 0 {
		o.TTL = ttl
	}
	l, err := lease.New(i, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func acquire(t testing.TB, l *lease.Leases) *lease.Lease {
	t.Helper()
	got, err := l.Acquire(context.Background(), tenant, "poll")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func mustBeHeld(t testing.TB, l *lease.Leases) time.Duration {
	t.Helper()
	_, err := l.Acquire(context.Background(), tenant, "poll")
	var held *lease.HeldError
	if !errors.Is(err, lease.ErrHeld) || !errors.As(err, &held) {
		t.Fatalf("got %v, want ErrHeld", err)
	}
	return held.Remaining
}

func TestATakerWaitsTheTTLOfHisOwnClock(t *testing.T) {
	i := items(t)
	// Clocks a day apart must not matter in either direction.
	for name, offset := range map[string]time.Duration{"taker ahead": 24 * time.Hour, "taker behind": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			a := open(t, i, lease.Options{Owner: "a" + name, Now: newClock(0).now, TTL: ttl})
			bc := newClock(offset)
			b := open(t, i, lease.Options{Owner: "b" + name, Now: bc.now})
			first := acquire(t, a)
			if got := mustBeHeld(t, b); got != ttl {
				t.Errorf("remaining %v, want %v", got, ttl)
			}
			bc.advance(ttl - time.Second)
			mustBeHeld(t, b)
			bc.advance(time.Second)
			second := acquire(t, b)
			if second.Fence() <= first.Fence() {
				t.Errorf("fence went from %d to %d", first.Fence(), second.Fence())
			}
			if err := first.Renew(context.Background()); !errors.Is(err, lease.ErrLost) {
				t.Errorf("renewing a lost lease: %v", err)
			}
			if first.Valid() {
				t.Error("a lost lease is valid")
			}
			if err := second.Release(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestARenewalStartsTheTakersWaitAgain(t *testing.T) {
	i, ac, bc := items(t), newClock(0), newClock(0)
	a, b := open(t, i, lease.Options{Owner: "a", Now: ac.now}), open(t, i, lease.Options{Owner: "b", Now: bc.now})
	first := acquire(t, a)
	mustBeHeld(t, b)
	bc.advance(ttl - time.Second)
	if err := first.Renew(context.Background()); err != nil {
		t.Fatal(err)
	}
	bc.advance(time.Second)
	mustBeHeld(t, b)
	bc.advance(ttl)
	acquire(t, b)
}

func TestReleaseFreesAtOnceAndKeepsTheFence(t *testing.T) {
	i := items(t)
	a := open(t, i, lease.Options{Owner: "a", Now: newClock(0).now})
	b := open(t, i, lease.Options{Owner: "b", Now: newClock(0).now})
	first := acquire(t, a)
	if err := first.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
	if first.Valid() {
		t.Error("a released lease is valid")
	}
	if err := first.Renew(context.Background()); !errors.Is(err, lease.ErrLost) {
		t.Errorf("renewing a released lease: %v", err)
	}
	if second := acquire(t, b); second.Fence() != first.Fence()+1 {
		t.Errorf("fence %d after %d", second.Fence(), first.Fence())
	}
}

func TestAnOwnerIsProtectedFromItself(t *testing.T) {
	c := newClock(0)
	a := open(t, items(t), lease.Options{Owner: "a", Now: c.now})
	first := acquire(t, a)
	mustBeHeld(t, a)
	// Its own expired lease it need not wait for; the old handle is dead.
	c.advance(ttl)
	if second := acquire(t, a); second.Fence() != first.Fence()+1 {
		t.Errorf("fence %d after %d", second.Fence(), first.Fence())
	}
	if err := first.Renew(context.Background()); !errors.Is(err, lease.ErrLost) {
		t.Errorf("renewing through the old handle: %v", err)
	}
}

func TestExclusive(t *testing.T) {
	i, c := items(t), newClock(0)
	acquire(t, open(t, i, lease.Options{Owner: "a", Now: c.now, Exclusive: true}))
	// The process of a is gone, as nobody else can have the store open.
	b := open(t, i, lease.Options{Owner: "b", Now: c.now, Exclusive: true})
	second := acquire(t, b)
	mustBeHeld(t, b)
	before, err := i.GetItem(context.Background(), tenant, lease.Kind, "poll")
	if err != nil {
		t.Fatal(err)
	}
	c.advance(100 * ttl)
	if err := second.Renew(context.Background()); err != nil || !second.Valid() {
		t.Errorf("an exclusive lease ended: %v", err)
	}
	after, err := i.GetItem(context.Background(), tenant, lease.Kind, "poll")
	if err != nil {
		t.Fatal(err)
	}
	if after.Version != before.Version {
		t.Error("keeping an exclusive lease wrote to the store")
	}
}

func TestUpkeepWritesSeldom(t *testing.T) {
	i, c := items(t), newClock(0)
	l := acquire(t, open(t, i, lease.Options{Owner: "a", Now: c.now}))
	for range 29 {
		c.advance(time.Second)
		if err := l.Upkeep(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	item, err := i.GetItem(context.Background(), tenant, lease.Kind, "poll")
	if err != nil {
		t.Fatal(err)
	}
	if item.Version != 3 { // the taking, and one renewal each ten seconds
		t.Errorf("%d writes in 29 s of upkeep, want 3", item.Version)
	}
}

// doubtful makes a write happen and reports an error all the same, as a
// connection that breaks before the answer does.
type doubtful struct {
	store.Items
	broken bool
}

func (d *doubtful) PutItem(ctx context.Context, tn store.Tenant, item store.Item, expect int64) (store.Item, error) {
	item, err := d.Items.PutItem(ctx, tn, item, expect)
	if d.broken && err == nil {
		return store.Item{}, store.ErrUnavailable
	}
	return item, err
}

func TestARenewalWithoutAnAnswerDoesNotLoseTheLease(t *testing.T) {
	d := &doubtful{Items: items(t)}
	l := acquire(t, open(t, d, lease.Options{Owner: "a", Now: newClock(0).now}))
	d.broken = true
	if err := l.Renew(context.Background()); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	d.broken = false
	if err := l.Renew(context.Background()); err != nil {
		t.Errorf("the owner took its own write for another's: %v", err)
	}
}

func TestKeepRenewsAndEndsWithTheLease(t *testing.T) {
	i, c := items(t), newClock(0)
	ticks, asked := make(chan time.Time), make(chan struct{}, 16)
	a := open(t, i, lease.Options{Owner: "a", Now: c.now, After: func(time.Duration) <-chan time.Time {
		asked <- struct{}{}
		return ticks
	}})
	l := acquire(t, a)
	ctx, stop := l.Keep(context.Background())
	<-asked
	c.advance(ttl / 3)
	ticks <- c.now()
	<-asked // the renewal is over when the next timer is set
	if got := l.Remaining(); got != ttl {
		t.Errorf("remaining %v after a renewal, want %v", got, ttl)
	}
	if err := i.DeleteItem(context.Background(), tenant, lease.Kind, "poll", store.ItemAny); err != nil {
		t.Fatal(err)
	}
	ticks <- c.now()
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), lease.ErrLost) {
		t.Errorf("cause %v, want ErrLost", context.Cause(ctx))
	}
	stop()
}

func TestNewRefuses(t *testing.T) {
	i := items(t)
	for name, o := range map[string]lease.Options{"no owner": {TTL: ttl}, "no time to live": {Owner: "a"}} {
		if _, err := lease.New(i, o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// Whatever a few instances do, with clocks of their own that run at the same
// speed, at most one of them holds a valid lease, and the fence only grows.
func TestAtMostOneOwner(t *testing.T) {
	all := items(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		tn := store.Tenant("property/" + time.Duration(run).String())
		clocks := make([]*clock, 3)
		leases := make([]*lease.Leases, 3)
		held := make([]*lease.Lease, 3)
		for n := range clocks {
			clocks[n] = newClock(time.Duration(rapid.IntRange(-1000, 1000).Draw(t, "offset")) * time.Second)
			l, err := lease.New(all, lease.Options{Owner: string(rune('a' + n)), TTL: ttl, Now: clocks[n].now})
			if err != nil {
				t.Fatal(err)
			}
			leases[n] = l
		}
		var fence int64
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			n := rapid.IntRange(0, 2).Draw(t, "who")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1:
				l, err := leases[n].Acquire(context.Background(), tn, "poll")
				if err != nil {
					if !errors.Is(err, lease.ErrHeld) {
						t.Fatal(err)
					}
					break
				}
				if l.Fence() <= fence {
					t.Fatalf("fence %d after %d", l.Fence(), fence)
				}
				fence, held[n] = l.Fence(), l
			case 2:
				if held[n] != nil {
					_ = held[n].Renew(context.Background())
				}
			case 3:
				if held[n] != nil {
					if err := held[n].Release(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			case 4:
				d := time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second
				for _, c := range clocks {
					c.advance(d)
				}
			}
			valid := 0
			for _, l := range held {
				if l != nil && l.Valid() {
					valid++
				}
			}
			if valid > 1 {
				t.Fatalf("%d instances hold the lease", valid)
			}
		}
	})
}
