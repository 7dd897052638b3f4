package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
)

var tenantTests = []test{
	{"tenants whose names begin alike share nothing", func(f *fixture) {
		base := string(f.tenant)
		var of []*fixture
		for _, suffix := range []string{"", "/b", "/bc", "/b/c", "/b\x01", "/b\x01\x01", "/\xff", "/\xff\xff"} {
			of = append(of, &fixture{t: f.t, ctx: f.ctx, s: f.s, tenant: store.Tenant(base + suffix)})
		}
		for i, g := range of {
			for range i + 1 {
				g.commit(put(pat("1"), string(g.tenant), "k", "\x00k", "\xff", "name=1"))
			}
			g.commit(put(obs("o"), "", "subject=Patient/1", string(g.tenant)))
			g.putItem(0, "kind", "id", string(g.tenant), "k", "\xff")
		}
		everything := store.Range{From: "", To: strings.Repeat("\xff", store.MaxKey+1)}
		for i, g := range of {
			d := g.get(pat("1"))
			f.body(d, string(g.tenant))
			f.equal("version", d.Version, i+1)
			f.equal("head", g.head(), i+2)
			f.equal("log", len(g.log(0, 100)), i+2)
			f.equal("every document", g.find(everything), "1 o")
			f.equal("by key", g.find(store.Exactly("k")), "1")
			f.equal("by prefix", g.find(store.Prefix("\xff")), "1")
			f.equal("by chain", g.find(store.Refers{Prefix: "subject=", Query: store.Exactly("name=1")}), "o")
			f.equal("counted", g.search(store.Query{Where: everything, Count: true}).Total, 2)
			f.equal("history", len(g.history(store.HistoryQuery{Limit: 100}).Versions), i+2)
			f.equal("history of a type", len(g.history(store.HistoryQuery{Type: "Patient", Limit: 100}).Versions), i+1)
			f.equal("history of a document", len(g.history(store.HistoryQuery{Type: "Patient", ID: "1", Limit: 100}).Versions), i+1)
			f.equal("item", g.item("kind", "id"), string(g.tenant)+" v1")
			f.equal("scan by id", g.scan(store.ItemScan{Kind: "kind", Limit: 100}), "id")
			f.equal("scan by key", g.scan(store.ItemScan{Kind: "kind", Range: &everything, Limit: 100}), "id id")
		}
		_, err := f.s.Get(f.ctx, f.tenant+"/a", pat("1"))
		f.is(err, store.ErrNotFound)
	}},
	{"Tenants lists them in byte order", func(f *fixture) {
		made := []store.Tenant{f.tenant + "/b", f.tenant + "/a", f.tenant + "/\xff", f.tenant + "/B", f.tenant + "/a\x01"}
		for _, t := range made {
			g := &fixture{t: f.t, ctx: f.ctx, s: f.s, tenant: t}
			if strings.HasSuffix(string(t), "/B") {
				g.putItem(0, "k", "i", "")
			} else {
				g.commit(put(pat("1"), ""))
			}
		}
		untouched := f.tenant + "/untouched"
		_, err := f.s.Commit(f.ctx, untouched, store.Commit{Changes: []store.Change{expecting(store.AtVersion(1), put(pat("1"), ""))}})
		f.is(err, store.ErrConflict)
		_, err = f.s.Get(f.ctx, untouched, pat("1"))
		f.is(err, store.ErrNotFound)
		got, err := f.s.Tenants(f.ctx)
		f.ok(err)
		got = slices.DeleteFunc(got, func(t store.Tenant) bool { return !strings.HasPrefix(string(t), string(f.tenant)) })
		slices.Sort(made)
		f.equal("tenants", fmt.Sprintf("%q", got), fmt.Sprintf("%q", made))
	}},
	{"the system tenant takes no commits", func(f *fixture) {
		_, err := f.s.Commit(f.ctx, store.System, store.Commit{Changes: []store.Change{put(pat("1"), "")}})
		f.is(err, store.ErrInvalid)
	}},
}

