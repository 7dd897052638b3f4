package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/fhirfacade/fhirfacade/store"
)

// commands records what is sent to the server.
type commands struct {
	mu   sync.Mutex
	sent []string
}

func (c *commands) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if slices.Contains([]string{"find", "aggregate", "insert", "update", "delete", "findAndModify", "getMore", "count"}, e.CommandName) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.sent = append(c.sent, e.CommandName)
		}
	}}
}

func (c *commands) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := strings.Join(c.sent, " ")
	c.sent = nil
	return out
}

func TestRoundTrips(t *testing.T) {
	var sent commands
	opts := testOptions(t)
	opts.monitor = sent.monitor()
	opts.RollForward = time.Hour
	e := openTest(t, opts)
	e.names.fresh = time.Hour
	ctx := testContext(t)
	commit(t, e, put("0", "", "k"))
	sent.take()
	check := func(what, want string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := sent.take(); got != want {
			t.Errorf("%s: sent %q, want %q", what, got, want)
		}
	}
	write := func(c store.Commit) error {
		_, err := e.Commit(ctx, tenant, c)
		return err
	}
	check("create", "find insert insert", write(store.Commit{Changes: []store.Change{put("1", "", "k"), put("2", "", "k")}}))
	check("update and create", "find insert update", write(store.Commit{Changes: []store.Change{put("1", "", "k"), put("3", "", "k")}}))
	// The two finds are sent at the same time.
	check("conditional create", "find find insert insert", write(store.Commit{
		Guards:  []store.Guard{{Where: store.Exactly("id=1")}, {Where: store.And{store.Exactly("id=2"), store.Not{Clause: store.Exactly("k")}}}},
		Changes: []store.Change{put("4", "", "id=1")},
	}))
	_, err := e.Get(ctx, tenant, store.Ref{Type: "Patient", ID: "1"})
	check("get", "find", err)
	_, err = e.GetVersion(ctx, tenant, store.Ref{Type: "Patient", ID: "1"}, 1)
	check("version", "find", err)
	_, err = e.Search(ctx, tenant, store.Query{Where: store.Exactly("k"), Limit: 2})
	check("search", "find", err)
	_, err = e.Search(ctx, tenant, store.Query{Where: store.Exactly("k"), Limit: 2, Sort: []store.Sort{{Range: store.Prefix("k")}}})
	check("sorted search", "aggregate", err)
	_, err = e.Search(ctx, tenant, store.Query{Where: store.Exactly("k"), Count: true})
	check("count", "aggregate", err)
	_, err = e.ReadLog(ctx, tenant, 0, 10)
	check("log", "find", err)
	_, err = e.WaitLog(ctx, tenant, 0)
	check("waiting for what is there", "", err)
	_, err = e.PutItem(ctx, tenant, store.Item{Kind: "k", ID: "1"}, 0)
	check("item", "update", err)
	_, err = e.PutItem(ctx, tenant, store.Item{Kind: "k", ID: "1"}, 1)
	check("item again", "update", err)
}

// A server of MongoDB's own is offered a second way to answer ordered
// searches; the answers must be the same.
func TestWalkingFindsTheSame(t *testing.T) {
	e := openTest(t, testOptions(t))
	e.ordered = true
	for i := range 30 {
		commit(t, e, put(fmt.Sprint(i%20), "", fmt.Sprint("n=", i%7), "k"))
	}
	ctx := testContext(t)
	for _, where := range []store.Clause{store.Exactly("k"), store.Prefix("n="), store.Range{From: "n=2", To: "n=5"},
		store.And{store.Exactly("k"), store.Not{Clause: store.Exactly("n=3")}}, store.Or{store.Exactly("n=1"), store.Exactly("n=2")}} {
		var answers [2]string
		for i := range answers {
			e.walks = i == 1
			q := store.Query{Where: where, Limit: 4}
			for {
				p, err := e.Search(ctx, tenant, q)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range p.Documents {
					answers[i] += fmt.Sprint(" ", d.Ref.ID, "v", d.Version)
				}
				if q.After = p.Next; p.Next == nil {
					break
				}
			}
		}
		if answers[0] == "" || answers[0] != answers[1] {
			t.Errorf("%v: found%s, walking%s", where, answers[0], answers[1])
		}
	}
}

// benchmarkDocument is a document with the keys of a small observation.
func benchmarkDocument(n int) store.Change {
	body := strings.Repeat(`{"resourceType":"Observation","status":"final"}`, 12)
	keys := []store.Key{"type", fmt.Sprint("subject=", n%500), fmt.Sprint("code=", n%50), fmt.Sprintf("date=%09d", n)}
	for k := range 8 {
		keys = append(keys, fmt.Sprintf("p%d=%d", k, n*7919%100_000))
	}
	return put(fmt.Sprint(n), body, keys...)
}

// BenchmarkCommit is the group commit at work: 32 writers for each processor,
// each creating one document after the other.
func BenchmarkCommit(b *testing.B) {
	e := openTest(b, testOptions(b))
	ctx := b.Context()
	var n atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := e.Commit(ctx, tenant, store.Commit{Changes: []store.Change{benchmarkDocument(int(n.Add(1)))}}); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkDriver is what BenchmarkCommit compares with: as many writers that
// insert the same documents into the same indexes with the bare driver, one
// by one and with no log, no version check and no order.
func BenchmarkDriver(b *testing.B) {
	e := openTest(b, testOptions(b))
	ctx := b.Context()
	s := scopeFor(b, e, tenant)
	var n atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			c := benchmarkDocument(int(i))
			content := c.Render(store.Stamp{})
			rows := batch{
				entries: []store.Entry{{Seq: i, Time: time.Now()}},
				writes:  [][]store.Write{{{Ref: c.Ref, Number: i, Version: 1, Method: store.Create, Body: content.Body, Keys: content.Keys}}},
			}.rows(s)
			if _, err := e.docs.InsertOne(ctx, rows[0][0]); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "documents/s")
}

// BenchmarkCommitAlone is one writer: the time of a commit's round trips.
func BenchmarkCommitAlone(b *testing.B) {
	e := openTest(b, testOptions(b))
	for n := range b.N {
		if _, err := e.Commit(b.Context(), tenant, store.Commit{Changes: []store.Change{benchmarkDocument(n)}}); err != nil {
			b.Fatal(err)
		}
	}
}
