package notifications

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
)

// window is how many entries of a log's end are kept in memory, so that a
// queue that is a little behind need not read the log by itself; batch is how
// many are read at a time; boxSize how many may wait for a queue in memory.
const (
	window  = 4096
	batch   = 256
	boxSize = 256
)

// retryLog is the pause after the log could not be read.
const retryLog = time.Second

// logged is a log entry and the event that it is. It is shared by all queues
// and never changed.
type logged struct {
	entry store.Entry
	event Event
	known bool // event says what the entry was
	// look is the entry as topics see it; nil for what nobody is told of.
	look *topic.Entry
}

// named is the event as topics see it.
func (l *logged) named() *topic.Named {
	if !l.known || l.event.Name == "" || l.event.Writeback {
		return nil
	}
	return &topic.Named{Name: l.event.Name, Focus: l.event.Focus, Context: slices.Concat(l.event.Patients, l.event.Resources)}
}

func (l *logged) name() string {
	if n := l.named(); n != nil {
		return n.Name
	}
	return ""
}

// tail follows one tenant's log for all of the tenant's queues here: each
// entry is read and decoded once, and handed to those followers alone whose
// subscriptions match. The others are not woken; that they have nothing to do
// with it follows from the head.
type tail struct {
	log    store.Log
	tenant store.Tenant
	after  func(time.Duration) <-chan time.Time
	logger *slog.Logger

	reader  topic.Reader  // nil where nobody watches topics
	started chan struct{} // closed when head is known

	mu      sync.Mutex
	head    int64    // the last entry that was handed out
	entries []logged // contiguous; the last one is the head
	routes  routes
	watches *topic.Index[*follower]
	members []*follower // those attached
	turn    int
}

// follower is a queue's place at the tail. Its fields belong to the tail's
// mutex.
type follower struct {
	sub Subscription
	// watch is what a FHIR Subscription waits for; nil for others.
	watch *topic.Watch
	// ready gets a token when there is something to do.
	ready chan struct{}

	attached bool
	member   int       // index in members
	from     int64     // entries up to here are known to the queue
	box      []*logged // what matches and was not taken yet
	saved    int64     // up to where the queue's position is written
}

func newTail(log store.Log, t store.Tenant, after func(time.Duration) <-chan time.Time, logger *slog.Logger) *tail {
	return &tail{log: log, tenant: t, after: after, logger: logger, started: make(chan struct{}), routes: routes{}, watches: topic.NewIndex[*follower]()}
}

func newFollower(s Subscription) *follower {
	return &follower{sub: s, ready: make(chan struct{}, 1)}
}

// wants reports whether an entry may be for the follower. Of a FHIR
// Subscription, the queue looks closer.
func (f *follower) wants(l *logged) bool {
	if f.watch != nil {
		return l.look != nil && f.watch.Concerns(l.look, l.name())
	}
	return l.known && f.sub.Matches(l.entry.Source, l.event)
}

func (f *follower) poke() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// run follows the log until ctx ends.
func (t *tail) run(ctx context.Context) {
	for !t.begin(ctx) {
		if !t.rest(ctx) {
			return
		}
	}
	for ctx.Err() == nil {
		if err := t.step(ctx); err != nil && ctx.Err() == nil {
			t.logger.Error("the log cannot be read; it is tried again", "error", err)
			t.rest(ctx)
		}
	}
}

func (t *tail) rest(ctx context.Context) bool {
	select {
	case <-t.after(retryLog):
		return true
	case <-ctx.Done():
		return false
	}
}

