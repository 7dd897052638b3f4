package mongo

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirfacade/fhirfacade/store"
)

func rekey(t *testing.T, e *engine, want int, changes ...store.KeyChange) {
	t.Helper()
	if n, err := e.Rekey(testContext(t), tenant, changes); err != nil || n != want {
		t.Fatalf("rekeyed %d, %v; want %d", n, err, want)
	}
}

func keysAre(t *testing.T, e *engine, want map[store.Key]int64) {
	t.Helper()
	for key, n := range want {
		if p, err := e.Search(testContext(t), tenant, store.Query{Where: store.Exactly(key), Count: true}); err != nil || p.Total != n {
			t.Errorf("%d have the key %q, want %d, %v", p.Total, key, n, err)
		}
	}
}

func patient(id string, version int64, keys ...store.Key) store.KeyChange {
	return store.KeyChange{Ref: store.Ref{Type: "Patient", ID: id}, Version: version, Keys: keys}
}

// Batches that are not settled hold the keys that were replaced. Whoever
// applies them again, having looked before Rekey or after it, brings none of
// those back.
func TestLateRollForwardKeepsNewKeys(t *testing.T) {
	opts := testOptions(t)
	opts.RollForward = time.Hour // nothing is settled
	e, late := openTest(t, opts), openTest(t, opts)
	ctx := testContext(t)
	commit(t, e, put("1", "one", "old"), put("2", "two", "old"))
	commit(t, e, put("1", "one again", "old"), put("3", "three", "old"))
	s := scopeFor(t, late, tenant)
	l := late.ledger(s)
	rows, err := l.readRows(ctx, bson.D{{Key: "u", Value: bson.D{{Key: "$gt", Value: 0}}}}, 0)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d batches are unsettled, %v", len(rows), err)
	}
	var stale []batch
	for i := range rows {
		b, err := l.decodeBatch(&rows[i], rows[i].Payload)
		if err != nil {
			t.Fatal(err)
		}
		stale = append(stale, b)
	}
	rekey(t, e, 3, patient("1", 2, "new"), patient("2", 1, "new"), patient("3", 1, "new"))
	none := map[store.Ref]docRow{}
	first := map[store.Ref]docRow{}
	for _, r := range stale[0].rows(s)[0] {
		first[s.ref(r.ID)] = r
	}
	for i, b := range stale {
		// As one that looked when nothing was there, when the first batch
		// was, and now.
		for _, current := range []map[store.Ref]docRow{none, first} {
			if err := late.apply(ctx, s, b.rows(s), current); err != nil {
				t.Fatal(i, err)
			}
		}
		if err := l.applyRow(ctx, &rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	keysAre(t, e, map[store.Key]int64{"new": 3, "old": 0})
	if d, err := e.GetVersion(ctx, tenant, store.Ref{Type: "Patient", ID: "1"}, 1); err != nil || string(d.Body) != "one" {
		t.Errorf("version 1: %q, %v", d.Body, err)
	}
}

// A version that is committed and not applied yet is nobody's to rekey: who
// names the one before is passed over once it is applied, and its keys come
// with it.
func TestRekeyBeforeRollForward(t *testing.T) {
	opts := testOptions(t)
	opts.RollForward = time.Hour
	dead, e := openTest(t, opts), openTest(t, opts)
	commit(t, dead, put("1", "first", "old"), put("2", "", "old"))
	crash(t, dead, put("1", "second", "second"), store.Change{Ref: store.Ref{Type: "Patient", ID: "2"}}, put("3", "", "third"))
	rekey(t, e, 0, patient("1", 2, "early"), patient("3", 1, "early"))
	rekey(t, e, 2, patient("1", 1, "new"), patient("2", 1, "new"))
	if head, err := e.Head(testContext(t), tenant); err != nil || head != 2 {
		t.Fatal(head, err)
	}
	keysAre(t, e, map[store.Key]int64{"old": 0, "early": 0, "new": 0, "second": 1, "third": 1})
	rekey(t, e, 1, patient("1", 2, "newer"), patient("2", 2, "newer"))
	keysAre(t, e, map[store.Key]int64{"second": 0, "newer": 1})
}

// More documents than DocumentDB takes in one batch cost a round trip for
// each rekeyAtOnce of them.
func TestRekeyRoundTrips(t *testing.T) {
	var sent commands
	opts := testOptions(t)
	opts.monitor, opts.RollForward = sent.monitor(), time.Hour
	e := openTest(t, opts)
	e.names.fresh = time.Hour
	commit(t, e, put("1", "", "old"))
	changes := []store.KeyChange{patient("1", 1, "new")}
	sent.take()
	rekey(t, e, 1, changes...)
	if got := sent.take(); got != "update" {
		t.Errorf("one document: sent %q", got)
	}
	for i := range 25_001 {
		changes = append(changes, patient(fmt.Sprint("none-", i), 1, "new"))
	}
	rekey(t, e, 1, changes...)
	if got := sent.take(); got != "update update" {
		t.Errorf("25,002 documents: sent %q", got)
	}
}
