package bulk_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

var forbid = outcome.New(http.StatusForbidden, outcome.CodeForbidden, "This is not allowed.")

func run(t *testing.T, open resttest.Open) {
	for _, suite := range []struct {
		name string
		run  func(t *testing.T, open resttest.Open)
	}{
		{"Flow", flow}, {"Groups", groups}, {"Snapshot", snapshot}, {"Resume", resume}, {"Ends", ends}, {"Refusals", refusals}, {"Leave", leave},
		{"SentFiles", sentFiles}, {"MatchedVersions", matchedVersions}, {"Bundles", bundles}, {"Fetches", fetches}, {"Guarded", guarded},
		{"ResumedImports", resumedImports}, {"DryRuns", dryRuns}, {"ImportLeave", importLeave}, {"SentAgain", sentAgain}, {"ImportRefusals", importRefusals}, {"RoundTrip", roundTrip},
	} {
		t.Run(suite.name, func(t *testing.T) { suite.run(t, open) })
	}
}

func TestBulk(t *testing.T) { run(t, openPebble) }

// TestBulkOnMongoDB is the same on the other engine. It needs a MongoDB, such
// as scripts/mongodb starts.
func TestBulkOnMongoDB(t *testing.T) { run(t, resttest.OnMongoDB(t)) }

func openPebble(t testing.TB, clock func() time.Time) store.Store {
	s, err := pebble.Open(t.TempDir(), pebble.Options{Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
