package resttest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/mongo"
)

// OnMongoDB opens stores in databases of their own. It needs a MongoDB, such as
// scripts/mongodb starts, and skips the test where there is none.
func OnMongoDB(t *testing.T) Open {
	uri := mongoURI(t)
	return func(t testing.TB, clock func() time.Time) store.Store {
		name := "resttest_" + strings.ToLower(rand.Text()[:12])
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
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
}

func mongoURI(t *testing.T) string {
	for _, name := range []string{"FHIRFACADE_TEST_MONGODB_URI", "MONGODB_URI"} {
		if uri := os.Getenv(name); uri != "" {
			return uri
		}
	}
	if os.Getenv("MONGODB") == "require" {
		t.Fatal("MONGODB=require, but neither FHIRFACADE_TEST_MONGODB_URI nor MONGODB_URI is set")
	}
	t.Skip("no MongoDB to test on: set FHIRFACADE_TEST_MONGODB_URI to what scripts/mongodb start prints")
	return ""
}
