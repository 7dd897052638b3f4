package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/fhirfacade/fhirfacade/store"
)

func rekeyed(ref store.Ref, version int64, keys ...store.Key) store.KeyChange {
	return store.KeyChange{Ref: ref, Version: version, Keys: keys}
}

func (f *fixture) tryRekey(changes ...store.KeyChange) (int, error) {
	return f.s.Rekey(f.ctx, f.tenant, changes)
}

// rekey gives documents other keys, of which want are not passed over.
func (f *fixture) rekey(want int, changes ...store.KeyChange) {
	f.t.Helper()
	n, err := f.tryRekey(changes...)
	f.ok(err)
	f.equal("documents rekeyed", n, want)
}

// everything is what must not change with the keys: current documents, all
// versions, the log.
func (f *fixture) everything(refs ...store.Ref) string {
	f.t.Helper()
	var out strings.Builder
	for _, ref := range refs {
		fmt.Fprintln(&out, document(f.get(ref)), f.get(ref).Time)
	}
	for _, q := range []store.HistoryQuery{{}, {Type: "Observation"}, {Type: "Patient"}} {
		q.Limit = 1000
		for _, v := range f.history(q).Versions {
			fmt.Fprintln(&out, v.Method, document(v.Document), v.Time)
		}
	}
	for _, e := range f.log(0, 1000) {
		fmt.Fprintln(&out, e.Seq, e.Time, e.Source, e.Event, string(e.Info), changes(e))
	}
	return out.String()
}

