package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

type compartmentFact struct {
	code, url string
	resources []compartmentResource
}

type compartmentResource struct {
	code   string
	params []string
}

func readCompartments(dir string) ([]compartmentFact, error) {
	var all []compartmentFact
	err := readBundle(dir, "compartment-definitions.json", func(_ string, raw json.RawMessage) error {
		var cd compartmentDefinition
		if err := json.Unmarshal(raw, &cd); err != nil {
			return err
		}
		if cd.ID == "example" { // an example of a definition, not one of R4's five
			return nil
		}
		fact := compartmentFact{code: cd.Code, url: cd.URL}
		for _, r := range cd.Resource {
			if len(r.Param) > 0 { // types without a parameter are outside the compartment
				fact.resources = append(fact.resources, compartmentResource{r.Code, r.Param})
			}
		}
		slices.SortFunc(fact.resources, func(a, b compartmentResource) int { return cmp.Compare(a.code, b.code) })
		all = append(all, fact)
		return nil
	})
	slices.SortFunc(all, func(a, b compartmentFact) int { return cmp.Compare(a.code, b.code) })
	return all, err
}

type operationFact struct {
	code, url                             string
	resources                             []string
	system, onType, instance, affectsFHIR bool
}

func readOperations(dir string) ([]operationFact, error) {
	var all []operationFact
	err := readBundle(dir, "operation-definitions.json", func(_ string, raw json.RawMessage) error {
		var od operationDefinition
		if err := json.Unmarshal(raw, &od); err != nil {
			return err
		}
		if od.ID == "example" {
			return nil
		}
		all = append(all, operationFact{
			code: od.Code, url: od.URL, resources: od.Resource,
			system: od.System, onType: od.Type, instance: od.Instance, affectsFHIR: od.AffectsState,
		})
		return nil
	})
	slices.SortFunc(all, func(a, b operationFact) int { return cmp.Compare(a.url, b.url) })
	return all, err
}

type valueSetFact struct {
	url     string
	systems []systemCodes
}

type systemCodes struct {
	system string
	codes  []string
}

// readValueSets resolves the wanted value sets whose codes the definition files
// can enumerate. The others (all of UCUM, of BCP 13, of ISO 4217, LOINC's answer
// lists) are left out: a validator without their terminology must not judge them.
func readValueSets(dir string, wanted map[string]bool) ([]valueSetFact, error) {
	systems := map[string]codeSystem{}
	sets := map[string]valueSet{}
	for _, file := range []string{"codesystems.json", "valuesets.json"} {
		err := readBundle(dir, file, func(resourceType string, raw json.RawMessage) error {
			switch resourceType {
			case "CodeSystem":
				var cs codeSystem
				if err := json.Unmarshal(raw, &cs); err != nil {
					return err
				}
				systems[cs.URL] = cs
			case "ValueSet":
				var vs valueSet
				if err := json.Unmarshal(raw, &vs); err != nil {
					return err
				}
				sets[vs.URL] = vs
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var all []valueSetFact
	for _, url := range slices.Sorted(maps.Keys(wanted)) {
		vs, ok := sets[url]
		if !ok {
			continue
		}
		codes, ok := enumerate(vs, systems)
		if !ok {
			continue
		}
		fact := valueSetFact{url: url}
		for _, system := range slices.Sorted(maps.Keys(codes)) {
			list := slices.Compact(slices.Sorted(slices.Values(codes[system])))
			for _, code := range list {
				if strings.ContainsAny(code, "\t\n\r") {
					return nil, fmt.Errorf("%s: code %q does not fit the line format", url, code)
				}
			}
			fact.systems = append(fact.systems, systemCodes{system, list})
		}
		all = append(all, fact)
	}
	return all, nil
}

// enumerate lists a value set's codes by system; ok is false where it includes
// by filter, by another value set, excludes something, or needs a code system
// that is not completely at hand.
func enumerate(vs valueSet, systems map[string]codeSystem) (codes map[string][]string, ok bool) {
	if len(vs.Compose.Include) == 0 || len(vs.Compose.Exclude) > 0 {
		return nil, false
	}
	codes = map[string][]string{}
	for _, include := range vs.Compose.Include {
		switch {
		case len(include.Filter) > 0 || len(include.ValueSet) > 0 || include.System == "":
			return nil, false
		case len(include.Concept) > 0:
			for _, c := range include.Concept {
				codes[include.System] = append(codes[include.System], c.Code)
			}
		default:
			cs, known := systems[include.System]
			if !known || cs.Content != "complete" {
				return nil, false
			}
			var walk func([]concept)
			walk = func(concepts []concept) {
				for _, c := range concepts {
					codes[include.System] = append(codes[include.System], c.Code)
					walk(c.Concept)
				}
			}
			walk(cs.Concept)
		}
	}
	return codes, true
}
