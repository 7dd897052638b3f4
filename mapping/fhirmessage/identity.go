package fhirmessage

import (
	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/mapping"
)

// npi is the identifier system of the US national provider identifier.
const npi = "http://hl7.org/fhir/sid/us-npi"

// sharedTypes are the types of which several sources may speak.
var sharedTypes = map[string]bool{
	"Patient": true, "Practitioner": true, "Organization": true, "Location": true, "RelatedPerson": true, "Person": true,
}

// resourceTypes are R4's; identified those that are found by identifier.
var resourceTypes, identified = types()

func types() (all, withIdentifiers map[string]bool) {
	all, withIdentifiers = map[string]bool{}, map[string]bool{}
	definitions := conformance.R4()
	for _, typ := range definitions.ResourceTypes() {
		all[typ] = true
		_, searched := definitions.SearchParameter(typ, "identifier")
		element, ok := definitions.Element(typ, "identifier")
		// A Composition has one identifier, which may be taken.
		withIdentifiers[typ] = ok && searched && element.Max != 1
	}
	return all, withIdentifiers
}

// sharedIdentifiers are those that other sources know a person by.
func sharedIdentifiers(typ string, resource map[string]any) []mapping.Identifier {
	if typ != "Patient" && typ != "Practitioner" {
		return nil
	}
	var found []mapping.Identifier
	list, _ := resource["identifier"].([]any)
	for _, item := range list {
		i, _ := item.(map[string]any)
		system, _ := i["system"].(string)
		value, _ := i["value"].(string)
		if system == "" || value == "" || i["use"] == "old" || typ == "Practitioner" && system != npi {
			continue
		}
		found = append(found, mapping.Identifier{System: system, Value: value})
	}
	return found
}
