package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/store"
)

// testProperties commits the same random changes to the engine and to the
// model and asks both the same random questions.
func testProperties(t *testing.T, s store.Store) {
	runs := 0
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		tenant := store.Tenant(fmt.Sprintf("suite/Property-%d", runs))
		p := &pair{
			engine: &fixture{t: rt, ctx: ctx, s: s, tenant: tenant},
			model:  &fixture{t: rt, ctx: ctx, s: NewModel(time.Now), tenant: tenant},
		}
		for range rapid.IntRange(1, 8).Draw(rt, "rounds") {
			p.commit(rt, commitGen.Draw(rt, "commit"))
			if rapid.IntRange(0, 2).Draw(rt, "rekey") == 0 {
				p.rekey(rt)
			}
			if rapid.IntRange(0, 3).Draw(rt, "trim") == 0 {
				p.trim(rt)
			}
			for range rapid.IntRange(0, 2).Draw(rt, "queries") {
				p.query(rt, queryGen.Draw(rt, "query"))
			}
		}
		p.query(rt, queryGen.Draw(rt, "query"))
		p.anyOrder(rt)
		p.histories(rt)
	})
}

type pair struct{ engine, model *fixture }

func (p *pair) both(ask func(f *fixture) string) {
	p.engine.t.Helper()
	if got, want := ask(p.engine), ask(p.model); got != want {
		p.engine.t.Fatalf("\nengine: %s\n model: %s", got, want)
	}
}

func (p *pair) commit(rt *rapid.T, c store.Commit) {
	rt.Helper()
	p.both(func(f *fixture) string {
		e, err := f.s.Commit(f.ctx, f.tenant, c)
		if err != nil {
			return identity(err)
		}
		return fmt.Sprint(e.Seq, " ", changes(e))
	})
	p.both(func(f *fixture) string { return fmt.Sprint("head ", f.head()) })
}

// trim forgets the beginning of the log and reads from anywhere in it.
func (p *pair) trim(rt *rapid.T) {
	below, after := rapid.Int64Range(-1, 10).Draw(rt, "below"), rapid.Int64Range(0, 10).Draw(rt, "after")
	p.both(func(f *fixture) string {
		f.ok(f.s.TrimLog(f.ctx, f.tenant, below))
		floor, err := f.s.LogFloor(f.ctx, f.tenant)
		f.ok(err)
		out := fmt.Sprint("floor ", floor, ":")
		entries, err := f.s.ReadLog(f.ctx, f.tenant, after, 3)
		for _, e := range entries {
			out += fmt.Sprint(" ", e.Seq, " ", changes(e))
		}
		if err != nil {
			out += identity(err)
		}
		return out
	})
}

// rekey gives documents other keys, most of them at their current version.
func (p *pair) rekey(rt *rapid.T) {
	rt.Helper()
	var changes []store.KeyChange
	for _, ref := range rapid.SliceOfNDistinct(refGen, 0, 4, rapid.ID).Draw(rt, "rekeyed") {
		c := store.KeyChange{Ref: ref, Keys: rapid.SliceOfN(keyGen, 0, 5).Draw(rt, "keys")}
		if d, err := p.model.s.Get(p.model.ctx, p.model.tenant, ref); err == nil {
			c.Version = d.Version
		}
		c.Version += rapid.SampledFrom([]int64{0, 0, 0, -1, 1}).Draw(rt, "off by")
		changes = append(changes, c)
	}
	p.both(func(f *fixture) string {
		n, err := f.s.Rekey(f.ctx, f.tenant, cloneKeyChanges(changes))
		return fmt.Sprint("rekeyed ", n, err)
	})
	p.both(func(f *fixture) string { return fmt.Sprint("head ", f.head()) })
}

