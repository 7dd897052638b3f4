package pebble

import (
	"context"
	"encoding/binary"
	"errors"

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
	now := e.clock()
	if now.Before(t.lastTime) {
		now = t.lastTime
	}
	outcomes, err := e.planner.Plan(ctx, view{e, t}, t.planned, now, commits)
	if err != nil {
		return nil, nil, err
	}
	b := e.db.NewBatch()
	w := writer{engine: e, tenant: t.id, batch: b, latest: map[int64]stored{}}
	head := t.planned
	for _, o := range outcomes {
		if o.Entry.Seq == 0 {
			continue
		}
		if err := w.write(o); err != nil {
			_ = b.Close()
			return nil, nil, wrap(err)
		}
		head, t.lastTime = o.Entry.Seq, o.Entry.Time
	}
	if head == t.planned {
		return outcomes, nil, b.Close()
	}
	if err := e.db.ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return nil, nil, wrap(err)
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

// writer puts entries into one batch. It remembers what the batch wrote last
// of each document, since the database does not have it yet when a later
// commit of the batch replaces it.
type writer struct {
	engine *Engine
	tenant tenantID
	batch  *pebble.Batch
	latest map[int64]stored
}

// stored is a current version as it lies in the database.
type stored struct {
	document []byte
	keys     []store.Key
}

func (w *writer) set(k, v []byte) { _ = w.batch.Set(k, v, nil) } // fails only on indexed batches
func (w *writer) delete(k []byte) { _ = w.batch.Delete(k, nil) }

// write puts one entry into the batch.
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
	s.keys, err = keySet(w.engine.db, w.tenant, number)
	return s, err
}

// reindex brings the postings from the old keys to the new ones. Most updates
// leave most keys as they are, so only the difference is written.
func (w *writer) reindex(number int64, old, now []store.Key) {
	i, j := 0, 0
	for i < len(old) || j < len(now) {
		switch {
		case j == len(now) || i < len(old) && old[i] < now[j]:
			w.delete(postingKey(w.tenant, old[i], number))
			i++
		case i == len(old) || now[j] < old[i]:
			w.set(postingKey(w.tenant, now[j], number), nil)
			j++
		default:
			i++
			j++
		}
	}
	switch {
	case len(now) > 0:
		w.set(numberKey(spaceKeySet, w.tenant, number), encodeKeySet(now))
	case len(old) > 0:
		w.delete(numberKey(spaceKeySet, w.tenant, number))
	}
}

// keySet reads the keys of a document; none when it is deleted.
func keySet(r pebble.Reader, t tenantID, number int64) ([]store.Key, error) {
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
