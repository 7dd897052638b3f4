// Package rest is the FHIR R4 RESTful API (https://hl7.org/fhir/R4/http.html)
// over HTTP, on gin.
//
//	router.go       which URL is which interaction
//	request.go      what every interaction needs of a request
//	format.go       which format it is answered in, and which it came in
//	authorize.go    what an interaction is called when leave is asked for it
//	instance.go     read, vread, create, update, delete
//	conditional.go  the same by criteria
//	patch.go        patch
//	history.go      history of an instance, a type, a tenant
//	search.go       search of a type, a compartment, or across types
//	everything.go   $everything
//	lastn.go        $lastn
//	docref.go       $docref
//	explain.go      $explain
//	meta.go         $meta, $meta-add, $meta-delete
//	operation.go    other operations
//	validate.go     $validate
//	terminology.go  parameters of the terminology operations; expand.go,
//	                codes.go and translate.go are these
//	definition.go   the definitions that the server works by, as resources
//	batch.go        batch, transaction
//	capability.go   the CapabilityStatement
//	bulk.go         $export, and what became of it
//	bulkimport.go   $import
//	bundle.go       bundles written as a stream
//	xmlbundle.go    the same in XML
//	respond.go      statuses, headers, OperationOutcomes
package rest

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
	"github.com/fhirfacade/fhirfacade/fhir/definitions"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// Options are what the API works with.
type Options struct {
	Repository *repository.Repository
	// Tenant finds the tenant of an organization's environment, or an error
	// that becomes an OperationOutcome.
	Tenant func(ctx context.Context, organization, environment string) (store.Tenant, error)
	// Authorize says whether a request may do what it is about to do; an
	// error, best an *outcome.Error of status 403, refuses it. It is asked for
	// each request and for each entry of a batch or transaction, whose entries
	// share the context of the request. A transaction of which an entry is
	// refused is refused. Nil allows everything.
	Authorize func(ctx context.Context, access Access) error
	// PublicURL is the scheme and host under which clients reach the server,
	// without a trailing slash; when "" it is taken from each request.
	PublicURL string
	// MaxBody is the most bytes of a request body.
	MaxBody int64
	// Operations are extended operations by "Type/$name".
	Operations map[string]Operation
	// Reads are further operations that read; see Read.
	Reads []Read
	// Topics lists the canonicals of the topics that a tenant's Subscriptions
	// may be to; nil where there are none.
	Topics func(ctx context.Context, t store.Tenant) ([]string, error)
	// Bulk does exports and imports; nil where there are none.
	Bulk   *bulk.Service
	Now    func() time.Time
	NewID  func() string
	Logger *slog.Logger
	// Version is the server software's version, for the CapabilityStatement.
	Version string
}

// Operation is an extended operation (R4 operations, $name). It gets the body
// of a POST and returns a status and a resource.
type Operation func(ctx context.Context, call Call) (status int, resource []byte, err error)

// Call is one call of an operation.
type Call struct {
	Tenant store.Tenant
	// Base is the absolute URL of the tenant's FHIR service.
	Base string
	Body []byte
	// RequestID identifies the HTTP request in the log.
	RequestID string
}

// Read is an extended operation that changes nothing, called by GET and by POST.
type Read struct {
	// Type and Name are those in the URL, without the $; Definition is the
	// canonical of its OperationDefinition.
	Type, Name, Definition string
	// OnType and OnInstance say where it is called.
	OnType, OnInstance bool
	Run                func(ctx context.Context, call ReadCall) (resource []byte, err error)
}

// ReadCall is one call of a Read. ID is "" on the type.
type ReadCall struct {
	Tenant     store.Tenant
	Base, ID   string
	Parameters []search.Parameter
}

// API serves FHIR.
type API struct {
	o Options
	// inner serves the entries of batches.
	inner       http.Handler
	definitions func() *definitions.Set
	// buffers hold answers while they are written.
	buffers sync.Pool
}

// New makes the API.
func New(o Options) *API {
	a := &API{o: o}
	a.definitions = sync.OnceValue(func() *definitions.Set {
		var profiles []definitions.Profile
		for _, p := range o.Repository.Profiles() {
			profiles = append(profiles, definitions.Profile{URL: p.URL, Version: p.Version, Body: p.Body})
		}
		return definitions.New(o.Repository.Definitions(), profiles)
	})
	inner := gin.New()
	inner.HandleMethodNotAllowed = true
	inner.RedirectTrailingSlash = false
	inner.NoRoute(a.serve(a.noRoute))
	inner.NoMethod(a.serve(a.noMethod))
	a.routes(inner, "")
	a.metadataRoute(inner, "")
	a.inner = inner
	return a
}
