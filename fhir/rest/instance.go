package rest

import (
	"net/http"
	"strconv"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

func (r *request) ref() store.Ref { return store.Ref{Type: r.typ, ID: r.id} }

// read: R4 http, read.
func (a *API) read(r *request) error {
	switch {
	case r.id == "_search":
		return outcome.New(http.StatusMethodNotAllowed, outcome.CodeNotSupported, "_search takes POST; a search by GET has its parameters behind the type.")
	case r.id[0] == '$':
		return a.searchOperation(r, r.id)
	}
	subset, err := search.SubsetOf(r.typ, r.query, a.o.Repository.Definitions())
	if err != nil {
		return err
	}
	d, err := a.o.Repository.Read(r.Request.Context(), r.tenant, r.ref())
	if err != nil {
		if built, ok := a.definition(r, err); ok {
			return a.defined(r, built, subset)
		}
		return err
	}
	if notModified(r, d) {
		versionHeaders(r, d)
		r.Status(http.StatusNotModified)
		r.Writer.WriteHeaderNow()
		return nil
	}
	return a.representation(r, d, subset)
}

// representation writes a resource that was asked for.
func (a *API) representation(r *request, d store.Document, s search.Subset) error {
	var err error
	if d.Body, err = a.o.Repository.Subset(d, s); err != nil {
		return err
	}
	versionHeaders(r, d)
	a.write(r, http.StatusOK, d.Body)
	return nil
}

// readVersion: R4 http, vread.
func (a *API) readVersion(r *request) error {
	subset, err := search.SubsetOf(r.typ, r.query, a.o.Repository.Definitions())
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(r.Param("version"), 10, 64)
	if err != nil || version < 1 {
		return outcome.New(http.StatusNotFound, outcome.CodeNotFound, "There is no such version: versions here are numbers from 1 up.")
	}
	d, err := a.o.Repository.ReadVersion(r.Request.Context(), r.tenant, r.ref(), version)
	if err != nil {
		return err
	}
	return a.representation(r, d, subset)
}

// create: R4 http, create.
func (a *API) create(r *request) error {
	if r.typ == "_search" {
		r.typ = ""
		return a.search(r)
	}
	if err := r.noQuery(); err != nil {
		return err
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	if r.GetHeader("If-None-Exist") != "" {
		return a.createIfNone(r, body)
	}
	d, err := a.o.Repository.Create(r.Request.Context(), r.tenant, r.typ, body)
	if err != nil {
		return err
	}
	a.stored(r, http.StatusCreated, d)
	return nil
}

// update: R4 http, update, also as create with a client's id.
func (a *API) update(r *request) error {
	if r.id[0] == '$' || r.id == "_search" {
		return a.noMethod(r)
	}
	if err := r.noQuery(); err != nil {
		return err
	}
	version, err := ifMatchOrNone(r)
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
	a.stored(r, statusOf(created), d)
	return nil
}

func statusOf(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusOK
}

// preconditionFailed: what fails by If-Match is a 412 (R4 http, concurrency).
func preconditionFailed(err error, version int64) error {
	e := outcome.From(err)
	switch {
	case e.Status != http.StatusConflict:
	case version == repository.Absent:
		return outcome.New(http.StatusPreconditionFailed, outcome.CodeConflict, "There is such a resource already, and If-None-Match: * asks for there to be none.")
	case version > 0:
		return outcome.New(http.StatusPreconditionFailed, outcome.CodeConflict, "If-Match names a version that is not the current one. Read the resource again and repeat.")
	}
	return err
}

// delete: R4 http, delete.
func (a *API) delete(r *request) error {
	if r.id[0] == '$' || r.id == "_search" {
		return a.noMethod(r)
	}
	if err := r.noQuery(); err != nil {
		return err
	}
	version, err := ifMatch(r)
	if err != nil {
		return err
	}
	entry, err := a.o.Repository.Delete(r.Request.Context(), r.tenant, r.ref(), version)
	if err != nil {
		return preconditionFailed(err, version)
	}
	a.deleted(r, entry)
	return nil
}

func (a *API) deleted(r *request, entry store.Entry) {
	if len(entry.Changes) > 0 {
		r.Header("ETag", etag(entry.Changes[0].Version))
	}
	r.Status(http.StatusNoContent)
	r.Writer.WriteHeaderNow()
}
