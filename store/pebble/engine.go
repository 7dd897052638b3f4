package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/fhirfacade/fhirfacade/store"
)

// layoutVersion is written into a new folder; a folder of another version is
// refused.
const layoutVersion = 2

// Options say how a folder is opened.
type Options struct {
	// Clock gives the time of commits; time.Now when nil.
	Clock func() time.Time
	// MaxBody is the largest body taken, in bytes; 0 for 64 MiB.
	MaxBody int
	// CacheSize is the block cache in bytes; 0 for 256 MiB.
	CacheSize int64
	// Logger hears of background errors; slog.Default when nil.
	Logger *slog.Logger
	// Fatal is called when pebble cannot go on, for example because the disk
	// is full while the log is written; it does not return. What was
	// acknowledged is safe, and a start with the cause removed goes on from
	// there. nil ends the process with exit code 1 after one line in the log.
	Fatal func(message string)
	// Reserve is the space on the disk, in bytes, that is kept free: with less
	// of it, writes are refused with ErrUnavailable and reads go on. 0 for
	// 64 MiB.
	Reserve int64
	// FS is where the folder lies; the machine's own file system when nil.
	// Tests put one here that crashes or fills up.
	FS vfs.FS
}

// Engine is a store.Store in a folder.
type Engine struct {
	db      *pebble.DB
	clock   func() time.Time
	planner store.Planner

	mu      sync.Mutex
	closed  bool
	inUse   sync.WaitGroup // calls under way; Close waits for them
	done    chan struct{}  // closed by Close: wakes WaitLog
	tenants map[store.Tenant]*tenant
	next    tenantID

	names     nameCache
	densities density
	limits    limits
	room      room

	items sync.Mutex // compare-and-set of items is read, compare, write
}

var _ store.Store = (*Engine)(nil)

// Open opens a folder, making it when it is not there. A folder that another
// process has open is refused.
func Open(dir string, o Options) (*Engine, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	if o.Reserve == 0 {
		o.Reserve = usualReserve
	}
	if o.CacheSize == 0 {
		o.CacheSize = 256 << 20
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Fatal == nil {
		o.Fatal = func(message string) {
			o.Logger.Error("the store cannot go on and the server ends; what was acknowledged is safe", "cause", message)
			os.Exit(1)
		}
	}
	if err := checkRoomToOpen(o.FS, dir); err != nil {
		return nil, fmt.Errorf("open data folder %s: %w", dir, explain(err))
	}
	cache := pebble.NewCache(o.CacheSize)
	defer cache.Unref()
	db, err := pebble.Open(dir, options(o, cache))
	if err != nil {
		return nil, fmt.Errorf("open data folder %s: %w", dir, explain(err))
	}
	e := &Engine{
		db: db, clock: o.Clock, planner: store.Planner{MaxBody: o.MaxBody},
		done: make(chan struct{}), tenants: map[store.Tenant]*tenant{},
		names: nameCache{seed: maphash.MakeSeed()}, densities: density{seed: maphash.MakeSeed()}, limits: usualLimits,
		room: room{fs: o.FS, dir: dir, least: uint64(o.Reserve), logger: o.Logger},
	}
	if err := e.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open data folder %s: %w", dir, err), db.Close())
	}
	return e, nil
}

func (e *Engine) load() error {
	key := append([]byte{spaceMeta}, "layout"...)
	v, closer, err := e.db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		if err := e.db.Set(key, []byte{layoutVersion}, pebble.Sync); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		found := append([]byte(nil), v...)
		_ = closer.Close()
		if len(found) != 1 || found[0] != layoutVersion {
			return otherLayout(found)
		}
	}
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: []byte{spaceTenant}, UpperBound: []byte{spaceTenant + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		id := tenantID(binary.BigEndian.Uint32(v))
		t, err := e.openTenant(id)
		if err != nil {
			return err
		}
		e.tenants[store.Tenant(it.Key()[1:])] = t
		e.next = max(e.next, id)
	}
	v, closer, err = e.db.Get(lastTenant())
	if errors.Is(err, pebble.ErrNotFound) {
		return it.Error()
	}
	if err != nil {
		return err
	}
	e.next = max(e.next, tenantID(binary.BigEndian.Uint32(v)))
	return errors.Join(closer.Close(), it.Error())
}

// otherLayout says which way to go from a folder that this program does not
// read.
func otherLayout(found []byte) error {
	switch {
	case len(found) != 1:
		return errors.New("it is not in a layout that this program knows")
	case found[0] > layoutVersion:
		return fmt.Errorf("a newer version of this program made it (layout %d, this one reads %d); run that version, or restore a backup from before it", found[0], layoutVersion)
	}
	return fmt.Errorf("an older version of this program made it (layout %d, this one reads %d)", found[0], layoutVersion)
}

// lastTenant is where the number of the last tenant that was made is kept.
func lastTenant() []byte { return append([]byte{spaceMeta}, "tenant"...) }

// enter registers a call, so that Close can wait for it.
func (e *Engine) enter() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return store.ErrClosed
	}
	e.inUse.Add(1)
	return nil
}

// lookup returns a tenant that exists, or nil.
func (e *Engine) lookup(name store.Tenant) *tenant {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tenants[name]
}

// ensure returns a tenant, making it when it is new.
func (e *Engine) ensure(name store.Tenant) (*tenant, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.tenants[name]; t != nil {
		return t, nil
	}
	id := e.next + 1
	number := binary.BigEndian.AppendUint32(nil, uint32(id))
	b := e.db.NewBatch()
	_ = b.Set(append([]byte{spaceTenant}, name...), number, nil) // fails on indexed batches only
	_ = b.Set(lastTenant(), number, nil)                         // the number of a dropped tenant is not used again
	if err := e.room.check(b.Len()); err != nil {
		return nil, err
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return nil, wrap(err)
	}
	t, err := e.openTenant(id)
	if err != nil {
		return nil, err
	}
	e.next = id
	e.tenants[name] = t
	return t, nil
}

// Exclusive is true: pebble locks the folder.
func (e *Engine) Exclusive() bool { return true }

// Ping reports ErrClosed after Close and nil before.
func (e *Engine) Ping(ctx context.Context) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.inUse.Done()
	return ctx.Err()
}

// Tenants lists the tenants.
func (e *Engine) Tenants(context.Context) ([]store.Tenant, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, store.ErrClosed
	}
	names := make([]store.Tenant, 0, len(e.tenants))
	for name, t := range e.tenants {
		used := t.head() > 0
		if !used {
			var err error
			if used, err = e.holdsItems(t.id); err != nil {
				return nil, err
			}
		}
		if used {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (e *Engine) holdsItems(t tenantID) (bool, error) {
	p := prefix(spaceItem, t)
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: end(p)})
	if err != nil {
		return false, wrap(err)
	}
	defer it.Close()
	return it.First(), wrap(it.Error())
}

// Close waits for calls under way and closes the folder.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	close(e.done)
	e.mu.Unlock()
	e.inUse.Wait()
	for _, t := range e.tenants {
		t.pipeline.Wait()
	}
	return e.db.Close()
}

// wrap gives an error of pebble the identity that the contract asks for.
// What is not ours is a disk that fails: it may work later.
func wrap(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}
