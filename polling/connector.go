package polling

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Connector speaks a vendor's API for one connection. It keeps nothing that
// must survive it: what it needs to find changes again is in the cursor. It
// is safe for concurrent use.
//
// Its errors are those of errors.go; whatever else it returns counts as
// temporary. It puts no content and no ids of people into errors.
type Connector interface {
	// Actions are the names of what can be polled.
	Actions() []string

	// Changed names records that changed since cursor, which is "" at first,
	// in the order in which they are to be delivered.
	Changed(ctx context.Context, action ActionConfig, cursor string) (Batch, error)

	// Fill makes the follow-up calls for one change. What one run asks for
	// more than once is asked through cache.
	Fill(ctx context.Context, action ActionConfig, change Change, cache *Cache) (Container, error)

	// Message makes the message that tells of a container: a Redox message with
	// id as Meta.Logs[0].ID, or a FHIR message with id as Bundle.id. It is pure. nil says that there is nothing to tell.
	Message(action ActionConfig, id string, container Container, before Before) ([]byte, error)

	// Calls is how many calls the vendor was sent so far.
	Calls() int64
}

// Consumer is a Connector of a feed that forgets what it hands out.
//
// When a batch has a Mark, and everything in it is delivered or kept, the
// mark becomes the cursor, durably, and then Consume is called with the
// batch. What Consume returns is treated like a batch: the feed may have
// handed out more than the batch had. Only then does the cursor become the
// one that Consume's batch has. If anything ends the run in between, Changed
// is asked with the mark and must find again what Consume may have removed.
type Consumer interface {
	Consume(ctx context.Context, action ActionConfig, batch Batch) (Batch, error)
}

// Batch is what one reading of a feed brought.
type Batch struct {
	Changes []Change
	// Cursor is where to go on once the changes are delivered or kept.
	Cursor string
	// Mark, when set, asks for Consume with this cursor.
	Mark string
	// More says that there may be more to read at once.
	More bool
	// Baseline says that the changes are no changes, but how records are as
	// the action begins: they are noted, and nobody is told.
	Baseline bool
}

// Change says that a record changed.
type Change struct {
	// ID is the record's, in the vendor's system.
	ID string `json:"id"`
	// Stamp tells two states of a record apart as far as the feed shows them;
	// the same stamp again is the same change again.
	Stamp string `json:"stamp"`
	// Row is what the feed had of the record.
	Row json.RawMessage `json:"row,omitempty"`
	// Links are records that this one led to, as an appointment to the one
	// that replaces it.
	Links []string `json:"links,omitempty"`
}

// Container is a change filled in.
type Container struct {
	Change Change
	// Content is all that a message can tell of the record, and nothing
	// else, in a form that is the same bytes for the same facts.
	Content json.RawMessage
}

// Before is what was known of a record before a change.
type Before struct {
	// Content is what was last delivered; nil for a record that is new.
	Content json.RawMessage
	// LinkedFrom are changes of records that led to this one. It is looked
	// up for new records only.
	LinkedFrom []Change
}

// Environment is what a connector gets from outside.
type Environment struct {
	Now func() time.Time
	// Wait returns after d, or with the context's error.
	Wait func(ctx context.Context, d time.Duration) error
	// Transport makes the calls; http.DefaultTransport when nil.
	Transport http.RoundTripper
	// NewID makes ids that are never the same twice.
	NewID  func() string
	Logger *slog.Logger
}

// Open makes the connector of a connection.
type Open func(connection Connection, env Environment) (Connector, error)

// Cache keeps what one run has asked a vendor for.
type Cache struct {
	mu      sync.Mutex
	entries map[string]*cached
}

type cached struct {
	done  chan struct{}
	value any
	err   error
}

// Cached returns what load returned for key before in this run, or what it
// returns now. At most one load for a key runs at a time; an error is not
// kept.
func Cached[T any](ctx context.Context, c *Cache, key string, load func(context.Context) (T, error)) (T, error) {
	var none T
	c.mu.Lock()
	e := c.entries[key]
	if e == nil {
		e = &cached{done: make(chan struct{})}
		if c.entries == nil {
			c.entries = map[string]*cached{}
		}
		c.entries[key] = e
		c.mu.Unlock()
		value, err := load(ctx)
		e.value, e.err = value, err
		if err != nil {
			c.mu.Lock()
			delete(c.entries, key)
			c.mu.Unlock()
		}
		close(e.done)
		return value, err
	}
	c.mu.Unlock()
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case <-e.done:
	}
	if e.err != nil {
		return none, e.err
	}
	return e.value.(T), nil
}
