package mongo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirfacade/fhirfacade/store"
)

const tenant = store.Tenant("clinic/Test")

func put(id, body string, keys ...store.Key) store.Change {
	return store.Change{
		Ref:    store.Ref{Type: "Patient", ID: id},
		Render: func(store.Stamp) store.Content { return store.Content{Body: []byte(body), Keys: keys} },
	}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func commit(t testing.TB, e *engine, changes ...store.Change) store.Entry {
	t.Helper()
	entry, err := e.Commit(testContext(t), tenant, store.Commit{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

func openThree(t testing.TB) [3]*engine {
	opts := testOptions(t)
	var out [3]*engine
	var wg sync.WaitGroup
	for i := range out { // at once: creating the indexes must bear that
		wg.Go(func() {
			e, err := open(t.Context(), opts)
			if err != nil {
				t.Errorf("instance %d: %v", i, err)
				return
			}
			t.Cleanup(func() { _ = e.Close() })
			out[i] = e
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return out
}

func TestConditionalCreateOnThreeInstances(t *testing.T) {
	ctx := testContext(t)
	on := openThree(t)
	for round := range 3 {
		key := fmt.Sprint("identifier=", round)
		var created atomic.Int32
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				_, err := on[i%3].Commit(ctx, tenant, store.Commit{
					Guards:  []store.Guard{{Where: store.Exactly(key)}},
					Changes: []store.Change{put(fmt.Sprint(round, "-", i), "", key)},
				})
				switch {
				case err == nil:
					created.Add(1)
				case !errors.Is(err, store.ErrGuard):
					t.Errorf("client %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if created.Load() != 1 {
			t.Errorf("%d were created", created.Load())
		}
		page, err := on[round].Search(ctx, tenant, store.Query{Where: store.Exactly(key), Limit: 10, Count: true})
		if err != nil || page.Total != 1 || len(page.Documents) != 1 {
			t.Errorf("found %d, %v", page.Total, err)
		}
	}
}

// Everything that three instances commit at once is one log without gaps,
// and each sees all of it.
func TestThreeInstancesMakeOneLog(t *testing.T) {
	ctx := testContext(t)
	on := openThree(t)
	const each, docs = 40, 8
	var wg sync.WaitGroup
	for i, e := range on {
		for c := range 4 {
			wg.Go(func() {
				for n := range each {
					if _, err := e.Commit(ctx, tenant, store.Commit{Source: fmt.Sprint(i), Changes: []store.Change{put(fmt.Sprint((c+n)%docs), "", "k")}}); err != nil {
						t.Errorf("instance %d: %v", i, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	const total = 3 * 4 * each
	for i, e := range on {
		head, err := e.Head(ctx, tenant)
		if err != nil || head != total {
			t.Fatalf("instance %d: head %d, %v", i, head, err)
		}
		versions := map[store.Ref]int64{}
		for at := int64(0); at < total; {
			entries, err := e.ReadLog(ctx, tenant, at, 33)
			if err != nil || len(entries) == 0 {
				t.Fatalf("instance %d: nothing after %d, %v", i, at, err)
			}
			for _, entry := range entries {
				if at++; entry.Seq != at {
					t.Fatalf("entry %d stands where %d belongs", entry.Seq, at)
				}
				for _, c := range entry.Changes {
					if versions[c.Ref]++; c.Version != versions[c.Ref] {
						t.Fatalf("entry %d makes version %d, and %d is due", at, c.Version, versions[c.Ref])
					}
				}
			}
		}
		for ref, v := range versions {
			for n := int64(1); n <= v; n++ {
				if d, err := e.GetVersion(ctx, tenant, ref, n); err != nil || d.Version != n {
					t.Fatalf("version %d of %s: %v, %v", n, ref.ID, d.Version, err)
				}
			}
		}
	}
}

var errCrash = errors.New("crash")

// crash makes an instance die between its append and its apply: it appends,
// and then does nothing more.
func crash(t *testing.T, e *engine, changes ...store.Change) {
	t.Helper()
	e.afterAppend = func() error { return errCrash }
	_, err := e.Commit(testContext(t), tenant, store.Commit{Source: "crash", Changes: changes})
	if !errors.Is(err, errCrash) {
		t.Fatalf("the crash did not happen: %v", err)
	}
}

func TestCrashBetweenAppendAndApply(t *testing.T) {
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = byte(i * i >> 3)
	}
	repairs := map[string]func(*testing.T, *engine){
		"by the next writer": func(t *testing.T, e *engine) {
			// It builds on what the dead one appended.
			_, err := e.Commit(testContext(t), tenant, store.Commit{Changes: []store.Change{
				{Ref: store.Ref{Type: "Patient", ID: "1"}, Expect: store.AtVersion(2)},
			}})
			if err != nil {
				t.Error(err)
			}
			if d, err := e.GetVersion(testContext(t), tenant, store.Ref{Type: "Patient", ID: "1"}, 2); err != nil || string(d.Body) != "second" {
				t.Errorf("version 2 is %q, %v", d.Body, err)
			}
			commit(t, e, put("1", "second", "new"))
		},
		"by a reader of the log": func(t *testing.T, e *engine) {
			if entries, err := e.ReadLog(testContext(t), tenant, 1, 10); err != nil || len(entries) != 1 || entries[0].Source != "crash" {
				t.Errorf("log: %v, %v", entries, err)
			}
		},
		"by asking for the head": func(t *testing.T, e *engine) {
			if head, err := e.Head(testContext(t), tenant); err != nil || head != 2 {
				t.Errorf("head: %d, %v", head, err)
			}
		},
		"by a waiter": func(t *testing.T, e *engine) {
			if head, err := e.WaitLog(testContext(t), tenant, 1); err != nil || head != 2 {
				t.Errorf("head: %d, %v", head, err)
			}
		},
		"by a commit that is refused": func(t *testing.T, e *engine) {
			_, err := e.Commit(testContext(t), tenant, store.Commit{Guards: []store.Guard{{Where: store.Exactly("new")}}, Changes: []store.Change{put("9", "")}})
			if !errors.Is(err, store.ErrGuard) {
				t.Errorf("the guard does not see what the dead one appended: %v", err)
			}
		},
		"by nobody but the time": func(t *testing.T, e *engine) {
			ctx := testContext(t)
			for {
				var row logRow
				if err := e.log.FindOne(ctx, bson.D{{Key: "u", Value: bson.D{{Key: "$gt", Value: 0}}}}).Decode(&row); err != nil {
					return // all is settled, or the deadline's error shows below
				}
			}
		},
	}
	for name, repair := range repairs {
		for _, opened := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, opened before: %v", name, opened), func(t *testing.T) {
				opts := testOptions(t)
				opts.RollForward = 50 * time.Millisecond
				if name != "by nobody but the time" {
					opts.RollForward = time.Hour
				}
				dead, other := openTest(t, opts), openTest(t, opts)
				commit(t, dead, put("1", "first", "old"), put("3", "third", "old"))
				if opened {
					if head, err := other.Head(testContext(t), tenant); err != nil || head != 1 {
						t.Fatal(head, err)
					}
				}
				crash(t, dead, put("1", "second", "new"), put("2", "new", "new"), put("big", string(big), "new"),
					store.Change{Ref: store.Ref{Type: "Patient", ID: "3"}})
				repair(t, other)

				ctx := testContext(t)
				for id, want := range map[string]string{"1": "second", "2": "new", "big": string(big)} {
					if d, err := other.Get(ctx, tenant, store.Ref{Type: "Patient", ID: id}); err != nil || string(d.Body) != want {
						t.Errorf("%s: version %d, %v", id, d.Version, err)
					}
				}
				if d, err := other.Get(ctx, tenant, store.Ref{Type: "Patient", ID: "3"}); err != nil || !d.Deleted {
					t.Errorf("deleted: %v, %v", d.Deleted, err)
				}
				for key, want := range map[store.Key]int64{"new": 3, "old": 0} {
					if p, err := other.Search(ctx, tenant, store.Query{Where: store.Exactly(key), Count: true}); err != nil || p.Total != want {
						t.Errorf("%d have the key %q, %v", p.Total, key, err)
					}
				}
				if d, err := other.GetVersion(ctx, tenant, store.Ref{Type: "Patient", ID: "1"}, 1); err != nil || string(d.Body) != "first" {
					t.Errorf("version 1 is %q, %v", d.Body, err)
				}
				// The one that crashed goes on as if it had been started anew.
				dead.afterAppend = nil
				if e := commit(t, dead, put("4", "fourth")); e.Seq < 3 {
					t.Errorf("seq %d", e.Seq)
				}
			})
		}
	}
}

func TestSpilledPayloadIsRolledForward(t *testing.T) {
	opts := testOptions(t)
	opts.RollForward = time.Hour
	dead, other := openTest(t, opts), openTest(t, opts)
	noise := rand.NewChaCha8([32]byte{7}) // incompressible, the same each time
	body := make([]byte, 1<<20)
	var changes []store.Change
	for i := range 15 {
		_, _ = noise.Read(body)
		changes = append(changes, put(fmt.Sprint(i), string(body), "k"))
	}
	crash(t, dead, changes...)
	ctx := testContext(t)
	if n, err := other.spill.CountDocuments(ctx, bson.D{}); err != nil || n != 2 {
		t.Fatalf("%d chunks were spilled, %v", n, err)
	}
	if head, err := other.Head(ctx, tenant); err != nil || head != 1 {
		t.Fatalf("head %d, %v", head, err)
	}
	d, err := other.Get(ctx, tenant, store.Ref{Type: "Patient", ID: "14"})
	if err != nil || string(d.Body) != string(body) {
		t.Errorf("a body of %d bytes, %v", len(d.Body), err)
	}
	other.rollForward(ctx, time.Now().Add(time.Minute))
	other.settle(ctx)
	if n, err := other.spill.CountDocuments(ctx, bson.D{}); err != nil || n != 0 {
		t.Errorf("%d chunks are left, %v", n, err)
	}
	var row logRow
	if err := other.log.FindOne(ctx, bson.D{}).Decode(&row); err != nil || row.Unsettled != 0 || len(row.Payload) != 0 || row.Chunks != 0 {
		t.Errorf("the log document is not settled: %v, %v", row.Unsettled, err)
	}
}

func TestWaitLogAcrossInstances(t *testing.T) {
	ctx := testContext(t)
	on := openThree(t)
	tenants := []store.Tenant{tenant, "clinic", "other/Test"}
	var wg sync.WaitGroup
	for _, name := range tenants {
		for i, e := range on {
			wg.Go(func() {
				for at := int64(0); at < 5; {
					head, err := e.WaitLog(ctx, name, at)
					if err != nil || head <= at {
						t.Errorf("instance %d: %d after %d, %v", i, head, at, err)
						return
					}
					entries, err := e.ReadLog(ctx, name, at, 100)
					if err != nil || len(entries) == 0 {
						t.Errorf("instance %d: nothing after %d, %v", i, at, err)
						return
					}
					at = entries[len(entries)-1].Seq
				}
			})
		}
	}
	for n := range 5 {
		for i, name := range tenants {
			if _, err := on[(n+i)%3].Commit(ctx, name, store.Commit{Changes: []store.Change{put("1", "")}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	wg.Wait()
}

// A turn whose owner died holds nobody up for long, and the next one who
// needs a turn takes it over.
func TestTurnOfADeadInstance(t *testing.T) {
	ctx := testContext(t)
	e := openTest(t, testOptions(t))
	commit(t, e, put("1", ""))
	l := e.ledger(scopeFor(t, e, tenant))
	if _, err := e.docs.InsertOne(ctx, bson.D{{Key: "_id", Value: l.turnID()}, {Key: "w", Value: "dead"}}); err != nil {
		t.Fatal(err)
	}
	commit(t, e, put("1", "", "k"))
	commit(t, e, put("2", "", "k")) // not held up again
	if err := l.hold(ctx); err != nil {
		t.Fatal(err)
	}
	err := l.ask(ctx)
	if mine := l.asking.mine; err != nil || mine == "" {
		t.Errorf("the turn was not taken over: %v", err)
	}
	l.stopAsking(ctx)
	l.release()
	if n, err := e.docs.CountDocuments(ctx, bson.D{{Key: "_id", Value: l.turnID()}}); err != nil || n != 0 {
		t.Errorf("the turn was not given back: %v", err)
	}
	page, err := e.Search(ctx, tenant, store.Query{Where: store.Prefix(""), Limit: 10, Count: true})
	if err != nil || page.Total != 2 || len(page.Documents) != 2 {
		t.Errorf("found %d, %v", page.Total, err)
	}
}
