package storetest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/fhirfacade/fhirfacade/store"
)

// colours commits six documents that most search tests ask for.
func (f *fixture) colours() {
	f.commit(
		put(obs("1"), "one", "c=red", "n=1", "all"),
		put(obs("2"), "two", "c=blue", "n=2", "all"),
		put(obs("3"), "three", "c=red", "c=blue", "n=3", "all"),
		put(obs("4"), "four", "c=green", "n=4", "n=9", "all"),
		put(obs("5"), "five", "n=5", "all"),
		put(obs("6"), "six"),
	)
}

var (
	red   = store.Exactly("c=red")
	blue  = store.Exactly("c=blue")
	green = store.Exactly("c=green")
	all   = store.Exactly("all")
)

var searchTests = []test{
	{"an explanation is of the first page and names no key", func(f *fixture) {
		for i := range 8 {
			f.commit(put(obs(fmt.Sprint(i)), "", "secret-all", fmt.Sprint("secret-", i)))
		}
		few := store.Range{From: "secret-2", To: "secret-6"}
		for _, c := range []struct {
			where store.Clause
			sort  []store.Sort
			want  int
		}{
			{store.Exactly("secret-all"), nil, 5},
			{few, nil, 4},
			{store.And{store.Exactly("secret-all"), few, store.Not{Clause: store.Exactly("secret-3")}}, nil, 3},
			{store.And{store.Exactly("secret-all"), few}, []store.Sort{{Range: few, Descending: true}}, 4},
			{store.Or{store.Exactly("secret-1"), store.Exactly("secret-none")}, nil, 1},
			{store.Exactly("secret-none"), nil, 0},
		} {
			x, err := f.s.Explain(f.ctx, f.tenant, store.Query{Where: c.where, Sort: c.sort, Limit: 5})
			f.ok(err)
			f.equal("documents", x.Documents, c.want)
			if len(x.Clauses) == 0 || x.Order == "" || strings.Contains(fmt.Sprintf("%+v", x), "secret") {
				f.t.Errorf("%+v", x)
			}
		}
		_, err := f.s.Explain(f.ctx, f.tenant, store.Query{Where: nil, Limit: 1})
		f.is(err, store.ErrInvalid)
		x, err := f.s.Explain(f.ctx, f.tenant+"/never", store.Query{Where: few, Limit: 5})
		f.ok(err)
		f.equal("documents of a tenant without any", x.Documents, 0)
	}},
	{"clauses select what they say", func(f *fixture) {
		f.colours()
		for _, c := range []struct {
			name  string
			where store.Clause
			want  string
		}{
			{"a key", red, "1 3"},
			{"no such key", store.Exactly("c=re"), ""},
			{"a prefix", store.Prefix("c="), "1 2 3 4"},
			{"a range holds From and not To", store.Range{From: "n=2", To: "n=4"}, "2 3"},
			{"a range without keys", store.Range{From: "n=6", To: "n=9"}, ""},
			{"an empty range", store.Range{From: "n=3", To: "n=3"}, ""},
			{"a reversed range", store.Range{From: "n=4", To: "n=2"}, ""},
			{"two keys, neither in the range, around it", store.Range{From: "n=5", To: "n=8"}, "5"},
			{"And", store.And{red, blue}, "3"},
			{"And of one", store.And{red}, "1 3"},
			{"And of ranges that different keys satisfy", store.And{store.Range{From: "n=4", To: "n=5"}, store.Range{From: "n=9", To: "n>"}}, "4"},
			{"Or", store.Or{red, green}, "1 3 4"},
			{"Or of one", store.Or{green}, "4"},
			{"Or of nothing", store.Or{}, ""},
			{"Or of a key and a range", store.Or{green, store.Range{From: "n=1", To: "n=3"}}, "1 2 4"},
			{"And with Not", store.And{all, store.Not{Clause: red}}, "2 4 5"},
			{"Not before what is positive", store.And{store.Not{Clause: red}, all}, "2 4 5"},
			{"Not of a range", store.And{all, store.Not{Clause: store.Prefix("c=")}}, "5"},
			{"Not of an Or", store.And{all, store.Not{Clause: store.Or{red, green}}}, "2 5"},
			{"Not of an And", store.And{all, store.Not{Clause: store.And{red, blue}}}, "1 2 4 5"},
			{"Not of an And with Not", store.And{all, store.Not{Clause: store.And{red, store.Not{Clause: blue}}}}, "2 3 4 5"},
			{"Not of an Or of nothing", store.And{all, store.Not{Clause: store.Or{}}}, "1 2 3 4 5"},
			{"And of Or and And", store.And{store.Or{red, blue}, store.And{all, store.Not{Clause: store.Exactly("n=2")}}}, "1 3"},
			{"Or of And", store.Or{store.And{red, blue}, store.And{green, all}, store.And{green, red}}, "3 4"},
			{"deep", store.Or{store.And{store.Or{store.And{store.Or{red}}}}}, "1 3"},
			{"And with an Or of nothing", store.And{all, store.Or{}}, ""},
			{"every key", store.Prefix(""), "1 2 3 4 5"},
		} {
			f.equal(c.name, f.find(c.where), c.want)
			f.equal(c.name+", counted", f.search(store.Query{Where: c.where, Count: true}).Total, len(strings.Fields(c.want)))
		}
	}},
	{"an Or of very many keys", func(f *fixture) {
		f.colours()
		var or store.Or
		for i := range 2000 {
			or = append(or, store.Exactly(fmt.Sprint("c=", i)))
		}
		f.equal("found", f.find(append(or, red)), "1 3")
	}},
	{"documents are whole", func(f *fixture) {
		f.colours()
		e := f.commit(put(obs("3"), "three again", "c=red"))
		d := f.search(store.Query{Where: red, Limit: 9}).Documents[1]
		f.equal("document", fmt.Sprint(d), fmt.Sprint(f.get(obs("3"))))
		f.body(d, "three again")
		f.equal("version, seq", []any{d.Version, d.Seq}, []any{2, e.Seq})
	}},
	{"RefsOnly leaves out the bodies", func(f *fixture) {
		f.colours()
		for _, sort := range [][]store.Sort{nil, {{Range: store.Prefix("n=")}}} {
			p := f.search(store.Query{Where: red, Limit: 9, RefsOnly: true, Sort: sort})
			f.equal("ids", ids(p.Documents), "1 3")
			for _, d := range p.Documents {
				f.equal("body", len(d.Body), 0)
				f.equal("version", d.Version, 1)
			}
		}
	}},
	{"MaxBytes ends a page before the body that is too much, and never before the first", func(f *fixture) {
		f.commit(put(obs("1"), "aaaa", "all", "n=3"), put(obs("2"), "bb", "all", "n=2"), put(obs("3"), "cccccccc", "all", "n=1"), put(obs("4"), "d", "all"))
		for _, c := range []struct {
			bytes int
			want  string
		}{{0, "1 2 3 4"}, {1, "1|2|3|4"}, {6, "1 2|3|4"}, {9, "1 2|3 4"}, {14, "1 2 3|4"}, {15, "1 2 3 4"}} {
			f.equal(fmt.Sprint(c.bytes, " bytes"), f.pages(store.Query{Where: all, Limit: 9, MaxBytes: c.bytes}), c.want)
		}
		sorted := []store.Sort{{Range: store.Prefix("n=")}}
		f.equal("sorted", f.pages(store.Query{Where: all, Sort: sorted, Limit: 9, MaxBytes: 9}), "3|2 1 4")
		f.equal("the limit holds too", f.pages(store.Query{Where: all, Limit: 1, MaxBytes: 99}), "1|2|3|4")
		f.equal("no bodies, no bytes", f.pages(store.Query{Where: all, Limit: 9, MaxBytes: 1, RefsOnly: true}), "1 2 3 4")
		f.equal("cut by bytes", f.search(store.Query{Where: all, Limit: 2, MaxBytes: 5}).Cut, true)
		f.equal("ended by the limit", f.search(store.Query{Where: all, Limit: 2, MaxBytes: 9}).Cut, false)
	}},
	{"Places are where a search goes on behind each document", func(f *fixture) {
		f.colours()
		for _, sort := range [][]store.Sort{nil, {{Range: store.Prefix("n=")}}, {{Range: store.Prefix("c="), Descending: true}, {Range: store.Prefix("n=")}}} {
			q := store.Query{Where: all, Sort: sort, Limit: 9}
			p := f.search(q)
			for i := range p.Documents {
				q.After = &p.Places[i]
				f.equal(fmt.Sprint("behind ", i), ids(f.search(q).Documents), ids(p.Documents[i+1:]))
			}
		}
	}},
	{"Count counts all matches, whatever the page; without it Total is -1", func(f *fixture) {
		f.colours()
		q := store.Query{Where: all, Limit: 2, Count: true}
		for range 3 {
			p := f.search(q)
			f.equal("total", p.Total, 5)
			q.After = p.Next
		}
		f.equal("not asked for", f.search(store.Query{Where: all, Limit: 2}).Total, -1)
		p := f.search(store.Query{Where: all, Limit: 0, Count: true})
		f.equal("limit 0", []any{len(p.Documents), p.Total}, []any{0, 5})
		f.equal("limit 0, not counted", len(f.search(store.Query{Where: all}).Documents), 0)
		f.equal("nothing", f.search(store.Query{Where: store.Exactly("no"), Count: true}).Total, 0)
	}},
	{"pages follow each other and the last has no Next", func(f *fixture) {
		f.colours()
		for limit, want := range map[int]string{1: "1|2|3|4|5", 2: "1 2|3 4|5", 3: "1 2 3|4 5", 5: "1 2 3 4 5", 6: "1 2 3 4 5"} {
			f.equal(fmt.Sprint("limit ", limit), f.pages(store.Query{Where: all, Limit: limit}), want)
		}
		f.equal("nothing", f.pages(store.Query{Where: store.Exactly("no"), Limit: 3}), "")
	}},
	{"a search does not find what another type, version or document had", func(f *fixture) {
		f.commit(put(obs("1"), "", "a"), put(pat("1"), "", "b"))
		f.equal("a", f.search(store.Query{Where: store.Exactly("a"), Limit: 2}).Documents[0].Ref, obs("1"))
		f.equal("b", f.search(store.Query{Where: store.Exactly("b"), Limit: 2}).Documents[0].Ref, pat("1"))
		f.commit(put(obs("1"), "", "b"))
		f.equal("a", f.find(store.Exactly("a")), "")
	}},
	{"pages neither repeat nor skip while others write", func(f *fixture) {
		for _, sort := range [][]store.Sort{nil, {{Range: store.Prefix("s=")}}, {{Range: store.Prefix("s="), Descending: true}}} {
			tag := fmt.Sprint("tag", len(sort), len(sort) > 0 && sort[0].Descending)
			var steady []store.Change
			for i := range 60 {
				steady = append(steady, put(obs(fmt.Sprintf("%s-%02d", tag, i)), "", tag, fmt.Sprintf("s=%02d", i/7)))
			}
			f.commit(steady...)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					// Comes and goes all over the order, and rewrites what is
					// steady without moving it.
					other := obs(fmt.Sprintf("%s-x%d", tag, i%20))
					same := i * 7 % 60
					_, err := f.try(put(other, "", tag, fmt.Sprintf("s=%02d", i%10)), steady[same])
					if err == nil && i%3 == 0 {
						_, err = f.try(del(other))
					}
					if err != nil {
						f.t.Errorf("commit: %v", err)
						return
					}
				}
			})
			seen := map[string]int{}
			q := store.Query{Where: store.Exactly(tag), Sort: sort, Limit: 7}
			for {
				p := f.search(q)
				for _, d := range p.Documents {
					if !strings.Contains(d.Ref.ID, "-x") {
						seen[d.Ref.ID]++
					}
				}
				if q.After = p.Next; p.Next == nil {
					break
				}
			}
			close(stop)
			wg.Wait()
			f.equal("steady documents", len(seen), 60)
			for id, n := range seen {
				if n != 1 {
					f.t.Errorf("%s was returned %d times", id, n)
				}
			}
		}
	}},
}

