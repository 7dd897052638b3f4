package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// mongoURI is the server to test on. Without one the test is skipped, and says
// so; with MONGODB=require it fails.
func mongoURI(t *testing.T) string {
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

// database is the name of one of the test's own, which is dropped at its end.
func database(t *testing.T, uri string) string {
	name := fmt.Sprintf("test_%d_%s", time.Now().Unix(), uuid.NewString()[:8])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c, err := driver.Connect(options.Client().ApplyURI(uri))
		if err == nil {
			err = c.Database(name).Drop(ctx)
			_ = c.Disconnect(ctx)
		}
		if err != nil {
			t.Errorf("cannot drop the test's database: %v", err)
		}
	})
	return name
}

// takesTransactions reads it in the CapabilityStatement.
func takesTransactions(t *testing.T, url string) bool {
	c := newClient(url)
	defer c.close()
	a, err := c.send(t.Context(), http.MethodGet, base+"/metadata", nil)
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("metadata: status %d, %v", a.status, err)
	}
	var statement struct {
		Rest []struct{ Interaction []struct{ Code string } }
	}
	if err := json.Unmarshal(a.body, &statement); err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(statement.Rest[0].Interaction, func(i struct{ Code string }) bool { return i.Code == "transaction" })
}
