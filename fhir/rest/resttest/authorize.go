package resttest

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
)

// guard remembers what leave was asked for and refuses what is forbidden.
type guard struct {
	mu        sync.Mutex
	asked     []string
	forbidden string
}

func (g *guard) authorize(_ context.Context, a rest.Access) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	words := []string{a.Interaction, a.Type, a.ID, a.Operation}
	if a.Compartment.Type != "" {
		words = append(words, "in", a.Compartment.String())
	}
	asked := strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	g.asked = append(g.asked, asked)
	if a.Tenant != "clinic/test" {
		asked = g.forbidden
	}
	if asked == g.forbidden {
		return outcome.New(http.StatusForbidden, outcome.CodeForbidden, "This is not allowed.")
	}
	return nil
}

// take is what was asked since the last call.
func (g *guard) take() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	defer func() { g.asked = nil }()
	return strings.Join(g.asked, ", ")
}

// authorize: each interaction is asked about by its name and type, within
// bundles too, and what is refused is not done.
func authorize(t *testing.T, open Open) {
	g := &guard{}
	s := ServeWith(t, open, func(o *rest.Options) { o.Authorize = g.authorize })
	s.Put(`{"resourceType":"Patient","id":"p"}`)
	g.take()
	const p = `{"resourceType":"Patient","id":"p"}`
	for _, c := range []struct{ method, path, body, asked string }{
		{"GET", "Patient/p", "", "read Patient p"},
		{"HEAD", "Patient/p", "", "read Patient p"},
		{"GET", "Patient/p/_history/1", "", "vread Patient p"},
		{"GET", "Patient/p/_history", "", "history-instance Patient p"},
		{"GET", "Patient/_history", "", "history-type Patient"},
		{"GET", "_history", "", "history-system"},
		{"GET", "metadata", "", "capabilities"},
		{"GET", "Patient?_id=p", "", "search-type Patient"},
		{"POST", "Patient/_search", "", "search-type Patient"},
		{"GET", "?_id=p", "", "search-system"},
		{"GET", "?_type=Patient,Observation", "", "search-system Patient, search-system Observation"},
		{"GET", "?_type=Patient&_type=Observation", "", "search-system"},
		{"POST", "_search?_type=Patient", "", "search-system"},
		{"GET", "Patient/p/Observation", "", "search-type Observation in Patient/p"},
		{"GET", "Patient/p/*", "", "search-system in Patient/p"},
		{"POST", "Patient/p/Observation/_search", "", "search-type Observation in Patient/p"},
		{"GET", "Patient/p/$everything", "", "operation Patient p $everything"},
		{"GET", "Patient/p/_history/1/$meta", "", "operation Patient p $meta"},
		{"GET", "$meta", "", "operation $meta"},
		{"POST", "Patient/$validate", p, "operation Patient $validate"},
		{"POST", "Patient", p, "create Patient"},
		{"PUT", "Patient/p", p, "update Patient p"},
		{"PUT", "Patient?_id=p", p, "update Patient"},
		{"PATCH", "Patient/p", operation("delete", "Patient.language", ""), "patch Patient p"},
		{"PATCH", "Patient?_id=p", operation("delete", "Patient.language", ""), "patch Patient"},
		{"DELETE", "Patient?_id=none", "", "delete Patient"},
		{"GET", "nonsense/a/b/c/d", "", ""},
		{"POST", "", bundleOf("batch", does("GET", "Patient/p", ""), does("PUT", "Patient/q", `{"resourceType":"Patient","id":"q"}`), does("GET", "Group?_count=1", "")),
			"batch, read Patient p, update Patient q, search-type Group"},
		{"POST", "", bundleOf("transaction", does("POST", "Patient", p), does("DELETE", "Patient/q", ""), does("PATCH", "Patient/p", operation("delete", "Patient.language", ""))),
			"transaction, create Patient, delete Patient q, patch Patient p"},
		{"DELETE", "Patient/none", "", "delete Patient none"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			s := s.In(t)
			headers := []string{}
			if strings.Contains(c.path, "_search") {
				headers = []string{"Content-Type", "application/x-www-form-urlencoded"}
			}
			g.forbidden = "none"
			a := s.Do(c.method, c.path, c.body, headers...)
			if got := g.take(); got != c.asked {
				t.Errorf("asked for %q, want %q (%d %s)", got, c.asked, a.Status, a.Body)
			}
			if a.Status >= 400 && c.asked != "" {
				t.Errorf("status %d: %s", a.Status, a.Body)
			}
			all := strings.Split(c.asked, ", ")
			if c.asked == "" {
				return
			}
			before := s.Store
			head, err := before.Head(t.Context(), "clinic/test")
			if err != nil {
				t.Fatal(err)
			}
			g.forbidden = all[len(all)-1]
			a = s.Do(c.method, c.path, c.body, headers...)
			g.take()
			if strings.HasPrefix(c.asked, "batch") {
				if got := a.Bundle("batch-response").statuses(); got != "200 200 403" {
					t.Errorf("a forbidden entry: %s", got)
				}
				return
			}
			if a.Status != http.StatusForbidden {
				t.Errorf("forbidden: %d %s", a.Status, a.Body)
			}
			if now, err := before.Head(t.Context(), "clinic/test"); err != nil || now != head {
				t.Errorf("something was stored: %v", err)
			}
		})
	}
	g.forbidden = "read Patient p"
	s.Do("POST", "", bundleOf("transaction", does("POST", "Patient", p), does("GET", "Patient/p", ""))).WantOutcome(http.StatusForbidden, "forbidden", "Bundle.entry[1]")
	g.forbidden = "none"
	s.On("other/test").Get("Patient/p").WantOutcome(http.StatusForbidden, "forbidden")
}
