package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
)

// What is imported and exported is not in memory at once: while 256 MiB go in,
// are stored, are written to files and come out again, half of that at most is
// alive: what a commit, the parts of files that are written at once and the
// batches of a walk take, however much there is.
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: 256 MiB are stored and exported; the race detector takes memory of its own")
	}
	const number, size, most = 1024, 256 << 10, 128 << 20
	s := importer(t, openPebble)
	before := alive()
	var samples, peak atomic.Int64
	sample := func() {
		if samples.Add(1)%16 == 0 {
			grown := alive() - before
			for p := peak.Load(); grown > p && !peak.CompareAndSwap(p, grown); p = peak.Load() {
			}
		}
	}
	s.hooked.breakPut(func(store.Item) error { sample(); return nil })
	s.hooked.hook(func(context.Context, store.Query) error { sample(); return nil })
	check := func(what string) {
		t.Helper()
		if p := peak.Swap(0); p > most {
			t.Errorf("%s: %d MiB more are alive", what, p>>20)
		}
	}

	body, w := io.Pipe()
	go func() {
		data := strings.Repeat("QUJD", size/4)
		for i := range number {
			if _, err := fmt.Fprintf(w, `{"resourceType":"Media","id":"m%d","status":"completed","content":{"data":"%s"}}`+"\n", i, data); err != nil {
				return // the reader tells
			}
			sample()
		}
		w.Close()
	}()
	at := s.send(http.MethodPost, s.Base+"/$import", body, "Prefer", "respond-async", "Content-Type", ndjson)
	check("while it is sent")
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	if m, rejected := s.report(at); rejected != "" || len(m.Error) > 0 {
		t.Fatalf("%v: %.300s", m, rejected)
	}
	check("while it is imported")

	at = s.kickOff("$export?_type=Media")
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	check("while it is exported")
	var m struct {
		Output []struct {
			URL   string
			Count int
		}
	}
	s.Get(at).Want(http.StatusOK).Decode(&m)
	lines, bytes := 0, int64(0)
	for _, f := range m.Output {
		lines += f.Count
		bytes += s.discard(f.URL, sample)
	}
	check("while it is fetched")
	if lines != number || bytes < number*size || samples.Load() < 500 {
		t.Errorf("%d lines of %d bytes came out, and %d samples were taken", lines, bytes, samples.Load())
	}
}

// send starts a job with a body that is made while it is sent.
func (s *server) send(method, url string, body io.Reader, headers ...string) (status string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, url, body)
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		answer, _ := io.ReadAll(res.Body)
		s.Fatalf("%s: %.300s", res.Status, answer)
	}
	return res.Header.Get("Content-Location")
}

// discard reads a file a MiB at a time and tells each time.
func (s *server) discard(url string, told func()) (n int64) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "identity")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	for {
		some, err := io.CopyN(io.Discard, res.Body, 1<<20)
		n += some
		told()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			s.Fatal(err)
		}
	}
}

// alive is the size of what is reachable now.
func alive() int64 {
	runtime.GC()
	runtime.GC() // what the first has finalised
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
