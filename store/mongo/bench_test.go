package mongo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// The benchmarks here do the same work through the store and with the bare
// driver, in turns and in one run, so that whatever else the machine does
// hits both. What counts is the ratio of their speeds.

// beside runs rounds of two tasks in turns and reports both speeds and their
// ratio. A task does n things.
func beside(b *testing.B, n int, ours, drivers func(round int)) {
	b.Helper()
	besidePrepared(b, n, func(int) {}, ours, drivers)
}

// besidePrepared is beside with something that nobody's time is counted for.
func besidePrepared(b *testing.B, n int, prepare, ours, drivers func(round int)) {
	b.Helper()
	var spent [2]time.Duration
	round := 0
	for b.Loop() {
		prepare(round)
		for i := range 2 {
			who, start := (i+round)%2, time.Now() // whoever goes first has the colder caches
			if who == 0 {
				ours(round)
			} else {
				drivers(round)
			}
			spent[who] += time.Since(start)
		}
		round++
	}
	b.ReportMetric(float64(n*round)/spent[0].Seconds(), "store/s")
	b.ReportMetric(float64(n*round)/spent[1].Seconds(), "driver/s")
	b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

// atOnce does something n times by eight workers.
func atOnce(b *testing.B, n int, do func(i int) error) {
	b.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

const benchTenant = store.Tenant("larkspur/Production")

// loaded is a store with Synthea's resources.
func loaded(b *testing.B, n int) (*engine, []resource) {
	b.Helper()
	resources := synthea(b, n)
	e := openTest(b, testOptions(b))
	for at := 0; at < len(resources); at += 500 {
		commitResources(b, e, resources[at:min(at+500, len(resources))])
	}
	return e, resources
}

func commitResources(b *testing.B, e *engine, resources []resource) {
	var c store.Commit
	for _, r := range resources {
		c.Changes = append(c.Changes, r.change())
	}
	if _, err := e.Commit(b.Context(), benchTenant, c); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkReadBesideDriver reads documents by their ids.
func BenchmarkReadBesideDriver(b *testing.B) {
	e, resources := loaded(b, 2000)
	s, ctx := scopeFor(b, e, benchTenant), b.Context()
	const n = 400
	random := rand.New(rand.NewPCG(1, 1))
	pick := func() []resource {
		out := make([]resource, n)
		for i := range out {
			out[i] = resources[random.IntN(len(resources))]
		}
		return out
	}
	beside(b, n, func(int) {
		list := pick()
		atOnce(b, n, func(i int) error {
			d, err := e.Get(ctx, benchTenant, list[i].ref)
			if err == nil && len(d.Body) != len(list[i].body) {
				err = fmt.Errorf("a body of %d bytes", len(d.Body))
			}
			return err
		})
	}, func(int) {
		list := pick()
		atOnce(b, n, func(i int) error {
			var row docRow
			return e.docs.FindOne(ctx, bson.D{{Key: "_id", Value: s.docID(list[i].ref)}}, options.FindOne().SetProjection(noKeys)).Decode(&row)
		})
	})
}

// BenchmarkSearchBesideDriver asks for pages of 20 documents that have two
// keys, one of them selective.
func BenchmarkSearchBesideDriver(b *testing.B) {
	e, resources := loaded(b, 3000)
	s, ctx := scopeFor(b, e, benchTenant), b.Context()
	type question struct{ selective, common store.Key }
	frequency := map[store.Key]int{}
	for _, r := range resources {
		for _, k := range r.keys {
			frequency[k]++
		}
	}
	var questions []question
	for _, r := range resources {
		var q question
		for _, k := range r.keys {
			switch f := frequency[k]; {
			case f >= 20 && f <= 60:
				q.selective = k
			case f > 200 && f < 1000:
				q.common = k
			}
		}
		if q.selective != "" && q.common != "" {
			questions = append(questions, q)
		}
	}
	if len(questions) < 20 {
		b.Fatalf("only %d questions", len(questions))
	}
	const n, limit = 200, 20
	var found [2]atomic.Int64
	beside(b, n, func(round int) {
		atOnce(b, n, func(i int) error {
			q := questions[(round*n+i)%len(questions)]
			p, err := e.Search(ctx, benchTenant, store.Query{Where: store.And{store.Exactly(q.selective), store.Exactly(q.common)}, Limit: limit})
			found[0].Add(int64(len(p.Documents)))
			return err
		})
	}, func(round int) {
		atOnce(b, n, func(i int) error {
			q := questions[(round*n+i)%len(questions)]
			filter := bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: "k", Value: s.key(q.selective)}}, bson.D{{Key: "k", Value: s.key(q.common)}}}}}
			cursor, err := e.docs.Find(ctx, filter, options.Find().SetSort(bson.D{{Key: "n", Value: 1}}).SetLimit(limit).SetProjection(noKeys))
			if err != nil {
				return err
			}
			var rows []docRow
			err = cursor.All(ctx, &rows)
			found[1].Add(int64(len(rows)))
			return err
		})
	})
	if a, z := found[0].Load(), found[1].Load(); a != z || a == 0 {
		b.Errorf("the store found %d, the driver %d", a, z)
	}
	b.ReportMetric(float64(found[0].Load())/float64(b.N*n), "found/query")
}

