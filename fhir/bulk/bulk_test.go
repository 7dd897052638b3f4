package bulk_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/mongo"
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
func TestBulkOnMongoDB(t *testing.T) { run(t, openMongoDB(t)) }

func openPebble(t testing.TB, clock func() time.Time) store.Store {
	s, err := pebble.Open(t.TempDir(), pebble.Options{Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openMongoDB(t *testing.T) resttest.Open {
	uri := os.Getenv("FHIRFACADE_TEST_MONGODB_URI")
	if uri == "" {
		uri = os.Getenv("MONGODB_URI")
	}
	if uri == "" {
		if os.Getenv("MONGODB") == "require" {
			t.Fatal("MONGODB=require, but neither FHIRFACADE_TEST_MONGODB_URI nor MONGODB_URI is set")
		}
		t.Skip("no MongoDB to test on: set FHIRFACADE_TEST_MONGODB_URI to what scripts/mongodb start prints")
	}
	return func(t testing.TB, clock func() time.Time) store.Store {
		name := "bulktest_" + strings.ToLower(rand.Text()[:12])
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			client, err := driver.Connect(options.Client().ApplyURI(uri))
			if err == nil {
				err = client.Database(name).Drop(ctx)
				_ = client.Disconnect(ctx)
			}
			if err != nil {
				t.Errorf("cannot drop the test's database: %v", err)
			}
		})
		s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name, Clock: clock, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
}
