package pebble_test

import (
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
	"github.com/fhirfacade/fhirfacade/store/storetest"
)

func TestLargeBodies(t *testing.T) {
	storetest.RunLarge(t, func(t *testing.T) store.Store {
		e, err := pebble.Open(t.TempDir(), pebble.Options{MaxBody: storetest.LargeBody})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		return e
	})
}
