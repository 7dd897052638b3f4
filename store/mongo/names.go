package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// tenantRow gives a tenant its number. Numbers are drawn in order, each by
// the insert of its row, and never given twice.
type tenantRow struct {
	Number int64 `bson:"_id"`
	// Name is the tenant's, escaped; one row has it at most. It is absent
	// once the tenant is dropped: what was its data is nobody's then.
	Name string `bson:"t,omitempty"`
	// Used is set by the first commit or item: waiting for a tenant's log
	// takes a number too.
	Used bool `bson:"u,omitempty"`
	// Floor is the first entry of the log that was not trimmed, and Reduced
	// how far the batches below it have been.
	Floor   int64 `bson:"f,omitempty"`
	Reduced int64 `bson:"r,omitempty"`
	// Dropped is when dropping began. It is unset when nothing can be left.
	Dropped bson.DateTime `bson:"x,omitempty"`
	// Removed: the data was removed once.
	Removed bool `bson:"c,omitempty"`
}

// namesFresh is how long an instance goes by what it read of the tenants. Who
// drops one waits that long until all have noticed, before the drop returns.
const namesFresh = time.Second

// maxAttempts is how often writing a tenant's row may meet an error before
// that is the answer.
const maxAttempts = 10

// names is what this instance knows of the tenants' numbers.
type names struct {
	e     *engine
	fresh time.Duration

	reading sync.Mutex // one reads for all

	mu     sync.Mutex
	known  map[store.Tenant]tenantRow
	used   map[int64]bool // numbers whose rows are known to be marked so
	read   time.Time      // when reading them began last
	behind bool           // somebody is reading them again already
	group  sync.WaitGroup
}

func (n *names) init(e *engine) {
	n.e, n.fresh, n.known, n.used = e, namesFresh, map[store.Tenant]tenantRow{}, map[int64]bool{}
}

// find is the scope of a tenant; nobody's if it has no number.
func (n *names) find(ctx context.Context, t store.Tenant) (scope, error) {
	row, err := n.row(ctx, t)
	return n.e.scopeOf(row.Number), err
}

func (n *names) row(ctx context.Context, t store.Tenant) (tenantRow, error) {
	row, known, age := n.cached(t)
	if age > n.fresh {
		if err := n.refresh(ctx); err != nil {
			return tenantRow{}, err
		}
		row, known, age = n.cached(t)
	}
	if age > n.fresh/2 {
		n.refreshBehind()
	}
	if known {
		return row, nil
	}
	return n.ask(ctx, t)
}

func (n *names) cached(t store.Tenant) (tenantRow, bool, time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	row, ok := n.known[t]
	return row, ok, time.Since(n.read)
}

// refreshBehind reads them while the caller goes on, so that a tenant in use
// costs no call more than its own round trip.
func (n *names) refreshBehind() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.behind {
		return
	}
	n.behind = true
	n.group.Go(func() {
		ctx, cancel := context.WithTimeout(n.e.done, n.e.bounds.patience)
		defer cancel()
		_ = n.refresh(ctx) // whoever needs it fresher reads it himself, and gets the error
		n.mu.Lock()
		defer n.mu.Unlock()
		n.behind = false
	})
}

// refresh reads all that have a name.
func (n *names) refresh(ctx context.Context) error {
	asked := time.Now()
	n.reading.Lock()
	defer n.reading.Unlock()
	n.mu.Lock()
	done := n.read.After(asked)
	n.mu.Unlock()
	if done {
		return nil // by another one meanwhile
	}
	began := time.Now()
	rows, err := n.list(ctx)
	if err != nil {
		return err
	}
	known := make(map[store.Tenant]tenantRow, len(rows))
	for _, row := range rows {
		if name, ok := unescape(row.Name); ok && row.Dropped == 0 {
			known[store.Tenant(name)] = row
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known, n.read = known, began
	return nil
}

// list reads all rows that have a name; there are few.
func (n *names) list(ctx context.Context) ([]tenantRow, error) {
	cursor, err := n.e.tenants.Find(ctx, bson.D{{Key: "t", Value: bson.D{{Key: "$gt", Value: ""}}}})
	if err != nil {
		return nil, wrap(ctx, err)
	}
	var rows []tenantRow
	err = cursor.All(ctx, &rows)
	return rows, wrap(ctx, err)
}

// ask looks for one tenant, which another instance may have made just now.
func (n *names) ask(ctx context.Context, t store.Tenant) (tenantRow, error) {
	var row tenantRow
	err := n.e.tenants.FindOne(ctx, bson.D{{Key: "t", Value: escaped(string(t))}}).Decode(&row)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return tenantRow{}, nil
	case err != nil:
		return tenantRow{}, wrap(ctx, err)
	case row.Dropped != 0: // and whoever drops it was interrupted
		return tenantRow{}, n.e.unname(ctx, row.Number)
	}
	n.keep(t, row)
	return row, nil
}

func (n *names) keep(t store.Tenant, row tenantRow) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[t] = row
}

