package rest

import (
	"context"
	"net/http"
	"strconv"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/store"
)

// meta: $meta of a resource, a version, a type, or everything
// (https://hl7.org/fhir/R4/resource-operation-meta.html).
func (a *API) meta(r *request) error {
	if err := r.noQuery(); err != nil {
		return err
	}
	if r.id == "" {
		meta, err := a.o.Repository.MetaInUse(r.Request.Context(), r.tenant, r.typ)
		if err != nil {
			return err
		}
		a.returns(r, meta)
		return nil
	}
	d, err := a.versionOrCurrent(r)
	if err != nil {
		return err
	}
	meta, err := repository.MetaOf(d.Body)
	if err != nil {
		return err
	}
	versionHeaders(r, d)
	a.returns(r, meta)
	return nil
}

func (a *API) versionOrCurrent(r *request) (store.Document, error) {
	text := r.Param("version")
	if text == "" {
		return a.o.Repository.Read(r.Request.Context(), r.tenant, r.ref())
	}
	version, err := strconv.ParseInt(text, 10, 64)
	if err != nil || version < 1 {
		return store.Document{}, outcome.New(http.StatusNotFound, outcome.CodeNotFound, "There is no such version: versions here are numbers from 1 up.")
	}
	return a.o.Repository.ReadVersion(r.Request.Context(), r.tenant, r.ref(), version)
}

// noMeta stands for a Meta that says nothing: a parameter needs a value (R4
// parameters, inv-1), and an element may not be empty.
const noMeta = `{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"not-applicable"}]}`

// returns answers an operation with a Meta.
func (a *API) returns(r *request, meta []byte) {
	if string(meta) == "{}" {
		meta = []byte(noMeta)
	}
	a.write(r, http.StatusOK, append(append([]byte(`{"resourceType":"Parameters","parameter":[{"name":"return","valueMeta":`), meta...), "}]}"...))
}

// metaAdd: https://hl7.org/fhir/R4/resource-operation-meta-add.html. It makes
// a new version, which subscribers are told of: versions do not change here.
func (a *API) metaAdd(r *request) error { return a.metaChange(r, a.o.Repository.AddMeta) }

// metaDelete: https://hl7.org/fhir/R4/resource-operation-meta-delete.html.
func (a *API) metaDelete(r *request) error { return a.metaChange(r, a.o.Repository.DeleteMeta) }

// metaOfVersion refuses to change the past.
func (a *API) metaOfVersion(*request) error {
	return outcome.New(http.StatusMethodNotAllowed, outcome.CodeNotSupported,
		"Versions do not change here. $meta-add and $meta-delete are for the current version and make the next one.")
}

type metaChange func(ctx context.Context, t store.Tenant, ref store.Ref, meta rawjson.Node, version int64) (store.Document, error)

func (a *API) metaChange(r *request, change metaChange) error {
	if err := r.noQuery(); err != nil {
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
	meta, err := a.metaIn(body)
	if err != nil {
		return err
	}
	d, err := change(r.Request.Context(), r.tenant, r.ref(), meta, version)
	if err != nil {
		return preconditionFailed(err, version)
	}
	result, err := repository.MetaOf(d.Body)
	if err != nil {
		return err
	}
	versionHeaders(r, d)
	a.returns(r, result)
	return nil
}

// metaIn is the parameter meta of a Parameters resource.
func (a *API) metaIn(body []byte) (meta rawjson.Node, err error) {
	doc, typ, err := a.o.Repository.Check(body)
	if err != nil {
		return meta, err
	}
	list, _ := doc.Root().Member("parameter")
	for p := range list.Elements() {
		name, _ := p.Member("name")
		if !name.Is("meta") || meta.Exists() {
			return meta, outcome.BadRequest(outcome.CodeNotSupported, "The operation takes one parameter, meta.")
		}
		meta, _ = p.Member("valueMeta")
	}
	if typ != "Parameters" || !meta.Exists() {
		return meta, outcome.BadRequest(outcome.CodeRequired, "The operation needs Parameters with the parameter meta, a valueMeta.")
	}
	return meta, nil
}
