package conformance

import (
	"slices"
	"strings"
	"testing"
)

func TestSearchParameter(t *testing.T) {
	tests := []struct {
		rule           string
		resource, code string
		kind           SearchType
		expression     string
		targets        string
	}{
		{"parameter of one type", "Patient", "general-practitioner", SearchReference, "Patient.generalPractitioner", "Organization Practitioner PractitionerRole"},
		{"the part of a shared parameter", "Patient", "birthdate", SearchDate, "Patient.birthDate", ""},
		{"two parts of a shared parameter", "AllergyIntolerance", "code", SearchToken, "AllergyIntolerance.code | AllergyIntolerance.reaction.substance", ""},
		{"a part in parentheses", "MedicationRequest", "code", SearchToken, "(MedicationRequest.medication as CodeableConcept)", ""},
		{"parentheses within a part", "Observation", "patient", SearchReference, "Observation.subject.where(resolve() is Patient)", "Group Patient"},
		{"a path after parentheses", "Observation", "value-string", SearchString, "(Observation.value as string) | (Observation.value as CodeableConcept).text", ""},
		{"equality of a quoted string", "Patient", "email", SearchToken, "Patient.telecom.where(system='email')", ""},
		{"no union", "Patient", "deceased", SearchToken, "Patient.deceased.exists() and Patient.deceased != false", ""},
		{"a path without its type", "InsurancePlan", "name", SearchString, "name | alias", ""},
		{"inherited from Resource", "Patient", "_id", SearchToken, "Resource.id", ""},
		{"inherited by what is no DomainResource", "Bundle", "_lastUpdated", SearchDate, "Resource.meta.lastUpdated", ""},
		{"inherited from DomainResource, no path", "Patient", "_text", SearchString, "", ""},
		{"not inherited from DomainResource", "Bundle", "_text", "", "", ""},
		{"the abstract type's own", "Resource", "_tag", SearchToken, "Resource.meta.tag", ""},
		{"special", "Location", "near", SearchSpecial, "Location.position", ""},
		{"unknown", "Patient", "colour", "", "", ""},
		{"codes are case-sensitive", "Patient", "Birthdate", "", "", ""},
		{"unknown type", "Martian", "_id", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			p, ok := R4().SearchParameter(tt.resource, tt.code)
			if ok != (tt.kind != "") {
				t.Fatalf("found = %v", ok)
			}
			if !ok {
				return
			}
			if p.Type != tt.kind || p.Expression != tt.expression || p.Code != tt.code {
				t.Errorf("got %s %s %q, want %s %s %q", p.Code, p.Type, p.Expression, tt.code, tt.kind, tt.expression)
			}
			if got := strings.Join(p.Targets, " "); got != tt.targets {
				t.Errorf("targets %q, want %q", got, tt.targets)
			}
			if p.Number < FirstParameterNumber {
				t.Errorf("number %d is one of the server's own", p.Number)
			}
			if byURL := R4().SearchParametersByURL(p.URL); !slices.Contains(byURL, p) {
				t.Error("not found by its URL")
			}
			if byNumber := R4().SearchParametersByNumber(p.Number); !slices.Contains(byNumber, p) {
				t.Error("not found by its number")
			}
		})
	}
}