var rekeyTests = []test{
	{"the new keys find the document and the old ones do not", func(f *fixture) {
		f.commit(put(obs("1"), "one", "old", "both", "all"), put(obs("2"), "two", "old", "all"))
		f.rekey(1, rekeyed(obs("1"), 1, "new", "both", "all"))
		f.equal("old", f.find(store.Exactly("old")), "2")
		f.equal("new", f.find(store.Exactly("new")), "1")
		f.equal("both", f.find(store.Exactly("both")), "1")
		f.equal("Not", f.find(store.And{all, store.Not{Clause: store.Exactly("new")}}), "2")
		f.equal("range", f.find(store.Prefix("")), "1 2")
		f.equal("counted", f.search(store.Query{Where: store.Prefix("ne"), Count: true}).Total, 1)
		f.body(f.search(store.Query{Where: store.Exactly("new"), Limit: 1}).Documents[0], "one")
	}},
	{"nothing but keys changes", func(f *fixture) {
		f.commit(put(obs("1"), "one", "a"), put(pat("1"), "p", "a"))
		f.commit(put(obs("1"), "one again", "a"))
		f.commit(put(obs("2"), "two", "a"))
		before := f.everything(obs("1"), obs("2"), pat("1"))
		f.rekey(3, rekeyed(obs("1"), 2, "b"), rekeyed(obs("2"), 1, "b"), rekeyed(pat("1"), 1, "b"))
		f.equal("documents, history, log", f.everything(obs("1"), obs("2"), pat("1")), before)
		f.equal("head", f.head(), 3)
		f.equal("order of the numbers", f.find(store.Exactly("b")), "1 1 2")
		e := f.commit(expecting(store.AtVersion(2), put(obs("1"), "three", "b")))
		f.equal("the next commit", changes(e), "PUT Observation/1 v3")
		f.equal("its seq", e.Seq, 4)
	}},
	{"a search in the order of keys follows the new ones", func(f *fixture) {
		f.commit(put(obs("1"), "", "all", "d=1"), put(obs("2"), "", "all", "d=2"), put(obs("3"), "", "all"))
		byDate := []store.Sort{{Range: store.Prefix("d=")}}
		f.equal("before", f.pages(store.Query{Where: all, Sort: byDate, Limit: 2}), "1 2|3")
		f.rekey(3, rekeyed(obs("1"), 1, "all"), rekeyed(obs("2"), 1, "all", "d=9", "d=5"), rekeyed(obs("3"), 1, "all", "d=6"))
		f.equal("ascending", f.pages(store.Query{Where: all, Sort: byDate, Limit: 2}), "2 3|1")
		byDate[0].Descending = true
		f.equal("descending", f.pages(store.Query{Where: all, Sort: byDate, Limit: 1}), "2|3|1")
	}},
	{"chains follow the new keys on either end", func(f *fixture) {
		f.commit(put(pat("p"), "", "name=x"), put(pat("q"), ""), put(obs("1"), "", "subject=Patient/p"), put(obs("2"), "", "subject=Patient/p"))
		forward := func(name store.Key) string {
			return f.find(store.Refers{Prefix: "subject=", Query: store.Exactly(name)})
		}
		f.rekey(2, rekeyed(pat("p"), 1, "name=y"), rekeyed(obs("2"), 1, "subject=Patient/q", "z"))
		f.equal("by the old name", forward("name=x"), "")
		f.equal("by the new name", forward("name=y"), "1")
		f.equal("back", f.find(store.ReferredBy{Prefix: "subject=", Query: store.Exactly("z")}), "q")
	}},
	{"guards see the new keys", func(f *fixture) {
		f.commit(put(pat("1"), "", "old"))
		f.rekey(1, rekeyed(pat("1"), 1, "new"))
		f.is(f.guarded(guard(store.Exactly("new")), put(pat("2"), "")), store.ErrGuard)
		f.is(f.guarded(guard(store.Exactly("old"), pat("1")), put(pat("2"), "")), store.ErrGuard)
		f.ok(f.guarded(guard(store.Exactly("new"), pat("1")), put(pat("2"), "", "second")))
		f.ok(f.guarded(guard(store.Exactly("old")), put(pat("3"), "", "third")))
	}},
	{"an update and a delete take the new keys away", func(f *fixture) {
		f.commit(put(obs("1"), "", "old"), put(obs("2"), "", "old"))
		f.rekey(2, rekeyed(obs("1"), 1, "new", "more"), rekeyed(obs("2"), 1, "new", "more"))
		f.commit(put(obs("1"), "", "newest"), del(obs("2")))
		f.equal("what is found", f.find(store.Prefix("")), "1")
		for _, k := range []store.Key{"old", "new", "more"} {
			f.equal(k, f.find(store.Exactly(k)), "")
		}
	}},
	{"a version that is not the current one is passed over", func(f *fixture) {
		f.commit(put(obs("1"), "", "first"))
		f.commit(put(obs("1"), "", "second"))
		f.rekey(0, rekeyed(obs("1"), 1, "late"), rekeyed(obs("2"), 1, "never"))
		f.rekey(0, rekeyed(obs("1"), 3, "early"))
		f.rekey(0, rekeyed(obs("1"), 0, "none"))
		f.rekey(0, rekeyed(obs("1"), -1, "negative"))
		f.equal("found", f.find(store.Exactly("second")), "1")
		f.equal("by any key", f.find(store.Or{store.Prefix("a"), store.Prefix("e"), store.Prefix("l"), store.Prefix("n")}), "")
		_, err := f.s.Get(f.ctx, f.tenant, obs("2"))
		f.is(err, store.ErrNotFound)
	}},
	{"a deleted document is passed over", func(f *fixture) {
		f.commit(put(obs("1"), "", "first"))
		f.commit(del(obs("1")))
		f.rekey(0, rekeyed(obs("1"), 1, "new"))
		f.rekey(0, rekeyed(obs("1"), 2, "new"))
		f.equal("found", f.find(store.Prefix("")), "")
		f.commit(put(obs("1"), "", "again"))
		f.rekey(0, rekeyed(obs("1"), 2, "new"))
		f.rekey(1, rekeyed(obs("1"), 3, "new"))
		f.equal("found", f.find(store.Exactly("new")), "1")
	}},
	{"one that is passed over leaves the others of the call alone", func(f *fixture) {
		f.commit(put(obs("1"), "", "old"), put(obs("2"), "", "old"), put(obs("3"), "", "old"), put(obs("4"), "", "old"))
		f.commit(put(obs("1"), "", "newer"), del(obs("2")))
		f.rekey(2, rekeyed(obs("4"), 1, "new"), rekeyed(obs("none"), 1, "new"), rekeyed(obs("2"), 1, "new"), rekeyed(obs("3"), 1, "new"), rekeyed(obs("1"), 1, "new"))
		f.equal("found", f.find(store.Exactly("new")), "3 4")
		f.equal("newer", f.find(store.Exactly("newer")), "1")
	}},
	{"a document can lose all keys and get some", func(f *fixture) {
		f.commit(put(obs("1"), "one", "k"), put(obs("2"), "two"))
		f.rekey(2, rekeyed(obs("1"), 1), rekeyed(obs("2"), 1, "k"))
		f.equal("found", f.find(store.Prefix("")), "2")
		f.body(f.get(obs("1")), "one")
		f.rekey(2, rekeyed(obs("1"), 1, "k"), rekeyed(obs("2"), 1))
		f.equal("found", f.find(store.Prefix("")), "1")
	}},
	{"keys may be in any order, hold duplicates and any bytes", func(f *fixture) {
		f.commit(put(obs("1"), "", "old"), put(obs("2"), "", "old"))
		odd := []store.Key{"\xff", "b", "", "\x00", "b", "a\x00b", "a", "\xff\xff\x00", "a\x00\xff", strings.Repeat("\xff", store.MaxKey), strings.Repeat("\x00", store.MaxKey), "b"}
		f.rekey(1, rekeyed(obs("1"), 1, odd...))
		for _, k := range odd {
			f.equal(fmt.Sprintf("%.20q", k), f.find(store.Exactly(k)), "1")
		}
		f.equal("a key beside them", f.find(store.Or{store.Exactly("a\x00"), store.Exactly("a\xff"), store.Exactly("\x00\x00")}), "")
		f.equal("counted once", f.search(store.Query{Where: store.Prefix(""), Count: true}).Total, 2)
		f.rekey(1, rekeyed(obs("1"), 1, "plain"))
		for _, k := range odd {
			f.equal(fmt.Sprintf("%.20q", k), f.find(store.Exactly(k)), "")
		}
	}},
	{"the keys given are not held on to", func(f *fixture) {
		f.commit(put(obs("1"), "", "old"))
		keys := []store.Key{"c", "a", "b"}
		f.rekey(1, rekeyed(obs("1"), 1, keys...))
		f.equal("the caller's keys", keys, "[c a b]")
		keys[0], keys[1], keys[2] = "x", "y", "z"
		f.equal("found", f.find(store.Range{From: "a", To: "d"}), "1")
		f.equal("by what was put in their place", f.find(store.Range{From: "x", To: "zz"}), "")
	}},
	{"repeating it changes nothing more", func(f *fixture) {
		f.commit(put(obs("1"), "", "old", "d=2"), put(obs("2"), "", "old", "d=1"))
		for range 3 {
			f.rekey(2, rekeyed(obs("1"), 1, "new", "d=1"), rekeyed(obs("2"), 1, "new", "d=2"))
			f.equal("old", f.find(store.Exactly("old")), "")
			f.equal("sorted", f.pages(store.Query{Where: store.Exactly("new"), Sort: []store.Sort{{Range: store.Prefix("d=")}}, Limit: 1}), "1|2")
			f.equal("counted", f.search(store.Query{Where: store.Prefix(""), Count: true}).Total, 2)
		}
		f.equal("head", f.head(), 1)
	}},
	{"very many documents in one call", func(f *fixture) {
		const n = 3000
		var all []store.Change
		var again []store.KeyChange
		for i := range n {
			ref := obs(fmt.Sprintf("%04d", i))
			all = append(all, put(ref, "", "old", fmt.Sprint("i=", i)))
			again = append(again, rekeyed(ref, 1, "new", fmt.Sprint("i=", i), fmt.Sprint("j=", i)))
		}
		f.commit(all...)
		f.rekey(n, again...)
		f.equal("old", f.search(store.Query{Where: store.Exactly("old"), Count: true}).Total, 0)
		f.equal("new", f.search(store.Query{Where: store.Exactly("new"), Count: true}).Total, n)
		f.equal("one of them", f.find(store.And{store.Exactly("i=2999"), store.Exactly("j=2999")}), "2999")
	}},
	{"another tenant's documents keep their keys", func(f *fixture) {
		other := &fixture{t: f.t, ctx: f.ctx, s: f.s, tenant: f.tenant + "/other"}
		f.commit(put(obs("1"), "", "old"))
		other.commit(put(obs("1"), "", "old"), put(obs("2"), "", "old"))
		f.rekey(1, rekeyed(obs("1"), 1, "new"), rekeyed(obs("2"), 1, "new"))
		f.equal("here", f.find(store.Prefix("")), "1")
		f.equal("there", other.find(store.Exactly("old")), "1 2")
		f.equal("there, new", other.find(store.Exactly("new")), "")
	}},
	{"a tenant that never committed has nothing to change", func(f *fixture) {
		f.rekey(0, rekeyed(obs("1"), 1, "k"))
		f.rekey(0)
		tenants, err := f.s.Tenants(f.ctx)
		f.ok(err)
		for _, t := range tenants {
			if t == f.tenant {
				f.t.Errorf("the tenant is listed")
			}
		}
	}},
	{"what can never be right is ErrInvalid and changes nothing", func(f *fixture) {
		f.commit(put(obs("1"), "", "old"))
		good := rekeyed(obs("1"), 1, "new")
		for _, bad := range [][]store.KeyChange{
			{good, rekeyed(store.Ref{}, 1)},
			{good, rekeyed(store.Ref{Type: "A", ID: "a/b"}, 1)},
			{good, rekeyed(obs("2"), 1, strings.Repeat("k", store.MaxKey+1))},
			{good, good},
		} {
			_, err := f.tryRekey(bad...)
			f.is(err, store.ErrInvalid)
		}
		f.equal("found", f.find(store.Exactly("old")), "1")
		f.equal("new", f.find(store.Exactly("new")), "")
	}},
	{"an error names nobody", func(f *fixture) {
		secret := "Mustermann-4711"
		_, err := f.tryRekey(rekeyed(obs(secret), 1), rekeyed(obs(secret), 1))
		if err == nil || strings.Contains(err.Error(), secret) {
			f.t.Errorf("error is %v", err)
		}
		_, err = f.tryRekey(rekeyed(obs("1"), 1, strings.Repeat(secret, 100)))
		if err == nil || strings.Contains(err.Error(), secret) {
			f.t.Errorf("error is %v", err)
		}
	}},
	{"a context that has ended changes nothing", func(f *fixture) {
		f.commit(put(obs("1"), "", "old"))
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		_, err := f.s.Rekey(ctx, f.tenant, []store.KeyChange{rekeyed(obs("1"), 1, "new")})
		f.is(err, context.Canceled)
		f.equal("found", f.find(store.Exactly("old")), "1")
	}},
	{"no query sees a part of a document's keys", func(f *fixture) {
		const n = 12
		var all []store.Change
		for i := range n {
			all = append(all, put(obs(fmt.Sprint(i)), "", "left=0", "right=0"))
		}
		f.commit(all...)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			defer close(stop)
			for round := 1; round <= 20; round++ {
				var again []store.KeyChange
				for i := range n {
					again = append(again, rekeyed(obs(fmt.Sprint(i)), 1, fmt.Sprint("left=", round%2), fmt.Sprint("right=", round%2)))
				}
				if k, err := f.tryRekey(again...); err != nil || k != n {
					f.t.Errorf("rekeyed %d, %v", k, err)
				}
			}
		})
		left0, right0, left1, right1 := store.Exactly("left=0"), store.Exactly("right=0"), store.Exactly("left=1"), store.Exactly("right=1")
		for running := true; running; {
			select {
			case <-stop:
				running = false
			default:
			}
			for _, where := range []store.Clause{
				store.And{left0, store.Not{Clause: right0}}, store.And{right0, left1},
				store.And{store.Or{left0, left1}, store.Not{Clause: store.Or{right0, right1}}},
			} {
				if p, err := f.s.Search(f.ctx, f.tenant, store.Query{Where: where, Limit: n}); err != nil || len(p.Documents) > 0 {
					f.t.Errorf("%d documents have a part of their keys, %v", len(p.Documents), err)
					running = false
				}
			}
		}
		wg.Wait()
		f.equal("all", f.search(store.Query{Where: store.And{left0, right0}, Count: true}).Total, n)
	}},
	{"commits at once with it: the last version's keys remain", func(f *fixture) {
		const documents, writers, updates = 60, 2, 25
		// Enough keys for a call to take a while.
		keysOf := func(v int64, more ...store.Key) []store.Key {
			keys := append([]store.Key{"all", fmt.Sprint("version=", v)}, more...)
			for i := range 30 {
				keys = append(keys, fmt.Sprint("i=", i, " of ", v))
			}
			return keys
		}
		var changes []store.Change
		for i := range documents {
			changes = append(changes, store.Change{Ref: obs(fmt.Sprint(i)), Render: func(s store.Stamp) store.Content {
				return store.Content{Keys: keysOf(s.Version)}
			}})
		}
		f.commit(changes...)
		var writing, rekeying sync.WaitGroup
		stop := make(chan struct{})
		for i := range writers {
			writing.Go(func() {
				for range updates {
					if _, err := f.try(changes[i*documents/writers : (i+1)*documents/writers]...); err != nil {
						f.t.Errorf("commit: %v", err)
					}
				}
			})
		}
		for range 3 {
			rekeying.Go(func() {
				for last := false; !last; {
					select {
					case <-stop:
						last = true // once more, when nobody writes
					default:
					}
					var again []store.KeyChange
					found, err := f.s.Search(f.ctx, f.tenant, store.Query{Where: all, Limit: documents, RefsOnly: true})
					for _, d := range found.Documents {
						again = append(again, rekeyed(d.Ref, d.Version, keysOf(d.Version, "rekeyed")...))
					}
					if err == nil {
						_, err = f.tryRekey(again...)
					}
					if err != nil {
						f.t.Errorf("rekey: %v", err)
						return
					}
				}
			})
		}
		writing.Wait()
		close(stop)
		rekeying.Wait()
		f.equal("rekeyed", f.search(store.Query{Where: store.Exactly("rekeyed"), Count: true}).Total, documents)
		f.equal("by the last version", f.search(store.Query{Where: store.Exactly(fmt.Sprint("version=", updates+1)), Count: true}).Total, documents)
		f.equal("by any version", f.search(store.Query{Where: store.Prefix("version="), Count: true}).Total, documents)
		for v := 1; v <= updates; v++ {
			f.equal("by an older version", f.search(store.Query{Where: store.Exactly(fmt.Sprint("version=", v)), Count: true}).Total, 0)
		}
		f.equal("head", f.head(), 1+writers*updates)
	}},
	{"of conditional creates at once with it none overlooks the new key", func(f *fixture) {
		// Whoever finds no holder has been appended before the document got
		// the key; from then on nobody creates.
		f.commit(put(pat("0"), ""))
		var wg sync.WaitGroup
		begun, given := make(chan struct{}), make(chan struct{})
		var once sync.Once
		for i := range 8 {
			wg.Go(func() {
				for n := 0; ; n++ {
					late := false
					select {
					case <-given:
						late = true
					default:
					}
					err := f.guarded(guard(store.Exactly("holder")), put(pat(fmt.Sprint(i+1, "-", n)), ""))
					once.Do(func() { close(begun) })
					switch {
					case err == nil && late:
						f.t.Errorf("created though there was a holder")
						return
					case errors.Is(err, store.ErrGuard):
						return
					case err != nil:
						f.t.Errorf("commit: %v", err)
						return
					}
				}
			})
		}
		<-begun
		f.rekey(1, rekeyed(pat("0"), 1, "holder"))
		close(given)
		wg.Wait()
	}},
}
