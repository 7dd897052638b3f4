package pebble

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/fhirfacade/fhirfacade/store"
)

// Finding is one thing that is not as it must be. It names documents by their
// numbers: ids may name patients.
type Finding struct {
	Tenant store.Tenant
	Text   string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s", f.Tenant, f.Text) }

// Checked says what a check has looked at.
type Checked struct {
	Tenants, Documents, Versions, Keys, Entries, Items, Findings int64
}

// ErrInconsistent is what Check returns when it found something.
var ErrInconsistent = errors.New("the store is not consistent")

// Check reads the whole store, which goes on meanwhile, and reports what is
// not as the layout says: names, documents, versions, histories and log
// entries that do not belong together, versions or log entries missing, key
// sets and postings that differ, items and their keys that differ. Reading
// also verifies the checksum of every block. progress hears of each tenant
// before it is read; both functions may be nil.
func (e *Engine) Check(ctx context.Context, report func(Finding), progress func(store.Tenant)) (Checked, error) {
	var done Checked
	if err := e.enter(); err != nil {
		return done, err
	}
	defer e.inUse.Done()
	e.mu.Lock()
	tenants := make(map[store.Tenant]tenantID, len(e.tenants))
	var names []store.Tenant
	for name, t := range e.tenants {
		tenants[name] = t.id
		names = append(names, name)
	}
	e.mu.Unlock()
	slices.Sort(names)
	snap := e.db.NewSnapshot()
	defer snap.Close()
	for _, name := range names {
		if progress != nil {
			progress(name)
		}
		c := checker{ctx: ctx, r: snap, t: tenants[name], seed: maphash.MakeSeed(), done: &done}
		c.found = func(format string, args ...any) {
			done.Findings++
			if report != nil {
				report(Finding{name, fmt.Sprintf(format, args...)})
			}
		}
		if err := c.run(); err != nil {
			return done, wrap(err)
		}
		done.Tenants++
	}
	if done.Findings > 0 {
		return done, fmt.Errorf("%w: %d findings", ErrInconsistent, done.Findings)
	}
	return done, nil
}

// checker checks one tenant. What lies in two places is compared by sums of
// hashes over all of it, which takes one walk over each; only where sums
// differ is each entry looked up to say which.
type checker struct {
	ctx   context.Context
	r     *pebble.Snapshot
	t     tenantID
	seed  maphash.Seed
	done  *Checked
	found func(format string, args ...any)
	sums  sums
}

// sums of what must agree.
type sums struct {
	namesOf, names         uint64 // of documents; of the name space
	versions, logged, hist uint64 // (number, version, seq, index)
	keysOf, postings       uint64 // of key sets; of the posting space
	itemKeysOf, itemKeys   uint64
}

func (c *checker) run() error {
	steps := []func() error{c.documents, c.names, c.log, c.history, c.keySets, c.postings, c.items}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	s := c.sums
	if s.namesOf != s.names {
		c.found("names and documents differ")
	}
	if s.versions != s.logged {
		c.found("the versions and what the log says of them differ")
	}
	if s.versions != s.hist {
		c.found("the versions and the histories of their types differ")
	}
	if s.itemKeysOf != s.itemKeys {
		c.found("items and the keys they are found by differ")
	}
	if s.keysOf != s.postings {
		return c.locate()
	}
	return nil
}

// hash mixes numbers and bytes; sums of it do not depend on an order.
func (c *checker) hash(b []byte, numbers ...int64) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	var n [8]byte
	for _, v := range numbers {
		for i := range n {
			n[i] = byte(v >> (8 * i))
		}
		_, _ = h.Write(n[:])
	}
	_, _ = h.Write(b)
	return h.Sum64()
}

// each walks a space of the tenant; f gets the key behind the tenant.
func (c *checker) each(space byte, f func(k, v []byte) error) error {
	p := prefix(space, c.t)
	it, err := c.r.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: end(p)})
	if err != nil {
		return err
	}
	defer it.Close()
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n&0xFFF == 0 && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := f(it.Key()[len(p):], v); err != nil {
			return err
		}
	}
	return it.Error()
}

// documents walks current versions and, beside them, the superseded ones.
func (c *checker) documents() error {
	old := map[int64]int64{} // how many superseded versions a document has
	err := c.each(spaceVersion, func(k, v []byte) error {
		number, rest, err := cutNumber(k)
		if err != nil {
			return c.unreadable("a superseded version")
		}
		version, rest, err := cutOrdered(rest)
		if err != nil || len(rest) > 0 {
			return c.unreadable("a superseded version")
		}
		doc, how, err := decodeDocument(v, number, false)
		if err != nil || doc.Version != int64(version) {
			return c.unreadable("a superseded version")
		}
		if old[number]++; old[number] != doc.Version {
			c.found("document %d: version %d follows %d", number, doc.Version, old[number]-1)
			old[number] = doc.Version
		}
		c.version(doc, how)
		return nil
	})
	if err != nil {
		return err
	}
	return c.each(spaceDocument, func(k, v []byte) error {
		number, _, err := cutNumber(k)
		if err != nil {
			return c.unreadable("a document")
		}
		doc, how, err := decodeDocument(v, number, false)
		if err != nil {
			return c.unreadable("a document")
		}
		if old[number] != doc.Version-1 {
			c.found("document %d: version %d is current, the last superseded one is %d", number, doc.Version, old[number])
		}
		c.done.Documents++
		c.version(doc, how)
		c.sums.namesOf += c.hash([]byte(doc.Ref.String()), number)
		return nil
	})
}

