package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/store"
)

// importer is a server that fetches from this machine, too.
func importer(t testing.TB, open resttest.Open) *server {
	var s *server
	s = serve(t, open, func(_ *rest.Options, b *bulk.Options) {
		b.Client, b.MaxLine = bulk.NewClient(true), 1<<20
		b.Transaction = func(ctx context.Context, t store.Tenant, x bulk.Transaction) error {
			return s.api().Transaction(ctx, t, x)
		}
	})
	return s
}

// api is another API on the same parts.
func (s *server) api() *rest.API { return rest.New(*s.rest) }

// imported does a whole flow.
func (s *server) imported(path, body string, headers ...string) (bulk.ImportManifest, string) {
	s.Helper()
	a := s.Do("POST", path, body, append([]string{"Prefer", "respond-async"}, headers...)...).Want(http.StatusAccepted)
	if err := s.work(); err != nil {
		s.Fatal(err)
	}
	return s.report(a.Header.Get("Content-Location"))
}

func (s *server) report(at string) (m bulk.ImportManifest, rejected string) {
	s.Helper()
	s.Get(at).Want(http.StatusOK).Decode(&m)
	for _, f := range m.Error {
		text := string(s.Get(f.URL, "Accept-Encoding", "identity").Want(http.StatusOK).Body)
		if n := int64(strings.Count(text, "\n")); n != f.Count {
			s.Errorf("%d lines were rejected, %d in the manifest", n, f.Count)
		}
		rejected += text
	}
	return m, rejected
}

func (s *server) versions(path, want string) {
	s.Helper()
	if got := s.Get(path).Want(http.StatusOK).Header.Get("ETag"); got != `W/"`+want+`"` {
		s.Errorf("%s is in version %s, want %s", path, got, want)
	}
}

const ndjson = "application/fhir+ndjson"

// A file that is sent is stored by the ids of its resources; what is wrong is
// reported by line.
func sentFiles(t *testing.T, open resttest.Open) {
	s := importer(t, open)
	s.Put(patient("p0"))
	lines := []string{
		patient("p0"), "", patient("p1"), `{"resourceType":"Patient","id":"bad","active":"yes"}`, `{"resourceType":"Patient"`,
		`{"resourceType":"Patient","active":true}`, `{"resourceType":"Patient","id":"long","language":"` + strings.Repeat("x", 2<<20) + `"}`,
		patient("p1"), observation("o", "p1"),
	}
	m, rejected := s.imported("$import", strings.Join(lines, "\n"), "Content-Type", ndjson)
	if m.Output[0].Count != 5 || len(m.Error) != 1 || m.Error[0].Count != 3 {
		t.Errorf("%+v", m)
	}
	for _, words := range []string{"Line 4: ", "Line 5: ", "Line 7: The line is longer", "Patient.active", "line 4 column"} {
		if !strings.Contains(rejected, words) {
			t.Errorf("the report does not say %q: %s", words, rejected)
		}
	}
	s.versions("Patient/p0", "2")
	s.versions("Patient/p1", "2")
	s.versions("Observation/o", "1")
	if got := s.Get("Patient?_summary=count").Bundle("searchset"); *got.Total != 3 {
		t.Errorf("%d patients, want 3", *got.Total)
	}

	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprintln(z, patient("p2"))
	z.Close()
	if m, _ = s.imported("$import?dryRun=true", packed.String(), "Content-Type", ndjson, "Content-Encoding", "gzip"); m.Output[0].Count != 1 || !m.DryRun {
		t.Errorf("%+v", m)
	}
	s.Get("Patient/p2").Want(http.StatusNotFound)
	if m, _ = s.imported("$import", packed.String(), "Content-Type", ndjson, "Content-Encoding", "gzip"); m.Output[0].Count != 1 {
		t.Errorf("%+v", m)
	}
	s.versions("Patient/p2", "1")
}

// A resource is stored over the version that it names, if that is asked for.
func matchedVersions(t *testing.T, open resttest.Open) {
	s := importer(t, open)
	s.Put(patient("a"), patient("b"), patient("c"))
	s.Put(patient("b"))
	versioned := func(id, version string) string {
		return `{"resourceType":"Patient","id":"` + id + `","meta":{"versionId":"` + version + `"},"active":false}`
	}
	m, rejected := s.imported("$import?matchVersions=true", strings.Join([]string{
		versioned("a", "1"), versioned("b", "1"), patient("c"), patient("d"), versioned("a", "x"),
	}, "\n"), "Content-Type", ndjson)
	if m.Output[0].Count != 2 || strings.Count(rejected, "\n") != 3 || !strings.Contains(rejected, "Line 2: ") || !strings.Contains(rejected, "Line 3: ") {
		t.Errorf("%+v %s", m, rejected)
	}
	for path, version := range map[string]string{"Patient/a": "2", "Patient/b": "2", "Patient/c": "1", "Patient/d": "1"} {
		s.versions(path, version)
	}
}

