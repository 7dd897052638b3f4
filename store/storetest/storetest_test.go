package storetest

import (
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
)

// The suite must accept the model: what it asks for is what the contract
// says in its simplest reading.
func TestModel(t *testing.T) {
	Run(t, func(t *testing.T) store.Store {
		m := NewModel(time.Now)
		t.Cleanup(func() { _ = m.Close() })
		return m
	})
}
