package rest

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/store"
)

// validation is what $validate is asked.
type validation struct {
	mode     string
	profiles []string
	resource rawjson.Node
}

// validate: https://hl7.org/fhir/R4/resource-operation-validate.html, always in
// full. The resource is the body, or the parameter resource of Parameters, or,
// of an instance, the one that is stored. What is wrong with it is the answer
// and no error of the operation.
func (a *API) validate(r *request) error {
	var v validation
	for _, p := range r.query {
		if err := v.set(p.Name, p.Value); err != nil {
			return err
		}
	}
	body, err := a.validated(r, &v)
	var unreadable *outcome.Error
	if errors.As(err, &unreadable) && len(body) > 0 {
		a.verdict(r, unreadable.Issues)
		return nil
	}
	if err != nil {
		return err
	}
	if err := a.checkValidation(r, &v); err != nil {
		return err
	}
	if v.mode == "delete" {
		if _, err := a.o.Repository.Read(r.Request.Context(), r.tenant, r.ref()); err != nil {
			return err
		}
		a.verdict(r, nil)
		return nil
	}
	if !v.resource.Exists() {
		stored, err := a.o.Repository.Read(r.Request.Context(), r.tenant, r.ref())
		if err != nil {
			return err
		}
		doc, err := rawjson.Parse(stored.Body, nil)
		if err != nil {
			return err
		}
		v.resource = doc.Root()
	}
	found, err := a.o.Repository.Validate(r.Request.Context(), r.tenant, v.resource, v.profiles...)
	if err != nil {
		return err
	}
	issues := repository.IssuesOf(found)
	if !repository.HasErrors(found) {
		further, err := a.wouldAccept(r, &v)
		if err != nil {
			return err
		}
		issues = append(further, issues...)
	}
	a.verdict(r, issues)
	return nil
}

// set takes over a parameter.
func (v *validation) set(name, value string) error {
	switch name {
	case "mode":
		if !slices.Contains([]string{"create", "update", "delete", "profile"}, value) {
			return outcome.BadRequest(outcome.CodeValue, "The parameter mode is create, update, delete or profile.").At("mode")
		}
		v.mode = value
	case "profile":
		if value == "" {
			return outcome.BadRequest(outcome.CodeValue, "The parameter profile is the canonical URL of a profile.").At("profile")
		}
		v.profiles = append(v.profiles, value)
	default:
		return outcome.BadRequest(outcome.CodeNotSupported, "The parameter %q is not supported here: $validate takes resource, mode and profile.", shorten(name))
	}
	return nil
}

// validated reads the body. With an error it returns the body if that is what
// the error is about.
func (a *API) validated(r *request, v *validation) ([]byte, error) {
	if r.Request.Method != http.MethodPost || r.Request.ContentLength == 0 {
		return nil, nil
	}
	body, err := a.body(r)
	if err != nil || len(body) == 0 {
		return nil, err
	}
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return body, repository.Invalid(conformance.ValidateStructure(body))
	}
	root := doc.Root()
	if t, _ := root.Member("resourceType"); !t.Is("Parameters") || r.typ == "Parameters" {
		v.resource = root
		return nil, nil
	}
	list, _ := root.Member("parameter")
	for p := range list.Elements() {
		name, _ := p.Member("name")
		if name.Is("resource") {
			v.resource, _ = p.Member("resource")
			continue
		}
		value := ""
		for m := range p.Members() {
			if strings.HasPrefix(m.Name(), "value") {
				value = m.String()
			}
		}
		if err := v.set(name.String(), value); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// checkValidation refuses what does not go together, and profiles that are not
// held.
func (a *API) checkValidation(r *request, v *validation) error {
	instance := r.instance() != ""
	switch {
	case v.mode == "delete" && !instance, v.mode == "update" && !instance:
		return outcome.BadRequest(outcome.CodeInvalid, "The mode %s is for a resource: [type]/[id]/$validate.", v.mode).At("mode")
	case v.mode == "create" && instance:
		return outcome.BadRequest(outcome.CodeInvalid, "The mode create is for a type: [type]/$validate.").At("mode")
	case v.mode == "delete" && v.resource.Exists():
		return outcome.BadRequest(outcome.CodeInvalid, "The mode delete takes no resource: it is the one of the URL.").At("resource")
	case v.mode == "profile" && len(v.profiles) == 0:
		return outcome.BadRequest(outcome.CodeRequired, "The mode profile needs the parameter profile.").At("profile")
	case v.mode == "delete" && len(v.profiles) > 0:
		return outcome.BadRequest(outcome.CodeInvalid, "The mode delete takes no profile.").At("profile")
	case v.mode != "delete" && !v.resource.Exists() && (!instance || v.mode == "update"):
		return outcome.BadRequest(outcome.CodeRequired, "$validate needs a resource.").At("resource")
	}
	for _, canonical := range v.profiles {
		_, held, err := a.o.Repository.Profile(r.Request.Context(), r.tenant, canonical)
		var unusable *profile.Error
		switch {
		case errors.As(err, &unusable):
			return outcome.BadRequest(outcome.CodeNotSupported, "The profile cannot be used: %s.", unusable.Error()).At("profile")
		case err != nil:
			return err
		case !held:
			return outcome.BadRequest(outcome.CodeNotSupported,
				"The profile %s is not held here. Held are R4's own definitions of resource types, http://hl7.org/fhir/StructureDefinition/[type], US Core 6.1.0, the packages that the server was started with, and StructureDefinitions that are stored.", strings.ToValidUTF8(canonical[:min(len(canonical), 200)], "")).At("profile")
		}
	}
	return nil
}

// wouldAccept is what is to be said of a valid resource: is it what the URL is
// for, and would the write be accepted.
func (a *API) wouldAccept(r *request, v *validation) ([]outcome.Issue, error) {
	name, _ := v.resource.Member("resourceType")
	typ := name.String()
	fault := func(code outcome.Code, expression, text string) []outcome.Issue {
		return []outcome.Issue{{Severity: outcome.SeverityError, Code: code, Expression: expression, Diagnostics: text}}
	}
	if typ != r.typ {
		return fault(outcome.CodeInvalid, "resourceType", "The URL is for "+r.typ+", but the resource is of another type."), nil
	}
	ref := store.Ref{Type: typ, ID: r.instance()}
	switch v.mode {
	case "create":
		ref.ID = a.o.NewID()
	case "update":
		if id, ok := v.resource.Member("id"); !ok || !id.Is(ref.ID) {
			return fault(outcome.CodeValue, typ+".id", "An update needs the id in the resource, the same as in the URL."), nil
		}
	}
	if v.mode == "create" || v.mode == "update" {
		err := a.o.Repository.Acceptable(r.Request.Context(), r.tenant, ref, v.resource.Raw())
		var refused *outcome.Error
		if errors.As(err, &refused) {
			return refused.Issues, nil
		}
		return nil, err
	}
	return nil, nil
}

// verdict answers with the issues. When none is an error, the first says so.
func (a *API) verdict(r *request, issues []outcome.Issue) {
	if !slices.ContainsFunc(issues, func(i outcome.Issue) bool { return i.Severity == outcome.SeverityError || i.Severity == "fatal" }) {
		issues = slices.Insert(issues, 0, outcome.Issue{
			Severity: outcome.SeverityInformation, Code: outcome.CodeInformation, Diagnostics: "No errors were found.",
		})
	}
	if r.sentXML {
		// Lines of the JSON that was made of the XML mean nothing to the client.
		for i := range issues {
			issues[i].Line, issues[i].Column = 0, 0
		}
	}
	a.write(r, http.StatusOK, outcome.JSON(issues))
}