func (c *checker) unreadable(what string) error {
	c.found("%s is not readable", what)
	return nil
}

func (c *checker) version(doc store.Document, how made) {
	c.done.Versions++
	c.sums.versions += c.hash(nil, doc.Number, doc.Version, doc.Seq, int64(how.index))
}

func (c *checker) names() error {
	return c.each(spaceName, func(k, v []byte) error {
		number, _, err := cutNumber(v)
		typ, packed, ok := cutZero(k)
		if err != nil || !ok {
			return c.unreadable("a name")
		}
		id, err := unpackID(packed)
		if err != nil {
			return c.unreadable("a name")
		}
		c.sums.names += c.hash([]byte(store.Ref{Type: typ, ID: id}.String()), number)
		return nil
	})
}

func cutZero(b []byte) (before string, after []byte, found bool) {
	i := slices.Index(b, 0)
	if i < 0 {
		return "", nil, false
	}
	return string(b[:i]), b[i+1:], true
}

func (c *checker) log() error {
	last := int64(0)
	var at int64
	return c.each(spaceLog, func(k, v []byte) error {
		n, _, err := cutOrdered(k)
		if err != nil {
			return c.unreadable("a log entry")
		}
		seq := int64(n)
		if seq != last+1 {
			c.found("log entry %d follows %d", seq, last)
		}
		last = seq
		entry, changes, err := decodeEntry(v, seq)
		if err != nil {
			return c.unreadable("a log entry")
		}
		if ms := timeToMillis(entry.Time); ms < at {
			c.found("log entry %d is older than the one before it", seq)
		} else {
			at = ms
		}
		for i, ch := range changes {
			c.sums.logged += c.hash(nil, ch.number, ch.Version, seq, int64(i))
		}
		c.done.Entries++
		return nil
	})
}

func (c *checker) history() error {
	return c.each(spaceHistory, func(k, v []byte) error {
		_, rest, ok := cutZero(k)
		seq, rest, err := cutOrdered(rest)
		index, _, err2 := cutOrdered(rest)
		d := decoder{b: v}
		number, version := d.int(), d.int()
		if !ok || errors.Join(err, err2, d.err) != nil {
			return c.unreadable("a place in a history")
		}
		c.sums.hist += c.hash(nil, number, version, int64(seq), int64(index))
		return nil
	})
}

func (c *checker) keySets() error {
	var set keySet
	return c.each(spaceKeySet, func(k, v []byte) error {
		number, _, err := cutNumber(k)
		if err == nil {
			err = set.load(number, v)
		}
		if err != nil {
			return c.unreadable("a key set")
		}
		doc, _, err := byNumber(c.r, c.t, number, false)
		switch {
		case errors.Is(err, errLayout): // found already
		case errors.Is(err, store.ErrNotFound):
			c.found("document %d has keys and does not exist", number)
		case err != nil:
			return err
		case doc.Deleted:
			c.found("document %d is deleted and has keys", number)
		}
		for i := range set.len() {
			c.sums.keysOf += c.hash(set.at(i), number)
		}
		return nil
	})
}

func (c *checker) postings() error {
	return c.each(spaceKey, func(k, _ []byte) error {
		escaped, number, err := cutPosting(k)
		if err != nil {
			return c.unreadable("a posting")
		}
		c.done.Keys++
		c.sums.postings += c.hash([]byte(unescape(escaped)), number)
		return nil
	})
}

func (c *checker) items() error {
	err := c.each(spaceItem, func(k, v []byte) error {
		kind, id, ok := cutZero(k)
		item, err := decodeItem(v, kind, string(id))
		if !ok || err != nil {
			return c.unreadable("an item")
		}
		c.done.Items++
		for _, key := range item.Keys {
			c.sums.itemKeysOf += c.hash(itemIndexKey(c.t, kind, key, string(id)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.each(spaceItemKey, func(k, _ []byte) error {
		c.sums.itemKeys += c.hash(append(prefix(spaceItemKey, c.t), k...))
		return nil
	})
}

// locate finds out which documents' keys differ, the slow way.
func (c *checker) locate() error {
	s := searcher{ctx: c.ctx, r: c.r, t: c.t}
	defer s.close()
	missing := map[int64]int{}
	err := c.each(spaceKeySet, func(k, v []byte) error {
		number, _, err := cutNumber(k)
		var set keySet
		if err == nil {
			err = set.load(number, v)
		}
		if errors.Is(err, errLayout) {
			return nil // reported by keySets
		}
		for i := range set.len() {
			_, closer, err := c.r.Get(postingKey(c.t, string(set.at(i)), number))
			switch {
			case errors.Is(err, pebble.ErrNotFound):
				missing[number]++
			case err != nil:
				return err
			default:
				_ = closer.Close()
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	extra := map[int64]int{}
	err = c.each(spaceKey, func(k, _ []byte) error {
		escaped, number, err := cutPosting(k)
		if errors.Is(err, errLayout) {
			return nil // reported by postings
		}
		set, err := s.keys(number, 0)
		if err != nil {
			return err
		}
		if !set.has(store.Exactly(unescape(escaped))) {
			extra[number]++
		}
		return nil
	})
	for number, n := range missing {
		c.found("document %d cannot be found by %d of its keys", number, n)
	}
	for number, n := range extra {
		c.found("document %d is found by %d keys that it does not have", number, n)
	}
	return err
}
