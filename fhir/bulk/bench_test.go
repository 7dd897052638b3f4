package bulk_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
	"github.com/fhirfacade/fhirfacade/store"
)

// fill stores Synthea's resources, under ids that are counted up, until there
// are n.
func fill(b *testing.B, r *repository.Repository, n int) (bytes int64) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(b, "data", "synthea"), "*.json"))
	if err != nil || len(files) == 0 {
		b.Fatal(len(files), err)
	}
	c := store.Commit{Source: "benchmark"}
	for done := 0; done < n; {
		for _, file := range files {
			if done >= n {
				break
			}
			text, err := os.ReadFile(file)
			if err != nil {
				b.Fatal(err)
			}
			var bundle struct {
				Entry []struct{ Resource json.RawMessage }
			}
			if json.Unmarshal(text, &bundle) != nil {
				continue
			}
			for _, e := range bundle.Entry {
				if done >= n {
					break
				}
				p, err := r.Prepare(b.Context(), "clinic/test", fmt.Sprintf("r%d", done), e.Resource)
				if err != nil {
					continue
				}
				c.Changes = append(c.Changes, p.Change(store.Expect{}))
				bytes += int64(len(e.Resource))
				if done++; len(c.Changes) == 500 || done == n {
					if _, err := r.Commit(b.Context(), "clinic/test", c); err != nil {
						b.Fatal(err)
					}
					c.Changes = nil
				}
			}
		}
	}
	return bytes
}

// BenchmarkExport is an export from kick-off to manifest beside a scan of the
// same bodies in the same batches. BULK_RESOURCES says how many there are.
func BenchmarkExport(b *testing.B) {
	n := 20_000
	if s := os.Getenv("BULK_RESOURCES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	s := serve(b, openPebble, func(_ *rest.Options, o *bulk.Options) { o.PerFile = 100_000 })
	bytes := fill(b, s.Repository, n)
	scan := func() {
		found := 0
		for _, typ := range conformance.R4().ResourceTypes() {
			for q := (store.Query{Where: search.Everything(conformance.R4(), typ), Limit: 1000, MaxBytes: 4 << 20}); ; {
				page, err := s.Store.Search(b.Context(), "clinic/test", q)
				if err != nil {
					b.Fatal(err)
				}
				if found += len(page.Documents); page.Next == nil {
					break
				}
				q.After = page.Next
			}
		}
		if found != n {
			b.Fatalf("%d of %d were found", found, n)
		}
	}
	export := func() {
		at := s.kickOff("$export")
		if err := s.work(); err != nil {
			b.Fatal(err)
		}
		var m bulk.Manifest
		s.Get(at).Want(http.StatusOK).Decode(&m)
		total := int64(0)
		for _, f := range m.Output {
			total += f.Count
		}
		if total != int64(n) {
			b.Fatalf("%d of %d were exported", total, n)
		}
		s.Do("DELETE", at, "").Want(http.StatusAccepted)
	}
	scan()
	var scanned, exported time.Duration
	for b.Loop() {
		start := time.Now()
		scan()
		middle := time.Now()
		export()
		scanned, exported = scanned+middle.Sub(start), exported+time.Since(middle)
	}
	per := func(d time.Duration) float64 { return float64(n) * float64(b.N) / d.Seconds() }
	b.ReportMetric(per(scanned), "scanned/s")
	b.ReportMetric(per(exported), "exported/s")
	b.ReportMetric(float64(bytes)*float64(b.N)/1e6/exported.Seconds(), "exported-MB/s")
	b.ReportMetric(scanned.Seconds()/exported.Seconds(), "of-scan")
}
