package rest

import (
	"slices"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// docrefDefinition is where $docref is defined; summaryOfEpisode is the type
// of a CCD, which is asked for where no type is.
const (
	docrefDefinition = "http://hl7.org/fhir/us/core/OperationDefinition/docref"
	summaryOfEpisode = "http://loinc.org|34133-9"
)

// docref: DocumentReference/$docref
// (http://hl7.org/fhir/us/core/OperationDefinition/docref): the documents of a
// patient that are stored, of the types asked for, about care between start and
// end; without these the newest that is current. None is made on demand.
func (a *API) docref(r *request) error {
	given, err := a.operationParameters(r)
	if err != nil {
		return err
	}
	var patient, types string
	between, onDemand := false, false
	var params, links []search.Parameter
	once := map[string]bool{}
	for _, p := range given {
		if once[p.Name] && p.Name != "type" {
			return outcome.BadRequest(outcome.CodeValue, "The parameter %s is given twice.", shorten(p.Name)).At(shorten(p.Name))
		}
		once[p.Name] = true
		switch p.Name {
		case "patient":
			if !search.ValidID(p.Value) {
				return outcome.BadRequest(outcome.CodeValue, "The value of patient must be the id of a Patient.").At("patient")
			}
			patient = p.Value
		case "start", "end":
			if !search.IsDate(p.Value) {
				return outcome.BadRequest(outcome.CodeValue, "The value of %s must be a date or a time, with the + of a zone as %%2B: 2026-01-31T10:00:00Z.", p.Name).At(p.Name)
			}
			between = true
			prefix := map[string]string{"start": "ge", "end": "le"}[p.Name]
			params = append(params, search.Parameter{Name: "period", Value: prefix + p.Value})
		case "type":
			if types != "" {
				types += ","
			}
			types += p.Value
		case "on-demand":
			if p.Value != "true" && p.Value != "false" {
				return outcome.BadRequest(outcome.CodeValue, "The value of on-demand must be true or false.").At("on-demand")
			}
			onDemand = p.Value == "true"
		case "_count", pageParameter:
			params = append(params, p)
			continue // Applied has them for the links
		default:
			return outcome.BadRequest(outcome.CodeNotSupported, "$docref has no parameter %q here; it has patient, start, end, type, on-demand and _count.", shorten(p.Name)).At(shorten(p.Name))
		}
		links = append(links, p)
	}
	if patient == "" {
		return outcome.BadRequest(outcome.CodeRequired, "$docref needs the parameter patient.").At("patient")
	}
	if types == "" {
		types = summaryOfEpisode
	}
	params = append(params, search.Parameter{Name: "patient", Value: "Patient/" + patient}, search.Parameter{Name: "type", Value: types})
	switch {
	case onDemand: // none of the stored ones is
		params = append(params, search.Parameter{Name: "_id:missing", Value: "true"})
	case between:
		params = append(params, search.Parameter{Name: "status:not", Value: "entered-in-error"})
	default:
		params = slices.DeleteFunc(params, func(p search.Parameter) bool { return p.Name == "_count" || p.Name == pageParameter })
		params = append(params, search.Parameter{Name: "status", Value: "current"},
			search.Parameter{Name: "_sort", Value: "-date"}, search.Parameter{Name: "_count", Value: "1"})
	}
	result, err := a.o.Repository.SearchIn(r.Request.Context(), r.tenant, repository.Scope{Type: "DocumentReference"}, params)
	if err != nil {
		return err
	}
	if !between {
		result.Next = nil // the newest is all
	}
	for _, p := range result.Request.Applied {
		if p.Name == "_count" && between {
			links = append(links, p)
		}
	}
	return a.searchset(r, r.at("$docref"), links, result)
}
