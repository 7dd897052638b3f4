package mongo

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/fhirfacade/fhirfacade/store"
)

// leftOf counts what there is under a tenant's number, besides the places of
// its log.
func leftOf(t *testing.T, e *engine, s scope) (n int64) {
	t.Helper()
	all := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.prefix}, {Key: "$lt", Value: s.end()}}}}
	for _, c := range []*mongo.Collection{e.docs, e.bodies, e.items, e.spill} {
		k, err := c.CountDocuments(testContext(t), all)
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	withContents, err := e.log.CountDocuments(testContext(t), append(all, bson.E{Key: "$or", Value: bson.A{
		bson.D{{Key: "e", Value: bson.D{{Key: "$exists", Value: true}}}}, bson.D{{Key: "p", Value: bson.D{{Key: "$exists", Value: true}}}},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	return n + withContents
}

func item(t *testing.T, e *engine, id string) {
	t.Helper()
	if _, err := e.PutItem(testContext(t), tenant, store.Item{Kind: "kind", ID: id, Keys: []store.Key{"k"}}, store.ItemAny); err != nil {
		t.Fatal(err)
	}
}

// An instance that knows the tenant goes on with the new one when another has
// dropped it, and sees nothing of the old one from the moment the drop returns.
func TestDropIsNoticedByOtherInstances(t *testing.T) {
	opts := testOptions(t)
	e, other := openTest(t, opts), openTest(t, opts)
	ctx := testContext(t)
	commit(t, e, put("1", "", "k"))
	item(t, e, "1")
	commit(t, other, put("2", "", "k"))
	old := scopeFor(t, other, tenant)
	if err := e.DropTenant(ctx, tenant); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Get(ctx, tenant, store.Ref{Type: "Patient", ID: "2"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if _, err := other.GetItem(ctx, tenant, "kind", "1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("GetItem: %v", err)
	}
	if head, err := other.Head(ctx, tenant); err != nil || head != 0 {
		t.Errorf("head %d, %v", head, err)
	}
	item(t, other, "new")
	if entry := commit(t, other, put("3", "", "k")); entry.Seq != 1 {
		t.Errorf("the new tenant's first entry is %d", entry.Seq)
	}
	if now := scopeFor(t, e, tenant); now.number == old.number {
		t.Errorf("the new tenant has the old one's number")
	}
	if n := leftOf(t, e, old); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if tenants, err := e.Tenants(ctx); err != nil || len(tenants) != 1 {
		t.Errorf("%v, %v", tenants, err)
	}
}

var errCut = errors.New("cut short")

// A drop that was killed at any step is completed by a second call, by
// another instance in passing, or by whoever uses the name.
func TestDropCutShort(t *testing.T) {
	for _, step := range []string{"marked", "unnamed"} {
		for name, complete := range map[string]func(*testing.T, *engine){
			"by a second call":    func(t *testing.T, e *engine) { drop(t, e) },
			"by another instance": func(t *testing.T, e *engine) { e.finishDrops(testContext(t)) },
			"by who uses the name": func(t *testing.T, e *engine) {
				if entry := commit(t, e, put("1", "", "k")); entry.Seq != 1 {
					t.Errorf("seq %d", entry.Seq)
				}
				drop(t, e)
			},
		} {
			t.Run(step+", "+name, func(t *testing.T) {
				opts := testOptions(t)
				opts.RollForward = time.Hour
				dead, e := openTest(t, opts), openTest(t, opts)
				commit(t, dead, put("1", "", "k"), put("2", "", "k"))
				crash(t, dead, put("1", "second", "late")) // in the log, and applied by nobody
				s := scopeFor(t, dead, tenant)
				dead.whileDropping = func(at string) error {
					if at == step {
						return errCut
					}
					return nil
				}
				if err := dead.DropTenant(testContext(t), tenant); !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				complete(t, e)
				// Not before the others can have heard of it.
				e.names.fresh = 0
				e.finishDrops(testContext(t))
				if n := leftOf(t, e, s); n != 0 {
					t.Errorf("%d rows are left", n)
				}
				if tenants, err := e.Tenants(testContext(t)); err != nil || len(tenants) != 0 {
					t.Errorf("%v, %v", tenants, err)
				}
				if head, err := e.Head(testContext(t), tenant); err != nil || head != 0 {
					t.Errorf("head %d, %v", head, err)
				}
			})
		}
	}
}

func drop(t *testing.T, e *engine) {
	t.Helper()
	if err := e.DropTenant(testContext(t), tenant); err != nil {
		t.Fatal(err)
	}
}

// A writer that knows the tenant by its old number, and a place in its log
// that is long behind its end, can append nothing; nor can one bring back what
// it was applying. What came too late is removed, and a day later all but the
// end of the log.
func TestLateWritesToADroppedTenant(t *testing.T) {
	opts := testOptions(t)
	opts.RollForward = time.Hour
	clock := time.Now()
	opts.Clock = func() time.Time { return clock }
	e, late := openTest(t, opts), openTest(t, opts)
	ctx := testContext(t)
	commit(t, late, put("1", "", "k"))
	for range 4 {
		commit(t, e, put("2", "", "k"))
	}
	late.names.fresh = time.Hour // it hears of nothing
	s := scopeFor(t, late, tenant)
	drop(t, e)

	_, err := late.Commit(ctx, tenant, store.Commit{Changes: []store.Change{put("3", "", "k")}})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a late commit: %v", err)
	}
	if entry := commit(t, late, put("3", "", "k")); entry.Seq != 1 {
		t.Errorf("the next one is entry %d", entry.Seq)
	}
	if _, err := e.docs.InsertOne(ctx, docRow{ID: s.docID(store.Ref{Type: "Patient", ID: "late"}), Number: 1, Version: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.items.InsertOne(ctx, itemRow{ID: s.itemID("kind", "late"), Expires: never}); err != nil {
		t.Fatal(err)
	}
	places := func() int64 {
		n, err := e.log.CountDocuments(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: s.prefix}, {Key: "$lt", Value: s.end()}}}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	clock = clock.Add(time.Hour)
	e.sweepDrops(ctx)
	if left, n := leftOf(t, e, s), places(); left != 0 || n != 6 {
		t.Errorf("%d rows and %d places of the log are left", left, n)
	}
	clock = clock.Add(garbageAge + time.Minute)
	e.sweepDrops(ctx)
	if n := places(); n != 1 {
		t.Errorf("%d places of the log are left", n)
	}
	if n, err := e.tenants.CountDocuments(ctx, bson.D{{Key: "x", Value: bson.D{{Key: "$exists", Value: true}}}}); err != nil || n != 0 {
		t.Errorf("%d drops are unfinished, %v", n, err)
	}
	if d, err := e.Get(ctx, tenant, store.Ref{Type: "Patient", ID: "3"}); err != nil || d.Seq != 1 {
		t.Errorf("the new tenant's document: %v", err)
	}
}

// A trim that was cut short is gone on with; two instances at once do the
// same.
func TestTrimCutShort(t *testing.T) {
	opts := testOptions(t)
	opts.RollForward = time.Hour
	e, other := openTest(t, opts), openTest(t, opts)
	ctx := testContext(t)
	for range 10 {
		commit(t, e, put("1", "", "k"))
	}
	s := scopeFor(t, e, tenant)
	if err := e.raise(ctx, s, "f", 8); err != nil { // and then killed
		t.Fatal(err)
	}
	if floor, err := other.LogFloor(ctx, tenant); err != nil || floor != 8 {
		t.Errorf("floor %d, %v", floor, err)
	}
	if err := other.TrimLog(ctx, tenant, 5); err != nil {
		t.Fatal(err)
	}
	if err := e.TrimLog(ctx, tenant, 5); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ReadLog(ctx, tenant, 6, 1); !errors.Is(err, store.ErrTrimmed) {
		t.Errorf("entry 7: %v", err)
	}
	if entries, err := e.ReadLog(ctx, tenant, 7, 10); err != nil || len(entries) != 3 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	n, err := e.log.CountDocuments(ctx, bson.D{{Key: "r", Value: true}})
	if err != nil || n != 7 {
		t.Errorf("%d batches are trimmed, %v", n, err)
	}
	// What is not applied yet is applied from a trimmed batch all the same.
	crash(t, e, put("1", "last", "k"), put("2", "new", "k"))
	if err := other.TrimLog(ctx, tenant, 100); err != nil {
		t.Fatal(err)
	}
	third := openTest(t, opts)
	if d, err := third.Get(ctx, tenant, store.Ref{Type: "Patient", ID: "2"}); err != nil || string(d.Body) != "new" {
		t.Errorf("%q, %v", d.Body, err)
	}
	h, err := third.History(ctx, tenant, store.HistoryQuery{Limit: 100})
	if err != nil || len(h.Versions) != 12 {
		t.Errorf("%d versions, %v", len(h.Versions), err)
	}
}

// Of many instances that use a new tenant at once, all have the same number.
func TestNumbersAreDrawnOnce(t *testing.T) {
	on := openThree(t)
	names := []store.Tenant{store.System, "a", "a/b", "a/\xff", "b\x01"}
	got := make(chan [2]int64, 100)
	for i, name := range names {
		for _, e := range on {
			go func() {
				s, err := e.enterToWrite(t.Context(), name)
				if err != nil {
					t.Error(err)
				}
				got <- [2]int64{int64(i), s.number}
			}()
		}
	}
	numbers, tenants := map[int64]int64{}, map[int64]int64{}
	for range len(names) * len(on) {
		p := <-got
		if n, ok := numbers[p[0]]; ok && n != p[1] {
			t.Errorf("%q has the numbers %d and %d", names[p[0]], n, p[1])
		}
		if i, ok := tenants[p[1]]; ok && i != p[0] || p[1] == nobody {
			t.Errorf("number %d is of %d and %d", p[1], i, p[0])
		}
		numbers[p[0]], tenants[p[1]] = p[1], p[0]
	}
}

// Writers that use new tenants for the first time, all at once, do not fail
// each other, and each tenant has one log.
func TestNewTenantsUsedAtOnce(t *testing.T) {
	e := openTest(t, testOptions(t))
	for round := range 60 {
		name := store.Tenant(fmt.Sprint("t", round))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for n := range 4 {
					if _, err := e.Commit(t.Context(), name, store.Commit{Changes: []store.Change{put(fmt.Sprint(i, "-", n), "")}}); err != nil {
						t.Errorf("round %d commit: %v", round, err)
					}
				}
			})
		}
		wg.Wait()
		if h, err := e.WaitLog(t.Context(), name, 0); h != 32 || err != nil {
			t.Errorf("round %d head %d %v", round, h, err)
		}
	}
}
