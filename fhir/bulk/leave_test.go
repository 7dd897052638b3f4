package bulk_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/rest"
	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/store"
)

const moved = `{"resourceType":"Bundle","type":"transaction","entry":[` +
	`{"resource":{"resourceType":"Patient","id":"t"},"request":{"method":"PUT","url":"Patient/t","ifMatch":"W/\"7\""}}]}`

const fresh = `{"resourceType":"Bundle","type":"transaction","entry":[` +
	`{"resource":{"resourceType":"Patient","active":true},"request":{"method":"POST","url":"Patient"}},` +
	`{"request":{"method":"DELETE","url":"Observation/o"}}]}`

// A dry run says what an import would reject, versions and transactions
// included, and stores nothing.
func dryRuns(t *testing.T, open resttest.Open) {
	s := importer(t, open)
	s.Put(patient("a"), patient("t"))
	lines := strings.Join([]string{
		`{"resourceType":"Patient","id":"a","meta":{"versionId":"1"},"active":false}`,
		`{"resourceType":"Patient","id":"a","meta":{"versionId":"3"}}`,
		patient("t"),
		patient("none"),
		moved,
		fresh,
		strings.Replace(fresh, `"url":"Patient"`, `"url":"Shoe"`, 1),
	}, "\n")
	m, rejected := s.imported("$import?dryRun=true&matchVersions=true", lines, "Content-Type", ndjson)
	if m.Output[0].Count != 3 || strings.Count(rejected, "\n") != 4 {
		t.Errorf("%+v %s", m, rejected)
	}
	for _, words := range []string{"Line 2: ", "Line 3: ", "Line 5: ifMatch names a version", "Line 7: "} {
		if !strings.Contains(rejected, words) {
			t.Errorf("the report does not say %q: %s", words, rejected)
		}
	}
	s.versions("Patient/a", "1")
	s.versions("Patient/t", "1")
	if got := s.Get("Patient?_summary=count").Bundle("searchset"); *got.Total != 2 {
		t.Errorf("%d patients, want 2", *got.Total)
	}
	real, _ := s.imported("$import?matchVersions=true", lines, "Content-Type", ndjson)
	if real.Output[0].Count != m.Output[0].Count {
		t.Errorf("%d were stored, the dry run said %d", real.Output[0].Count, m.Output[0].Count)
	}
}

// An import stores what who asked for it may store.
func importLeave(t *testing.T, open resttest.Open) {
	var s *server
	refuse := func(rest.Access) bool { return false }
	s = serve(t, open, func(o *rest.Options, b *bulk.Options) {
		o.Authorize = func(_ context.Context, a rest.Access) error {
			if refuse(a) {
				return forbid
			}
			return nil
		}
		b.Transaction = func(ctx context.Context, t store.Tenant, x bulk.Transaction) error {
			return s.api().Transaction(ctx, t, x)
		}
	})
	s.Put(observation("o", "a"))
	refuse = func(a rest.Access) bool {
		return a.Interaction == "create" && a.Type == "Patient" || a.Interaction == "update" && a.Type == "Observation" || a.Interaction == "delete"
	}
	m, rejected := s.imported("$import", strings.Join([]string{
		patient("a"), `{"resourceType":"Patient"}`, observation("o", "a"), `{"resourceType":"Observation","status":"final","code":{"text":"x"}}`, fresh,
		strings.Replace(moved, `,"ifMatch":"W/\"7\""`, "", 1),
		`{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + patient("b") + `},{"resource":` + observation("p", "b") + `}]}`,
	}, "\n"), "Content-Type", ndjson)
	if m.Output[0].Count != 3 || strings.Count(rejected, "\n") != 4 {
		t.Errorf("%+v %s", m, rejected)
	}
	for _, words := range []string{"Line 2: ", "Line 3: ", "Line 5: ", "Line 7: ", "may not create", "may not update"} {
		if !strings.Contains(rejected, words) {
			t.Errorf("the report does not say %q: %s", words, rejected)
		}
	}
	s.versions("Observation/o", "1")
	refuse = func(a rest.Access) bool { return a.Interaction != "operation" }
	s.Do("POST", "$import", patient("c"), "Prefer", "respond-async", "Content-Type", ndjson).Want(http.StatusForbidden)
	refuse = func(a rest.Access) bool { return a.Operation == "$import" }
	s.Do("POST", "$import", patient("c"), "Prefer", "respond-async", "Content-Type", ndjson).Want(http.StatusForbidden)
}

// Sent again under the same key, an import is the same job.
func sentAgain(t *testing.T, open resttest.Open) {
	s := importer(t, open)
	var at []string
	for range 2 {
		a := s.Do("POST", "$import", `{"resourceType":"Patient"}`, "Prefer", "respond-async", "Content-Type", ndjson, "Idempotency-Key", "one")
		at = append(at, a.Want(http.StatusAccepted).Header.Get("Content-Location"))
		if err := s.work(); err != nil {
			t.Fatal(err)
		}
	}
	other := s.Do("POST", "$import", `{"resourceType":"Patient"}`, "Prefer", "respond-async", "Content-Type", ndjson, "Idempotency-Key", "two")
	if next := other.Want(http.StatusAccepted).Header.Get("Content-Location"); at[0] != at[1] || next == at[0] {
		t.Errorf("%v and %s", at, next)
	}
	if err := s.work(); err != nil {
		t.Fatal(err)
	}
	if got := s.Get("Patient?_summary=count").Bundle("searchset"); *got.Total != 2 {
		t.Errorf("%d patients, want 2", *got.Total)
	}
}
