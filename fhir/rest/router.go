package rest

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// BasePath is the route of a tenant's FHIR base.
const BasePath = "/fhir/R4/:organization/:environment"

// Register adds the API's routes.
func (a *API) Register(e gin.IRoutes) {
	get := func(path string, h handler) {
		e.GET(BasePath+path, a.serve(h))
		e.HEAD(BasePath+path, a.serve(h))
	}
	get("/metadata", a.metadata)
	get("/_history", a.history)
	get("/:type", a.search)
	get("/:type/_history", a.history)
	get("/:type/:id", a.read)
	get("/:type/:id/_history", a.history)
	get("/:type/:id/_history/:version", a.readVersion)
	e.POST(BasePath+"/:type", a.serve(a.create))
	e.POST(BasePath+"/:type/:id", a.serve(a.postBelowType))
	e.PUT(BasePath+"/:type/:id", a.serve(a.update))
	e.DELETE(BasePath+"/:type/:id", a.serve(a.delete))
	for _, m := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch} {
		e.Handle(m, BasePath+"/:type", a.serve(a.unsupported))
	}
	e.PATCH(BasePath+"/:type/:id", a.serve(a.unsupported))
	e.POST(BasePath, a.serve(a.unsupported))
	e.POST(BasePath+"/", a.serve(a.unsupported))
	e.GET(BasePath, a.serve(a.unsupported))
}

// handler serves one interaction; an error it returns becomes an
// OperationOutcome.
type handler func(r *request) error

// request is one HTTP request with what every interaction needs of it.
type request struct {
	*gin.Context
	tenant store.Tenant
	base   string
	typ    string
	id     string
}

// serve finds the tenant and checks the type and id in the URL before it
// calls h.
func (a *API) serve(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		r := &request{Context: c, typ: c.Param("type"), id: c.Param("id")}
		if err := a.prepare(r); err != nil {
			a.fail(r, err)
			return
		}
		if err := h(r); err != nil {
			a.fail(r, err)
		}
	}
}

func (a *API) prepare(r *request) error {
	organization, environment := r.Param("organization"), r.Param("environment")
	var err error
	if r.tenant, err = a.o.Tenant(r.Request.Context(), organization, environment); err != nil {
		return err
	}
	r.base = a.public(r) + "/fhir/R4/" + organization + "/" + environment
	if err := acceptable(r); err != nil {
		return err
	}
	if r.typ != "" && !a.o.Repository.Definitions().IsResourceType(r.typ) {
		return outcome.New(http.StatusNotFound, outcome.CodeNotSupported,
			"The URL names %q where a FHIR R4 resource type is expected, such as Patient.", shorten(r.typ)).At("url")
	}
	if r.id != "" && r.id[0] != '$' && r.id != "_search" && !search.ValidID(r.id) {
		return outcome.New(http.StatusNotFound, outcome.CodeNotFound, "The URL holds no valid id: 1 to 64 letters, digits, '-' and '.'.").At("url")
	}
	return nil
}

// public is the scheme and host of links.
func (a *API) public(r *request) string {
	if a.o.PublicURL != "" {
		return a.o.PublicURL
	}
	scheme := "http"
	if r.Request.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Request.Host
}

// acceptable refuses formats that the server does not write
// (R4 http §3.1.0.1.11).
func acceptable(r *request) error {
	format := r.Query("_format")
	if format == "" {
		format = r.GetHeader("Accept")
	}
	for _, f := range strings.Split(format, ",") {
		f, _, _ = strings.Cut(f, ";")
		switch strings.TrimSpace(strings.ReplaceAll(f, " ", "+")) {
		case "", "*/*", "application/*", "json", "application/json", "application/fhir+json", "text/json":
			return nil
		}
	}
	return outcome.New(http.StatusNotAcceptable, outcome.CodeNotSupported,
		"This server answers in JSON: ask for application/fhir+json by Accept or _format.")
}

// postBelowType is POST [type]/_search and POST [type]/$operation.
func (a *API) postBelowType(r *request) error {
	if r.id == "_search" {
		return a.search(r)
	}
	if !strings.HasPrefix(r.id, "$") {
		return a.unsupported(r)
	}
	op, ok := a.o.Operations[r.typ+"/"+r.id]
	if !ok {
		return outcome.New(http.StatusNotFound, outcome.CodeNotSupported,
			"%s has no operation %q here. See /metadata for those it has.", r.typ, shorten(r.id))
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	status, resource, err := op(r.Request.Context(), Call{
		Tenant: r.tenant, Base: r.base, Body: body, RequestID: r.Writer.Header().Get("X-Request-Id"),
	})
	if err != nil {
		return err
	}
	a.write(r, status, resource)
	return nil
}

func (a *API) unsupported(r *request) error {
	return outcome.New(http.StatusMethodNotAllowed, outcome.CodeNotSupported,
		"This server has no such interaction. See /metadata for those it has.")
}

// shorten keeps a name from a URL fit for an error text.
func shorten(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' {
			return '?'
		}
		return c
	}, s)
}
