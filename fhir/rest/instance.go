package rest

import (
	"net/http"
	"strconv"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

func (r *request) ref() store.Ref { return store.Ref{Type: r.typ, ID: r.id} }

// read: R4 http §3.1.0.2.
func (a *API) read(r *request) error {
	if r.id[0] == '$' || r.id == "_search" {
		if r.id == "_search" {
			return outcome.New(http.StatusMethodNotAllowed, outcome.CodeNotSupported, "_search takes POST; a search by GET has its parameters behind the type.")
		}
		return a.unsupported(r)
	}
	d, err := a.o.Repository.Read(r.Request.Context(), r.tenant, r.ref())
	if err != nil {
		return err
	}
	if notModified(r, d) {
		r.Header("ETag", etag(d.Version))
		r.Status(http.StatusNotModified)
		r.Writer.WriteHeaderNow()
		return nil
	}
	a.resource(r, http.StatusOK, d)
	return nil
}

// readVersion: vread, R4 http §3.1.0.3.
func (a *API) readVersion(r *request) error {
	version, err := strconv.ParseInt(r.Param("version"), 10, 64)
	if err != nil || version < 1 {
		return outcome.New(http.StatusNotFound, outcome.CodeNotFound, "There is no such version: versions here are numbers from 1 up.")
	}
	d, err := a.o.Repository.ReadVersion(r.Request.Context(), r.tenant, r.ref(), version)
	if err != nil {
		return err
	}
	a.resource(r, http.StatusOK, d)
	return nil
}

// create: R4 http §3.1.0.8.
func (a *API) create(r *request) error {
	if r.GetHeader("If-None-Exist") != "" {
		return outcome.New(http.StatusPreconditionFailed, outcome.CodeNotSupported, "This server does not support conditional create (If-None-Exist).")
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	d, err := a.o.Repository.Create(r.Request.Context(), r.tenant, r.typ, body)
	if err != nil {
		return err
	}
	a.resource(r, http.StatusCreated, d)
	return nil
}

// update: R4 http §3.1.0.4, also as create with a client's id.
func (a *API) update(r *request) error {
	version, err := ifMatch(r)
	if err != nil {
		return err
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	d, created, err := a.o.Repository.Update(r.Request.Context(), r.tenant, r.ref(), body, version)
	if err != nil {
		return preconditionFailed(err, version)
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	a.resource(r, status, d)
	return nil
}

// preconditionFailed: what fails by If-Match is a 412 (R4 http §3.1.0.4.3).
func preconditionFailed(err error, version int64) error {
	e := outcome.From(err)
	if version > 0 && e.Status == http.StatusConflict {
		return outcome.New(http.StatusPreconditionFailed, outcome.CodeConflict, "If-Match names a version that is not the current one. Read the resource again and repeat.")
	}
	return err
}

// delete: R4 http §3.1.0.7.
func (a *API) delete(r *request) error {
	version, err := ifMatch(r)
	if err != nil {
		return err
	}
	entry, err := a.o.Repository.Delete(r.Request.Context(), r.tenant, r.ref(), version)
	if err != nil {
		return preconditionFailed(err, version)
	}
	if len(entry.Changes) > 0 {
		r.Header("ETag", etag(entry.Changes[0].Version))
	}
	r.Status(http.StatusNoContent)
	r.Writer.WriteHeaderNow()
	return nil
}
