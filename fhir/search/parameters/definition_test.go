package parameters

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
)

func testChecker(others ...Parameter) checker {
	return checker{definitions: conformance.R4(), model: r4model.R4(), others: others}
}

// The trial of an expression is strict. It must not refuse what R4's own
// parameters do.
func TestEveryExpressionOfR4PassesTheTrial(t *testing.T) {
	tried := 0
	for _, typ := range conformance.R4().ResourceTypes() {
		for _, sp := range conformance.R4().SearchParameters(typ) {
			if sp.Expression == "" || sp.Base != typ {
				continue
			}
			tried++
			if err := testChecker().try(sp); err != nil {
				t.Errorf("%s of %s: %v", sp.Code, typ, err)
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d tried", tried)
	}
}

// a is a SearchParameter that can be used, with members replaced.
func a(members map[string]any) []byte {
	r := map[string]any{
		"resourceType": "SearchParameter", "url": "http://example.org/SearchParameter/eye", "name": "Eye", "status": "active",
		"description": "eye colour", "code": "eye-colour", "base": []string{"Patient"}, "type": "token",
		"expression": "Patient.extension('http://example.org/eye').value",
	}
	for k, v := range members {
		if v == nil {
			delete(r, k)
		} else {
			r[k] = v
		}
	}
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return b
}

type m = map[string]any

func component(definition, expression string) m {
	return m{"definition": definition, "expression": expression}
}

func TestDefinitionsThatCanBeUsed(t *testing.T) {
	const hl7 = "http://hl7.org/fhir/SearchParameter/"
	for rule, members := range map[string]m{
		"a token":                      {},
		"several bases":                {"base": []string{"Patient", "Practitioner"}, "expression": "Patient.name.suffix | Practitioner.name.suffix", "type": "string"},
		"a path without its type":      {"expression": "extension('http://example.org/eye').value"},
		"any resource":                 {"base": []string{"Resource"}, "expression": "Resource.meta.source", "type": "uri", "code": "origin"},
		"a reference with its targets": {"type": "reference", "target": []string{"Patient"}, "expression": "Patient.link.other"},
		"a composite": {"type": "composite", "base": []string{"Observation"}, "code": "code-status", "expression": "Observation", "component": []m{
			component(hl7+"clinical-code", "code"), component(hl7+"Observation-status", "status")}},
	} {
		t.Run(rule, func(t *testing.T) {
			def, err := testChecker().read("1", a(members))
			if err != nil || def == nil {
				t.Fatalf("%v, %v", def, err)
			}
		})
	}
}

func TestDefinitionsThatDefineNothing(t *testing.T) {
	for rule, members := range map[string]m{
		"a draft":                               {"status": "draft", "expression": "nonsense ("},
		"a retired one":                         {"status": "retired"},
		"R4's own":                              {"url": "http://hl7.org/fhir/SearchParameter/individual-birthdate", "code": "birthdate", "type": "date", "expression": "Patient.birthDate"},
		"US Core's, its path spelled otherwise": {"url": "http://hl7.org/fhir/us/core/SearchParameter/us-core-goal-description", "code": "description", "base": []string{"Goal"}, "type": "token", "expression": "Goal.description.coding"},
		"R4's own, restated":                    {"code": "birthdate", "type": "date", "expression": "Patient.birthDate"},
		"one that is derived from R4's":         {"code": "_id", "type": "token", "expression": "Patient.id", "derivedFrom": "http://hl7.org/fhir/SearchParameter/Resource-id"},
	} {
		t.Run(rule, func(t *testing.T) {
			if def, err := testChecker().read("1", a(members)); def != nil || err != nil {
				t.Errorf("%v, %v", def, err)
			}
		})
	}
}

// What cannot be used is refused by an outcome that names the element.
func TestDefinitionsThatAreRefused(t *testing.T) {
	const hl7 = "http://hl7.org/fhir/SearchParameter/"
	taken := Parameter{ID: "other", State: Ready, Definition: Definition{Code: "eye-colour", Bases: []string{"DomainResource"}, URL: "http://example.org/x"}}
	composite := func(parts ...m) m {
		return m{"type": "composite", "base": []string{"Observation"}, "code": "x", "expression": "Observation", "component": parts}
	}
	for rule, c := range map[string]struct {
		members m
		at      string
		others  []Parameter
	}{
		"no base":                          {m{"base": []string{}}, "base", nil},
		"an unknown base":                  {m{"base": []string{"Patient", "Shoe"}}, "base", nil},
		"a data type as base":              {m{"base": []string{"HumanName"}}, "base", nil},
		"a base twice":                     {m{"base": []string{"Patient", "Patient"}}, "base", nil},
		"a code with a colon":              {m{"code": "eye:colour"}, "code", nil},
		"a code with a dot":                {m{"code": "eye.colour"}, "code", nil},
		"a code of the specification":      {m{"code": "_eye"}, "code", nil},
		"a code that is too long":          {m{"code": strings.Repeat("x", 65)}, "code", nil},
		"R4's code, other meaning":         {m{"code": "birthdate"}, "code", nil},
		"a code that a type below has":     {m{"code": "birthdate", "base": []string{"Resource"}, "expression": "Resource.id"}, "code", nil},
		"a code that another has":          {m{}, "code", []Parameter{taken}},
		"no expression":                    {m{"expression": nil}, "expression", nil},
		"no FHIRPath":                      {m{"expression": "Patient.name.("}, "expression", nil},
		"an unknown function":              {m{"expression": "Patient.name.shout()"}, "expression", nil},
		"an element that there is none of": {m{"expression": "Patient.shoeSize"}, "expression", nil},
		"a part of no base":                {m{"expression": "Patient.name | Person.name"}, "expression", nil},
		"a base without a part":            {m{"base": []string{"Patient", "Person"}, "expression": "Patient.name"}, "expression", nil},
		"an expression without end":        {m{"expression": "Patient.name" + strings.Repeat(" ", 10_000)}, "expression", nil},
		"a special type":                   {m{"type": "special"}, "type", nil},
		"phonetic":                         {m{"type": "string", "xpathUsage": "phonetic"}, "type", nil},
		"an unknown target":                {m{"type": "reference", "target": []string{"Shoe"}}, "target", nil},
		"components of a token":            {m{"component": []m{component(hl7+"clinical-code", "code")}}, "component", nil},
		"an unknown component":             {composite(component("http://example.org/none", "code"), component(hl7+"Observation-status", "status")), "component.definition", nil},
		"a component that is no FHIRPath":  {composite(component(hl7+"clinical-code", "(("), component(hl7+"Observation-status", "status")), "component.expression", nil},
		"three components":                 {composite(component(hl7+"clinical-code", "code"), component(hl7+"clinical-code", "code"), component(hl7+"clinical-code", "code")), "component", nil},
		"a composite of a composite":       {composite(component(hl7+"Observation-code-value-date", "code"), component(hl7+"Observation-status", "status")), "component.definition", nil},
	} {
		t.Run(rule, func(t *testing.T) {
			_, err := testChecker(c.others...).read("1", a(c.members))
			var refused *outcome.Error
			if !errors.As(err, &refused) {
				t.Fatalf("error %v", err)
			}
			if got := refused.Issues[0].Expression; refused.Status != 400 || got != "SearchParameter."+c.at {
				t.Errorf("status %d at %s: %v", refused.Status, got, err)
			}
		})
	}
	if _, err := testChecker(taken).read("other", a(nil)); err != nil {
		t.Errorf("a parameter is in its own way: %v", err)
	}
}

// Whatever a SearchParameter holds, it is understood or refused.
func FuzzDefinition(f *testing.F) {
	f.Add(string(a(nil)))
	f.Add(string(a(m{"type": "composite", "component": []m{component("x", "y")}})))
	f.Add(string(a(m{"base": []string{"Resource"}, "expression": "Resource.id | Resource.meta"})))
	f.Fuzz(func(t *testing.T, body string) {
		def, err := testChecker().read("1", []byte(body))
		var refused *outcome.Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("an error without an outcome: %v", err)
		}
		if err != nil || def == nil {
			return
		}
		rec := Record{Parameters: []Parameter{{ID: "1", Definition: *def, Number: conformance.FirstCustomParameterNumber, State: Ready}}}
		if _, err := rec.definitions(conformance.R4(), func(*Parameter) bool { return true }); err != nil {
			t.Fatalf("what was accepted cannot be used: %v", err)
		}
	})
}
