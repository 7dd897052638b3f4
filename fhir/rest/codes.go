package rest

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
)

// validateCode: https://hl7.org/fhir/R4/valueset-operation-validate-code.html
// and https://hl7.org/fhir/R4/codesystem-operation-validate-code.html.
func (a *API) validateCode(r *request) error {
	var v terminology.Validation
	var err error
	if r.typ == "CodeSystem" {
		v, err = a.validateInSystem(r)
	} else {
		v, err = a.validateInSet(r)
	}
	if err != nil {
		return err
	}
	return a.answer(r, parameters(fields{"name": "result", "valueBoolean": v.Result}, stringParameter("message", v.Message), stringParameter("display", v.Display)))
}

func (a *API) validateInSet(r *request) (v terminology.Validation, err error) {
	q, err := a.asks(r, map[string]takes{
		"url": takesOne, "valueSetVersion": takesOne, "valueSet": takesResource, "code": takesOne, "system": takesOne, "systemVersion": takesOne,
		"display": takesOne, "coding": takesCoding, "codeableConcept": takesConcept, "abstract": takesOne, "displayLanguage": takesOne,
	})
	if err != nil {
		return v, err
	}
	var in terminology.ValueSet
	if in.Canonical, in.Resource, err = q.subject(r, false, "valueSetVersion", "valueSet"); err != nil {
		return v, err
	}
	codings, err := q.codings("system", "systemVersion")
	if err != nil {
		return v, err
	}
	rules, err := q.rules()
	if err != nil {
		return v, err
	}
	return a.o.Repository.Terminology(r.tenant).ValidateCode(r.Request.Context(), in, codings, rules)
}

func (a *API) validateInSystem(r *request) (v terminology.Validation, err error) {
	q, err := a.asks(r, map[string]takes{
		"url": takesOne, "version": takesOne, "codeSystem": takesResource, "code": takesOne,
		"display": takesOne, "coding": takesCoding, "codeableConcept": takesConcept, "abstract": takesOne, "displayLanguage": takesOne,
	})
	if err != nil {
		return v, err
	}
	service, ctx := a.o.Repository.Terminology(r.tenant), r.Request.Context()
	name, given, err := q.subject(r, q.nodes["coding"].Exists(), "version", "codeSystem")
	if err != nil {
		return v, err
	}
	codings, err := q.codings("", "")
	if err != nil {
		return v, err
	}
	rules, err := q.rules()
	if err != nil {
		return v, err
	}
	in := terminology.CodeSystem{Resource: given}
	switch {
	case given.Exists():
	case r.instance() != "":
		if in.Resource, err = service.Resource(ctx, "CodeSystem", name); err != nil {
			return v, err
		}
	case name != "":
		in.URL, in.Version, _ = strings.Cut(name, "|")
	case codings[0].System == "":
		return v, outcome.BadRequest(outcome.CodeRequired, "The operation needs the parameter url, or a coding with a system.")
	default:
		in.URL, in.Version = codings[0].System, codings[0].Version
	}
	return service.ValidateIn(ctx, in, codings, rules)
}

func (q asked) rules() (rules terminology.Rules, err error) {
	rules.Language = q.text("displayLanguage")
	rules.Abstract, err = q.flag("abstract")
	return rules, err
}

