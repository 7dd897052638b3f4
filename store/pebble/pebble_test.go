package pebble_test

import (
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
	"github.com/fhirfacade/fhirfacade/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		e, err := pebble.Open(t.TempDir(), pebble.Options{MaxBody: storetest.MaxBody})
		if err != nil {
			t.Fatal(err)
		}
		return e
	})
}
