package mongo

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// Options say where the store is and how it behaves. The zero value of all
// but URI is useful.
type Options struct {
	// URI is MongoDB's connection string. It decides, beside the servers:
	//
	//   - w and journal: how durable a write is before it is acknowledged;
	//     the majority's journals if it says nothing. w=0 is refused.
	//   - readPreference: which servers answer searches and reads; the
	//     primary if it says nothing. Others may lag: an instance then may
	//     not find what it just wrote. Commits, guards and the log go by the
	//     primary in any case.
	//   - timeoutMS: how long one round trip may take; 30 s if it says
	//     nothing. A commit whose context has no deadline gets one of four
	//     times that.
	//
	// readConcernLevel is not followed: it follows from w.
	URI string
	// Database is "fhirfacade" if empty.
	Database string
	// MaxBody is the largest body in bytes; 64 MiB if 0, and not more than
	// LargestBody.
	MaxBody int
	// RollForward is how often this instance looks for commits that another
	// one appended and left unapplied; 3 s if 0.
	RollForward time.Duration
	Clock       func() time.Time
	// Random is where commits' ids come from.
	Random io.Reader
	Logger *slog.Logger

	monitor          *event.CommandMonitor // for tests that count round trips
	canaryPatience   time.Duration         // and for those of migrate.go
	whileRenumbering func() error
}

// LargestBody is the most that Options.MaxBody can be. Bodies go through
// memory whole, several times.
const LargestBody = 128 << 20

const defaultMaxBody = 64 << 20

