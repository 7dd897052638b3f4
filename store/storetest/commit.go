package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

var commitTests = []test{
	{"a version counts from 1 and has no gaps", func(f *fixture) {
		for v := int64(1); v <= 4; v++ {
			e := f.commit(put(pat("1"), fmt.Sprint("body ", v)))
			f.equal("seq", e.Seq, v)
			d := f.get(pat("1"))
			f.equal("version", d.Version, v)
			f.equal("seq of the document", d.Seq, v)
			f.body(d, fmt.Sprint("body ", v))
		}
		for v := int64(1); v <= 4; v++ {
			d, err := f.s.GetVersion(f.ctx, f.tenant, pat("1"), v)
			f.ok(err)
			f.body(d, fmt.Sprint("body ", v))
		}
	}},
	{"the entry says what happened", func(f *fixture) {
		f.commit(put(pat("a"), "a"))
		e, err := f.s.Commit(f.ctx, f.tenant, store.Commit{
			Source: "rest", Event: "admit", Info: []byte{0, 1, 255},
			Changes: []store.Change{put(pat("b"), "b"), put(pat("a"), "a2"), put(obs("c"), "c")},
		})
		f.ok(err)
		f.equal("changes", changes(e), "POST Patient/b v1, PUT Patient/a v2, POST Observation/c v1")
		f.equal("source, event, info", []any{e.Source, e.Event, e.Info}, []any{"rest", "admit", []byte{0, 1, 255}})
		f.equal("log", len(f.log(0, 10)), 2)
		f.sameEntry(f.log(1, 10)[0], e)
	}},
	{"the time is UTC with milliseconds, the same in entry, stamp and document", func(f *fixture) {
		var stamp store.Stamp
		e := f.commit(store.Change{Ref: pat("1"), Render: func(s store.Stamp) store.Content {
			stamp = s
			return store.Content{Body: []byte(s.Time.Format(time.RFC3339Nano))}
		}})
		d := f.get(pat("1"))
		f.body(d, e.Time.Format(time.RFC3339Nano))
		for what, at := range map[string]time.Time{"entry": e.Time, "stamp": stamp.Time, "document": d.Time, "log": f.log(0, 1)[0].Time} {
			if !at.Equal(e.Time) || at.Location() != time.UTC || !at.Equal(at.Truncate(time.Millisecond)) {
				f.t.Errorf("time of the %s is %v, of the entry %v", what, at, e.Time)
			}
		}
		f.equal("stamp's version", stamp.Version, 1)
		if age := time.Since(e.Time); age < -time.Second || age > patience {
			f.t.Errorf("the entry's time is %v ago", age)
		}
	}},
	{"all changes of a commit happen or none", func(f *fixture) {
		f.commit(put(pat("1"), "one", "k1"))
		_, err := f.try(put(pat("2"), "two", "k2"), put(pat("1"), "changed", "k3"), expecting(store.AtVersion(7), put(pat("3"), "three", "k4")))
		f.is(err, store.ErrConflict)
		f.equal("head", f.head(), 1)
		f.body(f.get(pat("1")), "one")
		for _, ref := range []store.Ref{pat("2"), pat("3")} {
			_, err := f.s.Get(f.ctx, f.tenant, ref)
			f.is(err, store.ErrNotFound)
		}
		f.equal("found", f.find(store.Prefix("k")), "1")
		f.equal("found by the refused key", f.find(store.Exactly("k3")), "")
		f.equal("the next commit leaves no gap", f.commit(put(pat("2"), "two")).Seq, 2)
	}},
	{"many changes in one commit", func(f *fixture) {
		var all []store.Change
		for i := range 2000 {
			all = append(all, put(obs(fmt.Sprintf("%04d", i)), strings.Repeat("x", i), "all", fmt.Sprintf("i=%04d", i)))
		}
		e := f.commit(all...)
		f.equal("changes", len(e.Changes), 2000)
		p := f.search(store.Query{Where: store.Exactly("all"), Limit: 5, Count: true})
		f.equal("total", p.Total, 2000)
		f.equal("order", ids(p.Documents), "0000 0001 0002 0003 0004")
		f.equal("size of the last", len(f.get(obs("1999")).Body), 1999)
		f.equal("range", f.find(store.Range{From: "i=0997", To: "i=1001"}), "0997 0998 0999 1000")
		f.equal("changes in the log", len(f.log(0, 1)[0].Changes), 2000)
	}},
	{"a commit larger than a driver's message", func(f *fixture) {
		noise := rand.NewChaCha8([32]byte{}) // incompressible, the same each time
		var all []store.Change
		var bodies []string
		for i := range 20 {
			body := make([]byte, MaxBody)
			_, _ = noise.Read(body)
			bodies = append(bodies, string(body))
			all = append(all, put(obs(fmt.Sprint(i)), bodies[i], "big"))
		}
		f.commit(all...)
		f.commit(put(obs("7"), "small", "small"))
		f.equal("found", len(f.search(store.Query{Where: store.Exactly("big"), Limit: 100, RefsOnly: true}).Documents), 19)
		f.equal("the last body is whole", string(f.get(obs("19")).Body) == bodies[19], true)
		d, err := f.s.GetVersion(f.ctx, f.tenant, obs("7"), 1)
		f.ok(err)
		f.equal("the replaced body is whole", string(d.Body) == bodies[7], true)
	}},
	{"Absent expects no document or a deleted one", func(f *fixture) {
		f.commit(expecting(store.Absent(), put(pat("1"), "one")))
		_, err := f.try(expecting(store.Absent(), put(pat("1"), "two")))
		f.conflict(err, pat("1"), 1)
		f.commit(del(pat("1")))
		f.commit(expecting(store.Absent(), put(pat("1"), "three")))
		f.equal("version", f.get(pat("1")).Version, 3)
		_, err = f.try(expecting(store.Absent(), del(pat("1"))))
		f.conflict(err, pat("1"), 3)
	}},
	{"AtVersion expects the current version, not deleted", func(f *fixture) {
		_, err := f.try(expecting(store.AtVersion(1), put(pat("1"), "x")))
		f.conflict(err, pat("1"), 0)
		_, err = f.try(expecting(store.AtVersion(0), put(pat("1"), "x")))
		f.conflict(err, pat("1"), 0)
		f.commit(put(pat("1"), "one"))
		f.commit(expecting(store.AtVersion(1), put(pat("1"), "two")))
		_, err = f.try(expecting(store.AtVersion(1), put(pat("1"), "x")))
		f.conflict(err, pat("1"), 2)
		_, err = f.try(expecting(store.AtVersion(3), del(pat("1"))))
		f.conflict(err, pat("1"), 2)
		f.commit(expecting(store.AtVersion(2), del(pat("1"))))
		_, err = f.try(expecting(store.AtVersion(3), put(pat("1"), "x")))
		f.conflict(err, pat("1"), 0)
	}},
	{"deleting makes a version without body and keys", func(f *fixture) {
		f.commit(put(pat("1"), "one", "k"))
		e := f.commit(del(pat("1")))
		f.equal("changes", changes(e), "DELETE Patient/1 v2")
		d := f.get(pat("1"))
		f.equal("deleted, version, body", []any{d.Deleted, d.Version, len(d.Body)}, []any{true, 2, 0})
		f.equal("found", f.find(store.Prefix("")), "")
		old, err := f.s.GetVersion(f.ctx, f.tenant, pat("1"), 1)
		f.ok(err)
		f.body(old, "one")
		gone, err := f.s.GetVersion(f.ctx, f.tenant, pat("1"), 2)
		f.ok(err)
		f.equal("version 2 is deleted", gone.Deleted, true)
	}},
	{"deleting what is not there changes nothing and leaves no trace", func(f *fixture) {
		e := f.commit(del(pat("never")))
		f.equal("seq", e.Seq, 0)
		f.equal("head", f.head(), 0)
		_, err := f.s.Get(f.ctx, f.tenant, pat("never"))
		f.is(err, store.ErrNotFound)
		f.commit(put(pat("1"), "one"))
		f.commit(del(pat("1")))
		f.equal("seq of a second delete", f.commit(del(pat("1"))).Seq, 0)
		f.equal("version", f.get(pat("1")).Version, 2)
		e = f.commit(del(pat("1")), put(pat("2"), "two"), del(pat("never")))
		f.equal("changes", changes(e), "POST Patient/2 v1")
		f.equal("seq", e.Seq, 3)
	}},
	{"a commit without changes is not appended", func(f *fixture) {
		f.equal("seq", f.commit().Seq, 0)
		f.equal("head", f.head(), 0)
	}},
	{"a document made again after a delete keeps its number and goes on counting", func(f *fixture) {
		f.commit(put(pat("1"), "one", "k"))
		f.commit(put(pat("2"), "two", "k"))
		first := f.get(pat("1"))
		f.commit(del(pat("1")))
		e := f.commit(put(pat("1"), "again", "k"))
		f.equal("changes", changes(e), "POST Patient/1 v3")
		d := f.get(pat("1"))
		f.equal("number", d.Number, first.Number)
		f.equal("deleted", d.Deleted, false)
		f.equal("order", f.find(store.Exactly("k")), "1 2")
	}},
	{"numbers grow in the order of commits and of changes, and stay", func(f *fixture) {
		f.commit(put(obs("z"), "z", "k"), put(obs("a"), "a", "k"), put(obs("m"), "m", "k"))
		f.commit(put(obs("b"), "b", "k"))
		f.commit(put(obs("z"), "z2", "k"))
		f.equal("order", f.find(store.Exactly("k")), "z a m b")
	}},
	{"keys may be in any order and hold duplicates", func(f *fixture) {
		f.commit(put(obs("1"), "", "c", "a", "b", "a", "c"))
		f.equal("found once", f.find(store.Range{From: "a", To: "d"}), "1")
		f.equal("total", f.search(store.Query{Where: store.Range{From: "a", To: "d"}, Count: true}).Total, 1)
	}},
	{"an update replaces all keys", func(f *fixture) {
		f.commit(put(obs("1"), "", "old", "both"))
		f.commit(put(obs("1"), "", "new", "both"))
		f.equal("old", f.find(store.Exactly("old")), "")
		f.equal("new", f.find(store.Exactly("new")), "1")
		f.equal("both", f.find(store.Exactly("both")), "1")
		f.commit(put(obs("1"), ""))
		f.equal("no keys", f.find(store.Prefix("")), "")
	}},
	{"concurrent commits make a log without gaps", func(f *fixture) {
		var wg sync.WaitGroup
		seqs := make([]int64, 64)
		for i := range seqs {
			wg.Go(func() {
				e, err := f.try(put(obs(fmt.Sprint(i%16)), fmt.Sprint(i), "k"))
				if err != nil {
					f.t.Errorf("commit: %v", err)
				}
				seqs[i] = e.Seq
			})
		}
		wg.Wait()
		slices.Sort(seqs)
		for i, seq := range seqs {
			f.equal("seq", seq, i+1)
		}
		for i := range 16 {
			f.equal("version", f.get(obs(fmt.Sprint(i))).Version, 4)
		}
	}},
	{"AtVersion lets one of many concurrent updates happen", func(f *fixture) {
		f.commit(put(pat("1"), "base"))
		f.equal("happened", f.race(32, func(i int) error {
			_, err := f.try(expecting(store.AtVersion(1), put(pat("1"), fmt.Sprint(i))))
			return err
		}, store.ErrConflict), 1)
		f.equal("version", f.get(pat("1")).Version, 2)
	}},
	{"a commit sees its own instance's earlier commits", func(f *fixture) {
		for i := range 20 {
			f.commit(put(obs(fmt.Sprint(i)), "", "k"))
			f.equal("total", f.search(store.Query{Where: store.Exactly("k"), Count: true}).Total, i+1)
		}
	}},
	{"a context that has ended commits nothing", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		_, err := f.s.Commit(ctx, f.tenant, store.Commit{Changes: []store.Change{put(pat("1"), "x")}})
		f.is(err, context.Canceled)
		f.equal("head", f.head(), 0)
	}},
}

// race runs n functions at once and counts those that succeed. The others
// must fail with lost.
func (f *fixture) race(n int, run func(i int) error, lost error) int {
	f.t.Helper()
	start := make(chan struct{})
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = run(i)
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			f.is(err, lost)
		}
	}
	return won
}

// conflict checks an ErrConflict and what it says.
func (f *fixture) conflict(err error, ref store.Ref, current int64) {
	f.t.Helper()
	f.is(err, store.ErrConflict)
	var c *store.ConflictError
	if !errors.As(err, &c) {
		f.t.Errorf("%v is no *ConflictError", err)
		return
	}
	f.equal("ref and current version in the error", []any{c.Ref, c.Current}, []any{ref, current})
}
