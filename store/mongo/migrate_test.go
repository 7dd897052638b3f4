package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// oldID is an id of layouts 1 to 3.
func oldID(t store.Tenant, parts ...string) string {
	out := oldEscaped(string(t))
	for _, p := range parts {
		out += oldSeparator + p
	}
	return out
}

// makeOld turns a database into one of layout 3: what that program would have
// written for the same commits.
func makeOld(t *testing.T, e *engine, names map[int64]store.Tenant) {
	t.Helper()
	ctx := testContext(t)
	each := func(c *mongo.Collection, change func(id string, name store.Tenant, s scope, row bson.M)) {
		cursor, err := c.Find(ctx, bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		var rows []bson.M
		if err := cursor.All(ctx, &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			id := row["_id"].(string)
			number, _, ok := cutNumber(id)
			if !ok {
				t.Fatalf("no number in %q", id)
			}
			change(id, names[number], scopeOf(number), row)
			if _, err := c.InsertOne(ctx, row); err != nil {
				t.Fatal(err)
			}
			if _, err := c.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	oldPrefix := func(name store.Tenant) string { return oldEscaped(string(name)) + oldSeparator }
	swap := func(place any, name store.Tenant, s scope) any {
		if place == nil {
			return nil
		}
		parts := strings.Split(strings.TrimPrefix(place.(string), s.prefix), separator)
		for i, p := range parts {
			raw, ok := unescape(p)
			if !ok {
				t.Fatalf("no name: %q", p)
			}
			parts[i] = oldEscaped(raw)
		}
		return oldPrefix(name) + strings.Join(parts, oldSeparator)
	}
	each(e.docs, func(id string, name store.Tenant, s scope, row bson.M) {
		ref := s.ref(id)
		row["_id"] = oldID(name, oldEscaped(ref.Type), oldEscaped(ref.ID))
		if id != s.docID(ref) {
			row["_id"] = oldID(name, oldEscaped(ref.Type), oldEscaped(ref.ID), hex16(row["v"].(int64)))
		}
		row["h"] = oldID(name, oldEscaped(ref.Type), hex16(row["s"].(int64))+hex16(int64(row["i"].(int32)))[8:])
		if keys, ok := row["k"].(bson.A); ok {
			for i := range keys {
				keys[i] = swap(keys[i], name, s)
			}
		}
		if row["n"] != nil {
			row["t"] = oldPrefix(name)
		}
	})
	each(e.bodies, func(id string, name store.Tenant, s scope, row bson.M) {
		ref := s.ref(id)
		version, rest := unsortable(strings.TrimPrefix(id, s.docID(ref)+separator))
		chunk, _ := unsortable(rest)
		row["_id"] = oldID(name, oldEscaped(ref.Type), oldEscaped(ref.ID), hex16(version)+hex16(chunk)[8:])
	})
	each(e.log, func(id string, name store.Tenant, _ scope, row bson.M) {
		row["_id"] = oldID(name, hex16(firstOf(id)))
		packed := row["e"].(bson.Binary).Data
		changed, err := changeEntries(&logRow{Entries: packed}, func(e *entryRow) {
			source, _ := unescape(e.Source)
			event, _ := unescape(e.Event)
			e.Source, e.Event = oldEscaped(source), oldEscaped(event)
		})
		if err != nil {
			t.Fatal(err)
		}
		row["e"] = changed
	})
	each(e.spill, func(id string, name store.Tenant, s scope, row bson.M) {
		row["_id"] = oldPrefix(name) + strings.TrimPrefix(id, s.prefix)
	})
	each(e.items, func(id string, name store.Tenant, s scope, row bson.M) {
		row["_id"] = swap(id, name, s)
		for _, slot := range []string{"k0", "k1", "k2", "k3"} {
			if row[slot] != nil {
				row[slot] = swap(row[slot], name, s)
			}
		}
		if more, ok := row["kn"].(bson.A); ok {
			for i := range more {
				more[i] = swap(more[i], name, s)
			}
		}
	})
	if err := e.tenants.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := e.tenants.InsertOne(ctx, bson.D{{Key: "_id", Value: oldPrefix(name)}}); err != nil {
			t.Fatal(err)
		}
	}
	setLayout(t, e.db, 3)
}

// filled is a database with some of everything, as layout 3 had it, and what
// must be found in it. Its last commit is not applied yet.
func filled(t *testing.T, opts Options) (want string) {
	t.Helper()
	opts.MaxBody = LargestBody
	e := openTest(t, opts)
	ctx := testContext(t)
	names := map[int64]store.Tenant{}
	for _, name := range migratedTenants {
		names[scopeFor(t, e, name).number] = name
		if name != store.System {
			for i := range 3 {
				changes := []store.Change{
					put("1", fmt.Sprint("body ", i), "\x00\xff", fmt.Sprint("n=", i)), put(fmt.Sprint("p\x01", i), "", "k"),
				}
				if i == 0 && name == migratedTenants[1] {
					changes = append(changes, put("large", incompressible(1, maxRowBody+1), "large"))
				}
				if i == 2 {
					changes = append(changes, store.Change{Ref: store.Ref{Type: "Patient", ID: "p\x010"}})
				}
				if _, err := e.Commit(ctx, name, store.Commit{Source: "s\x00\xfe", Event: "e\x01", Info: []byte("i"), Changes: changes}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 7 {
			it := store.Item{Kind: "kind", ID: fmt.Sprint(i), Body: []byte("item")}
			for k := range i {
				it.Keys = append(it.Keys, fmt.Sprint("k", k))
			}
			if _, err := e.PutItem(ctx, name, it, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.settle(ctx)
	want = contents(t, e)
	makeOld(t, e, names)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return want
}

var migratedTenants = []store.Tenant{store.System, "a", "a/b", "clinic/Test", "\xff\x01/Test"}

// contents is everything that a store has.
func contents(t *testing.T, e *engine) string {
	t.Helper()
	ctx := testContext(t)
	var out strings.Builder
	tenants, err := e.Tenants(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range tenants {
		fmt.Fprintf(&out, "%q\n", name)
		items, err := e.ScanItems(ctx, name, store.ItemScan{Kind: "kind", Range: &store.Range{From: "", To: "z"}, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		byID, err := e.ScanItems(ctx, name, store.ItemScan{Kind: "kind", Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range append(items.Items, byID.Items...) {
			fmt.Fprintf(&out, "item %s v%d %s %q\n", it.ID, it.Version, it.Body, it.Keys)
		}
		entries, err := e.ReadLog(ctx, name, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			fmt.Fprintf(&out, "entry %+v\n", entry)
		}
		for _, q := range []store.HistoryQuery{{Limit: 100}, {Type: "Patient", Limit: 100}, {Type: "Patient", ID: "large", Limit: 100}} {
			h, err := e.History(ctx, name, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range h.Versions {
				fmt.Fprintf(&out, "version %q %d %d %v %s %d %.9q\n", v.Ref, v.Version, v.Number, v.Deleted, v.Method, len(v.Body), v.Body)
			}
		}
		p, err := e.Search(ctx, name, store.Query{Where: store.Prefix(""), Limit: 100, Count: true, Sort: []store.Sort{{Range: store.Prefix("n=")}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range p.Documents {
			fmt.Fprintf(&out, "found %q of %d\n", d.Ref, p.Total)
		}
		p, err = e.Search(ctx, name, store.Query{Where: store.Exactly("\x00\xff"), Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, "found", len(p.Documents))
	}
	return out.String()
}

func migrating(opts Options) Options {
	opts.canaryPatience, opts.MaxBody = 300*time.Millisecond, LargestBody
	return opts
}

func noOldRows(t *testing.T, e *engine) {
	t.Helper()
	for _, name := range []string{colDocs, colBodies, colLog, colSpill, colItems, colTenants} {
		if n, err := e.db.Collection(name).CountDocuments(testContext(t), oldIDs()); err != nil || n != 0 {
			t.Errorf("%s: %d rows are as they were, %v", name, n, err)
		}
	}
	n, err := e.db.Collection(colMeta).CountDocuments(testContext(t), bson.D{})
	if err != nil || n != 1 {
		t.Errorf("%d documents in meta, %v", n, err)
	}
}

// A database of layout 3 is brought forward with everything that is in it, by
// one of the instances that are started at once.
func TestNamesBecomeNumbers(t *testing.T) {
	opts := testOptions(t)
	want := filled(t, opts)
	var on [2]*engine
	var wg sync.WaitGroup
	for i := range on {
		wg.Go(func() {
			e, err := open(t.Context(), migrating(opts))
			if err != nil {
				t.Errorf("instance %d: %v", i, err)
				return
			}
			on[i] = e
			t.Cleanup(func() { _ = e.Close() })
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	noOldRows(t, on[0])
	for _, e := range on {
		if got := contents(t, e); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
	if got := layoutOf(t, on[0].db); got != layoutVersion() {
		t.Errorf("layout %d", got)
	}
	for _, name := range migratedTenants[1:] {
		entry, err := on[1].Commit(testContext(t), name, store.Commit{Changes: []store.Change{put("1", "new", "k")}})
		if err != nil || entry.Seq != 4 || entry.Changes[0].Version != 4 {
			t.Errorf("%q: %+v, %v", name, entry, err)
		}
	}
}

// What a crash left in the log of layout 3 is applied in the new layout.
func TestUnappliedCommitIsBroughtForward(t *testing.T) {
	opts := testOptions(t)
	opts.RollForward, opts.MaxBody = time.Hour, LargestBody
	e := openTest(t, opts)
	commit(t, e, put("1", "first", "old"))
	crash(t, e, put("1", "second", "new"), put("2", incompressible(1, maxInline+1), "new"))
	if n, err := e.spill.CountDocuments(testContext(t), bson.D{}); err != nil || n == 0 {
		t.Fatalf("nothing was spilled, %v", err)
	}
	makeOld(t, e, map[int64]store.Tenant{scopeFor(t, e, tenant).number: tenant})
	again := openTest(t, migrating(opts))
	if head, err := again.Head(testContext(t), tenant); err != nil || head != 2 {
		t.Errorf("head %d, %v", head, err)
	}
	keysAre(t, again, map[store.Key]int64{"old": 0, "new": 2})
	noOldRows(t, again)
}

// Killed at any step, it is gone on with by the next that starts, or by one
// that waits.
func TestRenumberingCutShort(t *testing.T) {
	opts := testOptions(t)
	want := filled(t, opts)
	kills := 0
	for {
		cut := migrating(opts)
		steps, limit := 0, 2*kills+1
		cut.canaryPatience = 20 * time.Millisecond
		cut.whileRenumbering = func() error {
			if steps++; steps > limit {
				return errCut
			}
			return nil
		}
		e, err := open(t.Context(), cut)
		if err == nil {
			noOldRows(t, e)
			if got := contents(t, e); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			_ = e.Close()
			break
		}
		if !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		kills++
	}
	if kills < 5 {
		t.Errorf("it was cut short %d times only", kills)
	}
}

// While an instance of the older program runs, opening is refused and nothing
// is changed. That instance is played here by what all of them do: settle
// what they find unsettled.
func TestOlderInstanceIsNoticed(t *testing.T) {
	opts := testOptions(t)
	filled(t, opts)
	client, err := mongo.Connect(options.Client().ApplyURI(opts.URI))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	db := client.Database(opts.Database)
	ids := func() (out []string) {
		for _, name := range []string{colDocs, colBodies, colLog, colSpill, colItems, colTenants, colMeta} {
			cursor, err := db.Collection(name).Find(t.Context(), bson.D{})
			if err != nil {
				t.Fatal(err)
			}
			var rows []bson.Raw
			if err := cursor.All(t.Context(), &rows); err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				out = append(out, name+row.Lookup("_id").String())
			}
		}
		slices.Sort(out)
		return out
	}
	before := ids()
	ctx, stop := context.WithCancel(t.Context())
	var old sync.WaitGroup
	old.Go(func() {
		for ctx.Err() == nil {
			_, _ = db.Collection(colLog).UpdateMany(ctx, bson.D{{Key: "u", Value: bson.D{{Key: "$gt", Value: 0}}}}, bson.D{{Key: "$unset", Value: bson.D{{Key: "u", Value: ""}, {Key: "p", Value: ""}}}})
		}
	})
	slow := migrating(opts)
	slow.canaryPatience = time.Minute // it is noticed long before
	_, err = open(t.Context(), slow)
	stop()
	old.Wait()
	if !errors.Is(err, errOlderInstance) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error: %v", err)
	}
	if after := ids(); !slices.Equal(before, after) {
		t.Errorf("\nbefore %q\n after %q", before, after)
	}
	if v := layoutOf(t, db); v != 3 {
		t.Errorf("layout %d", v)
	}
}

// Every string of the old form becomes the new form of the same bytes.
func FuzzTranscoded(f *testing.F) {
	f.Add("a\x00", "\x01\xff")
	f.Add("", "~\x7f\x80")
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := transcoded(oldEscaped(a)+oldSeparator+oldEscaped(b)), escaped(a)+separator+escaped(b); got != want {
			t.Fatalf("%q and %q become %q, want %q", a, b, got, want)
		}
		transcoded(a) // must not panic
	})
}