func (p *pair) query(rt *rapid.T, q store.Query) {
	rt.Helper()
	p.both(func(f *fixture) string {
		out := ""
		for q := q; ; {
			page, err := f.s.Search(f.ctx, f.tenant, q)
			if err != nil {
				return out + identity(err)
			}
			out += fmt.Sprintf("\n  total %d:", page.Total)
			if len(page.Places) != len(page.Documents) {
				return out + fmt.Sprintf("%d places of %d documents", len(page.Places), len(page.Documents))
			}
			for i, d := range page.Documents {
				out += " " + document(d) + cursor(page.Places[i])
			}
			if page.Cut {
				out += " cut"
			}
			if q.After = page.Next; page.Next == nil || q.Limit == 0 {
				return out
			}
			out += " next " + cursor(*page.Next)
		}
	})
}

// anyOrder asks for what has a key in some ranges, in no order: all of it has
// to come, once.
func (p *pair) anyOrder(rt *rapid.T) {
	rt.Helper()
	q := store.Query{
		Along: rapid.SliceOfN(rangeGen, 1, 3).Draw(rt, "along"),
		Limit: rapid.IntRange(1, 4).Draw(rt, "along limit"),
	}
	var or store.Or
	for _, r := range q.Along {
		or = append(or, r)
	}
	where := store.And{or}
	if rapid.Bool().Draw(rt, "along and more") {
		where = append(where, clauseGen(2).Draw(rt, "and"))
	}
	q.Where = where
	p.both(func(f *fixture) string {
		var out []string
		for q := q; ; {
			page, err := f.s.Search(f.ctx, f.tenant, q)
			if err != nil {
				return identity(err)
			}
			for _, d := range page.Documents {
				out = append(out, document(d))
			}
			if len(page.Documents) > q.Limit {
				return "a page that is too long"
			}
			if q.After = page.Next; page.Next == nil {
				slices.Sort(out)
				return fmt.Sprint(len(out), out)
			}
		}
	})
}

func (p *pair) histories(rt *rapid.T) {
	rt.Helper()
	limit := rapid.IntRange(1, 9).Draw(rt, "history limit")
	for _, q := range []store.HistoryQuery{{}, {Type: "A"}, {Type: "B", ID: "1"}} {
		q.Limit = limit
		p.both(func(f *fixture) string {
			out := ""
			for q := q; ; {
				page := f.history(q)
				for _, v := range page.Versions {
					out += fmt.Sprint(" ", v.Method, document(v.Document))
				}
				out += fmt.Sprint(" next ", page.Next)
				if q.Before = page.Next; page.Next == (store.HistoryCursor{}) {
					return out
				}
			}
		})
	}
	p.both(func(f *fixture) string {
		out := ""
		floor, err := f.s.LogFloor(f.ctx, f.tenant)
		f.ok(err)
		for _, e := range f.log(floor-1, 100) {
			out += fmt.Sprint(e.Seq, changes(e), ";")
		}
		return out
	})
}

func document(d store.Document) string {
	return fmt.Sprintf("{%s #%d v%d @%d %v %q}", d.Ref, d.Number, d.Version, d.Seq, d.Deleted, d.Body)
}

func cursor(c store.Cursor) string {
	out := fmt.Sprint("#", c.Number)
	for _, k := range c.Keys {
		if k == nil {
			out += " none"
		} else {
			out += fmt.Sprintf(" %q", *k)
		}
	}
	return out
}

