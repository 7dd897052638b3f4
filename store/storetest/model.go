package storetest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// Model is a store in memory that is meant to be read, not to be fast: it
// keeps every version in one list and answers each question by walking over
// it. It shares no planning code with the engines, so that an error there
// shows as a difference.
type Model struct {
	clock func() time.Time

	mu      sync.Mutex
	closed  bool
	tenants map[store.Tenant]*modelTenant
}

type modelTenant struct {
	log      []store.Entry
	versions []modelVersion // as committed
	items    map[[2]string]store.Item
	trimmed  int64         // how many entries of the log were
	grown    chan struct{} // closed when the log grows, or the tenant is dropped
}

type modelVersion struct {
	store.Document
	method store.Method
	index  int
	keys   []store.Key
}

// NewModel returns an empty model.
func NewModel(clock func() time.Time) *Model {
	return &Model{clock: clock, tenants: map[store.Tenant]*modelTenant{}}
}

// enter locks the model for a call on a tenant.
func (m *Model) enter(ctx context.Context, t store.Tenant) (*modelTenant, error) {
	if err := store.CheckTenant(t); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, store.ErrClosed
	}
	mt := m.tenants[t]
	if mt == nil {
		mt = &modelTenant{items: map[[2]string]store.Item{}, grown: make(chan struct{})}
		m.tenants[t] = mt
	}
	return mt, nil
}

// Commit checks everything against the lists and then adds to them.
func (m *Model) Commit(ctx context.Context, t store.Tenant, c store.Commit) (store.Entry, error) {
	if err := store.CheckCommit(t, c); err != nil {
		return store.Entry{}, err
	}
	mt, err := m.enter(ctx, t)
	if err != nil {
		return store.Entry{}, err
	}
	defer m.mu.Unlock()

	for i, g := range c.Guards {
		if found := mt.selected(g.Where); !sameSet(found, g.Matches) {
			return store.Entry{}, &store.GuardError{Index: i, Found: found[:min(len(found), len(g.Matches)+3)]}
		}
	}
	entry := store.Entry{Time: m.clock().UTC().Truncate(time.Millisecond), Source: c.Source, Event: c.Event, Info: slices.Clone(c.Info)}
	if n := len(mt.log); n > 0 && entry.Time.Before(mt.log[n-1].Time) {
		entry.Time = mt.log[n-1].Time
	}
	seq := int64(len(mt.log)) + 1
	var writes []modelVersion
	for _, ch := range c.Changes {
		current, exists := mt.current(ch.Ref)
		live := exists && !current.Deleted
		if !mt.expected(ch.Expect, live, current.Version) {
			e := &store.ConflictError{Ref: ch.Ref}
			if live {
				e.Current = current.Version
			}
			return store.Entry{}, e
		}
		if ch.Render == nil && !live {
			continue
		}
		w := modelVersion{index: len(writes), method: store.Update, Document: store.Document{
			Ref: ch.Ref, Number: current.Number, Version: current.Version + 1, Seq: seq, Time: entry.Time,
		}}
		if !exists {
			w.Number = store.NumberOf(seq, w.index)
		}
		if !live {
			w.method = store.Create
		}
		if ch.Render == nil {
			w.method, w.Deleted = store.Delete, true
		} else {
			content := ch.Render(store.Stamp{Version: w.Version, Time: w.Time})
			if len(content.Body) > MaxBody {
				return store.Entry{}, store.ErrTooLarge
			}
			for _, k := range content.Keys {
				if len(k) > store.MaxKey {
					return store.Entry{}, store.ErrInvalid
				}
			}
			w.Body, w.keys = slices.Clone(content.Body), store.SortKeys(slices.Clone(content.Keys))
		}
		writes = append(writes, w)
		entry.Changes = append(entry.Changes, store.EntryChange{Ref: w.Ref, Version: w.Version, Method: w.method})
	}
	if len(writes) == 0 {
		return entry, nil
	}
	entry.Seq = seq
	mt.versions = append(mt.versions, writes...)
	mt.log = append(mt.log, entry)
	close(mt.grown)
	mt.grown = make(chan struct{})
	return cloneEntry(entry), nil
}

// expected asks the two expectations that have a meaning; the third is the
// zero Expect.
func (mt *modelTenant) expected(e store.Expect, live bool, version int64) bool {
	switch e {
	case store.Expect{}:
		return true
	case store.Absent():
		return !live
	}
	return live && e == store.AtVersion(version)
}

func (mt *modelTenant) current(ref store.Ref) (modelVersion, bool) {
	for _, v := range slices.Backward(mt.versions) {
		if v.Ref == ref {
			return v, true
		}
	}
	return modelVersion{}, false
}

func sameSet(a, b []store.Ref) bool {
	key := func(r store.Ref) string { return r.String() }
	return slices.Equal(store.SortKeys(mapped(a, key)), store.SortKeys(mapped(b, key)))
}

func mapped[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

func cloneEntry(e store.Entry) store.Entry {
	e.Info, e.Changes = slices.Clone(e.Info), slices.Clone(e.Changes)
	return e
}

func cloneDocument(d store.Document) store.Document {
	d.Body = bytes.Clone(d.Body)
	return d
}

// Tenants lists the tenants with a log or items.
func (m *Model) Tenants(ctx context.Context) ([]store.Tenant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, store.ErrClosed
	}
	var out []store.Tenant
	for t, mt := range m.tenants {
		if len(mt.log) > 0 || len(mt.items) > 0 {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out, ctx.Err()
}

// Exclusive is true: there is nothing to share.
func (m *Model) Exclusive() bool { return true }

// Ping answers whether the model is open.
func (m *Model) Ping(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return store.ErrClosed
	}
	return ctx.Err()
}

// Close ends all waiting.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return store.ErrClosed
	}
	m.closed = true
	for _, mt := range m.tenants {
		close(mt.grown)
	}
	return nil
}
