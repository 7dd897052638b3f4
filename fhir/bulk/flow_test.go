package bulk_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/search/parameters"
	"github.com/fhirfacade/fhirfacade/internal/maintenance"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/lease"
)

// hooked lets a test act when the store is asked.
type hooked struct {
	store.Store
	mu sync.Mutex
	// beforeSearch, unless nil, is called before each page is read.
	beforeSearch func(ctx context.Context, q store.Query) error
	// beforePut, unless nil, is called before each item is written.
	beforePut func(item store.Item) error
}

func (h *hooked) breakPut(f func(item store.Item) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beforePut = f
}

func (h *hooked) PutItem(ctx context.Context, t store.Tenant, item store.Item, expect int64) (store.Item, error) {
	h.mu.Lock()
	f := h.beforePut
	h.mu.Unlock()
	if f != nil {
		if err := f(item); err != nil {
			return item, err
		}
	}
	return h.Store.PutItem(ctx, t, item, expect)
}

func (h *hooked) hook(f func(ctx context.Context, q store.Query) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beforeSearch = f
}

func (h *hooked) Search(ctx context.Context, t store.Tenant, q store.Query) (store.Page, error) {
	h.mu.Lock()
	f := h.beforeSearch
	h.mu.Unlock()
	if f != nil {
		if err := f(ctx, q); err != nil {
			return store.Page{}, err
		}
	}
	return h.Store.Search(ctx, t, q)
}

// server is an API whose jobs are done while run runs.
type server struct {
	*resttest.Server
	hooked *hooked
	runner func() *maintenance.Runner
	rest   *rest.Options
}

var ids atomic.Int64

func serve(t testing.TB, open resttest.Open, with func(o *rest.Options, b *bulk.Options)) *server {
	t.Helper()
	s := &server{hooked: &hooked{}}
	var clock func() time.Time
	s.Server = resttest.ServeWith(t, func(t testing.TB, c func() time.Time) store.Store {
		clock = c
		s.hooked.Store = open(t, c)
		return s.hooked
	}, func(o *rest.Options) {
		id := func() string { return fmt.Sprintf("job-%d", ids.Add(1)) }
		var runner *maintenance.Runner
		b := bulk.Options{
			Store: s.hooked, Repository: o.Repository, Now: clock, NewID: id, PerFile: 40, Logger: slog.New(slog.DiscardHandler),
			Jobs: maintenance.NewBulkJobs(maintenance.NewJobs(s.hooked, clock), func() { runner.Wake() }),
		}
		with(o, &b)
		o.Bulk = bulk.New(b)
		s.rest = o
		d := conformance.R4()
		registry := parameters.New(parameters.Options{Store: s.hooked, Definitions: d, Index: search.NewIndex(d, r4model.R4()), Now: clock})
		s.runner = func() *maintenance.Runner {
			owner := id()
			leases, err := lease.New(s.hooked, lease.Options{Owner: owner, TTL: time.Minute, Now: clock, Exclusive: s.hooked.Exclusive()})
			if err != nil {
				t.Fatal(err)
			}
			runner = maintenance.New(maintenance.Options{
				Store: s.hooked, Repository: o.Repository, Parameters: registry, Leases: leases, Owner: owner, NewID: id, Now: clock,
				Logger: slog.New(slog.DiscardHandler), Bulk: o.Bulk,
			})
			return runner
		}
		s.runner()
	})
	// MongoDB removes what expires by its own clock.
	s.Clock.Advance(max(0, time.Since(resttest.Start)))
	return s
}

// work does what jobs there are.
func (s *server) work() error {
	return s.runner().Tenant(s.Context(), "clinic/test")
}

// kickOff asks for an export and returns its status URL.
func (s *server) kickOff(path string, headers ...string) string {
	s.Helper()
	a := s.Get(path, append([]string{"Prefer", "respond-async", "Accept", "application/fhir+json"}, headers...)...).Want(http.StatusAccepted)
	at := a.Header.Get("Content-Location")
	if at == "" {
		s.Fatal("no Content-Location")
	}
	return at
}

// exported does a whole flow and returns the lines of each section and type.
func (s *server) exported(path string) (bulk.Manifest, map[string][]string) {
	s.Helper()
	at := s.kickOff(path)
	s.Get(at).Want(http.StatusAccepted).WantHeader("X-Progress", "waiting to begin").WantHeader("Retry-After", "2")
	if err := s.work(); err != nil {
		s.Fatal(err)
	}
	return s.download(at)
}

