package maintenance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

const tenant = store.Tenant("clinic/Development")

// clock is the store's and the runner's.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(c.at.Load(), 0).UTC() }

// watched counts the documents that get other keys, and may stop the work.
type watched struct {
	store.Store
	keyed atomic.Int64
	stop  func(keyed int64)
}

func (w *watched) Rekey(ctx context.Context, t store.Tenant, changes []store.KeyChange) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.Store.Rekey(ctx, t, changes)
	if keyed := w.keyed.Add(int64(n)); w.stop != nil {
		w.stop(keyed)
	}
	return n, err
}

// server is what of a server the jobs need.
type server struct {
	t      testing.TB
	store  *watched
	repo   *repository.Repository
	custom *parameters.Registry
	runner *maintenance.Runner
	log    *bytes.Buffer
}

var sequence atomic.Int64

func newServer(t testing.TB, s store.Store, c *clock, o maintenance.Options) *server {
	t.Helper()
	w := &watched{Store: s}
	id := func() string { return fmt.Sprintf("id-%d", sequence.Add(1)) }
	d := conformance.R4()
	index := search.NewIndex(d, r4model.R4())
	srv := &server{t: t, store: w, log: &bytes.Buffer{}}
	srv.custom = parameters.New(parameters.Options{Store: w, Definitions: d, Index: index, Now: c.now,
		Progress: func(ctx context.Context, t store.Tenant, p parameters.Parameter) string {
			return srv.runner.Progress(ctx, t, p)
		}})
	srv.repo = repository.New(repository.Options{Store: w, Definitions: d, Index: index, Parameters: srv.custom, Now: c.now, NewID: id,
		Pages: search.PageTokens{Key: []byte("test")}})
	owner := id()
	leases, err := lease.New(w, lease.Options{Owner: owner, TTL: time.Minute, Now: c.now, Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	o.Store, o.Repository, o.Parameters, o.Leases, o.Owner, o.NewID, o.Now = w, srv.repo, srv.custom, leases, owner, id, c.now
	o.Logger = slog.New(slog.NewTextHandler(srv.log, nil))
	srv.runner = maintenance.New(o)
	return srv
}

func open(t testing.TB) (store.Store, *clock) {
	t.Helper()
	c := &clock{}
	c.at.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Unix())
	s, err := pebble.Open(t.TempDir(), pebble.Options{CacheSize: 1 << 20, Clock: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, c
}

func (s *server) put(typ, id, resource string) {
	s.t.Helper()
	if _, _, err := s.repo.Update(s.t.Context(), tenant, store.Ref{Type: typ, ID: id}, []byte(resource), 0); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) patients(n int) {
	for i := range n {
		s.put("Patient", fmt.Sprintf("p%d", i), fmt.Sprintf(`{"resourceType":"Patient","id":"p%d","name":[{"family":"Fernsby","suffix":["Senior"]}]}`, i))
	}
}

func (s *server) parameter(expression string) {
	s.put("SearchParameter", "suffix", `{"resourceType":"SearchParameter","id":"suffix","url":"http://example.org/suffix","name":"x","status":"active",`+
		`"description":"x","code":"suffix","base":["Patient"],"type":"string","expression":"`+expression+`"}`)
}

func (s *server) count(name, value string) (int, error) {
	res, err := s.repo.Search(s.t.Context(), tenant, "Patient", []search.Parameter{{Name: name, Value: value}, {Name: "_count", Value: "1000"}}, false)
	if err != nil {
		return 0, err
	}
	found, err := res.Matches()
	return len(found), err
}

func (s *server) latest() *maintenance.Job {
	s.t.Helper()
	jobs, _, err := s.runner.Jobs().List(s.t.Context(), tenant, "", 1)
	if err != nil || len(jobs) != 1 {
		s.t.Fatal(len(jobs), err)
	}
	return jobs[0]
}

// A reindexing that ends in the middle is gone on with by another instance,
// from where it was.
func TestReindexGoesOn(t *testing.T) {
	st, c := open(t)
	first := newServer(t, st, c, maintenance.Options{})
	first.patients(500)
	first.parameter("Patient.name.suffix")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first.store.stop = func(keyed int64) {
		if keyed >= 200 {
			cancel()
		}
	}
	if err := first.runner.Tenant(ctx, tenant); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	j := first.latest()
	if j.State != maintenance.Running || j.Done != first.store.keyed.Load() || j.Done >= 500 || j.Total != 500 {
		t.Fatalf("%+v after %d", j, first.store.keyed.Load())
	}
	if _, err := first.count("suffix", "senior"); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d of 500", j.Done)) {
		t.Errorf("searched by a parameter that is half built: %v", err)
	}

	second := newServer(t, st, c, maintenance.Options{})
	if err := second.runner.Tenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	if got := second.store.keyed.Load() + first.store.keyed.Load(); got != 500 {
		t.Errorf("%d documents got keys, of 500", got)
	}
	if j := second.latest(); j.State != maintenance.Finished || j.Done != 500 || j.Total != 500 || j.Instance == first.latest().ID {
		t.Errorf("%+v", j)
	}
	if n, err := second.count("suffix", "senior"); n != 500 || err != nil {
		t.Errorf("found %d, %v", n, err)
	}
	// Nothing is left of the lease.
	if page, err := st.ScanItems(t.Context(), tenant, store.ItemScan{Kind: lease.Kind, Limit: 10}); err != nil || len(page.Items) != 0 {
		t.Errorf("%d leases are left, %v", len(page.Items), err)
	}
}

// A reindexing that is cancelled is not ordered again, and the parameter says
// so; another one by hand makes it ready.
func TestCancelledReindex(t *testing.T) {
	st, c := open(t)
	s := newServer(t, st, c, maintenance.Options{})
	s.patients(300)
	s.parameter("Patient.name.suffix")
	s.store.stop = func(int64) {
		c.at.Add(2) // progress is written from time to time
		if j := s.latest(); j.Open() && !j.Cancel {
			if _, err := s.runner.Jobs().Cancel(t.Context(), tenant, j.ID); err != nil {
				t.Error(err)
			}
		}
	}
	for range 2 {
		if err := s.runner.Tenant(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	if j := s.latest(); j.State != maintenance.Cancelled || j.Done != s.store.keyed.Load() || j.Done >= 300 {
		t.Errorf("%+v after %d", j, s.store.keyed.Load())
	}
	if _, err := s.count("suffix", "senior"); err == nil || !strings.Contains(err.Error(), "was cancelled") {
		t.Errorf("searched: %v", err)
	}
	s.store.stop = nil
	if _, err := s.runner.Order(t.Context(), tenant, []string{"Patient"}, "requested"); err != nil {
		t.Fatal(err)
	}
	if err := s.runner.Tenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	if n, err := s.count("suffix", "senior"); n != 300 || err != nil {
		t.Errorf("found %d, %v", n, err)
	}
}

// A resource that the expression fails on is counted and said, and the
// parameter is not searched by as if nothing were missing.
func TestUnindexableResources(t *testing.T) {
	st, c := open(t)
	s := newServer(t, st, c, maintenance.Options{})
	s.patients(3)
	s.put("Patient", "two", `{"resourceType":"Patient","id":"two","name":[{"suffix":["a"]},{"suffix":["b"]}]}`)
	s.parameter("Patient.name.suffix.single()")
	if err := s.runner.Tenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	if j := s.latest(); j.State != maintenance.Failed || j.Done != 3 || j.Failed != 1 || !strings.Contains(j.Error, "suffix") {
		t.Errorf("%+v", j)
	}
	if _, err := s.count("suffix", "senior"); err == nil || !strings.Contains(err.Error(), "1 resources cannot be indexed") {
		t.Errorf("searched: %v", err)
	}
	if n, err := s.count("_id", "two"); n != 1 || err != nil {
		t.Errorf("it lost its other keys: %d, %v", n, err)
	}
	_, err := s.repo.Create(t.Context(), tenant, "Patient", []byte(`{"resourceType":"Patient","name":[{"suffix":["a"]},{"suffix":["b"]}]}`))
	if err == nil || !strings.Contains(err.Error(), "search parameter suffix") {
		t.Errorf("another one is stored: %v", err)
	}
}

// readers are positions in a log.
type readers []maintenance.LogPosition

func (r readers) LogPositions(context.Context, store.Tenant) ([]maintenance.LogPosition, error) {
	return append(readers(nil), r...), nil
}

// A log is trimmed below what is within the retention and what any reader
// still needs; who holds it for long is named.
func TestRetention(t *testing.T) {
	const day = 24 * 60 * 60
	for rule, c := range map[string]struct {
		retention time.Duration
		readers   readers
		floor     int64
		heldBy    string
		warned    bool
	}{
		"everything is kept":         {0, nil, 1, "", false},
		"nobody reads":               {35 * day * time.Second, nil, 65, "", false},
		"all have read it":           {35 * day * time.Second, readers{{Reader: "a", Seq: 100}, {Reader: "b", Seq: 99}}, 65, "", false},
		"one is a little behind":     {35 * day * time.Second, readers{{Reader: "a", Seq: 100}, {Reader: "b", Seq: 63}}, 64, "b", false},
		"one is paused for long":     {35 * day * time.Second, readers{{Reader: "a", Seq: 100}, {Reader: "b", Seq: 9, Status: "paused"}}, 10, "b", true},
		"one has read nothing":       {35 * day * time.Second, readers{{Reader: "new", Seq: 0}}, 1, "new", true},
		"longer than the log is old": {400 * day * time.Second, nil, 1, "", false},
		"the whole log is out of it": {90 * day * time.Second, readers{{Reader: "a", Seq: 100}}, 10, "", false},
	} {
		t.Run(rule, func(t *testing.T) {
			st, clk := open(t)
			for i := range 100 {
				clk.at.Add(day)
				if _, err := st.Commit(t.Context(), tenant, store.Commit{Changes: []store.Change{{
					Ref:    store.Ref{Type: "Patient", ID: fmt.Sprint(i)},
					Render: func(store.Stamp) store.Content { return store.Content{Body: []byte("{}"), Keys: []store.Key{"k"}} },
				}}}); err != nil {
					t.Fatal(err)
				}
			}
			o := maintenance.Options{Retention: c.retention}
			if c.readers != nil {
				o.Readers = []maintenance.LogReader{c.readers}
			}
			s := newServer(t, st, clk, o)
			state, err := s.runner.LogState(t.Context(), tenant)
			if err != nil || state.HeldBy != c.heldBy || state.Head != 100 || len(state.Readers) != len(c.readers) {
				t.Errorf("%+v, %v", state, err)
			}
			if c.retention > 0 {
				if _, err := s.runner.Trim(t.Context(), tenant); err != nil {
					t.Fatal(err)
				}
			}
			floor, err := st.LogFloor(t.Context(), tenant)
			if err != nil || floor != c.floor {
				t.Errorf("floor %d, %v, want %d", floor, err, c.floor)
			}
			if entries, err := st.ReadLog(t.Context(), tenant, floor-1, 1); err != nil || len(entries) != 1 || entries[0].Seq != floor {
				t.Errorf("the first entry: %v, %v", entries, err)
			}
			if warned := strings.Contains(s.log.String(), "beyond their time"); warned != c.warned {
				t.Errorf("warned: %v\n%s", warned, s.log)
			}
			if again, err := s.runner.LogState(t.Context(), tenant); err != nil || again.Floor != c.floor {
				t.Errorf("a trimmed log cannot be looked at: %+v, %v", again, err)
			}
		})
	}
}

// A SearchParameter whose taking up was cut short, by a process that ended
// behind the commit, is taken up by the next round.
func TestParameterThatWasNotTakenUp(t *testing.T) {
	st, c := open(t)
	s := newServer(t, st, c, maintenance.Options{})
	s.patients(3)
	key := search.Everything(conformance.R4(), "SearchParameter").(store.Range).From
	body := []byte(`{"resourceType":"SearchParameter","id":"suffix","url":"http://example.org/suffix","name":"x","status":"active",` +
		`"description":"x","code":"suffix","base":["Patient"],"type":"string","expression":"Patient.name.suffix"}`)
	if _, err := st.Commit(t.Context(), tenant, store.Commit{Changes: []store.Change{{
		Ref:    store.Ref{Type: "SearchParameter", ID: "suffix"},
		Render: func(store.Stamp) store.Content { return store.Content{Body: body, Keys: []store.Key{key}} },
	}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.runner.Tenant(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	if n, err := s.count("suffix", "senior"); n != 3 || err != nil {
		t.Errorf("found %d, %v", n, err)
	}
}

// One operation is the reindexing of 2,000 small Patients on disk.
func BenchmarkReindex(b *testing.B) {
	st, c := open(b)
	s := newServer(b, st, c, maintenance.Options{})
	s.patients(2000)
	b.ResetTimer()
	for range b.N {
		if _, err := s.runner.Order(b.Context(), tenant, []string{"Patient"}, "requested"); err != nil {
			b.Fatal(err)
		}
		if err := s.runner.Tenant(b.Context(), tenant); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(2000*b.N)/b.Elapsed().Seconds(), "resources/s")
}
