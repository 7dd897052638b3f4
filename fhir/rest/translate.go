package rest

import (
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/terminology"
)

// translate: https://hl7.org/fhir/R4/conceptmap-operation-translate.html, by
// the map that is named or given, or else by all that are held.
func (a *API) translate(r *request) error {
	q, err := a.asks(r, map[string]takes{
		"url": takesOne, "conceptMapVersion": takesOne, "conceptMap": takesResource, "code": takesOne, "system": takesOne, "version": takesOne,
		"coding": takesCoding, "codeableConcept": takesConcept, "source": takesOne, "target": takesOne, "targetsystem": takesOne,
		"dependency": takesParts, "reverse": takesOne,
	})
	if err != nil {
		return err
	}
	t := terminology.Translating{Source: q.text("source"), Target: q.text("target"), TargetSystem: q.text("targetsystem")}
	if t.Map, t.Resource, err = q.subject(r, true, "conceptMapVersion", "conceptMap"); err != nil {
		return err
	}
	if t.Reverse, err = q.flag("reverse"); err != nil {
		return err
	}
	codings, err := q.codings("system", "version")
	if err != nil {
		return err
	}
	for _, c := range codings {
		if c.System == "" {
			return outcome.BadRequest(outcome.CodeRequired, "The operation needs the system of each code.")
		}
	}
	for _, parts := range q.parts {
		d, err := dependency(parts)
		if err != nil {
			return err
		}
		t.Dependencies = append(t.Dependencies, d...)
	}
	found, err := a.o.Repository.Terminology(r.tenant).Translate(r.Request.Context(), t, codings)
	if err != nil {
		return err
	}
	all := []fields{{"name": "result", "valueBoolean": slices.ContainsFunc(found, terminology.Translation.Matches)}}
	if len(found) == 0 {
		all = append(all, stringParameter("message", "There is no translation of the code."))
	}
	for _, t := range found {
		all = append(all, match(t))
	}
	return a.answer(r, parameters(all...))
}

func match(t terminology.Translation) fields {
	part := []fields{{"name": "equivalence", "valueCode": t.Equivalence}}
	if t.Target.Code != "" {
		part = append(part, fields{"name": "concept", "valueCoding": coded(t.Target)})
	}
	for _, p := range t.Product {
		part = append(part, fields{"name": "product", "part": []fields{
			{"name": "element", "valueUri": p.Element}, {"name": "concept", "valueCoding": codingFields(p.Coding)},
		}})
	}
	if t.Source != "" && !strings.HasPrefix(t.Source, "ConceptMap/") {
		part = append(part, fields{"name": "source", "valueUri": t.Source})
	}
	return fields{"name": "match", "part": part}
}

// dependency is an element and what its concept is.
func dependency(parts rawjson.Node) ([]terminology.Product, error) {
	element := ""
	var all []terminology.Product
	for p := range parts.Elements() {
		name := textIn(p, "name")
		typ, value := valueIn(p)
		switch {
		case name == "element":
			element = plainText(value)
		case name == "concept" && typ == "CodeableConcept":
			list, _ := value.Member("coding")
			for c := range list.Elements() {
				all = append(all, terminology.Product{Coding: codingIn(c)})
			}
		default:
			return nil, outcome.BadRequest(outcome.CodeNotSupported, "The parameter dependency has the parts element and concept, a valueCodeableConcept.")
		}
	}
	if element == "" || len(all) == 0 {
		return nil, outcome.BadRequest(outcome.CodeRequired, "The parameter dependency needs the parts element and concept.")
	}
	for i := range all {
		all[i].Element = element
	}
	return all, nil
}
