package notifications

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

func (w *world) resubscribe(change func(*Subscription)) {
	w.t.Helper()
	s, err := w.o.Registry.Subscription(w.ctx, production, "s")
	w.must(err)
	change(&s)
	w.must(w.o.Registry.PutSubscription(w.ctx, production, s, 0))
	w.start()
}

func TestEngine_pauseAndResume(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL)
	w.start()
	w.book(production, "one")
	w.attempt()
	w.resubscribe(func(s *Subscription) { s.Paused = true })
	w.book(production, "two", "three")
	if len(w.queues) != 0 {
		t.Fatal("a paused queue runs")
	}
	if s, _ := w.o.Registry.Subscription(w.ctx, production, "s"); s.Status != Paused {
		t.Errorf("status %q", s.Status)
	}
	rc.expect(t, "one")
	none(t, rc.got, "a delivery while paused")
	w.resubscribe(func(s *Subscription) { s.Paused = false })
	rc.expect(t, "two", "three")
}

// A subscription that changes keeps its place; what it says now counts from
// the next event on.
func TestEngine_subscriptionChanges(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL)
	w.start()
	w.book(production, "one")
	rc.expect(t, "one")
	w.attempt()
	same := w.queues[queueID{production, "s"}]
	w.start()
	if w.queues[queueID{production, "s"}] != same {
		t.Error("a queue was restarted though nothing changed")
	}
	w.resubscribe(func(s *Subscription) { s.Events = []string{"Cancel"} })
	w.book(production, "two")
	w.commit(production, Event{DataModel: "Scheduling", EventType: "Cancel", Name: "appointment-cancelled", Message: "three"})
	rc.expect(t, "three")
}

// Nothing is delivered before the endpoint is verified, and nothing is lost.
func TestEngine_destinationUnverified(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL)
	d, err := w.o.Registry.Destination(w.ctx, production, "d")
	w.must(err)
	d.Verified = false
	w.must(w.o.Registry.PutDestination(w.ctx, production, d))
	w.start()
	w.book(production, "one")
	if len(w.queues) != 0 {
		t.Fatal("a queue runs to an endpoint that was not verified")
	}
	d.Verified = true
	w.must(w.o.Registry.PutDestination(w.ctx, production, d))
	w.start()
	rc.expect(t, "one")
	other := newReceiver(t, nil)
	w.attempt()
	d.URL = other.URL
	w.must(w.o.Registry.PutDestination(w.ctx, production, d))
	w.start()
	w.book(production, "two")
	other.expect(t, "two")
	none(t, rc.got, "a delivery at the old endpoint")
}

// A subscription that is deleted and made again, under the same id, begins
// behind the log; a queue of the old one that did not hear of it cannot write.
func TestEngine_deletedAndMadeAgain(t *testing.T) {
	w := newTestWorld(t)
	hold := make(chan struct{})
	rc := newReceiver(t, func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			<-hold
		}
	})
	w.subscribe(production, rc.URL)
	w.start()
	w.book(production, "one", "two", "three")
	rc.expect(t, "one", "two")
	w.must(w.o.Registry.DeleteSubscription(w.ctx, production, "s"))
	w.subscribe(production, rc.URL)
	close(hold) // the old queue goes on with "two"
	w.attempt()
	w.start()
	w.book(production, "four")
	for {
		if got := receive(t, rc.got, "four"); got.Name == "four" {
			break
		}
	}
	for w.attempt().Message != "four" {
	}
	w.stop()
	p, err := get[Position](w.ctx, w.store, production, kindPosition, "s")
	w.must(err)
	if p.Seq != 4 || p.Round == 0 {
		t.Errorf("position %+v", p)
	}
}

func TestRegistry_deleteDestinationInUse(t *testing.T) {
	w := newTestWorld(t)
	w.subscribe(production, "https://app.example.org")
	if err := w.o.Registry.DeleteDestination(w.ctx, production, "d"); err == nil {
		t.Error("a destination in use was deleted")
	}
	w.must(w.o.Registry.DeleteSubscription(w.ctx, production, "s"))
	w.must(w.o.Registry.DeleteSubscription(w.ctx, production, "no/such"))
	w.must(w.o.Registry.DeleteDestination(w.ctx, production, "d"))
}

// An attempt under way at a stop is made again with the same id; Run returns
// when everything has ended.
func TestEngine_stopDuringAttempt(t *testing.T) {
	c := newClock()
	s := openStore(t, c)
	first := newWorld(t, s, c, "a", true)
	rc := newReceiver(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 0 {
			<-r.Context().Done()
		}
	})
	first.subscribe(production, rc.URL)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		first.Run(ctx)
	}()
	first.book(production, "one")
	a := receive(t, rc.got, "the first attempt")
	stop()
	receive(t, ended, "the end of Run")
	none(t, first.attempts, "an outcome")

	second := newWorld(t, s, c, "b", true) // the lease was given back: no wait
	second.start()
	b := receive(t, rc.got, "the second attempt")
	if a.ID != b.ID || a.Name != b.Name {
		t.Errorf("sent %s %s, then %s %s", a.ID, a.Name, b.ID, b.Name)
	}
	second.attempt()
}