func (s *server) download(at string) (bulk.Manifest, map[string][]string) {
	s.Helper()
	var m bulk.Manifest
	a := s.Get(at, "Accept", "application/json").Want(http.StatusOK).WantHeader("Content-Type", "application/json").Decode(&m)
	if _, err := http.ParseTime(a.Header.Get("Expires")); err != nil {
		s.Errorf("Expires: %v", err)
	}
	lines := map[string][]string{}
	for section, files := range map[string][]bulk.Output{"": m.Output, "deleted ": m.Deleted, "error ": m.Error} {
		for _, f := range files {
			plain := s.Get(f.URL, "Accept", bulk.NDJSON, "Accept-Encoding", "identity").Want(http.StatusOK).WantHeader("Content-Type", bulk.NDJSON)
			packed := s.Get(f.URL, "Accept-Encoding", "gzip").Want(http.StatusOK).WantHeader("Content-Encoding", "gzip")
			if f.Count > 40 {
				s.Errorf("%s has %d lines", f.URL, f.Count)
			}
			z, err := gzip.NewReader(bytes.NewReader(packed.Body))
			if err != nil {
				s.Fatal(err)
			}
			if text, err := io.ReadAll(z); err != nil || !bytes.Equal(text, plain.Body) {
				s.Errorf("%s: the packed file is another: %v", f.URL, err)
			}
			n := int64(0)
			for scan := bufio.NewScanner(bytes.NewReader(plain.Body)); scan.Scan(); n++ {
				var head struct{ ResourceType string }
				if err := json.Unmarshal(scan.Bytes(), &head); err != nil || head.ResourceType != f.Type {
					s.Errorf("a line of %s is a %s: %v", f.URL, head.ResourceType, err)
				}
				lines[section+f.Type] = append(lines[section+f.Type], scan.Text())
			}
			if n != f.Count {
				s.Errorf("%s: %d lines, %d in the manifest", f.URL, n, f.Count)
			}
		}
	}
	return m, lines
}

// all reads every resource one by one: what an export has to be.
func (s *server) all(types ...string) map[string][]string {
	s.Helper()
	all := map[string][]string{}
	for _, typ := range types {
		for next := typ + "?_count=1000"; next != ""; {
			b := s.Get(next).Bundle("searchset")
			for _, e := range b.Entry {
				all[typ] = append(all[typ], string(s.Get(e.Ref()).Want(http.StatusOK).Body))
			}
			next = b.LinkTo("next")
		}
	}
	return all
}

func same(t testing.TB, got, want map[string][]string) {
	t.Helper()
	for _, types := range []map[string][]string{got, want} {
		for typ := range types {
			g, w := slices.Sorted(slices.Values(got[typ])), slices.Sorted(slices.Values(want[typ]))
			if slices.Equal(g, w) {
				continue
			}
			t.Errorf("%s: %d lines, want %d", typ, len(g), len(w))
			for _, line := range g {
				if !slices.Contains(w, line) {
					t.Errorf("not expected: %.200s", line)
				}
			}
			for _, line := range w {
				if !slices.Contains(g, line) {
					t.Errorf("missing: %.200s", line)
				}
			}
		}
	}
}

func patient(id string) string {
	return `{"resourceType":"Patient","id":"` + id + `","active":true}`
}

func observation(id, patient string) string {
	return `{"resourceType":"Observation","id":"` + id + `","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/` + patient + `"}}`
}

// ward puts n patients with two observations each, and what is not of
// patients.
func (s *server) ward(n int) {
	s.Helper()
	for i := range n {
		p := fmt.Sprintf("p%d", i)
		s.Put(patient(p), observation(p+"-a", p), observation(p+"-b", p))
	}
	s.Put(`{"resourceType":"Organization","id":"o","name":"General"}`,
		"{\"resourceType\":\"Practitioner\",\r\n \"id\":\"d\",\r\"name\":[{\"text\":\"a\\nb\"}],\n\n\t\"active\":true}",
		`{"resourceType":"Observation","id":"none","status":"final","code":{"text":"x"}}`)
}

func without(o *rest.Options, b *bulk.Options) {}