// BenchmarkBulkBesideDriver commits 500 resources at once; the driver inserts
// the same documents, made beforehand, with InsertMany into a collection with
// the same indexes.
func BenchmarkBulkBesideDriver(b *testing.B) {
	const n = 500
	resources := synthea(b, 10*n)
	e, bare := openTest(b, testOptions(b)), openTest(b, testOptions(b))
	s, ctx := scopeFor(b, e, benchTenant), b.Context()
	// part is one of the ten, copied under other ids in each round.
	part := func(round int) []resource {
		out := append([]resource(nil), resources[round%10*n:][:n]...)
		for i := range out {
			out[i].ref.ID = fmt.Sprintf("%s-%d", out[i].ref.ID, round/10)
		}
		return out
	}
	var rows []any
	prepare := func(round int) {
		rows = nil
		batch := batch{entries: []store.Entry{{Seq: int64(round + 1), Time: time.Now()}}, writes: [][]store.Write{nil}}
		for i, r := range part(round) {
			batch.writes[0] = append(batch.writes[0], store.Write{Ref: r.ref, Number: store.NumberOf(int64(round+1), i), Version: 1, Method: store.Create, Body: r.body, Keys: r.keys})
		}
		for _, r := range batch.rows(s)[0] {
			rows = append(rows, r)
		}
	}
	var changes store.Commit
	besidePrepared(b, n, func(round int) {
		prepare(round)
		changes.Changes = nil
		for _, r := range part(round) {
			changes.Changes = append(changes.Changes, r.change())
		}
	}, func(int) {
		if _, err := e.Commit(ctx, benchTenant, changes); err != nil {
			b.Fatal(err)
		}
	}, func(int) {
		if _, err := bare.docs.InsertMany(ctx, rows, options.InsertMany().SetOrdered(false)); err != nil {
			b.Fatal(err)
		}
	})
}

// TestBytesPerResource prints what is stored for each resource.
func TestBytesPerResource(t *testing.T) {
	if testing.Short() {
		t.Skip("loads 2,000 resources; run without -short")
	}
	resources := synthea(t, 2000)
	e := openTest(t, testOptions(t))
	var c store.Commit
	json, keys, keyBytes := 0, 0, 0
	for i, r := range resources {
		json += len(r.body)
		keys += len(r.keys)
		for _, k := range r.keys {
			keyBytes += len(k)
		}
		if c.Changes = append(c.Changes, r.change()); len(c.Changes) == 500 || i == len(resources)-1 {
			if _, err := e.Commit(t.Context(), benchTenant, c); err != nil {
				t.Fatal(err)
			}
			c.Changes = nil
		}
	}
	e.settle(t.Context())
	n := len(resources)
	t.Logf("minified JSON %d bytes, %d keys of %d bytes on average", json/n, keys/n, keyBytes/keys)
	report := func(when string) {
		total := 0.0
		for _, name := range []string{colDocs, colLog, colSpill} {
			var stats struct {
				Size    float64            `bson:"size"`
				Storage float64            `bson:"storageSize"`
				Indexes map[string]float64 `bson:"indexSizes"`
				All     float64            `bson:"totalIndexSize"`
			}
			if err := e.db.RunCommand(context.WithoutCancel(t.Context()), bson.D{{Key: "collStats", Value: name}}).Decode(&stats); err != nil {
				t.Fatal(err)
			}
			total += stats.Storage + stats.All
			t.Logf("%s: %s: BSON %.0f, stored %.0f, indexes %.0f %v bytes a resource", when, name, stats.Size/float64(n), stats.Storage/float64(n), stats.All/float64(n), stats.Indexes)
		}
		t.Logf("%s: in all %.0f bytes a resource, %.2f of its JSON", when, total/float64(n), total/float64(json))
	}
	report("as written")
	for _, name := range []string{colDocs, colLog, colSpill} {
		if err := e.db.RunCommand(t.Context(), bson.D{{Key: "compact", Value: name}, {Key: "force", Value: true}}).Err(); err != nil {
			t.Logf("the server does not compact %s: %v", name, err)
		}
	}
	report("compacted")
}

// BenchmarkRanges asks for a page of 20 by several ranges.
func BenchmarkRanges(b *testing.B) {
	e := openTest(b, testOptions(b))
	const documents = 10_000
	for at := 0; at < documents; at += 500 {
		var c store.Commit
		for n := range 500 {
			c.Changes = append(c.Changes, benchmarkDocument(at+n))
		}
		if _, err := e.Commit(b.Context(), tenant, c); err != nil {
			b.Fatal(err)
		}
	}
	dates := func(from, n int) store.Range {
		return store.Range{From: fmt.Sprintf("date=%09d", from), To: fmt.Sprintf("date=%09d", from+n)}
	}
	narrow := store.Or{dates(500, 20), dates(7000, 20)}
	for _, c := range []struct {
		name  string
		query store.Query
	}{
		{"one", store.Query{Where: dates(500, 20), Limit: 20}},
		{"two", store.Query{Where: narrow, Limit: 20}},
		{"four", store.Query{Where: store.Or{dates(500, 20), dates(7000, 20), dates(3000, 10), dates(9000, 5)}, Limit: 20}},
		{"two wide", store.Query{Where: store.Or{dates(500, 3000), dates(6000, 2000)}, Limit: 20}},
		{"two and a common key", store.Query{Where: store.And{store.Exactly("type"), narrow}, Limit: 20}},
		{"two counted", store.Query{Where: narrow, Count: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := e.Search(b.Context(), tenant, c.query); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