// lookup: https://hl7.org/fhir/R4/codesystem-operation-lookup.html.
func (a *API) lookup(r *request) error {
	q, err := a.asks(r, map[string]takes{
		"system": takesOne, "version": takesOne, "code": takesOne, "coding": takesCoding, "displayLanguage": takesOne, "property": takesMany,
	})
	if err != nil {
		return err
	}
	which, err := q.oneOf(false, "code", "coding")
	if err != nil {
		return err
	}
	c := terminology.Coding{System: q.text("system"), Version: q.text("version"), Code: q.text("code")}
	if which == "coding" {
		if q.text("system") != "" || q.text("version") != "" {
			return outcome.BadRequest(outcome.CodeValue, "The parameters coding and system or version do not go together.")
		}
		c = codingIn(q.nodes["coding"])
	}
	if c.System == "" || c.Code == "" {
		return outcome.BadRequest(outcome.CodeRequired, "The operation needs system and code, or a coding with both.")
	}
	wanted := q.texts["property"]
	d, err := a.o.Repository.Terminology(r.tenant).Lookup(r.Request.Context(), c.System, c.Version, c.Code, wanted...)
	if err != nil {
		return err
	}
	wants := func(property string) bool { return len(wanted) == 0 || slices.Contains(wanted, property) }
	name, display := d.Name, d.DisplayIn(q.text("displayLanguage"))
	if name == "" {
		name = d.System // both are required in the answer
	}
	if display == "" {
		display = d.Code.Code
	}
	all := []fields{stringParameter("name", name), stringParameter("version", d.Version), stringParameter("display", display)}
	if wants("definition") {
		all = append(all, stringParameter("definition", d.Definition))
	}
	for _, g := range d.Designations {
		if wants("designation") || slices.Contains(wanted, "lang."+g.Language) {
			all = append(all, designationParameter(g))
		}
	}
	for _, p := range d.Properties {
		if wants(p.Code) {
			all = append(all, fields{"name": "property", "part": []fields{{"name": "code", "valueCode": p.Code}, propertyValue(p)}})
		}
	}
	return a.answer(r, parameters(all...))
}

func designationParameter(g terminology.Designation) fields {
	var part []fields
	if g.Language != "" {
		part = append(part, fields{"name": "language", "valueCode": g.Language})
	}
	if g.Use.Code != "" {
		part = append(part, fields{"name": "use", "valueCoding": codingFields(g.Use)})
	}
	return fields{"name": "designation", "part": append(part, stringParameter("value", g.Value))}
}

// propertyValue keeps the type that the value has, where its text is enough.
func propertyValue(p terminology.Property) fields {
	switch p.Type {
	case "boolean", "integer", "decimal":
		return fields{"name": "value", "value" + strings.ToUpper(p.Type[:1]) + p.Type[1:]: json.RawMessage(p.Value)}
	case "dateTime":
		return fields{"name": "value", "valueDateTime": p.Value}
	case "code", "coding":
		return fields{"name": "value", "valueCode": p.Value}
	}
	return fields{"name": "value", "valueString": p.Value}
}

// subsumes: https://hl7.org/fhir/R4/codesystem-operation-subsumes.html.
func (a *API) subsumes(r *request) error {
	q, err := a.asks(r, map[string]takes{
		"codeA": takesOne, "codeB": takesOne, "system": takesOne, "version": takesOne, "codingA": takesCoding, "codingB": takesCoding,
	})
	if err != nil {
		return err
	}
	system, version, err := a.systemOf(r, q)
	if err != nil {
		return err
	}
	codes := map[string]string{}
	for _, side := range []string{"A", "B"} {
		which, err := q.oneOf(false, "code"+side, "coding"+side)
		if err != nil {
			return err
		}
		if which == "code"+side {
			codes[side] = q.text(which)
			continue
		}
		c := codingIn(q.nodes[which])
		switch {
		case c.Code == "" || c.System == "" && system == "":
			return outcome.BadRequest(outcome.CodeRequired, "The parameter %s needs a system and a code.", which)
		case c.System != "" && system != "" && c.System != system, c.Version != "" && version != "" && c.Version != version:
			return outcome.BadRequest(outcome.CodeValue, "The codes are of different code systems or versions; only codes of one can subsume each other.")
		}
		if system == "" {
			system = c.System
		}
		if version == "" {
			version = c.Version
		}
		codes[side] = c.Code
	}
	if system == "" {
		return outcome.BadRequest(outcome.CodeRequired, "The operation needs the parameter system.")
	}
	found, err := a.o.Repository.Terminology(r.tenant).Subsumes(r.Request.Context(), system, version, codes["A"], codes["B"])
	if err != nil {
		return err
	}
	return a.answer(r, parameters(fields{"name": "outcome", "valueCode": found}))
}