var sortTests = []test{
	{"by one key, ascending by the least, descending by the greatest, missing last", func(f *fixture) {
		f.commit(
			put(obs("a"), "", "all", "s=5"),
			put(obs("b"), "", "all"),
			put(obs("c"), "", "all", "s=1", "s=9"),
			put(obs("d"), "", "all", "s=3", "t=0"),
			put(obs("e"), "", "all", "t=1"),
			put(obs("f"), "", "all", "s=5"),
		)
		s := store.Prefix("s=")
		for _, c := range []struct {
			name string
			sort []store.Sort
			want string
		}{
			{"none", nil, "a b c d e f"},
			{"ascending", []store.Sort{{Range: s}}, "c d a f b e"},
			{"descending", []store.Sort{{Range: s, Descending: true}}, "c a f d b e"},
			{"only the keys in the range count", []store.Sort{{Range: store.Range{From: "s=2", To: "s=8"}}}, "d a f b c e"},
			{"no document has a key", []store.Sort{{Range: store.Prefix("u=")}}, "a b c d e f"},
			{"two sorts", []store.Sort{{Range: store.Prefix("t="), Descending: true}, {Range: s}}, "e d c a f b"},
			{"two sorts, the first decides", []store.Sort{{Range: s}, {Range: store.Prefix("t=")}}, "c d a f e b"},
			{"an empty range", []store.Sort{{Range: store.Range{From: "s=5", To: "s=5"}}}, "a b c d e f"},
		} {
			f.equal(c.name, f.find2(c.sort), c.want)
			want := strings.Fields(c.want)
			for limit := 1; limit <= 6; limit++ {
				got := f.pages(store.Query{Where: all, Sort: c.sort, Limit: limit})
				f.equal(fmt.Sprint(c.name, ", limit ", limit), strings.Fields(strings.ReplaceAll(got, "|", " ")), want)
				f.equal(fmt.Sprint(c.name, ", pages of ", limit), strings.Count(got, "|")+1, (len(want)+limit-1)/limit)
			}
		}
	}},
	{"keys are compared as bytes", func(f *fixture) {
		// In an order that no collation and no UTF-16 comparison gives.
		order := []string{"", "\x00", "\x00\x00", "\x01", "\x01\x01", "\x02", " ", "A", "B", "Z", "a", "a\x00", "a\x01", "aa", "z", "\x7f", "\x80", "\xc2\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xff", "\xff\xff"}
		var all []store.Change
		for i := range order {
			j := (i*5 + 3) % len(order)
			all = append(all, put(obs(fmt.Sprint(j)), "", "all", "s="+order[j]))
		}
		f.commit(all...)
		var up, down []string
		for i := range order {
			up = append(up, fmt.Sprint(i))
			down = append([]string{fmt.Sprint(i)}, down...)
		}
		f.equal("ascending", f.find2([]store.Sort{{Range: store.Prefix("s=")}}), strings.Join(up, " "))
		f.equal("descending", f.find2([]store.Sort{{Range: store.Prefix("s="), Descending: true}}), strings.Join(down, " "))
		got := f.pages(store.Query{Where: store.Exactly("all"), Sort: []store.Sort{{Range: store.Prefix("s=")}}, Limit: 1})
		f.equal("pages", got, strings.Join(up, "|"))
	}},
	{"Count and a sort together", func(f *fixture) {
		f.colours()
		p := f.search(store.Query{Where: all, Sort: []store.Sort{{Range: store.Prefix("n="), Descending: true}}, Limit: 2, Count: true})
		f.equal("total and page", []any{p.Total, ids(p.Documents)}, []any{5, "4 5"})
		f.equal("limit 0", f.search(store.Query{Where: all, Sort: []store.Sort{{Range: store.Prefix("n=")}}, Count: true}).Total, 5)
	}},
}

