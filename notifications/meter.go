package notifications

import (
	"context"
	"errors"
	"time"

	"github.com/fhirfacade/fhirfacade/notifications/topic"
	"github.com/fhirfacade/fhirfacade/store"
)

// Meter hears of what the engine does, to count it. Its methods must be quick
// and safe for concurrent use.
type Meter interface {
	// Attempt is called after each attempt, when its record is written:
	// tr.Status says what became of the transmission, a of the attempt, which
	// succeeded if it has no Error.
	Attempt(t store.Tenant, tr Transmission, a Attempt)
}

type noMeter struct{}

func (noMeter) Attempt(store.Tenant, Transmission, Attempt) {}

// Backlog is what a subscription has not delivered yet.
type Backlog struct {
	Tenant       store.Tenant
	Subscription string
	Status       State
	// Seq is the last log entry done with, Head the last there is.
	Seq, Head int64
	// Events is how many events wait between them; at least so many, when
	// More is true.
	Events int
	More   bool
	// Oldest is when the first of them was committed; zero when none waits.
	Oldest time.Time
}

// backlogScan is how many log entries of a tenant are looked at to count what
// waits.
const backlogScan = 4 * window

// Backlog tells of every subscription, paused and switched off ones too,
// whichever instance has it. Where another one has it, what was delivered
// since its position was last written still counts as waiting.
func (e *Engine) Backlog(ctx context.Context) ([]Backlog, error) {
	tenants, err := e.o.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	var all []Backlog
	for _, t := range tenants {
		if t == store.System {
			continue
		}
		some, err := e.backlog(ctx, t)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (e *Engine) backlog(ctx context.Context, t store.Tenant) ([]Backlog, error) {
	subs, err := e.o.Registry.Subscriptions(ctx, t)
	if err != nil || len(subs) == 0 {
		return nil, err
	}
	head, err := e.o.Store.Head(ctx, t)
	if err != nil {
		return nil, err
	}
	all := make([]Backlog, len(subs))
	counting := routes{}
	var watching []*follower
	of := map[*follower]*Backlog{}
	from := head
	for i, s := range subs {
		b := &all[i]
		*b = Backlog{Tenant: t, Subscription: s.ID, Status: s.Status, Seq: e.reached(t, s.ID), Head: head}
		if b.Seq < 0 {
			p, err := get[Position](ctx, e.o.Store, t, kindPosition, s.ID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			b.Seq = p.Seq
		}
		if b.Seq < head {
			f := newFollower(s)
			of[f] = b
			from = min(from, b.Seq)
			if s.Resource == nil {
				counting.add(f)
			} else if f.watch, err = e.o.watch(ctx, t, *s.Resource); err != nil {
				return nil, err
			} else {
				watching = append(watching, f)
			}
		}
	}
	for end := from + backlogScan; from < head; {
		if from >= end {
			for _, b := range of {
				b.More = true
			}
			break
		}
		entries, err := e.o.Store.ReadLog(ctx, t, from, window/4)
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 {
			break
		}
		for _, entry := range entries {
			l := logged{entry: entry}
			if l.event, l.known = EventOf(entry); entry.Seq > head {
				continue
			}
			count := func(f *follower, n int) {
				b := of[f]
				if entry.Seq <= b.Seq || n == 0 {
					return
				}
				if b.Events == 0 {
					b.Oldest = entry.Time
				}
				b.Events += n
			}
			if l.known {
				counting.each(&l, func(f *follower) { count(f, 1) })
			}
			if len(watching) == 0 || entry.Source == StatusSource {
				continue
			}
			l.look = topic.NewEntry(entry)
			for _, f := range watching {
				if entry.Seq <= of[f].Seq || !f.wants(&l) {
					continue
				}
				notices, err := f.watch.Notices(ctx, e.o.Topics.Repository, t, l.look, l.named())
				if err != nil {
					return nil, err
				}
				count(f, len(notices))
			}
		}
		from = entries[len(entries)-1].Seq
	}
	return all, nil
}

// reached is how far a queue has come that this instance has, else -1.
func (e *Engine) reached(t store.Tenant, subscription string) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.queues[queueID{t, subscription}]
	if !ok {
		return -1
	}
	seq := r.state.seq.Load()
	return seq
}
