package rest

import (
	"net/http"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

// operation is POST [type]/$name and POST [type]/[id]/$name.
func (a *API) operation(r *request, name string) error {
	if name == "$validate" {
		return a.validate(r)
	}
	op, ok := a.o.Operations[r.typ+"/"+name]
	if !ok || r.sub != "" {
		return a.noOperation(r, name)
	}
	if err := r.noQuery(); err != nil {
		return err
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	status, resource, err := op(r.Request.Context(), Call{
		Tenant: r.tenant, Base: r.base, Body: body, RequestID: r.Writer.Header().Get("X-Request-Id"),
	})
	if err != nil {
		return err
	}
	a.write(r, status, resource)
	return nil
}

// validate: https://hl7.org/fhir/R4/resource-operation-validate.html, of the
// structure. The resource is the body or the parameter resource; a profile or
// a mode would ask for more than is checked, so they are refused.
func (a *API) validate(r *request) error {
	if err := r.noQuery(); err != nil {
		return err
	}
	body, err := a.body(r)
	if err != nil {
		return err
	}
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		a.write(r, http.StatusOK, outcome.JSON(issuesOf(conformance.ValidateStructure(body))))
		return nil //nolint:nilerr // what is wrong with the resource is the answer
	}
	resource := doc.Root()
	if t, _ := resource.Member("resourceType"); t.Is("Parameters") && r.typ != "Parameters" {
		if resource, err = validated(resource); err != nil {
			return err
		}
	}
	issues := issuesOf(conformance.ValidateStructureOf(resource))
	if t, _ := resource.Member("resourceType"); len(issues) == 0 && !t.Is(r.typ) {
		issues = []outcome.Issue{{Severity: outcome.SeverityError, Code: outcome.CodeInvalid, Expression: "resourceType",
			Diagnostics: "The URL is for " + r.typ + ", but the resource is of another type."}}
	}
	if len(issues) == 0 {
		issues = []outcome.Issue{{Severity: outcome.SeverityInformation, Code: outcome.CodeInformation,
			Diagnostics: "The resource is structurally valid."}}
	}
	a.write(r, http.StatusOK, outcome.JSON(issues))
	return nil
}

// validated is the parameter resource of $validate.
func validated(parameters rawjson.Node) (resource rawjson.Node, err error) {
	list, _ := parameters.Member("parameter")
	for p := range list.Elements() {
		name, _ := p.Member("name")
		if !name.Is("resource") {
			return resource, outcome.BadRequest(outcome.CodeNotSupported, "$validate takes the parameter resource only: the structure is checked, and no profile or mode.")
		}
		resource, _ = p.Member("resource")
	}
	if !resource.Exists() {
		return resource, outcome.BadRequest(outcome.CodeRequired, "$validate needs a resource.")
	}
	return resource, nil
}

func issuesOf(found []conformance.Issue) []outcome.Issue {
	issues := make([]outcome.Issue, 0, len(found))
	for _, i := range found {
		issues = append(issues, outcome.Issue{
			Severity: outcome.Severity(i.Severity), Code: outcome.Code(i.Code),
			Expression: i.Expression, Diagnostics: i.Diagnostics, Line: i.Line, Column: i.Column,
		})
	}
	return issues
}
