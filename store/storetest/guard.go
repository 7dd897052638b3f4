package storetest

import (
	"errors"
	"fmt"

	"github.com/fhirfacade/fhirfacade/store"
)

func (f *fixture) guarded(guards []store.Guard, changes ...store.Change) error {
	_, err := f.s.Commit(f.ctx, f.tenant, store.Commit{Guards: guards, Changes: changes})
	return err
}

func guard(where store.Clause, matches ...store.Ref) []store.Guard {
	return []store.Guard{{Where: where, Matches: matches}}
}

var guardTests = []test{
	{"a guard holds when exactly its matches are found", func(f *fixture) {
		f.commit(put(pat("1"), "", "k", "one"), put(pat("2"), "", "k"))
		k := store.Exactly("k")
		f.ok(f.guarded(guard(k, pat("1"), pat("2"))))
		f.ok(f.guarded(guard(k, pat("2"), pat("1"))))
		for _, wrong := range [][]store.Ref{nil, {pat("1")}, {pat("1"), pat("3")}, {pat("1"), pat("2"), pat("3")}, {obs("1"), pat("2")}} {
			err := f.guarded(guard(k, wrong...), put(pat("9"), ""))
			f.is(err, store.ErrGuard)
		}
		_, err := f.s.Get(f.ctx, f.tenant, pat("9"))
		f.is(err, store.ErrNotFound)
		f.ok(f.guarded(guard(store.And{k, store.Not{Clause: store.Exactly("one")}}, pat("2")), put(pat("9"), "")))
	}},
	{"a guard error says which guard and what it found", func(f *fixture) {
		f.commit(put(pat("1"), "", "k"))
		err := f.guarded([]store.Guard{{Where: store.Exactly("none")}, {Where: store.Exactly("k")}}, put(pat("2"), ""))
		var g *store.GuardError
		if !errors.As(err, &g) {
			f.t.Fatalf("%v is no *GuardError", err)
		}
		f.equal("index and found", []any{g.Index, g.Found}, []any{1, []store.Ref{pat("1")}})
	}},
	{"a guard that finds very many documents does not hold, and says a few", func(f *fixture) {
		var all []store.Change
		for i := range 1500 {
			all = append(all, put(obs(fmt.Sprint(i)), "", "many"))
		}
		f.commit(all...)
		err := f.guarded(guard(store.Exactly("many")), put(pat("1"), ""))
		var g *store.GuardError
		if !errors.As(err, &g) || len(g.Found) == 0 || len(g.Found) > 100 {
			f.t.Errorf("error is %v", err)
		}
	}},
	{"a deleted document is found by no guard", func(f *fixture) {
		f.commit(put(pat("1"), "", "k"))
		f.commit(del(pat("1")))
		f.ok(f.guarded(guard(store.Exactly("k")), put(pat("2"), "", "k")))
	}},
	{"conditional creates at once make one document", func(f *fixture) {
		for _, key := range []store.Key{"a", "b"} {
			f.equal("created", f.race(64, func(i int) error {
				return f.guarded(guard(store.Exactly(key)), put(pat(fmt.Sprint(key, i)), "", key))
			}, store.ErrGuard), 1)
			f.equal("found", f.search(store.Query{Where: store.Exactly(key), Count: true}).Total, 1)
		}
		f.equal("head", f.head(), 2)
	}},
	{"conditional creates of different documents all happen", func(f *fixture) {
		f.equal("created", f.race(64, func(i int) error {
			k := fmt.Sprint("id=", i)
			return f.guarded(guard(store.Exactly(k)), put(pat(fmt.Sprint(i)), "", k, "all"))
		}, store.ErrGuard), 64)
		f.equal("found", f.search(store.Query{Where: store.Exactly("all"), Count: true}).Total, 64)
	}},
	{"a guard sees what others write to and take from its matches", func(f *fixture) {
		// Each of these hands the key on to itself; who loses the race must
		// see the winner as the holder.
		f.commit(put(pat("0"), "", "holder"))
		f.equal("took over", f.race(16, func(i int) error {
			return f.guarded(guard(store.Exactly("holder"), pat("0")), put(pat("0"), ""), put(pat(fmt.Sprint(i+1)), "", "holder"))
		}, store.ErrGuard), 1)
		f.equal("holders", f.search(store.Query{Where: store.Exactly("holder"), Count: true}).Total, 1)
	}},
	{"guards with sub-queries see what is committed at once", func(f *fixture) {
		f.commit(put(pat("p"), "", "name=x"))
		where := store.And{store.Exactly("obs"), store.Refers{Prefix: "subject=", Query: store.Exactly("name=x")}}
		f.equal("created", f.race(16, func(i int) error {
			return f.guarded(guard(where), put(obs(fmt.Sprint(i)), "", "obs", "subject=Patient/p"))
		}, store.ErrGuard), 1)
		back := store.ReferredBy{Prefix: "subject=", Query: store.Exactly("obs")}
		f.ok(f.guarded(guard(back, pat("p")), put(pat("q"), "")))
		f.is(f.guarded(guard(back), put(pat("r"), "")), store.ErrGuard)
	}},
	{"a guard on a range", func(f *fixture) {
		f.commit(put(obs("1"), "", "v=10"), put(obs("2"), "", "v=20"))
		f.ok(f.guarded(guard(store.Range{From: "v=15", To: "v=25"}, obs("2")), put(obs("3"), "", "v=17")))
		f.is(f.guarded(guard(store.Range{From: "v=15", To: "v=25"}, obs("2")), put(obs("4"), "")), store.ErrGuard)
	}},
	{"a commit of nothing but guards that hold is not appended", func(f *fixture) {
		f.ok(f.guarded(guard(store.Exactly("k"))))
		f.equal("head", f.head(), 0)
	}},
}
