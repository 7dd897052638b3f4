package rest

import (
	"net/http"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// createIfNone: R4 http, conditional create.
func (a *API) createIfNone(r *request, body []byte) error {
	params, err := search.ParseQuery(r.GetHeader("If-None-Exist"))
	if err != nil {
		return err
	}
	d, created, err := a.o.Repository.CreateIfNone(r.Request.Context(), r.tenant, r.typ, body, params)
	if err != nil {
		return err
	}
	r.Header("Location", location(r.base, d))
	a.stored(r, statusOf(created), d)
	return nil
}

// criteria are the parameters of a conditional update, patch or delete.
func (r *request) criteria() ([]search.Parameter, error) {
	if len(r.query) == 0 {
		return nil, outcome.New(http.StatusPreconditionFailed, outcome.CodeRequired,
			"Without an id, this interaction needs search parameters: %s?identifier=…", r.typ)
	}
	return r.query, nil
}

// updateWhere: R4 http, conditional update.
func (a *API) updateWhere(r *request) error {
	params, err := r.criteria()
	if err != nil {
		return err
	}
	version, err := ifMatch(r)
	if err != nil {
		return err
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	d, created, err := a.o.Repository.UpdateWhere(r.Request.Context(), r.tenant, r.typ, body, params, version)
	if err != nil {
		return preconditionFailed(err, version)
	}
	a.stored(r, statusOf(created), d)
	return nil
}

// deleteWhere: R4 http, conditional delete, of one resource at most.
func (a *API) deleteWhere(r *request) error {
	params, err := r.criteria()
	if err != nil {
		return err
	}
	version, err := ifMatch(r)
	if err != nil {
		return err
	}
	entry, err := a.o.Repository.DeleteWhere(r.Request.Context(), r.tenant, r.typ, params, version)
	if err != nil {
		return preconditionFailed(err, version)
	}
	a.deleted(r, entry)
	return nil
}
