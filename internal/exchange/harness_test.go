package exchange

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// testTenant is the tenant of the tests' messages.
var testTenant = tenant.Of("clinic", tenant.Environments[0])

// open makes an exchange on a store on disk. wrap, when set, stands between
// the two.
func open(tb testing.TB, wrap func(store.Store) store.Store) *Exchange {
	tb.Helper()
	var st store.Store
	st, err := pebble.Open(tb.TempDir(), pebble.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	if wrap != nil {
		st = wrap(st)
	}
	definitions := conformance.R4()
	return New(Options{
		Repository: repository.New(repository.Options{
			Store: st, Definitions: definitions, Index: search.NewIndex(definitions, r4model.R4()),
			Now: time.Now, NewID: uuid.NewString,
		}),
		Store: st, Registry: notifications.NewRegistry(st), Sandbox: true,
		Now: time.Now, NewID: uuid.NewString, Logger: slog.New(slog.DiscardHandler),
	})
}