var errorTests = []test{
	{"what can never be right is ErrInvalid", func(f *fixture) {
		bad := []store.Ref{{}, {Type: "T"}, {ID: "i"}, {Type: "T", ID: "a/b"}, {Type: "T/U", ID: "i"}, {Type: "T", ID: "a\x00"}}
		for _, ref := range bad {
			_, err := f.try(put(ref, ""))
			f.is(err, store.ErrInvalid)
			_, err = f.s.Get(f.ctx, f.tenant, ref)
			f.is(err, store.ErrInvalid)
			_, err = f.s.GetVersion(f.ctx, f.tenant, ref, 1)
			f.is(err, store.ErrInvalid)
			_, err = f.s.GetMany(f.ctx, f.tenant, []store.Ref{pat("1"), ref})
			f.is(err, store.ErrInvalid)
			_, err = f.s.GetItem(f.ctx, f.tenant, ref.Type, ref.ID)
			f.is(err, store.ErrInvalid)
			_, err = f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: ref.Type, ID: ref.ID}, 0)
			f.is(err, store.ErrInvalid)
			f.is(f.s.DeleteItem(f.ctx, f.tenant, ref.Type, ref.ID, 0), store.ErrInvalid)
		}
		_, err := f.try(put(pat("1"), ""), put(pat("1"), ""))
		f.is(err, store.ErrInvalid)
		for _, where := range []store.Clause{nil, store.Not{Clause: red}, store.And{}, store.And{store.Not{Clause: red}}, store.Or{red, store.Not{Clause: blue}}, store.And{red, nil}, store.Refers{}, store.ReferredBy{}, store.And{red, store.Not{}}} {
			_, err := f.s.Search(f.ctx, f.tenant, store.Query{Where: where, Limit: 1})
			f.is(err, store.ErrInvalid)
			f.is(f.guarded(guard(where), put(pat("1"), "")), store.ErrInvalid)
		}
		_, err = f.s.Search(f.ctx, f.tenant, store.Query{Where: red, Limit: -1})
		f.is(err, store.ErrInvalid)
		_, err = f.s.Search(f.ctx, f.tenant, store.Query{Where: red, Limit: 1, After: &store.Cursor{Keys: []*store.Key{nil}}})
		f.is(err, store.ErrInvalid)
		_, err = f.s.History(f.ctx, f.tenant, store.HistoryQuery{})
		f.is(err, store.ErrInvalid)
		_, err = f.s.History(f.ctx, f.tenant, store.HistoryQuery{ID: "1", Limit: 1})
		f.is(err, store.ErrInvalid)
		_, err = f.s.ScanItems(f.ctx, f.tenant, store.ItemScan{Kind: "k"})
		f.is(err, store.ErrInvalid)
		_, err = f.s.ScanItems(f.ctx, f.tenant, store.ItemScan{Limit: 1})
		f.is(err, store.ErrInvalid)
		f.equal("head", f.head(), 0)
	}},
	{"no call takes what is no tenant", func(f *fixture) {
		for _, t := range []store.Tenant{"", "a\x00", store.Tenant(strings.Repeat("t", 129))} {
			for name, err := range everyCall(f.ctx, f.s, t) {
				if !errors.Is(err, store.ErrInvalid) {
					f.t.Errorf("%s: %v", name, err)
				}
			}
		}
	}},
	{"error texts name nobody", func(f *fixture) {
		secret := "Mustermann-4711"
		f.commit(put(pat(secret), secret, "name="+secret))
		f.putItem(0, "k", secret, secret, secret)
		var errs []error
		add := func(_ any, err error) { errs = append(errs, err) }
		add(f.try(expecting(store.Absent(), put(pat(secret), secret))))
		add(nil, f.guarded(guard(store.Exactly("name="+secret)), put(pat("2"), secret)))
		add(f.s.Get(f.ctx, f.tenant, obs(secret)))
		add(f.s.GetVersion(f.ctx, f.tenant, pat(secret), 9))
		add(f.s.Get(f.ctx, f.tenant, obs(secret+"/")))
		add(f.try(put(pat(secret), ""), put(pat(secret), "")))
		add(f.try(put(pat(secret), "", strings.Repeat(secret, 100))))
		add(f.try(put(pat(secret), strings.Repeat(secret, MaxBody/10))))
		add(f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: secret}, 0))
		add(f.s.GetItem(f.ctx, f.tenant, "none", secret))
		for i, err := range errs {
			if err == nil || strings.Contains(err.Error(), secret) {
				f.t.Errorf("error %d: %v", i, err)
			}
		}
	}},
	{"a call whose context has ended returns that", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		for name, err := range everyCall(ctx, f.s, f.tenant) {
			if !errors.Is(err, context.Canceled) {
				f.t.Errorf("%s: %v", name, err)
			}
		}
	}},
}

