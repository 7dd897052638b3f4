package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

func (f *fixture) putItem(expect int64, kind, id, body string, keys ...store.Key) store.Item {
	f.t.Helper()
	it, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: kind, ID: id, Body: []byte(body), Keys: keys}, expect)
	f.ok(err)
	return it
}

func (f *fixture) item(kind, id string) string {
	f.t.Helper()
	it, err := f.s.GetItem(f.ctx, f.tenant, kind, id)
	if errors.Is(err, store.ErrNotFound) {
		return "none"
	}
	f.ok(err)
	return fmt.Sprintf("%s v%d", it.Body, it.Version)
}

// scan walks all pages of a scan; "|" stands between pages.
func (f *fixture) scan(q store.ItemScan) string {
	f.t.Helper()
	var pages []string
	for range 1000 {
		p, err := f.s.ScanItems(f.ctx, f.tenant, q)
		f.ok(err)
		var out []string
		for _, it := range p.Items {
			f.equal("kind", it.Kind, q.Kind)
			out = append(out, it.ID)
		}
		if len(out) > q.Limit {
			f.t.Fatalf("a page of %d, limit %d", len(out), q.Limit)
		}
		pages = append(pages, strings.Join(out, " "))
		if q.After = p.Next; p.Next == "" {
			return strings.Join(pages, "|")
		}
	}
	f.t.Fatalf("scanning does not end")
	return ""
}

