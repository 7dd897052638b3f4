package pebble

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// Commit implements store.Committer.
func (e *Engine) Commit(ctx context.Context, name store.Tenant, c store.Commit) (store.Entry, error) {
	if err := store.CheckCommit(name, c); err != nil {
		return store.Entry{}, err
	}
	if err := e.enter(); err != nil {
		return store.Entry{}, err
	}
	defer e.inUse.Done()
	t, err := e.ensure(name)
	if err != nil {
		return store.Entry{}, err
	}
	return t.pipeline.Do(ctx, c)
}

// append plans a batch of commits and writes it. The write is visible at
// once and durable when the returned function returns; the head that readers
// of the log see moves only then.
func (e *Engine) append(ctx context.Context, t *tenant, commits []store.Commit) ([]store.Outcome, func() error, error) {
	t.writing.Lock()
	defer t.writing.Unlock()
	now := e.clock()
	if now.Before(t.lastTime) {
		now = t.lastTime
	}
	outcomes, err := e.planner.Plan(ctx, view{e, t}, t.planned, now, commits)
	if err != nil {
		return nil, nil, err
	}
	w := writer{engine: e, tenant: t.id, latest: map[int64]stored{}}
	head := t.planned
	for _, o := range outcomes {
		if o.Entry.Seq == 0 {
			continue
		}
		if err := w.write(o); err != nil {
			return nil, nil, wrap(err)
		}
		head, t.lastTime = o.Entry.Seq, o.Entry.Time
	}
	if head == t.planned {
		return outcomes, nil, nil
	}
	b, err := w.batch()
	if err != nil {
		return nil, nil, wrap(err)
	}
	if err := e.apply(t, b); err != nil {
		return nil, nil, err
	}
	t.planned = head
	return outcomes, func() error {
		if err := b.SyncWait(); err != nil {
			return wrap(err)
		}
		_ = b.Close()
		t.publish(head)
		return nil
	}, nil
}

// apply writes a batch of a tenant, unless that was dropped or the disk has no
// room. The caller waits for the batch to be durable.
func (e *Engine) apply(t *tenant, b *pebble.Batch) error {
	if err := e.room.check(b.Len()); err != nil {
		return err
	}
	t.gate.RLock()
	defer t.gate.RUnlock()
	if t.dropped {
		return errDropped
	}
	return wrap(e.db.ApplyNoSyncWait(b, pebble.Sync))
}

// writer puts entries into one batch. It remembers what the batch wrote last
// of each document, since the database does not have it yet when a later
// commit of the batch replaces it.
//
// Operations are gathered first and put into the batch in the order of their
// keys: the memtable finds the place of a key much quicker when it lies right
// behind the one before.
type writer struct {
	engine *Engine
	tenant tenantID
	latest map[int64]stored
	ops    []operation
	arena  []byte // holds the keys
}

type operation struct {
	// head is the key's beginning, for comparing most keys at once.
	head       uint64
	key, value []byte
	remove     bool
}

func (o *operation) compare(p *operation) int {
	if o.head != p.head {
		return cmp.Compare(o.head, p.head)
	}
	return bytes.Compare(o.key, p.key)
}

// stored is a current version as it lies in the database.
type stored struct {
	document []byte
	keys     []store.Key
}

func (w *writer) set(k, v []byte) { w.add(operation{key: k, value: v}) }
func (w *writer) delete(k []byte) { w.add(operation{key: k, remove: true}) }

func (w *writer) add(o operation) {
	var head [8]byte
	copy(head[:], o.key)
	o.head = binary.BigEndian.Uint64(head[:])
	w.ops = append(w.ops, o)
}

// posting makes a posting's key in the arena.
func (w *writer) posting(k store.Key, number int64) []byte {
	const head = 32 // all but the key: space, tenant, closing byte, number
	if cap(w.arena)-len(w.arena) < head+2*len(k) {
		w.arena = make([]byte, 0, 64<<10)
	}
	from := len(w.arena)
	w.arena = append(w.arena, spaceKey)
	w.arena = appendOrdered(w.arena, uint64(w.tenant))
	w.arena = append(appendEscaped(w.arena, k), 0)
	w.arena = appendNumber(w.arena, number)
	return w.arena[from:len(w.arena):len(w.arena)]
}

