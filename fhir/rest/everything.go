package rest

import (
	"net/http"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// everything: Patient/[id]/$everything and Encounter/[id]/$everything
// (https://hl7.org/fhir/R4/operation-patient-everything.html): the
// compartment, page by page, and on each page what its resources refer to.
func (a *API) everything(r *request) error {
	if r.typ != "Patient" && r.typ != "Encounter" {
		return a.noOperation(r, r.sub)
	}
	var params []search.Parameter
	for _, p := range r.query {
		switch p.Name {
		case "_count", "_type", "_page", "_elements", "_summary":
			params = append(params, p)
		case "_since":
			params = append(params, search.Parameter{Name: "_lastUpdated", Value: "ge" + p.Value})
		default:
			return outcome.BadRequest(outcome.CodeNotSupported, "The parameter %q of $everything is not supported; _since, _type and _count are.", shorten(p.Name))
		}
	}
	// The answer to a resource that is not there is that of a read.
	if _, err := a.o.Repository.Read(r.Request.Context(), r.tenant, r.ref()); err != nil {
		return err
	}
	result, err := a.o.Repository.SearchIn(r.Request.Context(), r.tenant, repository.Scope{
		Compartment: &search.Compartment{Type: r.typ, ID: r.id}, Everything: []string{},
	}, params)
	if err != nil {
		return err
	}
	applied := result.Request.Applied
	for i := range applied {
		if applied[i].Name == "_lastUpdated" {
			applied[i] = search.Parameter{Name: "_since", Value: applied[i].Value[len("ge"):]}
		}
	}
	return a.searchset(r, r.base+"/"+r.ref().String()+"/$everything", applied, result)
}

func (a *API) noOperation(r *request, name string) error {
	return outcome.New(http.StatusNotFound, outcome.CodeNotSupported,
		"%s has no operation %q here. See /metadata for those it has.", r.typ, shorten(name))
}
