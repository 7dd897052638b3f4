package rest

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// BasePath is the route of a tenant's FHIR base.
const BasePath = "/fhir/R4/:organization/:environment"

// Register adds the API's routes but the CapabilityStatement's.
func (a *API) Register(e gin.IRoutes) { a.routes(e, BasePath) }

// RegisterMetadata adds the route of the CapabilityStatement. It stands apart
// because clients read it before they have credentials: SMART App Launch wants
// it open.
func (a *API) RegisterMetadata(e gin.IRoutes) { a.metadataRoute(e, BasePath) }

func (a *API) metadataRoute(e gin.IRoutes, base string) {
	a.on(e, base, http.MethodGet, a.metadata, "/metadata")
	a.on(e, base, http.MethodGet, a.speaks, "/$versions")
}

func (a *API) on(e gin.IRoutes, base, method string, h handler, paths ...string) {
	for _, path := range paths {
		e.Handle(method, base+path, a.serve(h))
		if method == http.MethodGet {
			e.Handle(http.MethodHead, base+path, a.serve(h))
		}
	}
}

func (a *API) routes(e gin.IRoutes, base string) {
	on := func(method string, h handler, paths ...string) { a.on(e, base, method, h, paths...) }
	root := []string{"", "/"}
	if base == "" {
		root = root[1:]
	}
	on(http.MethodGet, a.search, root...)
	on(http.MethodPost, a.bundle, root...)
	on(http.MethodGet, a.history, "/_history", "/:type/_history", "/:type/:id/_history")

	metas := []string{"/$meta", "/:type/$meta", "/:type/:id/$meta", "/:type/:id/_history/:version/$meta"}
	on(http.MethodGet, a.meta, metas...)
	on(http.MethodPost, a.meta, metas...)
	on(http.MethodPost, a.metaAdd, "/:type/:id/$meta-add")
	on(http.MethodPost, a.metaDelete, "/:type/:id/$meta-delete")
	on(http.MethodPost, a.metaOfVersion, "/:type/:id/_history/:version/$meta-add", "/:type/:id/_history/:version/$meta-delete")

	a.bulkRoutes(on)
	on(http.MethodGet, a.search, "/:type")
	on(http.MethodPost, a.create, "/:type")
	on(http.MethodPut, a.updateWhere, "/:type")
	on(http.MethodDelete, a.deleteWhere, "/:type")
	on(http.MethodPatch, a.patchWhere, "/:type")

	on(http.MethodGet, a.read, "/:type/:id")
	on(http.MethodPut, a.update, "/:type/:id")
	on(http.MethodDelete, a.delete, "/:type/:id")
	on(http.MethodPatch, a.patch, "/:type/:id")
	on(http.MethodPost, a.postBelowType, "/:type/:id")

	on(http.MethodGet, a.getBelowInstance, "/:type/:id/:sub")
	on(http.MethodPost, a.postBelowInstance, "/:type/:id/:sub")
	on(http.MethodGet, a.readVersion, "/:type/:id/_history/:version")
	on(http.MethodPost, a.postBelowCompartment, "/:type/:id/:sub/:version")
}

// handler serves one interaction; an error it returns becomes an
// OperationOutcome.
type handler func(r *request) error

func (a *API) serve(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		r := &request{Context: c, typ: c.Param("type"), id: c.Param("id"), sub: c.Param("sub")}
		r.forCaches()
		err := a.prepare(r)
		if err == nil {
			err = a.authorize(r)
		}
		if err == nil {
			err = h(r)
		}
		if err != nil {
			a.fail(r, err)
		}
	}
}

// postBelowType is POST _search, POST [type]/_search and POST [type]/$operation.
func (a *API) postBelowType(r *request) error {
	switch {
	case r.id == "_search":
		return a.search(r)
	case strings.HasPrefix(r.id, "$"):
		return a.operation(r, r.id)
	}
	return a.noMethod(r)
}

func (a *API) getBelowInstance(r *request) error {
	if strings.HasPrefix(r.sub, "$") {
		return a.searchOperation(r, r.sub)
	}
	return a.searchCompartment(r, r.sub)
}

func (a *API) postBelowInstance(r *request) error {
	if strings.HasPrefix(r.sub, "$") {
		return a.operation(r, r.sub)
	}
	return a.noMethod(r)
}

// postBelowCompartment is POST [compartment]/[id]/[type]/_search.
func (a *API) postBelowCompartment(r *request) error {
	if r.Param("version") == "_search" {
		return a.searchCompartment(r, r.sub)
	}
	return a.noRoute(r)
}

func (a *API) noRoute(*request) error {
	return outcome.New(http.StatusNotFound, outcome.CodeNotFound, "There is nothing at this URL. See /metadata for what there is.")
}

func (a *API) noMethod(*request) error {
	return outcome.New(http.StatusMethodNotAllowed, outcome.CodeNotSupported,
		"This server has no such interaction. See /metadata for those it has.")
}