// batch is a batch of all operations. Those on one key stay in their order.
func (w *writer) batch() (*pebble.Batch, error) {
	size := 0
	for _, o := range w.ops {
		size += len(o.key) + len(o.value) + 8
	}
	sorted := make([]int32, len(w.ops)) // what is moved about is small
	for i := range sorted {
		sorted[i] = int32(i)
	}
	slices.SortFunc(sorted, func(i, j int32) int {
		return cmp.Or(w.ops[i].compare(&w.ops[j]), cmp.Compare(i, j))
	})
	b := w.engine.db.NewBatchWithSize(size)
	for _, i := range sorted {
		o := &w.ops[i]
		var err error
		if o.remove {
			err = b.Delete(o.key, nil)
		} else {
			err = b.Set(o.key, o.value, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// write adds the operations of one entry.
func (w *writer) write(o store.Outcome) error {
	for i, wr := range o.Writes {
		var old stored
		if wr.Replaces > 0 {
			var err error
			if old, err = w.current(wr.Number); err != nil {
				return err
			}
			w.set(versionKey(w.tenant, wr.Number, wr.Replaces), old.document)
		} else {
			w.set(nameKey(w.tenant, wr.Ref), appendNumber(nil, wr.Number))
		}
		doc := encodeDocument(store.Document{
			Ref: wr.Ref, Number: wr.Number, Version: wr.Version, Seq: o.Entry.Seq, Time: o.Entry.Time, Body: wr.Body,
		}, made{wr.Method, i})
		w.set(numberKey(spaceDocument, w.tenant, wr.Number), doc)
		w.reindex(wr.Number, old.keys, wr.Keys)
		h := binary.AppendUvarint(nil, uint64(wr.Number))
		w.set(historyKey(w.tenant, wr.Ref.Type, o.Entry.Seq, i), binary.AppendUvarint(h, uint64(wr.Version)))
		w.latest[wr.Number] = stored{document: doc, keys: wr.Keys}
	}
	w.set(logKey(w.tenant, o.Entry.Seq), encodeEntry(o.Entry, o.Writes))
	return nil
}

// current reads the version that is about to be replaced.
func (w *writer) current(number int64) (stored, error) {
	if s, ok := w.latest[number]; ok {
		return s, nil
	}
	var s stored
	v, closer, err := w.engine.db.Get(numberKey(spaceDocument, w.tenant, number))
	if err != nil {
		return s, err
	}
	s.document = append([]byte(nil), v...)
	_ = closer.Close()
	s.keys, err = storedKeys(w.engine.db, w.tenant, number)
	return s, err
}

// reindex brings the postings from the old keys to the new ones. Most updates
// leave most keys as they are, so only the difference is written.
func (w *writer) reindex(number int64, old, now []store.Key) {
	i, j := 0, 0
	for i < len(old) || j < len(now) {
		switch {
		case j == len(now) || i < len(old) && old[i] < now[j]:
			w.delete(w.posting(old[i], number))
			i++
		case i == len(old) || now[j] < old[i]:
			w.set(w.posting(now[j], number), nil)
			j++
		default:
			i++
			j++
		}
	}
	switch {
	case slices.Equal(old, now):
	case len(now) > 0:
		w.set(numberKey(spaceKeySet, w.tenant, number), encodeKeySet(now))
	case len(old) > 0:
		w.delete(numberKey(spaceKeySet, w.tenant, number))
	}
}

// storedKeys reads the keys of a document; none when it is deleted.
func storedKeys(r pebble.Reader, t tenantID, number int64) ([]store.Key, error) {
	v, closer, err := r.Get(numberKey(spaceKeySet, t, number))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return decodeKeySet(v)
}