// Run hears of changes made through its registry at once, and of those of
// other instances when it looks again.
func TestEngine_Run(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL, func(s *Subscription) { s.Paused = true })
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx)
	}()
	w.book(production, "one")
	s, err := w.o.Registry.Subscription(w.ctx, production, "s")
	w.must(err)
	s.Paused = false
	w.must(w.o.Registry.PutSubscription(w.ctx, production, s, 0))
	rc.expect(t, "one")

	elsewhere := NewRegistry(w.store)
	s.ID, s.Revision = "t", 0
	w.must(elsewhere.PutSubscription(w.ctx, production, s, 0))
	w.clock.await(t, rescan)
	w.clock.advance(rescan)
	rc.expect(t, "one")
	w.attempt()
	w.attempt()
	stop()
	receive(t, ended, "the end of Run")
}

// dying is a store that stops answering one instance.
type dying struct {
	store.Store
	dead atomic.Bool
}

func (d *dying) err() error {
	if d.dead.Load() {
		return store.ErrUnavailable
	}
	return nil
}

func (d *dying) GetItem(ctx context.Context, t store.Tenant, kind, id string) (store.Item, error) {
	if err := d.err(); err != nil {
		return store.Item{}, err
	}
	return d.Store.GetItem(ctx, t, kind, id)
}

func (d *dying) PutItem(ctx context.Context, t store.Tenant, it store.Item, expect int64) (store.Item, error) {
	if err := d.err(); err != nil {
		return it, err
	}
	return d.Store.PutItem(ctx, t, it, expect)
}

func (d *dying) ReadLog(ctx context.Context, t store.Tenant, after int64, limit int) ([]store.Entry, error) {
	if err := d.err(); err != nil {
		return nil, err
	}
	return d.Store.ReadLog(ctx, t, after, limit)
}

// An instance that dies without giving its lease back is followed by another
// within the lease's time (and a third, for looking), and what it had sent and
// not written is sent again with the same id.
func TestEngine_takeover(t *testing.T) {
	c := newClock()
	s := openStore(t, c)
	shaky := &dying{Store: s}
	first := newWorld(t, shaky, c, "a", true)
	c2 := newClock() // another machine's clock
	second := newWorld(t, s, c2, "b", true)
	acknowledge := make(chan struct{})
	rc := newReceiver(t, func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			<-acknowledge
		}
	})
	first.subscribe(production, rc.URL)
	first.start()
	first.book(production, "one")
	rc.expect(t, "one")
	first.attempt()
	second.start() // finds the lease held
	c2.await(t, leaseTTL/3)
	second.book(production, "two", "three")
	two := receive(t, rc.got, "two")
	shaky.dead.Store(true)
	close(acknowledge) // the first cannot write it

	took := func() bool { return second.reached(production, "s") >= 0 }
	for passed := time.Duration(0); !took(); passed += time.Second {
		if passed > leaseTTL+leaseTTL/3+time.Second {
			t.Fatal("nobody took over")
		}
		c2.advance(time.Second)
		c2.awaitOr(t, leaseTTL/3, took) // it has looked at the lease, if it was time
		if passed < leaseTTL/3 {
			none(t, rc.got, "a delivery by both")
		}
	}
	again := receive(t, rc.got, "two, again")
	if again.ID != two.ID || again.Name != "two" {
		t.Errorf("sent %s %s, then %s %s", two.Name, two.ID, again.Name, again.ID)
	}
	rc.expect(t, "three")
	none(t, first.attempts, "a record by the dead instance")
	shaky.dead.Store(false)
	first.book(production, "four")
	rc.expect(t, "four")
	none(t, rc.got, "a delivery by both")
}

// An instance that was stopped for so long that its lease was taken, and that
// does not know it, cannot write what it was about to: neither a transmission
// nor a position. It then finds the lease held.
func TestEngine_stoppedOwnerIsFencedOut(t *testing.T) {
	c, c2 := newClock(), newClock() // the first one's clock stands still
	s := openStore(t, c)
	first := newWorld(t, s, c, "a", true)
	second := newWorld(t, s, c2, "b", true)
	goOn := make(chan struct{})
	rc := newReceiver(t, func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n == 0 {
			<-goOn
		}
	})
	first.subscribe(production, rc.URL)
	first.start()
	first.book(production, "one", "two")
	rc.expect(t, "one")
	second.start()
	for second.reached(production, "s") < 0 {
		c2.advance(time.Second)
		c2.awaitOr(t, leaseTTL/3, func() bool { return second.reached(production, "s") >= 0 })
	}
	rc.expect(t, "one", "two")
	second.attempt()
	second.attempt()
	close(goOn)
	for {
		asking := c.asking()
		if first.reached(production, "s") < 0 {
			break
		}
		receive(t, asking, "another look at the lease")
	}
	none(t, first.attempts, "a record of the one that lost its lease")
	none(t, rc.got, "another delivery")
	tr, err := first.o.Transmissions.Get(first.ctx, production, DeliveryID(production, "s", 1))
	first.must(err)
	if tr.Total != 1 || tr.Status != Succeeded {
		t.Errorf("%+v", tr)
	}
}