func compact(lines map[string][]string) map[string][]string {
	for _, all := range lines {
		for i, l := range all {
			var b bytes.Buffer
			if strings.ContainsAny(l, "\r\n") && json.Compact(&b, []byte(l)) == nil {
				all[i] = b.String()
			}
		}
	}
	return lines
}

// Every resource is exported once, as it is stored.
func flow(t *testing.T, open resttest.Open) {
	s := serve(t, open, without)
	s.ward(50)
	if statement := string(s.Get("metadata").Body); !strings.Contains(statement, "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data") ||
		strings.Count(statement, "uv/bulkdata/OperationDefinition/") != 3 {
		t.Error("the CapabilityStatement does not speak of bulk data")
	}
	m, got := s.exported("$export")
	want := compact(s.all("Patient", "Observation", "Organization", "Practitioner"))
	same(t, got, want)
	if len(want["Observation"]) != 101 || !strings.HasSuffix(m.Request, "/$export") || len(m.Error) != 0 {
		t.Errorf("%d observations of request %s, %d errors", len(want["Observation"]), m.Request, len(m.Error))
	}

	_, got = s.exported("Patient/$export")
	want = s.all("Patient", "Observation")
	want["Observation"] = slices.DeleteFunc(want["Observation"], func(l string) bool { return strings.Contains(l, `"id":"none"`) })
	same(t, got, want)

	_, got = s.exported("$export?_type=Practitioner,Organization&_elements=Organization.name,id")
	if len(got) != 2 || !strings.Contains(got["Organization"][0], "General") || strings.Contains(got["Practitioner"][0], "active") ||
		!strings.Contains(got["Practitioner"][0], "SUBSETTED") {
		t.Errorf("%v", got)
	}
	_, got = s.exported("Patient/$export?_typeFilter=Observation?_id=p1-a%252Cp2-b,Patient?_id=p3&_typeFilter=Observation%3Fpatient%3Dp4")
	if len(got["Observation"]) != 4 || len(got["Patient"]) != 1 {
		t.Errorf("%d observations, %d patients", len(got["Observation"]), len(got["Patient"]))
	}
	_, got = s.exported("$export?_type=Observation&_typeFilter=Observation?patient.active=true%26_id=p1-a")
	if len(got["Observation"]) != 1 {
		t.Errorf("a chain finds %d", len(got["Observation"]))
	}
}

// A Group's members are meant, less those who are inactive; a resource of two
// of them is exported once.
func groups(t *testing.T, open resttest.Open) {
	s := serve(t, open, without)
	s.ward(150)
	var list []string
	for i := range 140 {
		inactive := ""
		if i == 7 {
			inactive = `,"inactive":true`
		}
		list = append(list, fmt.Sprintf(`{"entity":{"reference":"Patient/p%d"}%s}`, i, inactive))
	}
	s.Put(`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[` + strings.Join(list, ",") + `]}`)
	s.Put(`{"resourceType":"Appointment","id":"both","status":"booked","participant":[{"actor":{"reference":"Patient/p139"},"status":"accepted"},{"actor":{"reference":"Patient/p1"},"status":"accepted"}]}`)
	_, got := s.exported("Group/g/$export")
	for typ, n := range map[string]int{"Patient": 139, "Observation": 278, "Appointment": 1, "Group": 1} {
		if len(got[typ]) != n {
			t.Errorf("%d of %s, want %d", len(got[typ]), typ, n)
		}
	}
	body := `{"resourceType":"Parameters","parameter":[{"name":"patient","valueReference":{"reference":"Patient/p1"}},` +
		`{"name":"patient","valueReference":{"reference":"Patient/p7"}},{"name":"_type","valueString":"Observation"},{"name":"_since","valueInstant":"2020-01-01T00:00:00Z"}]}`
	at := s.Do("POST", "Group/g/$export", body, "Prefer", "respond-async").Want(http.StatusAccepted).Header.Get("Content-Location")
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	if _, got = s.download(at); len(got["Observation"]) != 2 || len(got) != 1 {
		t.Errorf("%v", got)
	}
	s.Get("Group/none/$export", "Prefer", "respond-async").WantOutcome(http.StatusNotFound, "not-found")
}

