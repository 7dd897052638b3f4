package profile_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
)

const base = "http://hl7.org/fhir/StructureDefinition/"

// definition is a StructureDefinition with a differential.
func definition(url, typ, on, elements string) string {
	if on == "" {
		on = base + typ
	}
	return `{"resourceType":"StructureDefinition","url":"` + url + `","name":"X","status":"active","kind":"resource","abstract":false,"type":"` + typ +
		`","baseDefinition":"` + on + `","derivation":"constraint","differential":{"element":[{"path":"` + typ + `"}` + elements + `]}}`
}

func parse(t testing.TB, text string) rawjson.Node {
	t.Helper()
	doc, err := rawjson.Parse([]byte(text), nil)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return doc.Root()
}

func library(t testing.TB, resources ...string) *profile.Library {
	t.Helper()
	l := profile.NewLibrary(nil)
	for _, r := range resources {
		if _, err := l.Add(parse(t, r)); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func check(t testing.TB, l *profile.Library, resource string, profiles ...string) []string {
	t.Helper()
	issues, err := profile.Resource(context.Background(), parse(t, resource), profile.Options{Source: l, Profiles: profiles, Units: validate.Units{}, Thorough: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range issues {
		all = append(all, string(i.Severity)+" "+string(i.Code)+" "+i.Expression+" "+i.Diagnostics)
	}
	return all
}

const (
	list = `{"resourceType":"ValueSet","url":"http://vs","compose":{"include":[{"system":"http://s","concept":[{"code":"a"},{"code":"b"}]}]}}`
	far  = `{"resourceType":"ValueSet","url":"http://far","compose":{"include":[{"system":"http://snomed.info/sct","filter":[{"property":"concept","op":"is-a","value":"1"}]},{"system":"http://s","concept":[{"code":"a"}]}]}}`
)

// Each case is a rule: what a profile says, a resource that meets it, and one
// that does not, with what is said of it.
func TestRules(t *testing.T) {
	slicing := func(path, kind, on, more string) string {
		return `,{"path":"` + path + `","slicing":{"discriminator":[{"type":"` + kind + `","path":"` + on + `"}],"rules":"open"` + more + `}}`
	}
	ids := slicing("Patient.identifier", "value", "system", "")
	sliced := func(slicing string) string {
		return slicing + `,{"path":"Patient.identifier","sliceName":"a","min":1,"max":"1"},{"path":"Patient.identifier.system","fixedUri":"http://a"},{"path":"Patient.identifier.value","min":1}` +
			`,{"path":"Patient.identifier","sliceName":"b"},{"path":"Patient.identifier.system","fixedUri":"http://b"},{"path":"Patient.identifier.value","max":"0"}`
	}
	id := func(systems ...string) string {
		var all []string
		for _, s := range systems {
			if s == "http://b" {
				all = append(all, `{"system":"http://b"}`)
			} else {
				all = append(all, `{"system":"`+s+`","value":"1"}`)
			}
		}
		return `"identifier":[` + strings.Join(all, ",") + `]`
	}
	for _, c := range []struct{ rule, typ, elements, good, bad, says string }{
		{"min", "Patient", `,{"path":"Patient.name","min":2}`, `"name":[{"text":"x"},{"text":"y"}]`, `"name":[{"text":"x"}]`, "error required Patient.name Patient.name: at least 2"},
		{"max", "Patient", `,{"path":"Patient.name","max":"1"}`, `"name":[{"text":"x"}]`, `"name":[{"text":"x"},{"text":"y"}]`, "error structure Patient.name[1] Patient.name: at most 1"},
		{"max 0", "Patient", `,{"path":"Patient.birthDate","max":"0"}`, ``, `"birthDate":"2000"`, "error structure Patient.birthDate"},
		{"min of a nested element", "Patient", `,{"path":"Patient.contact.name","min":1}`, `"contact":[{"name":{"text":"x"}}]`, `"contact":[{"name":{"text":"x"}},{"gender":"male"}]`, "error required Patient.contact[1].name"},
		{"a primitive with an extension alone is there", "Patient", `,{"path":"Patient.birthDate","min":1}`, `"_birthDate":{"extension":[{"url":"http://x","valueCode":"x"}]}`, ``, "error required Patient.birthDate"},
		{"fixed", "Patient", `,{"path":"Patient.name.use","fixedCode":"usual"}`, `"name":[{"use":"usual"}]`, `"name":[{"use":"old"}]`, "error value Patient.name[0].use"},
		{"fixed is exact", "Patient", `,{"path":"Patient.maritalStatus","fixedCodeableConcept":{"coding":[{"code":"a"}]}}`, `"maritalStatus":{"coding":[{"code":"a"}]}`, `"maritalStatus":{"coding":[{"code":"a","display":"A"}]}`, "error value Patient.maritalStatus"},
		{"pattern", "Patient", `,{"path":"Patient.maritalStatus","patternCodeableConcept":{"coding":[{"code":"a"}]}}`, `"maritalStatus":{"coding":[{"code":"b"},{"code":"a","display":"A"}],"text":"x"}`, `"maritalStatus":{"coding":[{"code":"b"}]}`, "error value Patient.maritalStatus"},
		{"minValue", "Patient", `,{"path":"Patient.birthDate","minValueDate":"1900-01-01"}`, `"birthDate":"1900-01-01"`, `"birthDate":"1899-12-31"`, "error value Patient.birthDate Patient.birthDate: the value must not be less"},
		{"maxValue", "Patient", `,{"path":"Patient.multipleBirth[x]","type":[{"code":"integer"}],"maxValueInteger":3}`, `"multipleBirthInteger":3`, `"multipleBirthInteger":4`, "error value Patient.multipleBirth"},
		{"maxValue of a quantity", "Observation", `,{"path":"Observation.value[x]","type":[{"code":"Quantity"}],"maxValueQuantity":{"value":2,"system":"http://unitsofmeasure.org","code":"kg"}}`, `"valueQuantity":{"value":1999,"system":"http://unitsofmeasure.org","code":"g"}`, `"valueQuantity":{"value":2001,"system":"http://unitsofmeasure.org","code":"g"}`, "error value Observation.value"},
		{"maxLength", "Patient", `,{"path":"Patient.name.family","maxLength":2}`, `"name":[{"family":"ÄÄ"}]`, `"name":[{"family":"ABC"}]`, "error too-long Patient.name[0].family"},
		{"type", "Observation", `,{"path":"Observation.value[x]","type":[{"code":"Quantity"},{"code":"string"}]}`, `"valueString":"x"`, `"valueBoolean":true`, "error structure Observation.value Observation.value[x]: the value must be of type Quantity or string"},
		{"a short form of a choice", "Observation", `,{"path":"Observation.valueQuantity","min":1}`, `"valueQuantity":{"value":1}`, ``, "error required Observation.value"},
		{"targetProfile, the type", "Observation", `,{"path":"Observation.subject","type":[{"code":"Reference","targetProfile":["` + base + `Patient"]}]}`, `"subject":{"reference":"Patient/1"}`, `"subject":{"reference":"http://x/fhir/Group/1"}`, "error value Observation.subject"},
		{"targetProfile, contained", "Observation", `,{"path":"Observation.subject","type":[{"code":"Reference","targetProfile":["http://named"]}]}`, `"contained":[{"resourceType":"Patient","id":"p","name":[{"text":"x"}]}],"subject":{"reference":"#p"}`, `"contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}`, "error structure Observation.subject"},
		{"required binding", "Patient", `,{"path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://vs"}}`, `"maritalStatus":{"coding":[{"code":"z"},{"system":"http://s","code":"a"}]}`, `"maritalStatus":{"coding":[{"system":"http://s","code":"c"}]}`, "error code-invalid Patient.maritalStatus"},
		{"required binding, no code", "Patient", `,{"path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://vs"}}`, ``, `"maritalStatus":{"text":"x"}`, "error code-invalid Patient.maritalStatus"},
		{"required binding, known in part", "Patient", `,{"path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://far"}}`, `"maritalStatus":{"coding":[{"system":"http://s","code":"a"}]}`, `"maritalStatus":{"coding":[{"system":"http://s","code":"b"}]}`, "error code-invalid Patient.maritalStatus"},
		{"a system that is not held", "Patient", `,{"path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://far"}}`, ``, `"maritalStatus":{"coding":[{"system":"http://snomed.info/sct","code":"2"}]}`, "information informational Patient.maritalStatus"},
		{"extensible binding", "Patient", `,{"path":"Patient.maritalStatus","binding":{"strength":"extensible","valueSet":"http://vs"}}`, `"maritalStatus":{"coding":[{"system":"http://s","code":"b"}]}`, `"maritalStatus":{"coding":[{"system":"http://s","code":"c"}]}`, "warning code-invalid Patient.maritalStatus"},
		{"preferred binding", "Patient", `,{"path":"Patient.maritalStatus","binding":{"strength":"preferred","valueSet":"http://vs"}}`, ``, `"maritalStatus":{"coding":[{"system":"http://s","code":"c"}]}`, "information code-invalid Patient.maritalStatus"},
		{"maximum of a binding", "Patient", `,{"path":"Patient.maritalStatus","binding":{"strength":"preferred","valueSet":"http://far","extension":[{"url":"` + base + `elementdefinition-maxValueSet","valueCanonical":"http://vs"}]}}`, `"maritalStatus":{"coding":[{"system":"http://s","code":"a"}]}`, `"maritalStatus":{"coding":[{"system":"http://snomed.info/sct","code":"c"}]}`, "error code-invalid Patient.maritalStatus"},
		{"invariant", "Patient", `,{"path":"Patient","constraint":[{"key":"x-1","severity":"error","human":"x","expression":"name.exists() or identifier.exists()"}]}`, `"name":[{"text":"x"}]`, ``, "error invariant Patient Patient: x-1: not true"},
		{"invariant with memberOf", "Patient", `,{"path":"Patient.gender","constraint":[{"key":"x-1","severity":"warning","human":"x","expression":"memberOf('http://hl7.org/fhir/ValueSet/administrative-gender') and $this != 'other'"}]}`, `"gender":"male"`, `"gender":"other"`, "warning invariant Patient.gender"},
		{"invariant with conformsTo", "Bundle", `,{"path":"Bundle.entry.resource","constraint":[{"key":"x-1","severity":"error","human":"x","expression":"conformsTo('http://named')"}]}`, `"type":"collection","entry":[{"resource":{"resourceType":"Patient","name":[{"text":"x"}]}}]`, `"type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]`, "error invariant Bundle.entry[0].resource"},

		{"value discriminator, min of a slice", "Patient", sliced(ids), id("http://b", "http://a", "http://c"), id("http://b"), "error required Patient.identifier Slice 'Patient.identifier:a': at least 1"},
		{"value discriminator, max of a slice", "Patient", sliced(ids), id("http://a"), id("http://a", "http://a"), "error structure Patient.identifier[1] Slice 'Patient.identifier:a': at most 1"},
		{"value discriminator, an item", "Patient", sliced(ids), id("http://a"), `"identifier":[{"system":"http://a"}]`, "error required Patient.identifier[0].value Slice 'Patient.identifier:a.value'"},
		{"closed", "Patient", sliced(strings.Replace(ids, "open", "closed", 1)), id("http://a", "http://b"), id("http://a", "http://c"), "error structure Patient.identifier[1] Patient.identifier: the item is in none of the slices"},
		{"openAtEnd", "Patient", sliced(strings.Replace(ids, "open", "openAtEnd", 1)), id("http://a", "http://b", "http://c"), id("http://a", "http://c", "http://b"), "error structure Patient.identifier[2] Slice 'Patient.identifier:b'"},
		{"ordered", "Patient", sliced(slicing("Patient.identifier", "value", "system", `,"ordered":true`)), id("http://a", "http://b"), id("http://b", "http://a"), "error structure Patient.identifier[1] Slice 'Patient.identifier:a': the item must stand before"},
		{"default slice", "Patient", ids + `,{"path":"Patient.identifier","sliceName":"a"},{"path":"Patient.identifier.system","fixedUri":"http://a"},{"path":"Patient.identifier","sliceName":"@default"},{"path":"Patient.identifier.value","max":"0"}`, `"identifier":[{"system":"http://a","value":"1"},{"system":"http://z"}]`, `"identifier":[{"system":"http://z","value":"1"}]`, "error structure Patient.identifier[0].value Slice 'Patient.identifier:@default.value'"},
		{"pattern discriminator", "Patient", slicing("Patient.identifier", "pattern", "$this", "") + `,{"path":"Patient.identifier","sliceName":"a","patternIdentifier":{"type":{"coding":[{"code":"MR"}]}}},{"path":"Patient.identifier.value","min":1}`, `"identifier":[{"type":{"coding":[{"code":"SS"}]}},{"type":{"coding":[{"system":"http://x","code":"MR"}]},"value":"1"}]`, `"identifier":[{"type":{"coding":[{"code":"MR"}]}}]`, "error required Patient.identifier[0].value"},
		{"pattern above the discriminator's path", "Patient", slicing("Patient.identifier", "value", "type.coding.code", "") + `,{"path":"Patient.identifier","sliceName":"a"},{"path":"Patient.identifier.type","patternCodeableConcept":{"coding":[{"code":"MR"}]}},{"path":"Patient.identifier.value","min":1}`, `"identifier":[{"type":{"coding":[{"code":"SS"}]}}]`, `"identifier":[{"type":{"coding":[{"code":"MR"}]}}]`, "error required Patient.identifier[0].value"},
		{"binding as discriminator", "Observation", slicing("Observation.category", "value", "$this", "") + `,{"path":"Observation.category","sliceName":"a","max":"1","binding":{"strength":"required","valueSet":"http://vs"}}`, `"category":[{"coding":[{"system":"http://s","code":"a"}]},{"text":"x"}]`, `"category":[{"coding":[{"system":"http://s","code":"a"}]},{"coding":[{"system":"http://s","code":"b"}]}]`, "error structure Observation.category[1]"},
		{"exists discriminator", "Patient", slicing("Patient.contact", "exists", "organization", "") + `,{"path":"Patient.contact","sliceName":"with"},{"path":"Patient.contact.organization","min":1},{"path":"Patient.contact.name","max":"0"},{"path":"Patient.contact","sliceName":"without"},{"path":"Patient.contact.organization","max":"0"},{"path":"Patient.contact.name","min":1}`, `"contact":[{"organization":{"display":"x"}},{"name":{"text":"x"}}]`, `"contact":[{"gender":"male"}]`, "error required Patient.contact[0].name Slice 'Patient.contact:without.name'"},
		{"type discriminator of a choice", "Observation", slicing("Observation.value[x]", "type", "$this", "") + `,{"path":"Observation.value[x]","sliceName":"valueQuantity","type":[{"code":"Quantity"}]},{"path":"Observation.value[x].unit","min":1}`, `"valueString":"x"`, `"valueQuantity":{"value":1}`, "error required Observation.value.unit Slice 'Observation.value[x]:valueQuantity.unit'"},
		{"a slice of a choice without slicing", "Observation", `,{"path":"Observation.value[x]","sliceName":"valueQuantity","min":1},{"path":"Observation.value[x].unit","min":1}`, `"valueQuantity":{"value":1,"unit":"x"}`, `"valueString":"x"`, "error required Observation.value Slice 'Observation.value[x]:valueQuantity'"},
		{"type discriminator of a resource", "Bundle", slicing("Bundle.entry", "type", "resource", "") + `,{"path":"Bundle.entry","sliceName":"p","min":1},{"path":"Bundle.entry.resource","type":[{"code":"Patient"}]}`, `"type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]`, `"type":"collection","entry":[{"resource":{"resourceType":"Group","type":"person","actual":true}}]`, "error required Bundle.entry Slice 'Bundle.entry:p'"},
		{"type discriminator through resolve()", "Composition", slicing("Composition.section.entry", "type", "resolve()", "") + `,{"path":"Composition.section.entry","sliceName":"c","max":"1","type":[{"code":"Reference","targetProfile":["` + base + `Condition"]}]}`, `"section":[{"entry":[{"reference":"Condition/1"},{"reference":"Procedure/1"},{"reference":"Procedure/2"}]}]`, `"section":[{"entry":[{"reference":"Condition/1"},{"reference":"Condition/2"}]}]`, "error structure Composition.section[0].entry[1]"},
		{"profile discriminator", "Bundle", slicing("Bundle.entry", "profile", "resource", "") + `,{"path":"Bundle.entry","sliceName":"n","min":1},{"path":"Bundle.entry.resource","type":[{"code":"Patient","profile":["http://named"]}]}`, `"type":"collection","entry":[{"resource":{"resourceType":"Patient"}},{"resource":{"resourceType":"Patient","name":[{"text":"x"}]}}]`, `"type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]`, "error required Bundle.entry Slice 'Bundle.entry:n'"},
		{"profile discriminator through resolve()", "Bundle", slicing("Bundle.entry", "profile", "resource.ofType(Observation).subject.resolve()", "") + `,{"path":"Bundle.entry","sliceName":"n","min":1},{"path":"Bundle.entry.resource","type":[{"code":"Observation"}]},{"path":"Bundle.entry.resource.subject","type":[{"code":"Reference","targetProfile":["http://named"]}]}`, `"type":"collection","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","name":[{"text":"x"}]}},{"resource":{"resourceType":"Observation","subject":{"reference":"urn:uuid:1"}}}]`, `"type":"collection","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"}},{"resource":{"resourceType":"Observation","subject":{"reference":"urn:uuid:1"}}}]`, "error required Bundle.entry Slice 'Bundle.entry:n'"},
		{"extension(url) in a path", "Patient", slicing("Patient.name", "exists", "extension('http://x')", "") + `,{"path":"Patient.name","sliceName":"marked","max":"1"},{"path":"Patient.name.extension","sliceName":"x","min":1},{"path":"Patient.name.extension.url","fixedUri":"http://x"}`, `"name":[{"text":"a"},{"text":"b"},{"text":"c","extension":[{"url":"http://x","valueCode":"x"}]}]`, `"name":[{"text":"a","extension":[{"url":"http://x","valueCode":"x"}]},{"text":"c","extension":[{"url":"http://x","valueCode":"x"}]}]`, "error structure Patient.name[1]"},
		{"re-slicing", "Patient", ids + `,{"path":"Patient.identifier","sliceName":"a","slicing":{"discriminator":[{"type":"value","path":"use"}],"rules":"closed"}},{"path":"Patient.identifier.system","fixedUri":"http://a"},{"path":"Patient.identifier","sliceName":"a/usual","max":"1"},{"path":"Patient.identifier.use","fixedCode":"usual"}`, `"identifier":[{"system":"http://a","use":"usual"},{"system":"http://b"}]`, `"identifier":[{"system":"http://a","use":"usual"},{"system":"http://a","use":"old"}]`, "error structure Patient.identifier[1] Slice 'Patient.identifier:a': the item is in none"},
		{"extension by profile", "Patient", `,{"path":"Patient.extension","sliceName":"e","min":1,"max":"1","type":[{"code":"Extension","profile":["http://e"]}]}`, `"extension":[{"url":"http://z","valueCode":"x"},{"url":"http://e","valueString":"x"}]`, `"extension":[{"url":"http://z","valueCode":"x"}]`, "error required Patient.extension Slice 'Patient.extension:e'"},
		{"an extension wherever it stands", "Patient", ``, `"name":[{"_family":{"extension":[{"url":"http://e","valueString":"x"}]}}]`, `"name":[{"_family":{"extension":[{"url":"http://e","valueCode":"x"}]}}]`, "error structure Patient.name[0].family.extension[0].value Extension.value[x]: the value must be of type string"},
		{"a profile on a datatype", "Patient", `,{"path":"Patient.name","type":[{"code":"HumanName","profile":["http://family"]}]}`, `"name":[{"family":"x"}]`, `"name":[{"text":"x"}]`, "error required Patient.name[0].family HumanName.family"},
		{"one of several profiles", "Patient", `,{"path":"Patient.name","type":[{"code":"HumanName","profile":["http://family","http://given"]}]}`, `"name":[{"given":["x"]},{"family":"x"}]`, `"name":[{"text":"x"}]`, "error structure Patient.name[0] Patient.name: the value must meet one of the profiles"},
		{"a profile that is not held", "Patient", `,{"path":"Patient.name","type":[{"code":"HumanName","profile":["http://nowhere"]}]}`, ``, `"name":[{"text":"x"}]`, "warning not-supported Patient.name[0] Patient.name: the profile http://nowhere is not held"},
		{"contentReference", "Questionnaire", `,{"path":"Questionnaire.item","min":1},{"path":"Questionnaire.item.text","min":1}`, `"item":[{"text":"x","item":[{"text":"y"}]}]`, `"item":[{"text":"x","item":[{"item":[{"text":"z"}]},{"text":"y"}]}]`, "error required Questionnaire.item[0].item[0].text"},
		{"a slice that nothing tells apart", "Patient", ids + `,{"path":"Patient.identifier","sliceName":"a"},{"path":"Patient.identifier.value","min":1}`, ``, `"identifier":[{"use":"usual"}]`, "warning not-supported Patient.identifier[0] Slice 'Patient.identifier:a'"},
	} {
		l := library(t, list, far, definition("http://it", c.typ, "", c.elements),
			definition("http://named", "Patient", "", `,{"path":"Patient.name","min":1}`),
			definition("http://family", "HumanName", "", `,{"path":"HumanName.family","min":1}`),
			definition("http://given", "HumanName", "", `,{"path":"HumanName.given","min":1}`),
			definition("http://e", "Extension", "", `,{"path":"Extension.url","fixedUri":"http://e"},{"path":"Extension.value[x]","type":[{"code":"string"}]}`))
		resource := func(content string) string {
			if content == "" {
				return `{"resourceType":"` + c.typ + `"}`
			}
			return `{"resourceType":"` + c.typ + `",` + content + `}`
		}
		if found := check(t, l, resource(c.good), "http://it"); len(found) > 0 {
			t.Errorf("%s: what meets it: %v", c.rule, found)
		}
		found := check(t, l, resource(c.bad), "http://it")
		if len(found) != 1 || !strings.HasPrefix(found[0], c.says) {
			t.Errorf("%s: got %q, want %q", c.rule, found, c.says)
		}
	}
}

// What is claimed counts for resources within others, too, and lines and
// columns are the document's.
func TestClaims(t *testing.T) {
	l := library(t, definition("http://named", "Patient", "", `,{"path":"Patient.name","min":1}`))
	doc := parse(t, "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[{\"resource\":\n  {\"resourceType\":\"Patient\",\"meta\":{\"profile\":[\"http://named\",\"http://unknown\"]}}}]}")
	issues, err := profile.Resource(context.Background(), doc, profile.Options{Source: l})
	if err != nil {
		t.Fatal(err)
	}
	if len(issues) != 2 || issues[0].Line != 2 || issues[0].Column != 3 || issues[0].Severity != conformance.SeverityError ||
		issues[1].Severity != conformance.SeverityWarning || issues[1].Expression != "Bundle.entry[0].resource.meta.profile[1]" || !strings.Contains(issues[1].Diagnostics, "http://unknown is not held") {
		t.Errorf("%+v", issues)
	}
}

// Profiles that refer to each other in a circle, and data that does, end.
func TestCircles(t *testing.T) {
	l := library(t,
		definition("http://a", "Patient", "", `,{"path":"Patient","constraint":[{"key":"a","severity":"error","expression":"conformsTo('http://b')"}]},{"path":"Patient.link.other","type":[{"code":"Reference","targetProfile":["http://b"]}]},{"path":"Patient.name","min":1}`),
		definition("http://b", "Patient", "", `,{"path":"Patient","constraint":[{"key":"b","severity":"error","expression":"conformsTo('http://a')"}]},{"path":"Patient.link.other","type":[{"code":"Reference","targetProfile":["http://a"]}]}`))
	person := func(id, other, more string) string {
		return `{"fullUrl":"urn:uuid:` + id + `","resource":{"resourceType":"Patient","meta":{"profile":["http://a"]},"link":[{"type":"seealso","other":{"reference":"urn:uuid:` + other + `"}}]` + more + `}}`
	}
	bundle := func(entries ...string) string {
		return `{"resourceType":"Bundle","type":"collection","entry":[` + strings.Join(entries, ",") + `]}`
	}
	const named = `,"name":[{"text":"x"}]`
	if found := check(t, l, bundle(person("1", "2", named), person("2", "1", named), person("3", "3", named))); len(found) > 0 {
		t.Errorf("what meets them: %v", found)
	}
	if found := check(t, l, bundle(person("1", "2", named), person("2", "1", ""))); len(found) == 0 {
		t.Error("what does not meet them is accepted")
	}
}