// begin fills the window with the end of the log: the queues of a process that
// starts are mostly no further behind than that.
func (t *tail) begin(ctx context.Context) bool {
	head, err := t.log.Head(ctx, t.tenant)
	floor := int64(1)
	if err == nil {
		floor, err = logFloor(ctx, t.log, t.tenant)
	}
	var entries []logged
	for at := max(0, head-window, floor-1); err == nil && at < head; {
		var read []store.Entry
		if read, err = t.log.ReadLog(ctx, t.tenant, at, window/4); err != nil || len(read) == 0 {
			break
		}
		entries = append(entries, t.decode(read)...)
		at = entries[len(entries)-1].entry.Seq
	}
	if err != nil {
		if ctx.Err() == nil {
			t.logger.Error("the log cannot be read; it is tried again", "error", err)
		}
		return false
	}
	if n := len(entries); n > 0 {
		head = entries[n-1].entry.Seq
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.head, t.entries = head, entries
	close(t.started)
	return true
}

func (t *tail) step(ctx context.Context) error {
	// Only this goroutine writes head.
	if _, err := t.log.WaitLog(ctx, t.tenant, t.head); err != nil {
		return err
	}
	entries, err := t.log.ReadLog(ctx, t.tenant, t.head, window/4)
	if err != nil {
		return err
	}
	all := t.decode(entries)
	t.load(ctx, all)
	t.hand(all)
	return nil
}

// load reads what the index of watches looks at. What cannot be read is handed
// to all that it may be for, who read it themselves.
func (t *tail) load(ctx context.Context, entries []logged) {
	t.mu.Lock()
	watched := map[string]bool{}
	for _, l := range entries {
		if l.look == nil || t.reader == nil {
			continue
		}
		for _, c := range l.look.Changes {
			watched[c.Ref.Type] = t.watches.Watches(c.Ref.Type)
		}
	}
	t.mu.Unlock()
	for _, l := range entries {
		if l.look == nil || t.reader == nil {
			continue
		}
		if err := l.look.Load(ctx, t.reader, t.tenant, func(typ string) bool { return watched[typ] }); err != nil {
			return
		}
	}
}

func (t *tail) decode(entries []store.Entry) []logged {
	all := make([]logged, len(entries))
	for i, e := range entries {
		all[i].entry = e
		all[i].event, all[i].known = EventOf(e)
		if e.Source != StatusSource {
			all[i].look = topic.NewEntry(e)
		}
		if !all[i].known && len(e.Info) > 0 {
			t.logger.Error("a log entry's event cannot be read; nobody is told of it", "seq", e.Seq)
		}
	}
	return all
}

// hand gives new entries to the followers that they are for.
func (t *tail) hand(entries []logged) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range entries {
		l := &entries[i]
		t.head = l.entry.Seq
		give := func(f *follower) {
			if l.entry.Seq <= f.from {
				return
			}
			if len(f.box) == boxSize {
				// It is slow: from the end of its box on it reads for itself.
				t.detach(f)
			} else {
				f.box = append(f.box, l)
			}
			f.poke()
		}
		if l.known {
			t.routes.each(l, give)
		}
		if l.look != nil && t.watches.Len() > 0 {
			t.watches.Each(l.look, l.name(), give)
		}
		t.remind()
	}
	for _, l := range entries {
		if l.look != nil {
			l.look = topic.NewEntry(l.entry) // without what was read of it
		}
		t.entries = append(t.entries, l)
	}
	if over := len(t.entries) - window; over > window/4 {
		// Copied now and then only, and into new memory: boxes point into the
		// old.
		t.entries = append(make([]logged, 0, 2*window), t.entries[over:]...)
	}
}

// remind wakes one follower per entry, in turn, if its written position is
// far behind the head. So every position follows the head, at a cost that does
// not grow with the number of subscriptions.
func (t *tail) remind() {
	if len(t.members) == 0 {
		return
	}
	t.turn = (t.turn + 1) % len(t.members)
	if f := t.members[t.turn]; len(f.box) == 0 && t.head-f.saved >= saveEvery {
		f.poke()
	}
}

// take returns what matches behind after, and up to where that is all. When
// there is nothing, through is the head: f.ready tells when to ask again.
func (t *tail) take(ctx context.Context, f *follower, after int64) (found []*logged, through int64, err error) {
	select {
	case <-t.started:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	if found, through, ok := t.takeHere(f, after); ok {
		return found, through, nil
	}
	entries, err := t.log.ReadLog(ctx, t.tenant, after, batch)
	if err != nil {
		return nil, after, err
	}
	if len(entries) == 0 {
		return nil, after, fmt.Errorf("log entry %d: %w", after+1, store.ErrNotFound)
	}
	all := t.decode(entries)
	for i := range all {
		if l := &all[i]; f.wants(l) {
			found = append(found, l)
		}
	}
	return found, all[len(all)-1].entry.Seq, nil
}

// takeHere is take from memory. ok is false when the follower is further
// behind than the window.
func (t *tail) takeHere(f *follower, after int64) (found []*logged, through int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.attached || len(f.box) > 0 {
		found, f.box = f.box, nil
		if through = max(t.head, f.from); !f.attached {
			through = found[len(found)-1].entry.Seq
		}
		return found, through, true
	}
	from := 0
	if after < t.head {
		if len(t.entries) == 0 || t.entries[0].entry.Seq > after+1 {
			return nil, 0, false
		}
		from = int(after + 1 - t.entries[0].entry.Seq)
	} else {
		from = len(t.entries)
	}
	for i := from; i < len(t.entries); i++ {
		l := &t.entries[i]
		if !f.wants(l) {
			continue
		}
		if found = append(found, l); len(found) == boxSize {
			return found, l.entry.Seq, true
		}
	}
	t.attach(f, after)
	return found, max(t.head, after), true
}

// attach makes f one of those that entries are handed to.
func (t *tail) attach(f *follower, after int64) {
	f.attached, f.member, f.from = true, len(t.members), after
	t.members = append(t.members, f)
	if f.watch != nil {
		t.watches.Add(f, f.watch)
	} else {
		t.routes.add(f)
	}
}

func (t *tail) detach(f *follower) {
	last := t.members[len(t.members)-1]
	t.members[f.member], last.member = last, f.member
	t.members[len(t.members)-1] = nil
	t.members = t.members[:len(t.members)-1]
	f.attached = false
	if f.watch != nil {
		t.watches.Remove(f)
	} else {
		t.routes.remove(f)
	}
}

// tells reports whether f gets a token when there is something new.
func (t *tail) tells(f *follower) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return f.attached
}

// wrote tells the tail up to where f's position is written.
func (t *tail) wrote(f *follower, seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.saved = seq
}

// leave takes f away.
func (t *tail) leave(f *follower) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.attached {
		t.detach(f)
	}
	f.box = nil
}