func (n *names) forget(number int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.used, number)
	for t, row := range n.known {
		if row.Number == number {
			delete(n.known, t)
		}
	}
}

// insist does something to a tenant's row again, while the server answers
// with an error that is no duplicate. DocumentDB now and then answers a write
// that meets an insert of the same name with an error of its own.
func (n *names) insist(do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if _, answered := serverCode(err); !answered || mongo.IsDuplicateKeyError(err) || attempt == maxAttempts {
			return err
		}
		n.e.pause(n.e.jitter(10 * time.Millisecond))
	}
}

// draw is find for who will write: it gives the tenant a number if it has
// none.
func (n *names) draw(ctx context.Context, t store.Tenant) (scope, error) {
	for {
		row, err := n.row(ctx, t)
		if err != nil || row.Number != nobody {
			return n.e.scopeOf(row.Number), err
		}
		var last tenantRow
		err = n.e.tenants.FindOne(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gt", Value: 0}}}},
			options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}})).Decode(&last)
		if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
			return scope{}, wrap(ctx, err)
		}
		row = tenantRow{Number: last.Number + 1, Name: escaped(string(t))}
		if row.Number > maxNumber {
			return scope{}, fmt.Errorf("store/mongo: more than %d tenants were made", maxNumber)
		}
		err = n.insist(func() error {
			_, err := n.e.tenants.InsertOne(ctx, row)
			return err
		})
		if mongo.IsDuplicateKeyError(err) {
			continue // the number, or the tenant, was another instance's
		}
		if err != nil {
			return scope{}, wrap(ctx, err)
		}
		n.keep(t, row)
		return n.e.scopeOf(row.Number), nil
	}
}

func (e *engine) scopeOf(number int64) scope {
	s := scopeOf(number)
	s.walks = e.ordered
	return s
}

// register sees to it that Tenants lists a tenant; once for each process.
func (e *engine) register(ctx context.Context, s scope) error {
	e.names.mu.Lock()
	used := e.names.used[s.number]
	e.names.mu.Unlock()
	if used {
		return nil
	}
	var result *mongo.UpdateResult
	err := e.names.insist(func() (err error) {
		result, err = e.tenants.UpdateOne(ctx,
			bson.D{{Key: "_id", Value: s.number}, {Key: "x", Value: bson.D{{Key: "$exists", Value: false}}}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "u", Value: true}}}})
		return err
	})
	if err != nil {
		return wrap(ctx, err)
	}
	if result.MatchedCount == 0 {
		e.names.forget(s.number)
		return errDropped
	}
	e.names.mu.Lock()
	defer e.names.mu.Unlock()
	e.names.used[s.number] = true
	return nil
}

// Tenants reads their names.
func (e *engine) Tenants(ctx context.Context) ([]store.Tenant, error) {
	select {
	case <-e.stop:
		return nil, store.ErrClosed
	default:
	}
	rows, err := e.names.list(ctx)
	if err != nil {
		return nil, err
	}
	var out []store.Tenant
	for _, r := range rows {
		if t, ok := unescape(r.Name); ok && r.Used && r.Dropped == 0 {
			out = append(out, store.Tenant(t))
		}
	}
	slices.Sort(out)
	return out, nil
}
