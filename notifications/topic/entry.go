package topic

import (
	"context"
	"sync"

	"github.com/fhirfacade/fhirfacade/store"
)

// Reader reads versions and knows their keys; a repository is one.
type Reader interface {
	GetVersion(ctx context.Context, t store.Tenant, ref store.Ref, version int64) (store.Document, error)
	Keys(t store.Tenant, d store.Document) ([]store.Key, error)
	Selects(ctx context.Context, t store.Tenant, where store.Clause, ref store.Ref, sorted []store.Key) (bool, error)
}

// Entry is a log entry that is looked at. It is shared by all watches.
type Entry struct {
	Seq     int64
	Changes []*Change
}

// NewEntry makes the view of a log entry.
func NewEntry(e store.Entry) *Entry {
	changes := make([]*Change, len(e.Changes))
	for i, ch := range e.Changes {
		changes[i] = &Change{EntryChange: ch}
	}
	return &Entry{Seq: e.Seq, Changes: changes}
}

// Change is one change of an entry, with what is known of its versions. It is
// safe for concurrent use.
type Change struct {
	store.EntryChange

	mu                sync.Mutex
	current, previous *version
}

// version is a version and its sorted keys; without a document where there is
// none.
type version struct {
	doc  store.Document
	keys []store.Key
	is   bool
}

// now is the version that the change made; none for a delete.
func (c *Change) now(ctx context.Context, r Reader, t store.Tenant) (*version, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil {
		return c.current, nil
	}
	v := &version{}
	if c.Method != store.Delete {
		var err error
		if v, err = read(ctx, r, t, c.Ref, c.Version); err != nil {
			return nil, err
		}
	}
	c.current = v
	return v, nil
}

// before is the version that was there before the change; none for a create.
func (c *Change) before(ctx context.Context, r Reader, t store.Tenant) (*version, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.previous != nil {
		return c.previous, nil
	}
	v := &version{}
	if c.Version > 1 {
		var err error
		if v, err = read(ctx, r, t, c.Ref, c.Version-1); err != nil {
			return nil, err
		}
	}
	c.previous = v
	return v, nil
}

func read(ctx context.Context, r Reader, t store.Tenant, ref store.Ref, n int64) (*version, error) {
	doc, err := r.GetVersion(ctx, t, ref, n)
	if err != nil {
		return nil, err
	}
	if doc.Deleted {
		return &version{}, nil
	}
	keys, err := r.Keys(t, doc)
	return &version{doc, keys, true}, err
}

// known are the keys by which an index finds watches for the change: those of
// the version that it made, or of the one that it deleted. ok is false where
// they were not read.
func (c *Change) known() (keys []store.Key, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.current
	if c.Method == store.Delete {
		v = c.previous
	}
	if v == nil {
		return nil, false
	}
	return v.keys, true
}

// Load reads what an index looks at, of the types that anybody watches.
func (e *Entry) Load(ctx context.Context, r Reader, t store.Tenant, watched func(typ string) bool) error {
	for _, c := range e.Changes {
		if !watched(c.Ref.Type) {
			continue
		}
		var err error
		if c.Method == store.Delete {
			_, err = c.before(ctx, r, t)
		} else {
			_, err = c.now(ctx, r, t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
