package rest

import (
	"mime"
	"net/http"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
)

// jsonPatch is the content type of RFC 6902.
const jsonPatch = "application/json-patch+json"

// patch: R4 http, patch.
func (a *API) patch(r *request) error {
	if r.id[0] == '$' || r.id == "_search" {
		return a.noMethod(r)
	}
	if err := r.noQuery(); err != nil {
		return err
	}
	version, patch, err := a.patchOf(r)
	if err != nil {
		return err
	}
	d, err := a.o.Repository.Patch(r.Request.Context(), r.tenant, r.ref(), patch, version)
	if err != nil {
		return preconditionFailed(err, version)
	}
	a.stored(r, http.StatusOK, d)
	return nil
}

// patchWhere: R4 http, conditional patch.
func (a *API) patchWhere(r *request) error {
	params, err := r.criteria()
	if err != nil {
		return err
	}
	version, patch, err := a.patchOf(r)
	if err != nil {
		return err
	}
	d, err := a.o.Repository.PatchWhere(r.Request.Context(), r.tenant, r.typ, patch, params, version)
	if err != nil {
		return preconditionFailed(err, version)
	}
	a.stored(r, http.StatusOK, d)
	return nil
}

// patchOf reads a patch: a JSON Patch, or a FHIRPath Patch in JSON or XML.
func (a *API) patchOf(r *request) (version int64, patch repository.Patch, err error) {
	if version, err = ifMatch(r); err != nil {
		return 0, patch, err
	}
	switch mt, _, _ := mime.ParseMediaType(r.GetHeader("Content-Type")); {
	case mt == jsonPatch:
		patch.Body, err = a.readBody(r)
	case isJSON(mt) || isXML(mt):
		patch.Format = repository.FHIRPathPatch
		if patch.Body, err = a.body(r); err == nil && !isParameters(patch.Body) {
			err = outcome.New(http.StatusUnsupportedMediaType, outcome.CodeNotSupported,
				"A patch is a JSON Patch, sent as %s, or a FHIRPath Patch, a Parameters resource.", jsonPatch)
		}
	default:
		err = outcome.New(http.StatusUnsupportedMediaType, outcome.CodeNotSupported,
			"This server patches by JSON Patch, sent as %s, and by FHIRPath Patch, sent as application/fhir+json or application/fhir+xml.", jsonPatch)
	}
	return version, patch, err
}

// isParameters reports whether a body is a Parameters resource, or no JSON at
// all, which is refused for its own reason.
func isParameters(body []byte) bool {
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return true
	}
	t, _ := doc.Root().Member("resourceType")
	return t.Is("Parameters")
}