func (o *Options) complete() error {
	if o.URI == "" {
		return errors.New("store/mongo: no URI")
	}
	if o.MaxBody < 0 || o.MaxBody > LargestBody {
		return fmt.Errorf("store/mongo: bodies of %d bytes cannot be stored, at most %d", o.MaxBody, LargestBody)
	}
	if o.MaxBody == 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Database == "" {
		o.Database = "fhirfacade"
	}
	if err := checkDatabase(o.Database); err != nil {
		return err
	}
	if o.RollForward == 0 {
		o.RollForward = 3 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// engine is the store.
type engine struct {
	opts    Options
	bounds  bounds
	client  *mongo.Client
	db      *mongo.Database
	docs    *mongo.Collection
	reads   *mongo.Collection // docs by the read preference of the URI
	bodies  *mongo.Collection
	log     *mongo.Collection
	spill   *mongo.Collection
	items   *mongo.Collection
	tenants *mongo.Collection

	// genuine: the server chooses well between the indexes of keys and of
	// order. DocumentDB does not, it intersects them.
	genuine bool
	// ordered: rows have what an index of order needs, which a database made
	// on DocumentDB has not, wherever it is now.
	ordered bool
	// walks: both.
	walks bool
	// streams: change streams may work here.
	streams bool
	// sharded: a query that names the tenant's range of ids is sent to the
	// shards that hold the tenant, and else to all.
	sharded bool

	// life is held by commits, and by Close while it ends them.
	life   sync.RWMutex
	closed bool          // guarded by life
	stop   chan struct{} // closed when Close begins
	done   context.Context
	cancel context.CancelFunc // ends done once nothing may be asked any more

	mu      sync.Mutex
	ledgers map[int64]*ledger // by the tenant's number

	names names

	settling settling
	watcher  watcher
	keeper   sync.WaitGroup

	// afterAppend lets a test fail where a crash would hurt most: behind the
	// commit point.
	afterAppend func() error
	// whileDropping lets a test cut a drop short.
	whileDropping func(step string) error
}

// Open connects, checks that the server can serve, and creates what is
// missing of collections and indexes.
func Open(ctx context.Context, opts Options) (store.Store, error) {
	return open(ctx, opts)
}

func open(ctx context.Context, opts Options) (*engine, error) {
	e, err := dial(opts)
	if err != nil {
		return nil, err
	}
	if _, err := e.prepare(ctx); err != nil {
		e.hangUp(ctx)
		return nil, err
	}
	e.keeper.Go(e.keep)
	return e, nil
}

// dial makes the client; nothing is asked yet.
func dial(opts Options) (*engine, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	c, bounds, err := connect(&opts)
	if err != nil {
		return nil, err
	}
	db := c.Database(opts.Database)
	reads := options.Collection().SetReadPreference(bounds.reads)
	e := &engine{
		opts: opts, client: c, db: db, bounds: bounds,
		docs: db.Collection(colDocs), reads: db.Collection(colDocs, reads), bodies: db.Collection(colBodies), log: db.Collection(colLog), spill: db.Collection(colSpill),
		items: db.Collection(colItems), tenants: db.Collection(colTenants),
		stop:    make(chan struct{}),
		ledgers: map[int64]*ledger{},
	}
	e.done, e.cancel = context.WithCancel(context.Background())
	e.watcher.init(e)
	e.names.init(e)
	return e, nil
}

// hangUp is for an engine that was not opened.
func (e *engine) hangUp(ctx context.Context) {
	e.cancel()
	_ = e.client.Disconnect(context.WithoutCancel(ctx))
}

// prepare asks the server what it is, and makes what is missing of
// collections and indexes.
func (e *engine) prepare(ctx context.Context) (Description, error) {
	d, err := describe(ctx, e.client)
	if err != nil {
		return d, err
	}
	e.streams, e.genuine, e.sharded = d.Kind == ReplicaSet || d.Kind == ShardedCluster, d.Genuine, d.Kind == ShardedCluster
	err = e.upgrade(ctx, d)
	e.walks = e.genuine && e.ordered
	return d, err
}

// enter begins a call.
func (e *engine) enter(ctx context.Context, t store.Tenant) (scope, error) {
	select {
	case <-e.stop:
		return scope{}, store.ErrClosed
	default:
	}
	if err := store.CheckTenant(t); err != nil {
		return scope{}, err
	}
	if err := ctx.Err(); err != nil {
		return scope{}, err
	}
	return e.names.find(ctx, t)
}

// enterToWrite is enter for what needs the tenant to have a number.
func (e *engine) enterToWrite(ctx context.Context, t store.Tenant) (scope, error) {
	s, err := e.enter(ctx, t)
	if err != nil || s.number != nobody {
		return s, err
	}
	return e.names.draw(ctx, t)
}

// Exclusive is false: any number of instances share a MongoDB.
func (e *engine) Exclusive() bool { return false }

// Ping asks the primary.
func (e *engine) Ping(ctx context.Context) error {
	select {
	case <-e.stop:
		return store.ErrClosed
	default:
	}
	round, cancel := context.WithTimeout(ctx, min(pingPatience, e.bounds.patience))
	defer cancel()
	if err := e.client.Ping(round, nil); err != nil {
		if ctx.Err() == nil {
			return fmt.Errorf("store/mongo: %w: no answer from the server", store.ErrUnavailable)
		}
		return ctx.Err()
	}
	return nil
}

// pingPatience is how long Ping waits: who asks wants to know about now.
const pingPatience = 2 * time.Second

// Close lets commits under way end, settles what they wrote, and disconnects.
func (e *engine) Close() error {
	e.mu.Lock()
	select {
	case <-e.stop:
		e.mu.Unlock()
		return store.ErrClosed
	default:
		close(e.stop)
	}
	e.mu.Unlock()

	e.life.Lock()
	e.closed = true
	e.life.Unlock()
	for _, l := range e.openLedgers() {
		l.pipeline.Wait()
	}
	e.watcher.wait()
	e.keeper.Wait()
	e.names.group.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	e.settle(ctx)
	e.cancel()
	if err := e.client.Disconnect(ctx); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
		return wrap(ctx, err)
	}
	return nil
}

func (e *engine) openLedgers() []*ledger {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]*ledger, 0, len(e.ledgers))
	for _, l := range e.ledgers {
		out = append(out, l)
	}
	return out
}

// newID draws the id of a commit.
func (e *engine) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(e.opts.Random, b[:]); err != nil {
		return "", fmt.Errorf("store/mongo: no randomness: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}
