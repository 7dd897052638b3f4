package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// The watcher learns of other instances' commits for all waiters of the
// process: one query for all tenants that anyone waits for, and none while
// nobody waits. A change stream, where there is one, only makes it look
// sooner; what the query finds is what counts.
const (
	pollFast = 100 * time.Millisecond // after news
	pollSlow = time.Second            // when nothing happens
	// linger is how long it stays when the last waiter has left: readers of
	// the log wait, read, and wait again.
	linger = 2 * time.Second
	// watchedAtOnce bounds the query.
	watchedAtOnce = 200
)

type watcher struct {
	e    *engine
	kick chan struct{} // look now

	mu      sync.Mutex
	waiting map[*ledger]int
	running bool
	left    time.Time // when the last waiter left
	group   sync.WaitGroup
}

func (w *watcher) init(e *engine) {
	w.e, w.waiting, w.kick = e, map[*ledger]int{}, make(chan struct{}, 1)
}

func (w *watcher) wait() { w.group.Wait() }

func (w *watcher) look() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func (w *watcher) add(l *ledger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[l]++
	if !w.running {
		w.running = true
		w.group.Go(w.run)
	}
}

func (w *watcher) remove(l *ledger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[l]--; w.waiting[l] == 0 {
		delete(w.waiting, l)
		w.left = time.Now()
	}
}

// watched is what to look for; done is true when nobody has waited for a
// while, and then run must end.
func (w *watcher) watched() (ledgers []*ledger, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.waiting {
		ledgers = append(ledgers, l)
	}
	if len(ledgers) == 0 && time.Since(w.left) > linger {
		w.running = false
		return nil, true
	}
	return ledgers, false
}

// WaitLog wakes up by the ledger's channel, which own commits close at once.
func (e *engine) WaitLog(ctx context.Context, t store.Tenant, after int64) (int64, error) {
	for {
		s, err := e.enterToWrite(ctx, t) // what is waited for will be written
		if err != nil {
			return 0, err
		}
		head, err := e.ledger(s).wait(ctx, after)
		if err == nil || !errors.Is(err, errDropped) {
			return head, err
		}
		e.names.forget(s.number) // its name is another tenant's now
	}
}

func (l *ledger) wait(ctx context.Context, after int64) (int64, error) {
	if head, _ := l.state(); head > after {
		return head, nil
	}
	if head, err := l.refresh(ctx); err != nil || head > after {
		return head, err
	}
	l.e.watcher.add(l)
	defer l.e.watcher.remove(l)
	for {
		head, grown := l.state()
		if head > after {
			return head, nil
		}
		select {
		case <-grown:
		case <-l.gone:
			return 0, errDropped
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-l.e.stop:
			return 0, store.ErrClosed
		}
	}
}

func (w *watcher) run() {
	ctx, cancel := context.WithCancel(w.e.done)
	defer cancel()
	if w.e.streams {
		w.group.Go(func() { w.stream(ctx) })
	}
	interval := pollFast
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-w.e.stop:
			return
		case <-w.kick:
		case <-timer.C:
		}
		ledgers, done := w.watched()
		if done {
			return
		}
		if len(ledgers) > 0 && w.poll(ctx, ledgers) {
			interval = pollFast
		} else {
			interval = min(interval*5/4, pollSlow)
		}
		timer.Reset(interval)
	}
}

// poll brings the ledgers that have grown up to date.
func (w *watcher) poll(ctx context.Context, ledgers []*ledger) (news bool) {
	ctx, cancel := context.WithTimeout(ctx, w.e.bounds.patience)
	defer cancel()
	for len(ledgers) > 0 {
		part := ledgers[:min(len(ledgers), watchedAtOnce)]
		ledgers = ledgers[len(part):]
		grown, err := w.grown(ctx, part)
		if err != nil {
			w.e.opts.Logger.Warn("looking for other instances' commits failed and is tried again", "error", err)
			return false
		}
		for l, last := range grown {
			news = true
			if err := l.reach(ctx, last); err != nil {
				w.e.opts.Logger.Warn("applying another instance's commits failed and is tried again", "error", err)
			}
		}
	}
	return news
}

// grown tells which ledgers' logs go on behind what is known, and how far.
func (w *watcher) grown(ctx context.Context, ledgers []*ledger) (map[*ledger]int64, error) {
	var or bson.A
	of := make(map[int64]*ledger, len(ledgers))
	for _, l := range ledgers {
		head, _ := l.state()
		of[l.number] = l
		or = append(or, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: l.logID(head + 1)}, {Key: "$lt", Value: l.end()}}}})
	}
	filter := bson.D{{Key: "$or", Value: or}}
	if len(or) == 1 {
		filter = or[0].(bson.D)
	}
	cursor, err := w.e.log.Find(ctx, filter, options.Find().SetProjection(bson.D{{Key: "z", Value: 1}}).SetLimit(1000))
	if err != nil {
		return nil, wrap(ctx, err)
	}
	var rows []logRow
	if err := cursor.All(ctx, &rows); err != nil {
		return nil, wrap(ctx, err)
	}
	out := map[*ledger]int64{}
	for _, r := range rows {
		if n, _, ok := cutNumber(r.ID); ok && of[n] != nil {
			out[of[n]] = max(out[of[n]], r.Last)
		}
	}
	return out, nil
}

// stream makes the watcher look whenever anything is appended anywhere. It
// may miss what it likes: the poll does not.
func (w *watcher) stream(ctx context.Context) {
	appended := mongo.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "operationType", Value: "insert"}}}},
		{{Key: "$project", Value: bson.D{{Key: "_id", Value: 1}}}},
	}
	for {
		changes, err := w.e.log.Watch(ctx, appended)
		if err == nil {
			for changes.Next(ctx) {
				w.look()
			}
			err = changes.Err()
			_ = changes.Close(context.WithoutCancel(ctx))
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil && refused(err) {
			w.e.opts.Logger.Info("the server has no change streams; other instances' commits are polled for")
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(10 * pollSlow):
		}
	}
}
