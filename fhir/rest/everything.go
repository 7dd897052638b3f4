package rest

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// everything: [Patient|Encounter|Group]/[id]/$everything and
// Patient/$everything (https://hl7.org/fhir/R4/operation-patient-everything.html):
// the compartment, or those of a group's members or of all patients, page by
// page, and on each page what its resources refer to.
func (a *API) everything(r *request) error {
	given, err := a.operationParameters(r)
	if err != nil {
		return err
	}
	compartment := &search.Compartment{Type: r.typ, ID: r.instance()}
	if r.typ == "Group" {
		compartment.Type, compartment.ID, compartment.Group = "Patient", "", r.id
	}
	types := []string{}
	var params, links []search.Parameter
	for _, p := range given {
		switch p.Name {
		case "_type":
			types = append(types, strings.Split(p.Value, ",")...)
		case "_count", pageParameter, "_elements", "_summary":
		case "_since":
			if !search.IsDate(p.Value) {
				return outcome.BadRequest(outcome.CodeValue, "The value of _since must be an instant, with the + of a zone as %%2B: 2026-01-31T10:00:00Z.")
			}
			links = append(links, p)
			params = append(params, search.Parameter{Name: "_lastUpdated", Value: "ge" + p.Value})
			continue
		case "start", "end":
			if r.typ == "Encounter" {
				return outcome.BadRequest(outcome.CodeNotSupported, "$everything of an Encounter has no parameter %s.", p.Name)
			}
			if p.Name == "start" {
				compartment.Care.Start = p.Value
			} else {
				compartment.Care.End = p.Value
			}
			links = append(links, p)
			continue
		default:
			return outcome.BadRequest(outcome.CodeNotSupported, "$everything has no parameter %q; it has start, end, _since, _type and _count.", shorten(p.Name))
		}
		params = append(params, p)
	}
	if r.instance() != "" {
		// The answer to a resource that is not there is that of a read.
		if _, err := a.o.Repository.Read(r.Request.Context(), r.tenant, r.ref()); err != nil {
			return err
		}
	}
	result, err := a.o.Repository.SearchIn(r.Request.Context(), r.tenant, repository.Scope{Compartment: compartment, Everything: types}, params)
	if err != nil {
		return err
	}
	for _, p := range result.Request.Applied {
		if p.Name != "_lastUpdated" {
			links = append(links, p)
		}
	}
	return a.searchset(r, r.at("$everything"), links, result)
}

// pageParameter is the name of the server's own page token.
const pageParameter = "_page"
