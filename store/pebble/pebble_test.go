package pebble_test

import (
	"testing"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
	"github.com/fhirfacade/fhirfacade/store/storetest"
)

func open(t testing.TB) *pebble.Engine {
	t.Helper()
	e, err := pebble.Open(t.TempDir(), pebble.Options{MaxBody: storetest.MaxBody})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t) })
}

// The same with every limit of the search so low that the ways for many
// documents are taken for a few.
func TestContractWithTightLimits(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		e := open(t)
		e.TightLimits()
		return e
	})
}
