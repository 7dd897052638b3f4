package mongo

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/fhirfacade/fhirfacade/store"
)

// batch is what one log document says, decoded.
type batch struct {
	entries []store.Entry
	writes  [][]store.Write // of each entry
}

func batchOf(outcomes []store.Outcome) batch {
	var b batch
	for _, o := range outcomes {
		if o.Err == nil && !o.Later && o.Entry.Seq != 0 {
			b.entries = append(b.entries, o.Entry)
			b.writes = append(b.writes, o.Writes)
		}
	}
	return b
}

func (b batch) refs() []store.Ref {
	var out []store.Ref
	seen := map[store.Ref]bool{}
	for _, writes := range b.writes {
		for _, w := range writes {
			if !seen[w.Ref] {
				seen[w.Ref] = true
				out = append(out, w.Ref)
			}
		}
	}
	return out
}

// size is about what the batch's contents take.
func (b batch) size() int {
	n := 0
	for i, writes := range b.writes {
		n += len(b.entries[i].Info) + 64
		for _, w := range writes {
			n += len(w.Body) + len(w.Ref.Type) + len(w.Ref.ID) + 64
			for _, k := range w.Keys {
				n += len(k) + 16
			}
		}
	}
	return n
}

// rows are the versions of all writes as they are stored when current.
func (b batch) rows(s scope) [][]docRow {
	out := make([][]docRow, len(b.writes))
	for i, writes := range b.writes {
		e := b.entries[i]
		out[i] = make([]docRow, len(writes))
		for j, w := range writes {
			r := docRow{
				ID: s.docID(w.Ref), Version: w.Version, Seq: e.Seq, Index: int32(j),
				Time: bson.NewDateTimeFromTime(e.Time), Method: int32(w.Method),
				TypeOrder: s.typeOrder(w.Ref.Type, e.Seq, j),
			}
			r.setBody(w.Body)
			if w.Method == store.Delete {
				r.Shelved = w.Number
			} else {
				r.Number = w.Number
				if s.walks {
					r.Tenant = s.prefix
				}
				r.Keys = s.keys(w.Keys)
			}
			out[i][j] = r
		}
	}
	return out
}

// tooLarge reports a row that no server would take.
func tooLarge(rows [][]docRow) bool {
	for _, part := range rows {
		for _, r := range part {
			if len(r.Body)+keysSize(r.Keys) > maxRow {
				return true
			}
		}
	}
	return false
}

// modelsFor are the operations that apply rows to a state in which these
// versions are current. A version goes to the history before it is replaced,
// so that a reader finds it in one place or the other. What is applied
// already needs no operation.
func modelsFor(s scope, rows [][]docRow, current map[store.Ref]docRow) []mongo.WriteModel {
	latest := make(map[store.Ref]docRow, len(current))
	var order []store.Ref
	var out []mongo.WriteModel
	for _, part := range rows {
		for _, r := range part {
			ref := s.ref(r.ID)
			before, exists := latest[ref]
			if !exists {
				if before, exists = current[ref]; exists && before.Seq >= r.Seq {
					continue
				}
				order = append(order, ref)
			}
			if exists {
				h := s.shelve(before)
				id := h.ID
				h.ID = "" // the filter sets it
				out = append(out, mongo.NewUpdateOneModel().
					SetFilter(bson.D{{Key: "_id", Value: id}}).
					SetUpdate(bson.D{{Key: "$setOnInsert", Value: h}}).SetUpsert(true))
			}
			latest[ref] = r
		}
	}
	if len(out) == 0 {
		for _, ref := range order {
			out = append(out, mongo.NewInsertOneModel().SetDocument(latest[ref]))
		}
		return out
	}
	for _, ref := range order {
		r := latest[ref]
		out = append(out, mongo.NewReplaceOneModel().
			SetFilter(bson.D{{Key: "_id", Value: r.ID}, {Key: "s", Value: bson.D{{Key: "$lt", Value: r.Seq}}}}).
			SetReplacement(r).SetUpsert(true))
	}
	return out
}

// encode is the batch as a log document's entries and payload.
func (b batch) encode() (entries, payload []byte, err error) {
	var e entryRows
	var p payloadRow
	for i, entry := range b.entries {
		row := entryRow{Source: escaped(entry.Source), Event: escaped(entry.Event), Info: entry.Info}
		for j, c := range entry.Changes {
			row.Changes = append(row.Changes, changeRow{Type: []byte(c.Ref.Type), ID: []byte(c.Ref.ID), Version: c.Version, Method: int32(c.Method)})
			w := b.writes[i][j]
			wr := writeRow{Number: w.Number, Replaces: w.Replaces, Body: w.Body}
			for _, k := range w.Keys {
				wr.Keys = append(wr.Keys, []byte(k))
			}
			p.Writes = append(p.Writes, wr)
		}
		e.Entries = append(e.Entries, row)
	}
	if entries, err = bson.Marshal(e); err != nil {
		return nil, nil, err
	}
	if payload, err = bson.Marshal(p); err != nil {
		return nil, nil, err
	}
	return pack(entries), pack(payload), nil
}

// decodeEntries reads a log document's entries.
func decodeEntries(row *logRow) ([]store.Entry, error) {
	raw, err := unpack(row.Entries)
	if err != nil {
		return nil, err
	}
	var rows entryRows
	if err := bson.Unmarshal(raw, &rows); err != nil {
		return nil, errDamaged
	}
	at := row.Time.Time().UTC()
	seq := firstOf(row.ID)
	out := make([]store.Entry, len(rows.Entries))
	for i, r := range rows.Entries {
		source, ok1 := unescape(r.Source)
		event, ok2 := unescape(r.Event)
		if !ok1 || !ok2 {
			return nil, errDamaged
		}
		e := store.Entry{Seq: seq + int64(i), Time: at, Source: source, Event: event, Info: r.Info}
		for _, c := range r.Changes {
			e.Changes = append(e.Changes, store.EntryChange{
				Ref: store.Ref{Type: string(c.Type), ID: string(c.ID)}, Version: c.Version, Method: store.Method(c.Method),
			})
		}
		out[i] = e
	}
	return out, nil
}

func (l *ledger) decodeBatch(row *logRow, payload []byte) (batch, error) {
	entries, err := decodeEntries(row)
	if err != nil {
		return batch{}, err
	}
	raw, err := unpack(payload)
	if err != nil {
		return batch{}, err
	}
	var p payloadRow
	if err := bson.Unmarshal(raw, &p); err != nil {
		return batch{}, errDamaged
	}
	b := batch{entries: entries}
	next := 0
	for _, e := range entries {
		var writes []store.Write
		for _, c := range e.Changes {
			if next == len(p.Writes) {
				return batch{}, errDamaged
			}
			r := p.Writes[next]
			next++
			w := store.Write{Ref: c.Ref, Number: r.Number, Version: c.Version, Method: c.Method, Body: r.Body, Replaces: r.Replaces}
			for _, k := range r.Keys {
				w.Keys = append(w.Keys, store.Key(k))
			}
			writes = append(writes, w)
		}
		b.writes = append(b.writes, writes)
	}
	return b, nil
}

// nextTime is the time of a batch: the clock's, unless that runs behind the
// log.
func (l *ledger) nextTime() time.Time {
	now := l.e.opts.Clock().UTC().Truncate(time.Millisecond)
	if now.Before(l.last) {
		return l.last
	}
	return now
}
