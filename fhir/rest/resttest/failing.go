package resttest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// brittle is a store that stops to give bodies when told so.
type brittle struct {
	store.Store
	broken atomic.Bool
}

var errBroken = errors.New("the store is broken")

func (b *brittle) GetSome(ctx context.Context, t store.Tenant, refs []store.Ref, maxBytes int) ([]store.Document, int, error) {
	if b.broken.Load() {
		return nil, 0, errBroken
	}
	return b.Store.GetSome(ctx, t, refs, maxBytes)
}

// failing: a search whose store fails behind the first bytes of the answer. To
// who asked for it alone the connection is cut. In a batch it is that entry's
// error, in a transaction the transaction's.
func failing(t *testing.T, open Open) {
	var broken *brittle
	s := Serve(t, func(t testing.TB, clock func() time.Time) store.Store {
		broken = &brittle{Store: open(t, clock)}
		return broken
	})
	// Larger than what is gathered before the first bytes are written.
	note := strings.Repeat("x", 100_000)
	s.Put(`{"resourceType":"Patient","id":"p"}`, `{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"note":[{"text":"`+note+`"}]}`)
	const search = "Observation?_include=Observation:subject"
	if b := s.Get(search).Bundle("searchset"); b.IDs("match") != "o" || b.IDs("include") != "p" {
		t.Fatalf("%s, %s", b.IDs("match"), b.IDs("include"))
	}
	broken.broken.Store(true)
	t.Run("alone", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Base+"/"+search, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err == nil {
			t.Errorf("half an answer of %d bytes looks whole", len(body))
		}
	})
	for name, header := range map[string]string{"in a batch": "application/fhir+json", "in a batch, answered in XML": "application/fhir+xml"} {
		t.Run(name, func(t *testing.T) {
			a := s.In(t).Do(http.MethodPost, "", bundleOf("batch",
				does("GET", "Patient/p", ""), does("GET", search, ""), does("HEAD", search, ""), does("POST", "Patient", `{"resourceType":"Patient"}`),
			), "Accept", header)
			if strings.Contains(header, "xml") {
				a = a.JSON()
			}
			b := a.Bundle("batch-response")
			if got := b.statuses(); got != "200 500 500 201" {
				t.Fatalf("statuses %s", got)
			}
			e := b.Entry[1]
			if len(e.Resource) != 0 || e.Response.Outcome == nil || e.Response.Outcome.Issue[0].Code != "exception" || strings.Contains(string(a.Body), note) {
				t.Errorf("%.300s, %+v", e.Resource, e.Response)
			}
		})
	}
	t.Run("in a transaction", func(t *testing.T) {
		s := s.In(t)
		s.Do(http.MethodPost, "", bundleOf("transaction", does("PUT", "Patient/q", `{"resourceType":"Patient","id":"q"}`), does("GET", search, ""))).
			WantOutcome(http.StatusInternalServerError, "exception", "Bundle.entry[1]")
		s.Get("Patient/q").Want(http.StatusNotFound)
	})
	t.Run("whole again", func(t *testing.T) {
		broken.broken.Store(false)
		b := s.In(t).Do(http.MethodPost, "", bundleOf("batch", does("GET", search, ""))).Bundle("batch-response")
		if got := b.statuses(); got != "200" || !strings.Contains(string(b.Entry[0].Resource), note) {
			t.Errorf("statuses %s", got)
		}
	})
}