var itemTests = []test{
	{"an item comes back as it was put", func(f *fixture) {
		at := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
		put, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "lease", ID: "a", Body: []byte{0, 255}, Keys: []store.Key{"b", "\x00", "b", "\xff"}, Expires: at}, 0)
		f.ok(err)
		got, err := f.s.GetItem(f.ctx, f.tenant, "lease", "a")
		f.ok(err)
		f.equal("item", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", put))
		f.equal("body", got.Body, []byte{0, 255})
		f.equal("keys", fmt.Sprintf("%q", got.Keys), fmt.Sprintf("%q", []store.Key{"\x00", "b", "\xff"}))
		f.equal("kind, id, version", []any{got.Kind, got.ID, got.Version}, []any{"lease", "a", 1})
		if !got.Expires.Equal(at) {
			f.t.Errorf("expires %v, want %v", got.Expires, at)
		}
		f.equal("another kind", f.item("leases", "a"), "none")
		f.equal("another id", f.item("lease", "aa"), "none")
		plain := f.putItem(0, "lease", "b", "")
		f.equal("no expiry", plain.Expires.IsZero(), true)
		got, err = f.s.GetItem(f.ctx, f.tenant, "lease", "b")
		f.ok(err)
		f.equal("no expiry", got.Expires.IsZero(), true)
	}},
	{"compare and set", func(f *fixture) {
		f.equal("made", f.putItem(0, "k", "a", "1").Version, 1)
		_, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "a"}, 0)
		f.conflict(err, store.Ref{Type: "k", ID: "a"}, 1)
		f.equal("set", f.putItem(1, "k", "a", "2").Version, 2)
		_, err = f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "a"}, 1)
		f.conflict(err, store.Ref{Type: "k", ID: "a"}, 2)
		_, err = f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "none"}, 1)
		f.conflict(err, store.Ref{Type: "k", ID: "none"}, 0)
		f.equal("unchanged", f.item("k", "a"), "2 v2")
		f.equal("any", f.putItem(store.ItemAny, "k", "a", "3").Version, 3)
		f.equal("any, made", f.putItem(store.ItemAny, "k", "b", "1").Version, 1)
		f.equal("now", f.item("k", "a"), "3 v3")
		// The version given within the item means nothing.
		it, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "a", Version: 99, Body: []byte("4")}, 3)
		f.ok(err)
		f.equal("version", it.Version, 4)
	}},
	{"a write replaces the item whole", func(f *fixture) {
		it := store.Item{Kind: "k", ID: "a", Body: []byte("1"), Keys: []store.Key{"x", "y", "z", "1", "2", "3", "4"}, Expires: time.Now().Add(time.Hour)}
		_, err := f.s.PutItem(f.ctx, f.tenant, it, 0)
		f.ok(err)
		f.putItem(1, "k", "a", "2", "y")
		r := store.Prefix("")
		f.equal("by key", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 10}), "a")
		got, err := f.s.GetItem(f.ctx, f.tenant, "k", "a")
		f.ok(err)
		f.equal("item", fmt.Sprintf("%s %q %v", got.Body, got.Keys, got.Expires.IsZero()), `2 ["y"] true`)
		f.putItem(2, "k", "a", "3")
		f.equal("by key", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 10}), "")
	}},
	{"deleting", func(f *fixture) {
		ref := store.Ref{Type: "k", ID: "a"}
		f.ok(f.s.DeleteItem(f.ctx, f.tenant, "k", "a", store.ItemAny))
		for _, v := range []int64{0, 1} {
			f.conflict(f.s.DeleteItem(f.ctx, f.tenant, "k", "a", v), ref, 0)
		}
		f.putItem(0, "k", "a", "1", "x")
		f.putItem(1, "k", "a", "2", "x")
		f.conflict(f.s.DeleteItem(f.ctx, f.tenant, "k", "a", 1), ref, 2)
		f.equal("still there", f.item("k", "a"), "2 v2")
		f.ok(f.s.DeleteItem(f.ctx, f.tenant, "k", "a", 2))
		f.equal("gone", f.item("k", "a"), "none")
		r := store.Prefix("")
		f.equal("gone from the scan", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 9})+f.scan(store.ItemScan{Kind: "k", Limit: 9}), "")
		f.putItem(0, "k", "a", "again")
		f.ok(f.s.DeleteItem(f.ctx, f.tenant, "k", "a", store.ItemAny))
		f.equal("gone", f.item("k", "a"), "none")
	}},
	{"one of many concurrent writers wins", func(f *fixture) {
		write := func(expect int64) func(int) error {
			return func(i int) error {
				_, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "a", Body: []byte(fmt.Sprint(i)), Keys: []store.Key{fmt.Sprint(i)}}, expect)
				return err
			}
		}
		for v := range int64(3) {
			f.equal("won", f.race(24, write(v), store.ErrConflict), 1)
		}
		r := store.Prefix("")
		it, err := f.s.GetItem(f.ctx, f.tenant, "k", "a")
		f.ok(err)
		f.equal("version", it.Version, 3)
		f.equal("one key", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 100}), "a")
		only := store.Exactly(string(it.Body))
		f.equal("the winner's key", f.scan(store.ItemScan{Kind: "k", Range: &only, Limit: 100}), "a")
		f.equal("all with any", f.race(24, write(store.ItemAny), nil), 24)
		f.equal("version", strings.Fields(f.item("k", "a"))[1], "v27")
	}},
	{"an expired item does not exist", func(f *fixture) {
		past := time.Now().Add(-time.Second)
		for _, id := range []string{"a", "b", "c"} {
			_, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: id, Body: []byte("x"), Keys: []store.Key{"x"}, Expires: past}, 0)
			f.ok(err)
			f.equal("expired", f.item("k", id), "none")
		}
		r := store.Prefix("")
		f.equal("by id", f.scan(store.ItemScan{Kind: "k", Limit: 1}), "")
		f.equal("by key", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 1}), "")
		_, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "a"}, 1)
		f.conflict(err, store.Ref{Type: "k", ID: "a"}, 0)
		f.conflict(f.s.DeleteItem(f.ctx, f.tenant, "k", "a", 1), store.Ref{Type: "k", ID: "a"}, 0)
		f.putItem(0, "k", "a", "again", "x")
		f.putItem(store.ItemAny, "k", "b", "again")
		f.equal("made again", strings.Fields(f.item("k", "a"))[0]+strings.Fields(f.item("k", "b"))[0], "againagain")
		f.equal("by key", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 1}), "a")
		f.ok(f.s.DeleteItem(f.ctx, f.tenant, "k", "c", store.ItemAny))
	}},
	{"an item expires when its time comes, and lives on when that was moved", func(f *fixture) {
		soon := time.Now().Add(300 * time.Millisecond)
		for _, id := range []string{"a", "b"} {
			_, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: id, Keys: []store.Key{"x"}, Expires: soon}, 0)
			f.ok(err)
		}
		_, err := f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "b", Keys: []store.Key{"x"}, Expires: soon.Add(time.Hour)}, 1)
		f.ok(err)
		for f.ctx.Err() == nil && f.item("k", "a") != "none" {
		}
		if now := time.Now(); now.Before(soon.Add(-time.Millisecond)) {
			f.t.Errorf("expired %v early", soon.Sub(now))
		}
		r := store.Prefix("")
		f.equal("by key", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 9}), "b")
		f.equal("by id", f.scan(store.ItemScan{Kind: "k", Limit: 9}), "b")
	}},
	{"scan by id", func(f *fixture) {
		for _, id := range []string{"b", "a", "d", "c", "aa"} {
			f.putItem(0, "k", id, id)
		}
		f.putItem(0, "kk", "x", "")
		f.putItem(0, "j", "x", "")
		f.equal("whole", f.scan(store.ItemScan{Kind: "k", Limit: 10}), "a aa b c d")
		f.equal("pages", f.scan(store.ItemScan{Kind: "k", Limit: 2}), "a aa|b c|d")
		f.equal("just all", f.scan(store.ItemScan{Kind: "k", Limit: 5}), "a aa b c d")
		f.equal("reverse", f.scan(store.ItemScan{Kind: "k", Limit: 2, Reverse: true}), "d c|b aa|a")
		f.equal("nothing", f.scan(store.ItemScan{Kind: "none", Limit: 2}), "")
	}},
	{"scan by a range of keys, once for each key in it", func(f *fixture) {
		f.putItem(0, "q", "one", "1", "t=30")
		f.putItem(0, "q", "two", "2", "t=10", "t=40", "u=1")
		f.putItem(0, "q", "three", "3", "t=20")
		f.putItem(0, "q", "four", "4", "u=2", "u=5")
		f.putItem(0, "q", "five", "5", "t=20", "u=0", "a", "b", "c", "d", "t=50", "u=9")
		f.putItem(0, "q", "six", "6")
		f.putItem(0, "r", "seven", "7", "t=20")
		t := store.Prefix("t=")
		for limit, want := range map[int]string{
			10: "two five three one two five",
			6:  "two five three one two five",
			4:  "two five three one|two five",
			2:  "two five|three one|two five",
			1:  "two|five|three|one|two|five",
		} {
			f.equal(fmt.Sprint("limit ", limit), f.scan(store.ItemScan{Kind: "q", Range: &t, Limit: limit}), want)
		}
		f.equal("reverse", f.scan(store.ItemScan{Kind: "q", Range: &t, Limit: 2, Reverse: true}), "five two|one three|five two")
		part := store.Range{From: "t=20", To: "t=40"}
		f.equal("part", f.scan(store.ItemScan{Kind: "q", Range: &part, Limit: 10}), "five three one")
		u := store.Prefix("u=")
		f.equal("another range", f.scan(store.ItemScan{Kind: "q", Range: &u, Limit: 10}), "five two four four five")
		empty := store.Range{From: "t=2", To: "t=1"}
		f.equal("reversed range", f.scan(store.ItemScan{Kind: "q", Range: &empty, Limit: 10}), "")
		p, err := f.s.ScanItems(f.ctx, f.tenant, store.ItemScan{Kind: "q", Range: &t, Limit: 1})
		f.ok(err)
		f.equal("whole item", fmt.Sprintf("%s v%d %q", p.Items[0].Body, p.Items[0].Version, p.Items[0].Keys), `2 v1 ["t=10" "t=40" "u=1"]`)
	}},
	{"scan by keys of any bytes", func(f *fixture) {
		order := []string{"", "\x00", "\x00\x00", "\x01", "\x01\x01", "a", "a\x00", "a\x00b", "é", "\xff", "\xff\xff"}
		for i := range order {
			j := (i*4 + 1) % len(order)
			f.putItem(0, "k", fmt.Sprint("i", j), "", order[j])
		}
		var want []string
		for i := range order {
			want = append(want, fmt.Sprint("i", i))
		}
		r := store.Prefix("")
		f.equal("whole", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 100}), strings.Join(want, " "))
		f.equal("one by one", f.scan(store.ItemScan{Kind: "k", Range: &r, Limit: 1}), strings.Join(want, "|"))
	}},
	{"items are not in the change log", func(f *fixture) {
		f.putItem(0, "k", "a", "1", "x")
		f.equal("head", f.head(), 0)
		f.equal("found", f.find(store.Prefix("")), "")
		f.commit(put(store.Ref{Type: "k", ID: "a"}, "document", "x"))
		f.equal("item", f.item("k", "a"), "1 v1")
		f.body(f.get(store.Ref{Type: "k", ID: "a"}), "document")
	}},
	{"the system tenant takes items", func(f *fixture) {
		f.tenant = store.System
		f.putItem(store.ItemAny, "k", "system", "1", "x")
		f.equal("item", strings.Fields(f.item("k", "system"))[0], "1")
		f.ok(f.s.DeleteItem(f.ctx, f.tenant, "k", "system", store.ItemAny))
	}},
}
