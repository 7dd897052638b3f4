package notifications

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
)

// memoryLog is a store.Log in memory.
type memoryLog struct {
	mu      sync.Mutex
	entries []store.Entry
	grown   chan struct{}
	fail    error
	reads   atomic.Int64
	// onHead, when set, runs after the head was read and before it is returned.
	onHead func()
}

func newMemoryLog() *memoryLog { return &memoryLog{grown: make(chan struct{})} }

func (l *memoryLog) add(events ...Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		l.entries = append(l.entries, store.Entry{Seq: int64(len(l.entries)) + 1, Source: "ehr", Info: e.Encode()})
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *memoryLog) Head(context.Context, store.Tenant) (int64, error) {
	l.mu.Lock()
	head, err, hook := int64(len(l.entries)), l.fail, l.onHead
	l.mu.Unlock()
	if hook != nil {
		hook()
	}
	return head, err
}

func (l *memoryLog) ReadLog(_ context.Context, _ store.Tenant, after int64, limit int) ([]store.Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads.Add(1)
	if l.fail != nil {
		return nil, l.fail
	}
	rest := l.entries[min(int(after), len(l.entries)):]
	return rest[:min(limit, len(rest))], nil
}

func (l *memoryLog) WaitLog(ctx context.Context, _ store.Tenant, after int64) (int64, error) {
	for {
		l.mu.Lock()
		head, grown, err := int64(len(l.entries)), l.grown, l.fail
		l.mu.Unlock()
		if err != nil || head > after {
			return head, err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func booking(i int) Event {
	return Event{DataModel: "Scheduling", EventType: "New", Name: "appointment-booked", Message: fmt.Sprint(i)}
}

func other(int) Event {
	return Event{DataModel: "Order", EventType: "New", Name: "service-request-created", Message: "x"}
}

func many(n int, of func(int) Event) []Event {
	all := make([]Event, n)
	for i := range all {
		all[i] = of(i)
	}
	return all
}

var scheduling = Subscription{ID: "s", Destination: "d", DataModel: "Scheduling", Content: Redox}

func startTail(t testing.TB, l store.Log, c *clock) *tail {
	tl := newTail(l, production, c.After, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tl.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return tl
}

// collect takes until it has n, and returns the seqs and up to where.
func collect(t testing.TB, tl *tail, f *follower, after int64, n int) (seqs []int64, through int64) {
	t.Helper()
	through = after
	for len(seqs) < n {
		found, to, err := tl.take(context.Background(), f, through)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range found {
			if len(seqs) > 0 && l.entry.Seq <= seqs[len(seqs)-1] {
				t.Fatalf("entry %d after %d", l.entry.Seq, seqs[len(seqs)-1])
			}
			seqs = append(seqs, l.entry.Seq)
		}
		through = to
		if len(found) == 0 && tl.tells(f) {
			receive(t, f.ready, "a token")
		}
	}
	return seqs, through
}

// A follower far behind reads the log by itself, then from the window, then
// from its box; nothing is missed or told twice where one ends and the next
// begins.
func TestTail_catchesUp(t *testing.T) {
	l := newMemoryLog()
	l.add(many(3*window, booking)...)
	tl := startTail(t, l, newClock())
	f := newFollower(scheduling)
	seqs, through := collect(t, tl, f, 0, 3*window)
	l.add(many(2*boxSize, booking)...)
	more, _ := collect(t, tl, f, through, 2*boxSize)
	seqs = append(seqs, more...)
	for i, s := range seqs {
		if s != int64(i+1) {
			t.Fatalf("entry %d at place %d", s, i+1)
		}
	}
}

// What is committed between a queue's look at the log and the tail's is told
// without waiting for the next commit.
func TestTail_startMissesNothing(t *testing.T) {
	l := newMemoryLog()
	var once sync.Once
	l.onHead = func() { once.Do(func() { l.add(booking(0)) }) }
	tl := startTail(t, l, newClock())
	if seqs, _ := collect(t, tl, newFollower(scheduling), 0, 1); seqs[0] != 1 {
		t.Errorf("got %v", seqs)
	}
}

// A follower that is too slow for its box is left to read for itself and
// misses nothing.
func TestTail_boxOverflows(t *testing.T) {
	l := newMemoryLog()
	tl := startTail(t, l, newClock())
	f := newFollower(scheduling)
	_, through, err := tl.take(context.Background(), f, 0)
	if err != nil || !tl.tells(f) {
		t.Fatal(err)
	}
	l.add(many(boxSize+window+500, booking)...)
	probe := newFollower(scheduling) // sees the end when all were handed out
	collect(t, tl, probe, boxSize+window+499, 1)
	if tl.tells(f) {
		t.Error("still attached")
	}
	seqs, _ := collect(t, tl, f, through, boxSize+window+500)
	for i, s := range seqs {
		if s != int64(i+1) {
			t.Fatalf("entry %d at place %d", s, i+1)
		}
	}
}

// Only those are woken that a commit is for.
func TestTail_wakesWhomItConcerns(t *testing.T) {
	l := newMemoryLog()
	tl := startTail(t, l, newClock())
	subs := map[string]Subscription{
		"model":        {Destination: "d", DataModel: "Scheduling", Content: Redox},
		"any":          {Destination: "d", DataModel: "*", Content: Redox},
		"source":       {Destination: "d", DataModel: "Scheduling", Source: "ehr", Content: Redox},
		"any source":   {Destination: "d", DataModel: "*", Source: "ehr", Content: Redox},
		"other source": {Destination: "d", DataModel: "Scheduling", Source: "lab", Content: Redox},
		"other model":  {Destination: "d", DataModel: "Order", Content: Redox},
		"writebacks":   {Destination: "d", DataModel: "Scheduling", Content: Redox, Writebacks: true},
		"other events": {Destination: "d", DataModel: "Scheduling", Content: Redox, Events: []string{"Cancel"}},
	}
	followers := map[string]*follower{}
	for name, s := range subs {
		followers[name] = newFollower(s)
		if _, _, err := tl.take(context.Background(), followers[name], 0); err != nil {
			t.Fatal(err)
		}
	}
	l.add(booking(1))
	for _, name := range []string{"model", "any", "source", "any source"} {
		collect(t, tl, followers[name], 0, 1)
	}
	for _, name := range []string{"other source", "other model", "writebacks", "other events"} {
		if len(followers[name].ready) > 0 {
			t.Errorf("%s: woken", name)
		}
		if _, through, err := tl.take(context.Background(), followers[name], 0); err != nil || through != 1 {
			t.Errorf("%s: through %d (%v), want the head", name, through, err)
		}
	}
	for _, f := range followers {
		tl.leave(f)
	}
	if len(tl.routes) != 0 || len(tl.members) != 0 {
		t.Errorf("left behind: %d routes, %d members", len(tl.routes), len(tl.members))
	}
}

// Whose position falls far behind because nothing matches is woken to write
// it.
func TestTail_remindsOfPositions(t *testing.T) {
	l := newMemoryLog()
	tl := startTail(t, l, newClock())
	f := newFollower(scheduling)
	if _, _, err := tl.take(context.Background(), f, 0); err != nil {
		t.Fatal(err)
	}
	l.add(many(saveEvery, other)...)
	receive(t, f.ready, "a reminder")
	if found, through, err := tl.take(context.Background(), f, 0); err != nil || len(found) > 0 || through != saveEvery {
		t.Errorf("%d found, through %d (%v)", len(found), through, err)
	}
}

// The log may fail, at first or later; the tail goes on when it answers again.
func TestTail_logFails(t *testing.T) {
	l, c := newMemoryLog(), newClock()
	fail := func(err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.fail = err
	}
	fail(errors.New("no answer"))
	tl := startTail(t, l, c)
	f := newFollower(scheduling)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := tl.take(ended, f, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("take before the log is known: %v", err)
	}
	c.await(t, retryLog)
	fail(nil)
	l.add(booking(0))
	c.advance(retryLog)
	_, through := collect(t, tl, f, 0, 1)
	fail(errors.New("no answer"))
	l.add(booking(1))
	c.await(t, retryLog)
	fail(nil)
	c.advance(retryLog)
	collect(t, tl, f, through, 1)
}

// An event that cannot be read stops nobody and is said aloud.
func TestTail_unreadableEvent(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL)
	w.start()
	_, err := w.store.Commit(w.ctx, production, store.Commit{Info: []byte("{"), Changes: []store.Change{{
		Ref: store.Ref{Type: "Basic", ID: "1"}, Render: func(store.Stamp) store.Content { return store.Content{Body: []byte("{}")} },
	}}})
	w.must(err)
	w.book(production, "one")
	rc.expect(t, "one")
	if got := w.logs.String(); !strings.Contains(got, "nobody is told of it") {
		t.Errorf("the log says %q", got)
	}
}

// A queue's position is written after so many deliveries, after so many
// entries that do not match, some time after the last delivery, and at the
// end; at rest nothing is written.
func TestQueue_savesItsPosition(t *testing.T) {
	w := newTestWorld(t)
	rc := newReceiver(t, nil)
	w.subscribe(production, rc.URL)
	w.start()
	position := func() (Position, int64) {
		p, version, err := getVersion[Position](w.ctx, w.store, production, kindPosition, "s")
		w.must(err)
		return p, version
	}
	var names []string
	for i := range saveDelivered {
		names = append(names, fmt.Sprint(i))
	}
	w.book(production, names...)
	rc.expect(t, names...)
	for range names {
		w.attempt()
	}
	w.book(production, "next") // its delivery begins when the position is written
	rc.expect(t, "next")
	p, version := position()
	if p.Seq != saveDelivered || p.Number != saveDelivered || version != 2 {
		t.Errorf("after %d deliveries: %+v, version %d", saveDelivered, p, version)
	}
	w.attempt()
	w.clock.await(t, settle)
	w.clock.advance(settle)
	w.book(production, "more")
	rc.expect(t, "more")
	if p, version = position(); p.Seq != saveDelivered+1 || version != 3 {
		t.Errorf("when settled: %+v, version %d", p, version)
	}
	w.attempt()
	w.stop()
	if p, version = position(); p.Seq != saveDelivered+2 || version != 4 {
		t.Errorf("at the end: %+v, version %d", p, version)
	}
	w.start()
	w.stop()
	if _, again := position(); again != version {
		t.Error("a queue that did nothing wrote")
	}
}

// loggedStore is a store with another log.
type loggedStore struct {
	store.Store
	log *memoryLog
}

func (s loggedStore) Head(ctx context.Context, t store.Tenant) (int64, error) {
	return s.log.Head(ctx, t)
}

func (s loggedStore) ReadLog(ctx context.Context, t store.Tenant, after int64, limit int) ([]store.Entry, error) {
	return s.log.ReadLog(ctx, t, after, limit)
}
