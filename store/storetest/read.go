package storetest

import (
	"fmt"
	"strings"

	"github.com/fhirfacade/fhirfacade/store"
)

var readTests = []test{
	{"what never existed is not found", func(f *fixture) {
		f.commit(put(pat("1"), "one"))
		_, err := f.s.Get(f.ctx, f.tenant, pat("2"))
		f.is(err, store.ErrNotFound)
		_, err = f.s.Get(f.ctx, f.tenant, obs("1"))
		f.is(err, store.ErrNotFound)
		for _, v := range []int64{0, 2, -1} {
			_, err = f.s.GetVersion(f.ctx, f.tenant, pat("1"), v)
			f.is(err, store.ErrNotFound)
		}
		_, err = f.s.GetVersion(f.ctx, f.tenant, pat("2"), 1)
		f.is(err, store.ErrNotFound)
	}},
	{"a body comes back byte for byte", func(f *fixture) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		for i, body := range []string{"", "x", string(all), "{\"decimal\":1.00 }\n", strings.Repeat("long ", 50_000), "\x28\xb5\x2f\xfd looks compressed"} {
			ref := obs(fmt.Sprint(i))
			f.commit(put(ref, body, "k"))
			f.body(f.get(ref), body)
			p := f.search(store.Query{Where: store.Exactly("k"), Limit: 100})
			f.body(p.Documents[i], body)
		}
	}},
	{"ids that begin alike are different documents", func(f *fixture) {
		refs := []store.Ref{pat("1"), pat("12"), pat("1-2"), {Type: "Patient1", ID: "2"}, {Type: "Patient", ID: "\x01"}, {Type: "Patient", ID: "\x01\x01"}, {Type: "P", ID: "é"}, {Type: "P", ID: "e\u0301"}, {Type: "P", ID: "\xff"}, {Type: "P", ID: "\xc3"}}
		for _, r := range refs {
			f.commit(put(r, r.String()))
		}
		for _, r := range refs {
			d := f.get(r)
			f.equal("ref", d.Ref, r)
			f.equal("version", d.Version, 1)
			f.body(d, r.String())
			h, err := f.s.History(f.ctx, f.tenant, store.HistoryQuery{Type: r.Type, ID: r.ID, Limit: 10})
			f.ok(err)
			f.equal("versions", len(h.Versions), 1)
		}
	}},
	{"GetMany returns what exists, deleted ones included, in the order of the refs", func(f *fixture) {
		f.commit(put(pat("a"), "A"), put(pat("b"), "B"), put(obs("a"), "OA"), put(pat("d"), "D"))
		f.commit(del(pat("b")))
		docs, err := f.s.GetMany(f.ctx, f.tenant, []store.Ref{pat("d"), pat("c"), obs("a"), pat("b"), pat("a")})
		f.ok(err)
		f.equal("ids", ids(docs), "d a b a")
		f.equal("deleted", docs[2].Deleted, true)
		f.body(docs[1], "OA")
		f.body(docs[3], "A")
		docs, err = f.s.GetMany(f.ctx, f.tenant, nil)
		f.ok(err)
		f.equal("none", len(docs), 0)
	}},
	{"GetSome goes round by round, each within the bytes or of one document", func(f *fixture) {
		var refs []store.Ref
		for i, size := range []int{3, 3, 20, 1, 1, 1, 1, 5, 5} {
			ref := pat(fmt.Sprint(i))
			f.commit(put(ref, strings.Repeat("x", size)))
			refs = append(refs, ref, pat(fmt.Sprint("none-", i)))
		}
		f.commit(del(pat("3")))
		got := ""
		for rest := refs; len(rest) > 0; {
			docs, done, err := f.s.GetSome(f.ctx, f.tenant, rest, 8)
			f.ok(err)
			if done < 1 || done > len(rest) {
				f.t.Fatalf("%d of %d are done", done, len(rest))
			}
			size := 0
			for _, d := range docs {
				size += len(d.Body)
			}
			if size > 8 && len(docs) > 1 {
				f.t.Errorf("%d bytes in a round of %s", size, ids(docs))
			}
			if len(docs) > 0 {
				got += ids(docs) + " "
			}
			rest = rest[done:]
		}
		f.equal("all of them", got, "0 1 2 3 4 5 6 7 8 ")
		docs, done, err := f.s.GetSome(f.ctx, "suite/Never-written", refs[:1], 8)
		f.ok(err)
		f.equal("of a tenant that never wrote", []int{len(docs), done}, []int{0, 1})
	}},
	{"GetMany of very many", func(f *fixture) {
		var all []store.Change
		var refs []store.Ref
		for i := range 1200 {
			all = append(all, put(obs(fmt.Sprint(i)), fmt.Sprint(i)))
			refs = append(refs, obs(fmt.Sprint(1199-i)))
		}
		f.commit(all...)
		docs, err := f.s.GetMany(f.ctx, f.tenant, refs)
		f.ok(err)
		f.equal("count", len(docs), 1200)
		for i, d := range docs {
			f.body(d, fmt.Sprint(1199-i))
		}
	}},
	{"the bytes returned and given belong to the caller", func(f *fixture) {
		given := []byte("original")
		info := []byte("info")
		_, err := f.s.Commit(f.ctx, f.tenant, store.Commit{Info: info, Changes: []store.Change{{
			Ref: pat("1"), Render: func(store.Stamp) store.Content { return store.Content{Body: given, Keys: []store.Key{"k"}} },
		}}})
		f.ok(err)
		wreck := func(b []byte) {
			for i := range b {
				b[i] = '!'
			}
		}
		wreck(given)
		wreck(info)
		for range 2 {
			d := f.get(pat("1"))
			f.body(d, "original")
			wreck(d.Body)
			d, err := f.s.GetVersion(f.ctx, f.tenant, pat("1"), 1)
			f.ok(err)
			f.body(d, "original")
			wreck(d.Body)
			p := f.search(store.Query{Where: store.Exactly("k"), Limit: 1})
			f.body(p.Documents[0], "original")
			wreck(p.Documents[0].Body)
			e := f.log(0, 1)[0]
			f.equal("info", string(e.Info), "info")
			wreck(e.Info)
		}
		it := []byte("item")
		_, err = f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "i", Body: it}, 0)
		f.ok(err)
		wreck(it)
		for range 2 {
			got, err := f.s.GetItem(f.ctx, f.tenant, "k", "i")
			f.ok(err)
			f.equal("item", string(got.Body), "item")
			wreck(got.Body)
		}
	}},
}

