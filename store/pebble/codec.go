package pebble

import (
	"encoding/binary"
	"time"
	"unique"

	"github.com/fhirfacade/fhirfacade/store"
)

// encoder and decoder write and read the values: unsigned varints and
// length-prefixed strings, nothing else.
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64)   { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)     { e.uint(uint64(v)) }
func (e *encoder) string(s string) { e.uint(uint64(len(s))); e.b = append(e.b, s...) }

type decoder struct {
	b   []byte
	err error
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.err = errLayout
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 { return int64(d.uint()) }

func (d *decoder) bytes() []byte {
	n := d.uint()
	if d.err != nil || n > uint64(len(d.b)) {
		d.err = errLayout
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) string() string { return string(d.bytes()) }

// intern is b as a string; short ones, which are type names and sources,
// share their memory with equal ones decoded before.
func intern(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unique.Make(string(b)).Value()
}

func timeToMillis(t time.Time) int64 { return t.UnixMilli() }

func millisToTime(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// made is how a version came about, kept for histories: by which method, and
// as which change of its entry.
type made struct {
	method store.Method
	index  int
}

// firstOf, in the first number of a document or of a logged change, says that
// the document's number is that of this very change, as it is for the first
// version of each; what can be computed from it is left out.
const firstOf = 4

func first(m store.Method, isFirst bool) uint64 {
	if isFirst {
		return uint64(m) | firstOf
	}
	return uint64(m)
}

// A document: method and firstOf, version, seq and index if not firstOf,
// time, type, id, body. The method Delete means that there is no body. The id
// is not packed here: most bodies have it as text, too, and a block's
// compression needs it but once.
func encodeDocument(d store.Document, m made) []byte {
	e := encoder{b: make([]byte, 0, len(d.Body)+len(d.Ref.Type)+len(d.Ref.ID)+32)}
	own := d.Number == store.NumberOf(d.Seq, m.index)
	e.uint(first(m.method, own))
	e.int(d.Version)
	if !own {
		e.int(d.Seq)
		e.uint(uint64(m.index))
	}
	e.int(timeToMillis(d.Time))
	e.string(d.Ref.Type)
	e.string(d.Ref.ID)
	return append(e.b, d.Body...)
}

// decodeDocument copies what it takes from v, so v may be a buffer of pebble.
func decodeDocument(v []byte, number int64, withBody bool) (store.Document, made, error) {
	d := decoder{b: v}
	how := d.uint()
	m := made{method: store.Method(how &^ firstOf)}
	doc := store.Document{Number: number, Version: d.int()}
	if how&firstOf != 0 {
		doc.Seq, m.index = number>>indexBits, int(number&(1<<indexBits-1))
	} else {
		doc.Seq, m.index = d.int(), int(d.uint())
	}
	doc.Time = millisToTime(d.int())
	doc.Ref.Type = intern(d.bytes())
	doc.Ref.ID = d.string()
	doc.Deleted = m.method == store.Delete
	if withBody && !doc.Deleted && d.err == nil {
		doc.Body = append([]byte(nil), d.b...)
	}
	return doc, m, d.err
}

// A key set: each sorted key as the length it shares with the one before it
// and the rest.
func encodeKeySet(keys []store.Key) []byte {
	e := encoder{b: make([]byte, 0, 16*len(keys))}
	previous := ""
	for _, k := range keys {
		n := 0
		for n < len(k) && n < len(previous) && k[n] == previous[n] {
			n++
		}
		e.uint(uint64(n))
		e.string(k[n:])
		previous = k
	}
	return e.b
}

func decodeKeySet(v []byte) ([]store.Key, error) {
	d := decoder{b: v}
	keys := make([]store.Key, 0, 48)
	buf := make([]byte, 0, 128)
	for len(d.b) > 0 && d.err == nil {
		n := d.uint()
		rest := d.bytes()
		if d.err != nil || n > uint64(len(buf)) {
			return nil, errLayout
		}
		buf = append(buf[:n], rest...)
		keys = append(keys, string(buf))
	}
	return keys, d.err
}

// logChange is a change as the log keeps it: with the document's number.
type logChange struct {
	store.EntryChange
	number int64
}

// A log entry: time, source, event, info, and of each change the method and
// firstOf, type, packed id, version, and the document's number if not firstOf.
func encodeEntry(entry store.Entry, writes []store.Write) []byte {
	e := encoder{}
	e.int(timeToMillis(entry.Time))
	e.string(entry.Source)
	e.string(entry.Event)
	e.string(string(entry.Info))
	e.uint(uint64(len(writes)))
	var id []byte
	for i, w := range writes {
		own := w.Number == store.NumberOf(entry.Seq, i)
		e.uint(first(w.Method, own))
		e.string(w.Ref.Type)
		id = appendPackedID(id[:0], w.Ref.ID)
		e.string(string(id))
		e.int(w.Version)
		if !own {
			e.int(w.Number)
		}
	}
	return e.b
}

// decodeEntry copies what it takes from v. Of a trimmed entry it gives the
// time and of its changes the numbers and versions.
func decodeEntry(v []byte, seq int64) (store.Entry, []logChange, error) {
	d := decoder{b: v}
	entry := store.Entry{Seq: seq, Time: millisToTime(d.int())}
	entry.Source = intern(d.bytes())
	entry.Event = intern(d.bytes())
	if info := d.bytes(); len(info) > 0 {
		entry.Info = append([]byte(nil), info...)
	}
	n := d.uint()
	var changes []logChange
	for i := uint64(0); i < n && d.err == nil; i++ {
		var c logChange
		how := d.uint()
		c.Method = store.Method(how &^ firstOf)
		c.Ref.Type = intern(d.bytes())
		packed := d.bytes()
		c.Version = d.int()
		if how&firstOf != 0 {
			c.number = store.NumberOf(seq, int(i))
		} else {
			c.number = d.int()
		}
		if d.err == nil && len(packed) > 0 { // empty when trimmed
			c.Ref.ID, d.err = unpackID(packed)
		}
		changes = append(changes, c)
		entry.Changes = append(entry.Changes, c.EntryChange)
	}
	return entry, changes, d.err
}

// trimEntry leaves of an entry what the tenant's history needs: which
// versions its changes made, in their order.
func trimEntry(v []byte, seq int64) ([]byte, error) {
	entry, changes, err := decodeEntry(v, seq)
	if err != nil {
		return nil, err
	}
	e := encoder{}
	e.int(timeToMillis(entry.Time))
	e.string("")
	e.string("")
	e.string("")
	e.uint(uint64(len(changes)))
	for i, c := range changes {
		own := c.number == store.NumberOf(seq, i)
		e.uint(first(c.Method, own))
		e.string("")
		e.string("")
		e.int(c.Version)
		if !own {
			e.int(c.number)
		}
	}
	return e.b, nil
}

// An item: version, expiry in ms (0 never), keys, body.
func encodeItem(it store.Item) []byte {
	e := encoder{b: make([]byte, 0, len(it.Body)+32)}
	e.int(it.Version)
	if it.Expires.IsZero() {
		e.uint(0)
	} else {
		e.int(timeToMillis(it.Expires))
	}
	e.uint(uint64(len(it.Keys)))
	for _, k := range it.Keys {
		e.string(k)
	}
	return append(e.b, it.Body...)
}

func decodeItem(v []byte, kind, id string) (store.Item, error) {
	d := decoder{b: v}
	it := store.Item{Kind: kind, ID: id, Version: d.int()}
	if ms := d.int(); ms != 0 {
		it.Expires = millisToTime(ms)
	}
	n := d.uint()
	for i := uint64(0); i < n && d.err == nil; i++ {
		it.Keys = append(it.Keys, d.string())
	}
	if d.err == nil {
		it.Body = append([]byte(nil), d.b...)
	}
	return it, d.err
}
