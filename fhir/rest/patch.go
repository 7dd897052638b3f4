package rest

import (
	"mime"
	"net/http"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
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

func (a *API) patchOf(r *request) (version int64, patch []byte, err error) {
	if version, err = ifMatch(r); err != nil {
		return 0, nil, err
	}
	if mt, _, _ := mime.ParseMediaType(r.GetHeader("Content-Type")); mt != jsonPatch {
		return 0, nil, outcome.New(http.StatusUnsupportedMediaType, outcome.CodeNotSupported,
			"This server patches by JSON Patch: send %s as Content-Type.", jsonPatch)
	}
	patch, err = a.readBody(r)
	return version, patch, err
}
