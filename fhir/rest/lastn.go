package rest

import (
	"strconv"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// lastn: Observation/$lastn
// (https://hl7.org/fhir/R4/observation-operation-lastn.html).
func (a *API) lastn(r *request) error {
	given, err := a.operationParameters(r)
	if err != nil {
		return err
	}
	most, subject, code := 1, false, false
	var params, links []search.Parameter
	for _, p := range given {
		head, _, _ := strings.Cut(p.Name, ".")
		name, _, _ := strings.Cut(head, ":")
		switch name {
		case "max":
			if most, err = strconv.Atoi(p.Value); err != nil || most < 1 {
				return outcome.BadRequest(outcome.CodeValue, "The value of max must be a whole number from 1 up.")
			}
			links = append(links, p)
			continue
		case "_count", "_sort", "_total", pageParameter, "_contained", "_containedType":
			return outcome.BadRequest(outcome.CodeNotSupported, "$lastn has no parameter %s: it returns the latest Observations of each code on one page.", name)
		case "_summary":
			if p.Value == "count" {
				return outcome.BadRequest(outcome.CodeNotSupported, "$lastn does not count: _summary=count is not supported here.")
			}
		case "subject", "patient":
			subject = true
		case "category":
			code = true
		default:
			sp, ok := a.o.Repository.Definitions().SearchParameter("Observation", name)
			code = code || ok && isCode(sp)
		}
		params = append(params, p)
	}
	if !subject {
		return outcome.BadRequest(outcome.CodeRequired, "$lastn needs the parameter patient or subject.")
	}
	if !code {
		return outcome.BadRequest(outcome.CodeRequired, "$lastn needs the parameter category, or one by code, such as code.")
	}
	req, err := a.o.Repository.Parse(r.Request.Context(), r.tenant, repository.Scope{Type: "Observation", Lenient: prefer(r, "handling") == "lenient"}, params)
	if err != nil {
		return err
	}
	result, err := a.o.Repository.LastN(r.Request.Context(), r.tenant, req, most)
	if err != nil {
		return err
	}
	return a.searchset(r, r.at("$lastn"), append(links, req.Applied...), result)
}

// isCode reports whether a parameter has a code in its expression.
func isCode(sp *conformance.SearchParameter) bool {
	if strings.Contains(sp.Expression, ".code") {
		return true
	}
	for _, c := range sp.Components {
		if c.Expression == "code" || strings.HasSuffix(c.Expression, ".code") {
			return true
		}
	}
	return false
}