// Bundles: a transaction is one commit, with its references made to fit; of
// others each resource is stored.
func bundles(t *testing.T, open resttest.Open) {
	s := importer(t, open)
	collection := `{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + patient("a") + `},{"resource":` + observation("o", "a") + `}]}`
	transaction := `{"resourceType":"Bundle","type":"transaction","entry":[` +
		`{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","active":true},"request":{"method":"POST","url":"Patient"}},` +
		`{"resource":{"resourceType":"Observation","id":"t","status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:1"}},"request":{"method":"PUT","url":"Observation/t"}}]}`
	m, rejected := s.imported("$import", collection+"\n"+transaction+"\n"+strings.Replace(transaction, "urn:uuid:1\",\"resource", "urn:uuid:2\",\"nonsense", 1), "Content-Type", ndjson)
	if m.Output[0].Count != 3 || !strings.Contains(rejected, "Line 3: ") {
		t.Errorf("%+v %s", m, rejected)
	}
	if got := s.Search("Patient?_has:Observation:patient:_id=t"); !strings.HasPrefix(got, "new-") {
		t.Errorf("the transaction's reference was not made to fit: %q", got)
	}
	// As one resource, over many lines.
	m, _ = s.imported("$import", strings.ReplaceAll(collection, ",", ",\n"))
	if m.Output[0].Count != 2 {
		t.Errorf("%+v", m)
	}
	s.versions("Patient/a", "2")
}

// Files are fetched, and one that breaks off is gone on with; one that cannot
// be read is reported, and the others are imported.
func fetches(t *testing.T, open resttest.Open) {
	s := importer(t, open)
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintln(&text, patient(fmt.Sprintf("p%d", i)))
	}
	var asked atomic.Int64
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/breaks":
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Length", fmt.Sprint(text.Len()))
			if asked.Add(1) == 1 {
				fmt.Fprint(w, text.String()[:text.Len()/2])
				return
			}
			fmt.Fprint(w, text.String())
		case "/changes":
			w.Header().Set("ETag", fmt.Sprintf(`"%d"`, asked.Add(1)))
			w.Header().Set("Content-Length", fmt.Sprint(text.Len()))
			fmt.Fprint(w, text.String()[:text.Len()/2])
		case "/observations":
			fmt.Fprintln(w, observation("o", "p1"))
			fmt.Fprintln(w, patient("other"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(files.Close)
	input := func(typ, path string) string {
		return `{"name":"input","part":[{"name":"type","valueCode":"` + typ + `"},{"name":"url","valueUri":"` + files.URL + path + `"}]}`
	}
	m, rejected := s.imported("$import", `{"resourceType":"Parameters","parameter":[{"name":"inputFormat","valueCode":"application/fhir+ndjson"},`+
		`{"name":"inputSource","valueUri":"https://example.org"},{"name":"storageDetail","part":[{"name":"type","valueCode":"https"}]},`+
		input("Patient", "/breaks")+","+input("Patient", "/nothing")+","+input("Observation", "/observations")+`]}`)
	if m.Output[0].Count != 1000 || m.Output[1].Count != 0 || m.Output[2].Count != 1 || len(m.Error) != 2 || m.Error[0].InputURL != files.URL+"/nothing" {
		t.Errorf("%+v", m)
	}
	if !strings.Contains(rejected, "answers 404") || !strings.Contains(rejected, "Line 2: The resource is of another type") {
		t.Errorf("%s", rejected)
	}
	for _, id := range []string{"p0", "p499", "p500", "p999"} {
		s.versions("Patient/"+id, "1")
	}
	// The same by the proposal's JSON.
	m, rejected = s.imported("$import", `{"inputFormat":"application/fhir+ndjson","inputSource":"https://example.org","storageDetail":{"type":"https"},`+
		`"input":[{"type":"Patient","url":"`+files.URL+`/changes"}]}`, "Content-Type", "application/json")
	if len(m.Error) != 1 || !strings.Contains(rejected, "it was changed while it was read") || m.Output[0].Count == 0 {
		t.Errorf("%+v %s", m, rejected)
	}
}

// Private addresses are not called outside of a sandbox.
func guarded(t *testing.T, open resttest.Open) {
	s := serve(t, open, without)
	files := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	t.Cleanup(files.Close)
	m, rejected := s.imported("$import", `{"input":[{"url":"`+files.URL+`/x"}]}`)
	if len(m.Error) != 1 || !strings.Contains(rejected, "private") {
		t.Errorf("%+v %s", m, rejected)
	}
}

// An import that was cut short goes on where it was and stores nothing twice,
// whether its commit or the note of it was the last that happened.
func resumedImports(t *testing.T, open resttest.Open) {
	var text strings.Builder
	for i := range 900 {
		switch i {
		case 250, 650:
			fmt.Fprintln(&text, `{"resourceType":"Nonsense"}`)
		case 300:
			fmt.Fprintln(&text, `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Device"},"request":{"method":"POST","url":"Device"}}]}`)
		case 500:
			fmt.Fprintln(&text, `{"resourceType":"Basic","code":{"text":"x"}}`)
		default:
			fmt.Fprintln(&text, patient(fmt.Sprintf("p%d", i)))
		}
	}
	for cut := range 6 {
		s := importer(t, open)
		at := s.Do("POST", "$import", text.String(), "Prefer", "respond-async", "Content-Type", ndjson).Want(http.StatusAccepted).Header.Get("Content-Location")
		n := 0
		broken := fmt.Errorf("broken: %w", store.ErrUnavailable)
		s.hooked.breakPut(func(item store.Item) error {
			if item.Kind == "job" {
				if n++; n >= cut+2 {
					return broken
				}
			}
			return nil
		})
		if err := s.work(); !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("cut %d: the import was not cut short: %v", cut, err)
		}
		s.hooked.breakPut(nil)
		if err := s.work(); err != nil {
			t.Fatal(err)
		}
		m, rejected := s.report(at)
		if m.Output[0].Count != 898 || strings.Count(rejected, "\n") != 2 {
			t.Errorf("cut %d: %+v %s", cut, m, rejected)
		}
		for typ, want := range map[string]int{"Patient": 896, "Device": 1, "Basic": 1} {
			if got := s.Get(typ + "?_summary=count").Bundle("searchset"); *got.Total != want {
				t.Errorf("cut %d: %d of %s, want %d", cut, *got.Total, typ, want)
			}
		}
		h := s.Get("Patient/_history?_count=1000").Bundle("history")
		if len(h.Entry) != 896 {
			t.Errorf("cut %d: %d versions of 896 patients", cut, len(h.Entry))
		}
	}
}

// What cannot be an import is refused.
func importRefusals(t *testing.T, open resttest.Open) {
	s := importer(t, open)
	async := []string{"Prefer", "respond-async"}
	s.Do("POST", "$import", `{"input":[]}`).WantOutcome(http.StatusBadRequest, "required", "respond-async")
	for _, c := range []struct{ path, body, code, word string }{
		{"$import", `{"input":[]}`, "required", "input"},
		{"$import", `{"input":[{"url":"ftp://example.org/x"}]}`, "value", "input 1"},
		{"$import", `{"input":[{"url":"https://example.org/x","type":"Nonsense"}]}`, "value", "input 1"},
		{"$import", `{"inputFormat":"text/csv","input":[{"url":"https://example.org/x"}]}`, "not-supported", "inputFormat"},
		{"$import", `{"storageDetail":{"type":"aws-s3"},"input":[{"url":"https://example.org/x"}]}`, "not-supported", "storageDetail"},
		{"$import", `{"nonsense":1,"input":[{"url":"https://example.org/x"}]}`, "not-supported", "nonsense"},
		{"$import?dryRun=perhaps", `{"input":[{"url":"https://example.org/x"}]}`, "value", "dryRun"},
		{"$import", `{"input":`, "structure", ""},
	} {
		s.Do("POST", c.path, c.body, async...).WantOutcome(http.StatusBadRequest, c.code, c.word)
	}
	s.Do("POST", "$import", "<Bundle/>", "Prefer", "respond-async", "Content-Type", "application/fhir+xml").Want(http.StatusUnsupportedMediaType)
	at := s.Do("POST", "$import", patient("p"), "Prefer", "respond-async", "Content-Type", ndjson).Header.Get("Content-Location")
	s.Do("DELETE", at, "").Want(http.StatusAccepted)
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	s.Get("Patient/p").Want(http.StatusNotFound)
	s.Get(at).Want(http.StatusNotFound)
	page, err := s.Store.ScanItems(t.Context(), "clinic/test", store.ItemScan{Kind: "bulk-part", Limit: 10})
	if err != nil || len(page.Items) > 0 {
		t.Errorf("%d parts are left: %v", len(page.Items), err)
	}
}

// What is exported can be imported elsewhere, and is the same there.
func roundTrip(t *testing.T, open resttest.Open) {
	s := importer(t, open)
	s.ward(20)
	_, lines := s.exported("$export")
	var all []string
	for _, l := range lines {
		all = append(all, l...)
	}
	other := s.On("clinic/other")
	at := other.Do("POST", "$import", strings.Join(all, "\n"), "Prefer", "respond-async", "Content-Type", ndjson).Want(http.StatusAccepted).Header.Get("Content-Location")
	if err := s.runner().Tenant(t.Context(), "clinic/other"); err != nil {
		t.Fatal(err)
	}
	var m bulk.ImportManifest
	if s.Get(at).Want(http.StatusOK).Decode(&m); m.Output[0].Count != 63 || len(m.Error) > 0 {
		t.Errorf("%+v", m)
	}
	if got := other.Search("Observation?patient=p3"); got != "p3-a p3-b" && got != "p3-b p3-a" {
		t.Errorf("%q", got)
	}
}