// What is written while an export runs is not in it: created, updated, deleted
// before and behind the walk.
func snapshot(t *testing.T, open resttest.Open) {
	s := serve(t, open, without)
	s.ward(30)
	want := compact(s.all("Patient", "Observation", "Organization", "Practitioner"))
	s.Clock.Advance(time.Minute)
	at := s.kickOff("$export")
	var searches int
	var busy atomic.Bool
	s.hooked.hook(func(_ context.Context, q store.Query) error {
		if q.Limit != 1000 || q.Count || !busy.CompareAndSwap(false, true) {
			return nil
		}
		defer busy.Store(false)
		searches++
		n := searches % 30
		p := fmt.Sprintf("p%d", n)
		s.Put(observation(p+"-a", "p0"), observation(fmt.Sprintf("new-%d", searches), p), patient(fmt.Sprintf("new-%d", searches)))
		s.Do("DELETE", "Observation/"+p+"-b", "")
		s.Put(strings.Replace(patient(p), "true", "false", 1))
		return nil
	})
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	s.hooked.hook(nil)
	if searches < 20 {
		t.Fatalf("only %d searches were disturbed", searches)
	}
	m, got := s.download(at)
	same(t, got, want)

	// An export since then has all of that, and what was deleted.
	_, got = s.exported("$export?_since=" + m.TransactionTime)
	after := s.all("Patient", "Observation")
	for typ, lines := range after {
		after[typ] = slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(want[typ], l) })
		for _, l := range after[typ] {
			if !slices.Contains(got[typ], l) {
				t.Errorf("missing since: %.200s", l)
			}
		}
	}
	deleted := strings.Join(got["deleted Bundle"], "\n")
	if n := strings.Count(deleted, `"DELETE"`); n != min(searches, 30) || !strings.Contains(deleted, `"url":"Observation/p3-b"`) {
		t.Errorf("%d deletes of %d: %s", n, searches, deleted)
	}
}

// An export that was cut short goes on where it was, with the same snapshot,
// wherever it was cut.
func resume(t *testing.T, open resttest.Open) {
	for _, cut := range []int{3, 40, 100} {
		s := serve(t, open, without)
		s.ward(30)
		want := compact(s.all("Patient", "Observation", "Organization", "Practitioner"))
		at := s.kickOff("$export")
		n := 0
		broken := fmt.Errorf("broken: %w", store.ErrUnavailable)
		s.hooked.hook(func(_ context.Context, q store.Query) error {
			if n++; q.Limit == 1000 && n >= cut+150 { // behind the counts
				return broken
			}
			return nil
		})
		if err := s.work(); err == nil {
			t.Fatal("the export was not cut short")
		}
		s.hooked.hook(nil)
		s.Get(at).Want(http.StatusAccepted)
		s.Put(strings.Replace(patient("p3"), "true", "false", 1), observation("late", "p3"))
		s.Do("DELETE", "Observation/p4-b", "")
		if err := s.work(); err != nil {
			t.Fatal(err)
		}
		_, got := s.download(at)
		same(t, got, want)
	}
}

// A job can be cancelled, and what it has made goes when its time is over.
func ends(t *testing.T, open resttest.Open) {
	s := serve(t, open, without)
	s.ward(5)
	at := s.kickOff("$export")
	s.Do("DELETE", at, "").Want(http.StatusAccepted)
	s.Get(at).WantOutcome(http.StatusNotFound, "not-found")
	s.Do("DELETE", at, "").WantOutcome(http.StatusNotFound, "not-found")

	at = s.kickOff("$export")
	once := false
	s.hooked.hook(func(_ context.Context, q store.Query) error {
		if q.Limit == 1000 && !once {
			once = true
			s.Do("DELETE", at, "").Want(http.StatusAccepted)
		}
		return nil
	})
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	s.hooked.hook(nil)
	s.Get(at).WantOutcome(http.StatusNotFound, "not-found")

	at = s.kickOff("$export")
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	m, _ := s.download(at)
	s.Do("DELETE", at, "").Want(http.StatusAccepted)
	s.Get(m.Output[0].URL).WantOutcome(http.StatusNotFound, "not-found")

	at = s.kickOff("$export")
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	m, _ = s.download(at)
	s.Clock.Advance(bulk.DefaultLife)
	s.Get(at).WantOutcome(http.StatusNotFound, "not-found")
	s.Get(m.Output[0].URL).WantOutcome(http.StatusNotFound, "not-found")
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	page, err := s.Store.ScanItems(t.Context(), "clinic/test", store.ItemScan{Kind: "bulk-part", Limit: 10})
	if err != nil || len(page.Items) > 0 {
		t.Errorf("%d parts are left: %v", len(page.Items), err)
	}
}

