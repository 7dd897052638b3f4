package storetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/fhirfacade/fhirfacade/store"
)

var trimAndDropTests = []test{
	{"trimming takes the beginning of the log and nothing else", func(f *fixture) {
		for i := range 30 {
			f.commit(put(obs(fmt.Sprint(i%7)), fmt.Sprint("body ", i), "k"), put(pat(fmt.Sprint(i)), ""))
		}
		f.commit(del(obs("3")))
		everything := func() string {
			out := ""
			for _, q := range []store.HistoryQuery{{Limit: 1000}, {Type: "Observation", Limit: 1000}, {Type: "Observation", ID: "3", Limit: 1000}} {
				out += versions(f.history(q)) + "\n"
			}
			return out
		}
		before := everything()
		f.floor(1)
		f.ok(f.s.TrimLog(f.ctx, f.tenant, 12))
		f.floor(12)
		_, err := f.s.ReadLog(f.ctx, f.tenant, 0, 10)
		f.is(err, store.ErrTrimmed)
		_, err = f.s.ReadLog(f.ctx, f.tenant, 10, 10)
		f.is(err, store.ErrTrimmed)
		f.equal("first entry", f.log(11, 1)[0].Seq, 12)
		f.equal("entries", len(f.log(11, 100)), 20)
		f.equal("history", everything(), before)

		f.ok(f.s.TrimLog(f.ctx, f.tenant, 5)) // nothing comes back
		f.floor(12)
		f.ok(f.s.TrimLog(f.ctx, f.tenant, 1000)) // as many as there are
		f.floor(32)
		f.equal("entries", len(f.log(31, 100)), 0)
		f.equal("head", f.head(), 31)
		f.equal("history", everything(), before)
		f.equal("next", f.commit(put(obs("new"), "")).Seq, 32)
		f.equal("entries", len(f.log(31, 100)), 1)
	}},
	{"entries that were committed together can be trimmed apart", func(f *fixture) {
		const writers, each = 8, 6
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				for n := range each {
					if _, err := f.s.Commit(f.ctx, f.tenant, store.Commit{Source: "s", Event: "e", Info: []byte("i"), Changes: []store.Change{put(obs(fmt.Sprint(i, "-", n)), "")}}); err != nil {
						f.t.Errorf("commit: %v", err)
					}
				}
			})
		}
		wg.Wait()
		before := versions(f.history(store.HistoryQuery{Limit: 1000}))
		log := f.log(0, 1000)
		for floor := int64(2); floor <= writers*each+1; floor += 5 {
			f.ok(f.s.TrimLog(f.ctx, f.tenant, floor))
			f.floor(floor)
			for at := int64(0); at < writers*each; at++ {
				entries, err := f.s.ReadLog(f.ctx, f.tenant, at, 3)
				if at+1 < floor {
					f.is(err, store.ErrTrimmed)
					continue
				}
				f.ok(err)
				for i, e := range entries {
					f.equal("entry", fmt.Sprint(e), fmt.Sprint(log[int(at)+i]))
				}
				f.equal("entries", len(entries), min(3, writers*each-at))
			}
			f.equal("history", versions(f.history(store.HistoryQuery{Limit: 1000})), before)
		}
		h, err := f.s.WaitLog(f.ctx, f.tenant, 0)
		f.ok(err)
		f.equal("WaitLog", h, writers*each)
	}},
	{"a tenant that never committed has nothing to trim, and is none", func(f *fixture) {
		f.floor(1)
		f.ok(f.s.TrimLog(f.ctx, f.tenant, 100))
		f.floor(1)
		f.ok(f.s.TrimLog(f.ctx, f.tenant, -1))
		f.equal("listed", f.listed(), false)
		f.equal("next", f.commit(put(obs("1"), "")).Seq, 1)
		f.equal("entries", len(f.log(0, 10)), 1)
	}},
	{"dropping a tenant removes all of it and of no other", func(f *fixture) {
		other := &fixture{t: f.t, ctx: f.ctx, s: f.s, tenant: f.tenant + "\x01"}
		for _, g := range []*fixture{f, other} {
			g.commit(put(obs("1"), "one", "k"))
			g.commit(put(obs("1"), "two", "k"))
			g.putItem(0, "kind", "id", "body", "k")
		}
		f.ok(f.s.DropTenant(f.ctx, f.tenant))
		_, err := f.s.Get(f.ctx, f.tenant, obs("1"))
		f.is(err, store.ErrNotFound)
		_, err = f.s.GetVersion(f.ctx, f.tenant, obs("1"), 1)
		f.is(err, store.ErrNotFound)
		_, err = f.s.GetItem(f.ctx, f.tenant, "kind", "id")
		f.is(err, store.ErrNotFound)
		f.equal("found", f.find(store.Exactly("k")), "")
		f.equal("history", len(f.history(store.HistoryQuery{Limit: 10}).Versions), 0)
		f.equal("head and log", []any{f.head(), len(f.log(0, 10))}, []any{0, 0})
		f.equal("items", f.scan(store.ItemScan{Kind: "kind", Limit: 10}), "")
		f.equal("listed", f.listed(), false)
		f.floor(1)
		f.body(other.get(obs("1")), "two")
		f.equal("the other's item", other.item("kind", "id"), "body v1")

		f.equal("a new beginning", f.commit(put(obs("1"), "new", "k")).Seq, 1)
		f.equal("version", f.get(obs("1")).Version, 1)
		f.equal("found", f.find(store.Exactly("k")), "1")
		f.ok(f.s.DropTenant(f.ctx, f.tenant+"/never"))
	}},
	{"who waits for the log of a dropped tenant waits for the new one's", func(f *fixture) {
		f.commit(put(obs("1"), ""), put(obs("2"), ""))
		f.commit(put(obs("1"), ""))
		got := make(chan int64, 1)
		var err error
		go func() {
			var h int64
			h, err = f.s.WaitLog(f.ctx, f.tenant, 2)
			got <- h
		}()
		f.ok(f.s.DropTenant(f.ctx, f.tenant))
		for i := range 3 {
			f.commit(put(obs(fmt.Sprint(i)), ""))
		}
		f.equal("head", <-got, 3)
		f.ok(err)
		f.equal("entries", len(f.log(0, 10)), 3)
	}},
	{"a tenant can be dropped again and again, and twice at once", func(f *fixture) {
		for range 2 {
			f.commit(put(obs("1"), "", "k"))
			f.putItem(0, "kind", "id", "body")
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() { f.ok(f.s.DropTenant(f.ctx, f.tenant)) })
			}
			wg.Wait()
			f.equal("head", f.head(), 0)
			f.equal("found", f.find(store.Exactly("k")), "")
			f.equal("listed", f.listed(), false)
		}
	}},
	{"commits and a drop at once", func(f *fixture) {
		f.commit(put(obs("first"), "", "k"))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := range 20 {
					if _, err := f.try(put(obs(fmt.Sprint(i, "-", n)), "", "k")); err != nil {
						f.is(err, store.ErrUnavailable)
					}
				}
			})
		}
		f.ok(f.s.DropTenant(f.ctx, f.tenant))
		wg.Wait()
		// What is there now was all committed after the drop.
		f.equal("entries", len(f.log(0, 1000)), f.head())
		f.equal("documents", f.search(store.Query{Where: store.Exactly("k"), Count: true}).Total, f.head())
		_, err := f.s.Get(f.ctx, f.tenant, obs("first"))
		f.is(err, store.ErrNotFound)
	}},
}

func (f *fixture) floor(want int64) {
	f.t.Helper()
	got, err := f.s.LogFloor(f.ctx, f.tenant)
	f.ok(err)
	f.equal("floor", got, want)
}

func (f *fixture) listed() bool {
	f.t.Helper()
	tenants, err := f.s.Tenants(f.ctx)
	f.ok(err)
	return slices.Contains(tenants, f.tenant)
}
