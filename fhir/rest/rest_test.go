package rest_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

func open(t testing.TB, clock func() time.Time) store.Store {
	s, err := pebble.Open(t.TempDir(), pebble.Options{Clock: clock, Logger: slog.New(slog.DiscardHandler)})
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

func TestAPI(t *testing.T) { resttest.Run(t, open) }
