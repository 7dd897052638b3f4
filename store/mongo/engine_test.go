package mongo

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/storetest"
)

// testURI is the server to test on. Without one the tests are skipped, and
// say so; with MONGODB=require they fail.
func testURI(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"FHIRFACADE_TEST_MONGODB_URI", "MONGODB_URI"} {
		if uri := os.Getenv(name); uri != "" {
			return uri
		}
	}
	const why = "no MongoDB to test on: set FHIRFACADE_TEST_MONGODB_URI to what scripts/mongodb start prints"
	if os.Getenv("MONGODB") == "require" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// testOptions name a database of the test's own, which is dropped at its end.
func testOptions(t testing.TB) Options {
	t.Helper()
	opts := Options{URI: testURI(t), MaxBody: storetest.MaxBody}
	id, err := (&engine{opts: Options{Random: rand.Reader}}).newID()
	if err != nil {
		t.Fatal(err)
	}
	opts.Database = fmt.Sprintf("test_%d_%s", time.Now().Unix(), id[:12])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(opts.URI))
		if err == nil {
			err = client.Database(opts.Database).Drop(ctx)
			_ = client.Disconnect(ctx)
		}
		if err != nil {
			t.Errorf("cannot drop the test's database: %v", err)
		}
	})
	return opts
}

func openTest(t testing.TB, opts Options) *engine {
	t.Helper()
	e, err := open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// scopeFor is the scope of a tenant, which gets a number if it has none.
func scopeFor(t testing.TB, e *engine, name store.Tenant) scope {
	t.Helper()
	s, err := e.enterToWrite(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return openTest(t, testOptions(t))
	})
}

func TestLargeBodies(t *testing.T) {
	if testing.Short() {
		t.Skip("bodies of 15 MB take a server minutes beside the race detector; run without -short")
	}
	storetest.RunLarge(t, func(t *testing.T) store.Store {
		opts := testOptions(t)
		opts.MaxBody = storetest.LargeBody
		return openTest(t, opts)
	})
}