// What cannot be done is refused with what is wrong.
func refusals(t *testing.T, open resttest.Open) {
	s := serve(t, open, func(_ *rest.Options, b *bulk.Options) { b.MaxOpen = 1 })
	s.ward(1)
	s.Get("$export").WantOutcome(http.StatusBadRequest, "required", "respond-async", "handling=lenient")
	for _, c := range []struct {
		path, code string
		words      []string
	}{
		{"$export?_outputFormat=text/csv", "not-supported", []string{"_outputFormat", "ndjson"}},
		{"$export?_since=yesterday", "value", []string{"_since"}},
		{"$export?_since=2026-01-02T00:00:00Z&_until=2026-01-01T00:00:00Z", "value", []string{"_until"}},
		{"$export?_type=Patient,Nonsense", "not-supported", []string{"Nonsense"}},
		{"Patient/$export?_type=Organization", "not-supported", []string{"Organization", "/$export"}},
		{"$export?_typeFilter=Observation", "value", []string{"search 1 of _typeFilter"}},
		{"$export?_typeFilter=Patient?active=true,Observation?nonsense=1", "not-supported", []string{"search 2 of _typeFilter", "nonsense"}},
		{"$export?_typeFilter=Observation?_sort=date", "not-supported", []string{"search 1", "_sort"}},
		{"$export?_type=Patient&_typeFilter=Observation?status=final", "value", []string{"Observation"}},
		{"$export?_elements=Patient.nonsense", "value", []string{"nonsense"}},
		{"$export?patient=Patient/1", "not-supported", []string{"patient"}},
		{"$export?includeAssociatedData=LatestProvenanceResources", "not-supported", []string{"includeAssociatedData", "lenient"}},
		{"$export?organizeOutputBy=Patient", "not-supported", []string{"organizeOutputBy"}},
		{"$export?nonsense=1", "not-supported", []string{"nonsense"}},
	} {
		s.Get(c.path, "Prefer", "respond-async").WantOutcome(http.StatusBadRequest, c.code, c.words...)
	}
	s.Get("Observation/$export", "Prefer", "respond-async").WantOutcome(http.StatusNotFound, "not-supported")
	s.Get("Patient/p0/$export", "Prefer", "respond-async").WantOutcome(http.StatusNotFound, "not-supported")
	at := s.kickOff("$export?_type=Patient,Nonsense&includeAssociatedData=x&_outputFormat=ndjson", "Prefer", "respond-async, handling=lenient")
	s.Get("$export", "Prefer", "respond-async").WantOutcome(http.StatusTooManyRequests, "throttled")
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	_, got := s.download(at)
	if len(got["Patient"]) != 1 || len(got["error OperationOutcome"]) != 2 {
		t.Errorf("%v", got)
	}
	s.Get(s.Base+"/$bulk-file/none/Patient-1").WantOutcome(http.StatusNotFound, "not-found")
}

// Whoever may not export may not see what others have exported; a tenant sees
// its own jobs only.
func leave(t *testing.T, open resttest.Open) {
	var forbidden atomic.Value
	forbidden.Store("")
	s := serve(t, open, func(o *rest.Options, _ *bulk.Options) {
		o.Authorize = func(_ context.Context, a rest.Access) error {
			if f := forbidden.Load(); f == a.Operation+a.Type || f == a.Type+"!" {
				return forbid
			}
			return nil
		}
	})
	s.ward(1)
	at := s.kickOff("Patient/$export")
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	m, _ := s.download(at)
	if !m.RequiresAccessToken {
		t.Error("files need a token, and the manifest says that they do not")
	}
	for _, what := range []string{"$exportPatient", "Observation!"} {
		forbidden.Store(what)
		s.Get("Patient/$export", "Prefer", "respond-async").Want(http.StatusForbidden)
		s.Get(at).Want(http.StatusForbidden)
		s.Get(m.Output[0].URL).Want(http.StatusForbidden)
		s.Do("DELETE", at, "").Want(http.StatusForbidden)
	}
	forbidden.Store("")
	other := s.On("other/test")
	other.Get(strings.Replace(at, "clinic/test", "other/test", 1)).Want(http.StatusNotFound)
	other.Get(strings.Replace(m.Output[0].URL, "clinic/test", "other/test", 1)).Want(http.StatusNotFound)
}