// Small alphabets, so that documents, keys and ranges meet often.
var (
	refGen = rapid.Custom(func(t *rapid.T) store.Ref {
		return store.Ref{Type: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "type"), ID: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "id")}
	})
	byteGen = rapid.SampledFrom([]byte{0, 1, 2, 'a', 'b', 0x7f, 0x80, 0xfe, 0xff})
	wordGen = rapid.Custom(func(t *rapid.T) store.Key {
		return string(rapid.SliceOfN(byteGen, 0, 3).Draw(t, "bytes"))
	})
	keyGen = rapid.OneOf(wordGen, rapid.Custom(func(t *rapid.T) store.Key {
		return rapid.SampledFrom([]string{"r=", "a"}).Draw(t, "prefix") + refGen.Draw(t, "ref").String()
	}))
	changeGen = rapid.Custom(func(t *rapid.T) store.Change {
		c := store.Change{Ref: refGen.Draw(t, "ref")}
		switch rapid.IntRange(0, 7).Draw(t, "expect") {
		case 0:
			c.Expect = store.Absent()
		case 1:
			c.Expect = store.AtVersion(rapid.Int64Range(1, 4).Draw(t, "version"))
		}
		if rapid.IntRange(0, 4).Draw(t, "delete") > 0 {
			body := rapid.StringOfN(rapid.RuneFrom([]rune("xyz")), 0, 4, -1).Draw(t, "body")
			keys := rapid.SliceOfN(keyGen, 0, 5).Draw(t, "keys")
			c.Render = func(s store.Stamp) store.Content {
				return store.Content{Body: fmt.Appendf(nil, "%s/%d", body, s.Version), Keys: append([]store.Key(nil), keys...)}
			}
		}
		return c
	})
	commitGen = rapid.Custom(func(t *rapid.T) store.Commit {
		c := store.Commit{Source: "property"}
		c.Changes = rapid.SliceOfNDistinct(changeGen, 0, 4, func(c store.Change) store.Ref { return c.Ref }).Draw(t, "changes")
		if rapid.IntRange(0, 3).Draw(t, "guarded") == 0 {
			c.Guards = []store.Guard{{Where: clauseGen(2).Draw(t, "where"), Matches: rapid.SliceOfNDistinct(refGen, 0, 2, rapid.ID).Draw(t, "matches")}}
		}
		return c
	})
	rangeGen = rapid.Custom(func(t *rapid.T) store.Range {
		k := keyGen.Draw(t, "key")
		switch rapid.IntRange(0, 3).Draw(t, "range") {
		case 0:
			return store.Exactly(k)
		case 1:
			return store.Prefix(k)
		}
		return store.Range{From: k, To: keyGen.Draw(t, "to")}
	})
	sortGen = rapid.Custom(func(t *rapid.T) store.Sort {
		return store.Sort{Range: rangeGen.Draw(t, "range"), Descending: rapid.Bool().Draw(t, "descending")}
	})
	queryGen = rapid.Custom(func(t *rapid.T) store.Query {
		return store.Query{
			Where:    clauseGen(3).Draw(t, "where"),
			Sort:     rapid.SliceOfN(sortGen, 0, 2).Draw(t, "sort"),
			Limit:    rapid.IntRange(0, 4).Draw(t, "limit"),
			Count:    rapid.Bool().Draw(t, "count"),
			RefsOnly: rapid.Bool().Draw(t, "refs only"),
			MaxBytes: rapid.SampledFrom([]int{0, 0, 1, 6, 12}).Draw(t, "max bytes"),
		}
	})
)

// clauseGen makes clauses that are nested at most so deep.
func clauseGen(depth int) *rapid.Generator[store.Clause] {
	return rapid.Custom(func(t *rapid.T) store.Clause {
		kind := 0
		if depth > 0 {
			kind = rapid.IntRange(0, 6).Draw(t, "kind")
		}
		part := func(name string) store.Clause { return clauseGen(depth-1).Draw(t, name) }
		switch kind {
		case 1, 2:
			and := store.And{part("and")}
			for range rapid.IntRange(0, 2).Draw(t, "more") {
				c := part("and")
				if rapid.Bool().Draw(t, "not") {
					c = store.Not{Clause: c}
				}
				and = append(and, c)
			}
			if rapid.Bool().Draw(t, "turned") {
				and[0], and[len(and)-1] = and[len(and)-1], and[0]
			}
			return and
		case 3:
			or := store.Or{}
			for range rapid.IntRange(0, 3).Draw(t, "more") {
				or = append(or, part("or"))
			}
			return or
		case 4:
			return store.Refers{Prefix: "r=", Query: part("refers")}
		case 5:
			return store.ReferredBy{Prefix: "r=", Query: part("referred by")}
		case 6:
			return store.Prefix("")
		}
		return rangeGen.Draw(t, "range")
	})
}

func identity(err error) string {
	for _, known := range []error{store.ErrConflict, store.ErrGuard, store.ErrInvalid, store.ErrTooLarge, store.ErrTrimmed} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}