func TestCompositeComponentsAreResolved(t *testing.T) {
	tests := []struct {
		rule, resource, code, expression string
		components                       []Component
	}{
		{"HL7 has the two expressions swapped", "DocumentReference", "relationship", "DocumentReference.relatesTo", []Component{
			{Code: "relatesto", Type: SearchReference, Expression: "target"},
			{Code: "relation", Type: SearchToken, Expression: "code"},
		}},
		{"HL7 writes DateTime for the type dateTime", "Observation", "code-value-date", "Observation", []Component{
			{Code: "code", Type: SearchToken, Expression: "code"},
			{Code: "value-date", Type: SearchDate, Expression: "value.as(dateTime) | value.as(Period)"},
		}},
		{"union of contexts", "Observation", "combo-code-value-quantity", "Observation | Observation.component", []Component{
			{Code: "combo-code", Type: SearchToken, Expression: "code"},
			{Code: "combo-value-quantity", Type: SearchQuantity, Expression: "value.as(Quantity)"},
		}},
		{"shared by many types", "ValueSet", "context-type-value", "ValueSet.useContext", []Component{
			{Code: "context-type", Type: SearchToken, Expression: "code"},
			{Code: "context", Type: SearchToken, Expression: "value.as(CodeableConcept)"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			p, ok := R4().SearchParameter(tt.resource, tt.code)
			if !ok || p.Type != SearchComposite || p.Expression != tt.expression || p.MultipleOr {
				t.Fatalf("got %+v", p)
			}
			if len(p.Components) != len(tt.components) {
				t.Fatalf("%d components", len(p.Components))
			}
			for i, want := range tt.components {
				got := p.Components[i]
				def, ok := R4().SearchParameter(tt.resource, got.Code)
				if !ok || def.Number != got.Number || def.URL != got.Definition {
					t.Errorf("component %s does not lead to a parameter of %s", got.Code, tt.resource)
				}
				got.Definition, got.Number = "", 0
				if got != want {
					t.Errorf("got %+v, want %+v", got, want)
				}
			}
		})
	}
}

// What US Core 6.1.0 defines beyond R4; the others of its SearchParameters
// restate R4's.
func TestUSCoreParameters(t *testing.T) {
	d := R4()
	for _, want := range []struct {
		base, code string
		kind       SearchType
		id         string
	}{
		{"CareTeam", "role", SearchToken, "careteam-role"},
		{"Condition", "asserted-date", SearchDate, "condition-asserted-date"},
		{"Encounter", "discharge-disposition", SearchToken, "encounter-discharge-disposition"},
		{"Goal", "description", SearchToken, "goal-description"},
		{"Patient", "ethnicity", SearchToken, "ethnicity"},
		{"Patient", "gender-identity", SearchToken, "patient-gender-identity"},
		{"Patient", "race", SearchToken, "race"},
	} {
		p, ok := d.SearchParameter(want.base, want.code)
		if !ok || p.Type != want.kind || p.URL != "http://hl7.org/fhir/us/core/SearchParameter/us-core-"+want.id || p.Number >= FirstCustomParameterNumber {
			t.Errorf("%s.%s: %+v", want.base, want.code, p)
		}
	}
	if p, _ := d.SearchParameter("Patient", "birthdate"); p.URL != "http://hl7.org/fhir/SearchParameter/individual-birthdate" {
		t.Errorf("Patient.birthdate is %s", p.URL)
	}
}

func TestEverySearchParameterIsThere(t *testing.T) {
	d := R4()
	urls := map[string]bool{}
	common := []string{"_content", "_id", "_lastUpdated", "_profile", "_query", "_security", "_source", "_tag"}
	for _, name := range d.ResourceTypes() {
		list := d.SearchParameters(name)
		if !slices.IsSortedFunc(list, func(a, b *SearchParameter) int { return strings.Compare(a.Code, b.Code) }) {
			t.Errorf("%s: parameters are not sorted", name)
		}
		for _, p := range list {
			urls[p.URL] = true
			// A part for another type would have been left over from the split.
			if p.Base == name && p.Expression == "" {
				t.Errorf("%s.%s has no expression", name, p.Code)
			}
			for _, other := range d.ResourceTypes() {
				if other != name && (strings.HasPrefix(p.Expression, other+".") || strings.Contains(p.Expression, "| "+other+".") || strings.Contains(p.Expression, "("+other+".")) {
					t.Errorf("%s.%s has a part of %s: %s", name, p.Code, other, p.Expression)
				}
			}
			if strings.Count(p.Expression, "(") != strings.Count(p.Expression, ")") {
				t.Errorf("%s.%s: parentheses of %q", name, p.Code, p.Expression)
			}
		}
		for _, code := range common {
			if _, ok := d.SearchParameter(name, code); !ok {
				t.Errorf("%s lacks %s", name, code)
			}
		}
	}
	const r4, uscore = 1375, 7
	if len(urls) != r4+uscore {
		t.Errorf("R4 has %d search parameters and US Core %d more, found %d", r4, uscore, len(urls))
	}
	if d.SearchParameters("Martian") != nil {
		t.Error("an unknown type has search parameters")
	}
}

func TestCompartments(t *testing.T) {
	d := R4()
	for _, code := range []string{"Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"} {
		c, ok := d.Compartment(code)
		if !ok {
			t.Errorf("no compartment %s", code)
			continue
		}
		for _, name := range c.ResourceTypes() {
			for _, param := range c.Params(name) {
				if param == "{def}" {
					continue
				}
				if _, ok := d.SearchParameter(name, param); !ok {
					t.Errorf("compartment %s: %s.%s is no search parameter of R4", code, name, param)
				}
			}
		}
	}
	patient, _ := d.Compartment("Patient")
	if got := patient.Params("Observation"); !slices.Equal(got, []string{"subject", "performer"}) {
		t.Errorf("Observation is in the Patient compartment by %v", got)
	}
	if got := patient.Params("Medication"); len(got) != 0 {
		t.Errorf("Medication is in the Patient compartment by %v", got)
	}
	if _, ok := d.Compartment("Organization"); ok {
		t.Error("R4 has no Organization compartment")
	}
}

func TestOperations(t *testing.T) {
	var everything *OperationDefinition
	for _, o := range R4().Operations() {
		if o.URL == "http://hl7.org/fhir/OperationDefinition/Patient-everything" {
			everything = o
		}
	}
	if everything == nil || everything.Code != "everything" || everything.System || !everything.Type || !everything.Instance || !slices.Equal(everything.Resources, []string{"Patient"}) {
		t.Errorf("Patient-everything = %+v", everything)
	}
	if n := len(R4().Operations()); n != 46 {
		t.Errorf("R4 has 46 operations, got %d", n)
	}
}

func TestValueSets(t *testing.T) {
	d := R4()
	gender, ok := d.ValueSet("http://hl7.org/fhir/ValueSet/administrative-gender")
	if !ok || !slices.Equal(gender.Codes("http://hl7.org/fhir/administrative-gender"), []string{"female", "male", "other", "unknown"}) {
		t.Errorf("administrative-gender = %+v", gender)
	}
	if !gender.ContainsCode("male") || gender.ContainsCode("Male") || gender.Contains("http://other", "male") {
		t.Error("administrative-gender holds male of its own system, and codes are case-sensitive")
	}
	active, ok := d.ValueSet("http://hl7.org/fhir/ValueSet/condition-clinical")
	if !ok || !active.Contains("http://terminology.hl7.org/CodeSystem/condition-clinical", "relapse") {
		t.Error("condition-clinical holds the children of active too")
	}
	for _, url := range []string{"http://hl7.org/fhir/ValueSet/mimetypes", "http://hl7.org/fhir/ValueSet/ucum-units", "http://hl7.org/fhir/ValueSet/currencies"} {
		if _, ok := d.ValueSet(url); ok {
			t.Errorf("%s cannot be enumerated", url)
		}
	}
}
