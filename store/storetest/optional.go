package storetest

import (
	"fmt"
	"sync"

	"github.com/fhirfacade/fhirfacade/store"
)

// optionalTests check what an engine may have beside the contract, if it has
// it.
var optionalTests = []test{
	{"trimming takes the beginning of the log and nothing else", func(f *fixture) {
		trimmer, ok := f.s.(store.LogTrimmer)
		if !ok {
			return
		}
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
		f.floor(trimmer, 1)
		f.ok(trimmer.TrimLog(f.ctx, f.tenant, 12))
		f.floor(trimmer, 12)
		_, err := f.s.ReadLog(f.ctx, f.tenant, 0, 10)
		f.is(err, store.ErrTrimmed)
		_, err = f.s.ReadLog(f.ctx, f.tenant, 10, 10)
		f.is(err, store.ErrTrimmed)
		f.equal("first entry", f.log(11, 1)[0].Seq, 12)
		f.equal("entries", len(f.log(11, 100)), 20)
		f.equal("history", everything(), before)

		f.ok(trimmer.TrimLog(f.ctx, f.tenant, 5)) // nothing comes back
		f.floor(trimmer, 12)
		f.ok(trimmer.TrimLog(f.ctx, f.tenant, 1000)) // as many as there are
		f.floor(trimmer, 32)
		f.equal("entries", len(f.log(31, 100)), 0)
		f.equal("head", f.head(), 31)
		f.equal("history", everything(), before)
		f.equal("next", f.commit(put(obs("new"), "")).Seq, 32)
		f.equal("entries", len(f.log(31, 100)), 1)
	}},
	{"dropping a tenant removes all of it and of no other", func(f *fixture) {
		dropper, ok := f.s.(store.TenantDropper)
		if !ok {
			return
		}
		other := &fixture{t: f.t, ctx: f.ctx, s: f.s, tenant: f.tenant + "\x01"}
		for _, g := range []*fixture{f, other} {
			g.commit(put(obs("1"), "one", "k"))
			g.commit(put(obs("1"), "two", "k"))
			g.putItem(0, "kind", "id", "body", "k")
		}
		f.ok(dropper.DropTenant(f.ctx, f.tenant))
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
		tenants, err := f.s.Tenants(f.ctx)
		f.ok(err)
		for _, t := range tenants {
			if t == f.tenant {
				f.t.Errorf("the dropped tenant is listed")
			}
		}
		f.body(other.get(obs("1")), "two")
		f.equal("the other's item", other.item("kind", "id"), "body v1")

		f.equal("a new beginning", f.commit(put(obs("1"), "new", "k")).Seq, 1)
		f.equal("version", f.get(obs("1")).Version, 1)
		f.equal("found", f.find(store.Exactly("k")), "1")
		f.ok(dropper.DropTenant(f.ctx, f.tenant+"/never"))
	}},
	{"commits and a drop at once", func(f *fixture) {
		dropper, ok := f.s.(store.TenantDropper)
		if !ok {
			return
		}
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
		f.ok(dropper.DropTenant(f.ctx, f.tenant))
		wg.Wait()
		// What is there now was all committed after the drop.
		f.equal("entries", len(f.log(0, 1000)), f.head())
		f.equal("documents", f.search(store.Query{Where: store.Exactly("k"), Count: true}).Total, f.head())
		_, err := f.s.Get(f.ctx, f.tenant, obs("first"))
		f.is(err, store.ErrNotFound)
	}},
}

func (f *fixture) floor(t store.LogTrimmer, want int64) {
	f.t.Helper()
	got, err := t.LogFloor(f.ctx, f.tenant)
	f.ok(err)
	f.equal("floor", got, want)
}
