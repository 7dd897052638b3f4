package pebble_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// Environment of the benchmarks.
const (
	// envSizes chooses the sizes, "10000 100000" by default.
	envSizes = "FHIRFACADE_BENCH_SIZES"
	// envFolder is where a store stays from one run to the next, so that
	// reads can be measured again without loading.
	envFolder = "FHIRFACADE_BENCH_FOLDER"
	// envResident names the folder that the child process of a measurement
	// of memory opens.
	envResident = "FHIRFACADE_BENCH_RESIDENT"
)

const benchTenant store.Tenant = "bench/Development"

// BenchmarkSynthea commits Synthea's resources with their real keys and asks
// for them again: commits, size on disk, reads, searches, memory.
func BenchmarkSynthea(b *testing.B) {
	sizes := os.Getenv(envSizes)
	if sizes == "" {
		sizes = "10000 100000"
	}
	var c *corpus
	for _, text := range strings.Fields(sizes) {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			if c == nil {
				c = readCorpus(b, 1<<30)
			}
			measure(b, c, n)
		})
	}
}

func measure(b *testing.B, c *corpus, n int) {
	dir := filepath.Join(b.TempDir(), "store")
	if kept := os.Getenv(envFolder); kept != "" {
		dir = filepath.Join(kept, strconv.Itoa(n))
	}
	if _, err := os.Stat(dir); err != nil {
		b.Run("commit", func(b *testing.B) { benchCommit(b, c, dir, n) })
	}
	e, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	b.Run("get", func(b *testing.B) { benchGet(b, e, c, n) })
	for _, q := range benchQueries(b, e, c) {
		b.Run(q.name, func(b *testing.B) {
			x, err := e.Explain(b.Context(), benchTenant, q.query)
			if err != nil {
				b.Fatal(err)
			}
			b.Logf("%+v", x)
			before := processorTime(b)
			b.ResetTimer()
			for range b.N {
				page, err := e.Search(b.Context(), benchTenant, q.query)
				if err != nil || len(page.Documents) != q.want {
					b.Fatal(len(page.Documents), err)
				}
			}
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
		})
	}
	b.Run("resident", func(b *testing.B) { benchResident(b, e, dir+"-resident") })
}

// prepared is how many resources are made at a time outside of the measured
// time: making a copy's ids is the benchmark's work, not the store's.
const prepared = 20000