// find2 is find over everything tagged "all", sorted.
func (f *fixture) find2(sort []store.Sort) string {
	f.t.Helper()
	return ids(f.search(store.Query{Where: all, Sort: sort, Limit: 1000}).Documents)
}

var chainTests = []test{
	{"Refers and ReferredBy", func(f *fixture) {
		f.commit(
			put(pat("p1"), "", "name=ann", "patient", "gp=Practitioner/d1"),
			put(pat("p2"), "", "name=bob", "patient", "gp=Practitioner/d2"),
			put(pat("p3"), ""),
			put(store.Ref{Type: "Practitioner", ID: "d1"}, "", "city=x"),
			put(store.Ref{Type: "Practitioner", ID: "d2"}, "", "city=y"),
			put(obs("o1"), "", "obs", "subject=Patient/p1", "code=a"),
			put(obs("o2"), "", "obs", "subject=Patient/p2", "code=a", "code=b"),
			put(obs("o3"), "", "obs", "subject=Patient/p3", "code=c", "focus=Patient/p1"),
			put(obs("o4"), "", "obs", "subject=Patient/p9"),
			put(obs("o5"), "", "obs", "subject=Patient/p1/_history/1"),
		)
		subject := func(q store.Clause) store.Clause { return store.Refers{Prefix: "subject=", Query: q} }
		has := func(q store.Clause) store.Clause { return store.ReferredBy{Prefix: "subject=", Query: q} }
		ann, code := store.Exactly("name=ann"), func(c string) store.Clause { return store.Exactly("code=" + c) }
		for _, c := range []struct {
			name  string
			where store.Clause
			want  string
		}{
			{"a chain", subject(ann), "o1"},
			{"a chain over a range", subject(store.Prefix("name=")), "o1 o2"},
			{"a chain to nothing", subject(store.Exactly("name=carl")), ""},
			{"another reference", store.Refers{Prefix: "focus=", Query: ann}, "o3"},
			{"a chain of chains", subject(store.Refers{Prefix: "gp=", Query: store.Exactly("city=y")}), "o2"},
			{"a chain in an And", store.And{subject(store.Exactly("patient")), code("a"), store.Not{Clause: code("b")}}, "o1"},
			{"a chain in an Or", store.Or{subject(ann), code("c")}, "o1 o3"},
			{"Not of a chain", store.And{store.Exactly("obs"), store.Not{Clause: subject(ann)}}, "o2 o3 o4 o5"},
			{"a reverse chain", has(code("a")), "p1 p2"},
			{"a reverse chain to a document without keys", has(code("c")), "p3"},
			{"a reverse chain in an And", store.And{has(code("a")), store.Exactly("name=bob")}, "p2"},
			{"Not of a reverse chain", store.And{store.Exactly("patient"), store.Not{Clause: has(code("b"))}}, "p1"},
			{"a reverse chain from nothing", has(code("z")), ""},
			{"a reverse chain to what is not there", has(store.And{store.Exactly("obs"), store.Not{Clause: store.Prefix("code=")}}), ""},
			{"a reverse chain of a reverse chain", store.ReferredBy{Prefix: "gp=", Query: has(code("b"))}, "d2"},
			{"a reverse chain of a chain", has(subject(ann)), "p1"},
			{"a chain of a reverse chain", subject(has(store.Exactly("code=b"))), "o2"},
		} {
			f.equal(c.name, f.find(c.where), c.want)
			f.equal(c.name+", counted", f.search(store.Query{Where: c.where, Count: true}).Total, len(strings.Fields(c.want)))
			got := f.pages(store.Query{Where: c.where, Limit: 1, Sort: []store.Sort{{Range: store.Prefix("none")}}})
			f.equal(c.name+", in pages", strings.ReplaceAll(got, "|", " "), c.want)
		}
	}},
	{"deleted documents neither refer nor are referred to", func(f *fixture) {
		f.commit(put(pat("p"), "", "name=ann"), put(obs("o"), "", "subject=Patient/p", "code=a"))
		f.commit(del(pat("p")))
		f.equal("chain to a deleted", f.find(store.Refers{Prefix: "subject=", Query: store.Exactly("name=ann")}), "")
		f.equal("reverse chain to a deleted", f.find(store.ReferredBy{Prefix: "subject=", Query: store.Exactly("code=a")}), "")
		f.commit(put(pat("p"), "", "name=ann"))
		f.commit(del(obs("o")))
		f.equal("reverse chain from a deleted", f.find(store.ReferredBy{Prefix: "subject=", Query: store.Exactly("code=a")}), "")
	}},
	{"chains over more documents than one answer of a driver holds", func(f *fixture) {
		var all []store.Change
		for i := range 1500 {
			all = append(all, put(pat(fmt.Sprint(i)), "", "patient", fmt.Sprint("mod=", i%3)), put(obs(fmt.Sprint(i)), "", "obs", fmt.Sprint("subject=Patient/", i)))
		}
		f.commit(all...)
		count := func(c store.Clause) int64 { return f.search(store.Query{Where: c, Count: true}).Total }
		f.equal("chain", count(store.Refers{Prefix: "subject=", Query: store.Exactly("mod=1")}), 500)
		f.equal("reverse chain", count(store.ReferredBy{Prefix: "subject=", Query: store.Exactly("obs")}), 1500)
	}},
}

