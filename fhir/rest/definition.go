package rest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/definitions"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// The definitions that the server works by are read like resources that are
// stored, and searched for by url and _id. What a tenant stores under the same
// id stands in their place.

// definitionsOf are the definitions with the operations of a tenant, whose own
// URLs are below its base.
func (a *API) definitionsOf(r *request) *definitions.Set {
	var all []definitions.Operation
	add := func(op capabilityOperation) *definitions.Operation {
		i := slices.IndexFunc(all, func(o definitions.Operation) bool { return o.URL == op.Definition })
		if i < 0 {
			i = len(all)
			all = append(all, definitions.Operation{Code: op.Name, URL: op.Definition})
		}
		return &all[i]
	}
	for _, op := range a.systemOperations(r) {
		add(op).System = true
	}
	for _, typ := range a.o.Repository.Definitions().ResourceTypes() {
		for _, op := range a.operationsOf(r, typ) {
			o := add(op)
			o.Types = append(o.Types, typ)
			o.Type, o.Instance = calledOn(op.Name, typ)
		}
	}
	return a.definitions().With(all)
}

// calledOn says where an operation of a type is called. An export is of a group,
// or of all patients; those of Options.Operations are called on the type.
func calledOn(name, typ string) (onType, onInstance bool) {
	for _, op := range operations {
		if op.name == name && (op.typ == "" || op.typ == typ) {
			return op.onType, op.onInstance
		}
	}
	group := name == "export" && typ == "Group"
	return !group, group
}

// definition is what is read where nothing is stored.
func (a *API) definition(r *request, err error) (definitions.Definition, bool) {
	if !definitions.IsType(r.typ) || outcome.From(err).Status != http.StatusNotFound {
		return definitions.Definition{}, false
	}
	return a.definitionsOf(r).Find(r.typ, r.id)
}

// defined answers the read of a definition. Its version is that of the
// standard.
func (a *API) defined(r *request, def definitions.Definition, s search.Subset) error {
	tag := `W/"` + def.Version + `"`
	r.Header("ETag", tag)
	if r.GetHeader("If-None-Match") == tag {
		r.Status(http.StatusNotModified)
		r.Writer.WriteHeaderNow()
		return nil
	}
	body, err := a.o.Repository.Subset(store.Document{Ref: r.ref(), Body: def.Body}, s)
	if err == nil {
		a.write(r, http.StatusOK, body)
	}
	return err
}

// definedBy are the definitions that a search by url or _id finds, beside
// those that are stored. They come last, on the last page.
func (a *API) definedBy(r *request, params []search.Parameter, result *repository.Result) ([]store.Document, error) {
	if !definitions.IsType(r.typ) || result.Request.Contained != nil {
		return nil, nil
	}
	var conditions []search.Parameter
	for _, p := range params {
		switch {
		case p.Name == "url" || p.Name == "_id":
			conditions = append(conditions, p)
		case p.Name[0] != '_' || !control(p.Name):
			return nil, nil
		}
	}
	if len(conditions) == 0 {
		return nil, nil
	}
	set := a.definitionsOf(r)
	var found []store.Document
	for _, value := range strings.Split(conditions[0].Value, ",") {
		def, ok := lookUp(set, r.typ, conditions[0].Name, value)
		ref := store.Ref{Type: r.typ, ID: def.ID}
		if !ok || slices.ContainsFunc(found, func(d store.Document) bool { return d.Ref == ref }) || !meets(def, conditions) {
			continue
		}
		_, err := a.o.Repository.Read(r.Request.Context(), r.tenant, ref)
		switch {
		case err == nil || outcome.From(err).Status == http.StatusGone:
			continue // the tenant's own stands in its place
		case outcome.From(err).Status != http.StatusNotFound:
			return nil, err
		}
		found = append(found, store.Document{Ref: ref, Body: def.Body})
	}
	if result.Total >= 0 {
		result.Total += int64(len(found))
	}
	if result.Request.CountOnly || result.Next != nil {
		return nil, nil
	}
	return found, nil
}

// control reports whether a parameter says how a search is answered and not
// what is found.
func control(name string) bool {
	return slices.Contains([]string{"_count", "_total", "_summary", "_elements", "_sort", "_page", "_include", "_revinclude"}, name)
}

func lookUp(set *definitions.Set, typ, name, value string) (definitions.Definition, bool) {
	if name == "url" {
		return set.ByURL(typ, value)
	}
	return set.Find(typ, value)
}

// meets reports whether a definition meets all conditions, each with any of
// its values.
func meets(def definitions.Definition, conditions []search.Parameter) bool {
	for _, c := range conditions {
		if !slices.ContainsFunc(strings.Split(c.Value, ","), func(value string) bool {
			return c.Name == "url" && def.Is(value) || c.Name == "_id" && def.ID == value
		}) {
			return false
		}
	}
	return true
}