var historyTests = []test{
	{"of a document, newest first, with the method of each version", func(f *fixture) {
		f.commit(put(pat("1"), "v1"), put(pat("2"), "other"))
		f.commit(put(pat("1"), "v2"))
		f.commit(del(pat("1")))
		f.commit(put(pat("1"), "v4"))
		p := f.history(store.HistoryQuery{Type: "Patient", ID: "1", Limit: 10})
		f.equal("history", versions(p), "POST Patient/1 v4, DELETE Patient/1 v3, PUT Patient/1 v2, POST Patient/1 v1")
		f.equal("next", p.Next, store.HistoryCursor{})
		f.body(p.Versions[0].Document, "v4")
		f.equal("deleted", []bool{p.Versions[0].Deleted, p.Versions[1].Deleted}, []bool{false, true})
		f.body(p.Versions[2].Document, "v2")
		f.equal("number", p.Versions[3].Number, p.Versions[0].Number)
		f.equal("seq", []int64{p.Versions[0].Seq, p.Versions[3].Seq}, []int64{4, 1})
		f.equal("never existed", versions(f.history(store.HistoryQuery{Type: "Patient", ID: "9", Limit: 10})), "")
	}},
	{"of a type", func(f *fixture) {
		f.commit(put(pat("1"), ""), put(obs("1"), ""), put(pat("2"), ""))
		f.commit(put(store.Ref{Type: "PatientX", ID: "1"}, ""))
		f.commit(del(pat("1")), put(pat("2"), ""))
		f.equal("history", versions(f.history(store.HistoryQuery{Type: "Patient", Limit: 10})),
			"PUT Patient/2 v2, DELETE Patient/1 v2, POST Patient/2 v1, POST Patient/1 v1")
		f.equal("of a type without documents", versions(f.history(store.HistoryQuery{Type: "Group", Limit: 10})), "")
	}},
	{"of a tenant", func(f *fixture) {
		f.commit(put(pat("1"), ""), put(obs("1"), ""))
		f.commit(put(obs("1"), ""), del(pat("1")))
		f.equal("history", versions(f.history(store.HistoryQuery{Limit: 10})),
			"DELETE Patient/1 v2, PUT Observation/1 v2, POST Observation/1 v1, POST Patient/1 v1")
	}},
	{"pages follow each other and Next is zero at the end", func(f *fixture) {
		for i := range 3 {
			f.commit(put(pat("1"), fmt.Sprint(i)), put(obs(fmt.Sprint(i)), ""), put(pat("2"), ""))
		}
		for _, q := range []store.HistoryQuery{{Type: "Patient", ID: "1"}, {Type: "Patient"}, {}} {
			q.Limit = 100
			whole := f.history(q)
			for q.Limit = 1; q.Limit <= len(whole.Versions); q.Limit++ {
				var parts []string
				page := q
				for {
					p := f.history(page)
					parts = append(parts, versions(p))
					if len(p.Versions) == 0 || len(p.Versions) > q.Limit {
						f.t.Fatalf("a page of %d, limit %d", len(p.Versions), q.Limit)
					}
					if page.Before = p.Next; p.Next == (store.HistoryCursor{}) {
						break
					}
				}
				f.equal(fmt.Sprint("limit ", q.Limit), strings.Join(parts, ", "), versions(whole))
			}
		}
	}},
	{"Since leaves out what was made before", func(f *fixture) {
		first := f.commit(put(pat("1"), "a"), put(obs("1"), ""))
		e := f.commit(put(pat("1"), "b"))
		for e.Time.Equal(first.Time) { // the clock counts milliseconds
			first, e = e, f.commit(put(pat("1"), "b"))
		}
		last := f.commit(put(pat("2"), ""))
		v := f.get(pat("1")).Version
		for _, q := range []store.HistoryQuery{{Type: "Patient", ID: "1"}, {Type: "Patient"}, {}} {
			q.Limit, q.Since = 100, e.Time
			want := fmt.Sprintf("POST Patient/2 v1, PUT Patient/1 v%d", v)
			if q.ID != "" {
				want = fmt.Sprintf("PUT Patient/1 v%d", v)
			}
			f.equal("since", versions(f.history(q)), want)
			q.Since = e.Time.Add(-1) // finer than the store's clock
			f.equal("since a nanosecond earlier", versions(f.history(q)), want)
			q.Since = last.Time.Add(1e9)
			f.equal("since later", versions(f.history(q)), "")
		}
	}},
	{"a version in the history stays as it was", func(f *fixture) {
		f.commit(put(pat("1"), "v1", "k"))
		before := f.history(store.HistoryQuery{Limit: 1}).Versions[0]
		f.commit(put(pat("1"), "v2", "k"))
		after := f.history(store.HistoryQuery{Limit: 2}).Versions[1]
		f.equal("version 1", fmt.Sprint(after), fmt.Sprint(before))
	}},
}

func (f *fixture) history(q store.HistoryQuery) store.HistoryPage {
	f.t.Helper()
	p, err := f.s.History(f.ctx, f.tenant, q)
	f.ok(err)
	return p
}