// everyCall makes each call that names a tenant, with valid arguments.
func everyCall(ctx context.Context, s store.Store, t store.Tenant) map[string]error {
	out := map[string]error{}
	add := func(name string) func(any, error) { return func(_ any, err error) { out[name] = err } }
	add("Commit")(s.Commit(ctx, t, store.Commit{Changes: []store.Change{put(pat("1"), "")}}))
	add("Get")(s.Get(ctx, t, pat("1")))
	add("GetVersion")(s.GetVersion(ctx, t, pat("1"), 1))
	add("GetMany")(s.GetMany(ctx, t, []store.Ref{pat("1")}))
	add("History")(s.History(ctx, t, store.HistoryQuery{Limit: 1}))
	add("Search")(s.Search(ctx, t, store.Query{Where: red, Limit: 1}))
	add("Head")(s.Head(ctx, t))
	add("ReadLog")(s.ReadLog(ctx, t, 0, 1))
	add("WaitLog")(s.WaitLog(ctx, t, 1<<40))
	add("GetItem")(s.GetItem(ctx, t, "k", "i"))
	add("PutItem")(s.PutItem(ctx, t, store.Item{Kind: "k", ID: "i"}, store.ItemAny))
	add("DeleteItem")(nil, s.DeleteItem(ctx, t, "k", "i", store.ItemAny))
	add("ScanItems")(s.ScanItems(ctx, t, store.ItemScan{Kind: "k", Limit: 1}))
	add("TrimLog")(nil, s.TrimLog(ctx, t, 0))
	add("DropTenant")(nil, s.DropTenant(ctx, t))
	add("LogFloor")(s.LogFloor(ctx, t))
	add("Rekey")(s.Rekey(ctx, t, []store.KeyChange{{Ref: pat("1"), Version: 1}}))
	return out
}

func testClose(t *testing.T, open func(t *testing.T) store.Store) {
	s := open(t)
	f := &fixture{t: t, ctx: contextFor(t), s: s, tenant: "suite/Close"}
	f.ok(s.Ping(f.ctx))
	f.commit(put(pat("1"), ""))
	head := f.head()

	waiting := make(chan error, 1)
	go func() {
		_, err := s.WaitLog(f.ctx, f.tenant, 1<<40)
		waiting <- err
	}()
	// Commits that are under way when Close comes happen or are refused.
	var wg sync.WaitGroup
	first := make(chan struct{})
	var once sync.Once
	var done [8]int64
	for i := range done {
		wg.Go(func() {
			for {
				_, err := f.try(put(obs(fmt.Sprint(i)), ""))
				if err != nil {
					f.is(err, store.ErrClosed)
					return
				}
				done[i]++
				once.Do(func() { close(first) })
			}
		})
	}
	<-first
	f.ok(s.Close())
	wg.Wait()
	for _, n := range done {
		head += n
	}
	if head < 2 {
		t.Errorf("no commit happened before Close")
	}
	f.is(<-waiting, store.ErrClosed)

	for name, err := range everyCall(f.ctx, s, f.tenant) {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	_, err := s.Tenants(f.ctx)
	f.is(err, store.ErrClosed)
	f.is(s.Ping(f.ctx), store.ErrClosed)
}