// benchCommit loads the store with 16 concurrent committers, a resource a
// commit, each durable when its commit returns. The last of its speeds is that
// of the store when it is nearly full. What is compacted while resources are
// prepared is not in the first two; the third has all of it, and the preparing.
func benchCommit(b *testing.B, c *corpus, dir string, n int) {
	for range b.N {
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
		e, err := pebble.Open(dir, pebble.Options{})
		if err != nil {
			b.Fatal(err)
		}
		var spent, busy time.Duration
		var last float64
		var keys, keyBytes int
		began := time.Now()
		for from := 0; from < n; from += prepared {
			some := make([]store.Change, min(prepared, n-from))
			for i := range some {
				r := c.originals[(from+i)%len(c.originals)]
				keys += len(r.ends) + 2
				keyBytes += len(r.keys)
			}
			inParallel(runtime.GOMAXPROCS(0), len(some), func(i int) { some[i] = c.change(c.at(from + i)) })
			runtime.GC()
			start, before := time.Now(), processorTime(b)
			commitAll(b, e, some)
			took, used := time.Since(start), processorTime(b)-before
			spent += took
			busy += used
			last = float64(len(some)) / took.Seconds()
		}
		whole := time.Since(began)
		if err := e.Compact(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Log(e.Metrics())
		spaces, err := e.DiskUsage()
		if err != nil {
			b.Fatal(err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
		for space, bytes := range spaces {
			b.Logf("space %s: %.0f bytes/resource", space, float64(bytes)/float64(n))
		}
		// The first thing that opening does is to remove logs that are not
		// needed any more.
		if e, err = pebble.Open(dir, pebble.Options{}); err != nil {
			b.Fatal(err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
		size := folderSize(b, dir)
		b.ReportMetric(float64(n)/spent.Seconds(), "resources/s")
		b.ReportMetric(last, "last-resources/s")
		b.ReportMetric(float64(n)/whole.Seconds(), "with-preparing/s")
		b.ReportMetric(float64(busy.Microseconds())/float64(n), "cpu-µs/resource")
		b.ReportMetric(float64(keys)/float64(n), "keys/resource")
		b.ReportMetric(float64(keyBytes)/float64(keys), "bytes/key")
		b.ReportMetric(float64(size)/float64(n), "bytes/resource")
		b.ReportMetric(float64(size)/float64(c.minified(n)), "of-minified")
	}
}

func commitAll(b *testing.B, e *pebble.Engine, changes []store.Change) {
	inParallel(16, len(changes), func(i int) {
		if _, err := e.Commit(b.Context(), benchTenant, store.Commit{Source: "bench", Changes: changes[i : i+1]}); err != nil {
			b.Error(err)
		}
	})
}

// inParallel calls do for 0 to n-1 from so many goroutines.
func inParallel(goroutines, n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// processorTime is what this process has used; on a machine that others use
// too it says more than the time that passed.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func folderSize(tb testing.TB, dir string) int64 {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return size
}

// benchGet reads resources by name from as many goroutines as there are
// processors. They are some thousand that fit the cache.
func benchGet(b *testing.B, e *pebble.Engine, c *corpus, n int) {
	refs := make([]store.Ref, min(n, 2000))
	for i := range refs {
		refs[i] = c.at(i * (n / len(refs))).ref()
	}
	var turn atomic.Uint64
	before := processorTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r := rand.New(rand.NewPCG(turn.Add(1), 1))
		for pb.Next() {
			if _, err := e.Get(b.Context(), benchTenant, refs[r.IntN(len(refs))]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
}

type benchQuery struct {
	name  string
	query store.Query
	want  int
}

// benchQueries are searches whose answers have the same size however large
// the store is.
func benchQueries(b *testing.B, e *pebble.Engine, c *corpus) []benchQuery {
	patient, code := "", ""
	for i := 0; i < len(c.originals) && patient == ""; i++ {
		r := c.originals[i]
		if r.typ != "Observation" {
			continue
		}
		about := strings.Split(strings.Split(string(r.body), `"Patient/`)[1], `"`)[0]
		of := strings.Split(strings.Split(string(r.body), `"code":"`)[2], `"`)[0]
		q := parse(b, "Observation", "patient", about, "code", of)
		page, err := e.Search(b.Context(), benchTenant, store.Query{Where: q.Where, Limit: 100, RefsOnly: true})
		if err != nil {
			b.Fatal(err)
		}
		if len(page.Documents) >= 20 {
			patient, code = about, of
		}
	}
	identifier := ""
	for _, r := range c.originals {
		if r.ref().ID == patient {
			identifier = strings.Split(strings.Split(string(r.body), `"identifier":[`)[1], `"value":"`)[1]
			identifier, _, _ = strings.Cut(identifier, `"`)
		}
	}
	full := func(name string, want int, typ string, params ...string) benchQuery {
		q := parse(b, typ, params...)
		return benchQuery{name, store.Query{Where: q.Where, Sort: q.Sort, Limit: want}, want}
	}
	return []benchQuery{
		full("patient+code", 20, "Observation", "patient", patient, "code", code),
		full("patient+code+date", 10, "Observation", "patient", patient, "code", code, "date", "ge1900", "_sort", "-date"),
		full("code+date,sorted", 20, "Observation", "code", code, "date", "ge2015", "_sort", "-date"),
		full("status,sorted", 20, "Observation", "status", "final", "_sort", "-date"),
		full("patient,sorted", 20, "Observation", "patient", patient, "_sort", "-date"),
		full("chained", 20, "Observation", "code", code, "patient.identifier", identifier),
	}
}

func parse(tb testing.TB, typ string, nameValue ...string) *search.Request {
	var params []search.Parameter
	for i := 0; i < len(nameValue); i += 2 {
		params = append(params, search.Parameter{Name: nameValue[i], Value: nameValue[i+1]})
	}
	q, err := search.Parse(typ, params, search.Options{
		Base: search.Base{Definitions: conformance.R4()}, Now: time.Now(), DefaultCount: 20, MaxCount: 1000,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// benchResident lets another process, which does not hold the corpus, read,
// search and write, and reports the memory that it came to hold: the most of
// it, and how much the last of its rounds added to the one before.
//
// It gets a copy, so that what is measured next finds the store as it was.
func benchResident(b *testing.B, e *pebble.Engine, dir string) {
	for range b.N {
		if err := errors.Join(os.RemoveAll(dir), e.Backup(b.Context(), dir)); err != nil {
			b.Fatal(err)
		}
		defer os.RemoveAll(dir)
		child := exec.Command(os.Args[0], "-test.run=^TestResident$", "-test.v")
		child.Env = append(os.Environ(), envResident+"="+dir)
		out, err := child.CombinedOutput()
		var rounds []float64
		for _, line := range strings.Split(string(out), "\n") {
			if text, ok := strings.CutPrefix(line, "resident KiB: "); ok {
				kib, err := strconv.Atoi(text)
				if err != nil {
					b.Fatal(err)
				}
				rounds = append(rounds, float64(kib)/1024)
			}
		}
		if err != nil || len(rounds) < 2 {
			b.Fatalf("%v\n%s", err, out)
		}
		b.Logf("MiB after each round: %.0f", rounds)
		b.ReportMetric(slices.Max(rounds), "MiB")
		b.ReportMetric(rounds[len(rounds)-1]-rounds[len(rounds)-2], "MiB-more")
	}
}

// TestResident is the child of benchResident: rounds of 20,000 reads, 400
// pages of searches all over the store, and 4,000 commits, from 16 goroutines.
func TestResident(t *testing.T) {
	dir := os.Getenv(envResident)
	if dir == "" {
		t.Skip("only as a part of BenchmarkSynthea")
	}
	e, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	head, err := e.Head(t.Context(), benchTenant)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 8 {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() { load(t, e, head, rand.New(rand.NewPCG(uint64(i), uint64(round)))) })
		}
		wg.Wait()
		fmt.Println("resident KiB:", resident(t))
	}
}

// load is what one goroutine does in a round.
func load(t *testing.T, e *pebble.Engine, head int64, r *rand.Rand) {
	for range 25 {
		log, err := e.ReadLog(t.Context(), benchTenant, r.Int64N(head-50), 50)
		if err != nil {
			t.Error(err)
			return
		}
		for _, entry := range log {
			if _, err := e.Get(t.Context(), benchTenant, entry.Changes[0].Ref); err != nil {
				t.Error(err)
				return
			}
		}
		q := parse(t, "Observation", "date", fmt.Sprintf("ge%d", 1990+r.IntN(30)), "status", "final", "_sort", "-date")
		if _, err := e.Search(t.Context(), benchTenant, store.Query{Where: q.Where, Sort: q.Sort, Limit: 20}); err != nil {
			t.Error(err)
			return
		}
		for range 10 {
			if _, err := e.Commit(t.Context(), "bench/Load", store.Commit{Changes: []store.Change{randomChange(r)}}); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// randomChange writes a document about as large as a resource, with as many
// keys.
func randomChange(r *rand.Rand) store.Change {
	body := make([]byte, 1300)
	for i := range body {
		body[i] = 'a' + byte(r.IntN(26))
	}
	var keys []store.Key
	for i := range 34 {
		keys = append(keys, fmt.Sprintf("parameter%02d=%016x", i, r.Uint64()>>(2*i)))
	}
	id := fmt.Sprint(r.IntN(50000))
	return store.Change{Ref: store.Ref{Type: "A", ID: id}, Render: func(store.Stamp) store.Content {
		return store.Content{Body: body, Keys: keys}
	}}
}

func resident(t *testing.T) string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	return strings.Fields(rest)[0]
}