var keyTests = []test{
	{"any bytes are allowed", func(f *fixture) {
		keys := []store.Key{"", "\x00", "\x00\x00", "\x00\x01", "\x01", "\x01\x01", "\x01\x02", "\x02", "$gt", "a.b", "a", "a\x00", "a\x00b", "\x7f", "\x80", "\xc3\xa9", "\xff", "\xff\xff", "ÿ", "\xed\xa0\x80", strings.Repeat("\xff", store.MaxKey), strings.Repeat("\x00", store.MaxKey), strings.Repeat("k", store.MaxKey), strings.Repeat("k", store.MaxKey-1)}
		var all []store.Change
		for i, k := range keys {
			all = append(all, put(obs(fmt.Sprint(i)), "", k))
		}
		f.commit(all...)
		for i, k := range keys {
			f.equal(fmt.Sprintf("exactly %.20q", k), f.find(store.Exactly(k)), fmt.Sprint(i))
			var prefixed, above []string
			for j, other := range keys {
				if strings.HasPrefix(other, k) {
					prefixed = append(prefixed, fmt.Sprint(j))
				}
				if other >= k && other < "\xfe" {
					above = append(above, fmt.Sprint(j))
				}
			}
			f.equal(fmt.Sprintf("prefix %.20q", k), f.find(store.Prefix(k)), strings.Join(prefixed, " "))
			f.equal(fmt.Sprintf("from %.20q", k), f.find(store.Range{From: k, To: "\xfe"}), strings.Join(above, " "))
		}
	}},
	{"long keys that differ at the end are different", func(f *fixture) {
		long := strings.Repeat("x", store.MaxKey-1)
		f.commit(put(obs("a"), "", long+"a", "all"), put(obs("b"), "", long+"b", "all"), put(obs("c"), "", long+"c", "all"))
		f.equal("exactly", f.find(store.Exactly(long+"b")), "b")
		f.equal("range", f.find(store.Range{From: long + "b", To: long + "d"}), "b c")
		f.equal("sort", f.find2([]store.Sort{{Range: store.Prefix(long), Descending: true}}), "c b a")
	}},
	{"a key that is too long is refused", func(f *fixture) {
		_, err := f.try(put(obs("1"), ""), put(obs("2"), "", strings.Repeat("k", store.MaxKey+1)))
		f.is(err, store.ErrInvalid)
		f.equal("head", f.head(), 0)
		_, err = f.s.PutItem(f.ctx, f.tenant, store.Item{Kind: "k", ID: "i", Keys: []store.Key{strings.Repeat("k", store.MaxKey+1)}}, 0)
		f.is(err, store.ErrInvalid)
	}},
	{"a document with very many keys", func(f *fixture) {
		var keys []store.Key
		for i := range 3000 {
			keys = append(keys, fmt.Sprintf("k=%05d", i))
		}
		f.commit(put(obs("1"), "", keys...))
		f.equal("last key", f.find(store.Exactly("k=02999")), "1")
		f.equal("found once", f.find(store.Prefix("k=")), "1")
	}},
	{"a body as large as allowed is taken, a larger one refused", func(f *fixture) {
		f.commit(put(obs("1"), strings.Repeat("b", MaxBody)))
		f.equal("size", len(f.get(obs("1")).Body), MaxBody)
		_, err := f.try(put(obs("2"), "small"), put(obs("3"), strings.Repeat("b", MaxBody+1)))
		f.is(err, store.ErrTooLarge)
		f.equal("head", f.head(), 1)
	}},
}
