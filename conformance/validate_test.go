package conformance

import (
	"slices"
	"strings"
	"testing"
)

// found renders issues as "code expression" for comparison.
func found(issues []Issue) []string {
	var s []string
	for _, i := range issues {
		s = append(s, string(i.Code)+" "+i.Expression)
	}
	return s
}

type ruleTest struct {
	rule string
	json string
	want []string // "code expression"; none means valid
}

func runRules(t *testing.T, tests []ruleTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			issues := ValidateStructure([]byte(tt.json))
			if got := found(issues); !slices.Equal(got, tt.want) {
				t.Errorf("%s\n got %q\nwant %q", tt.json, got, tt.want)
				for _, i := range issues {
					t.Logf("%d:%d %s", i.Line, i.Column, i.Diagnostics)
				}
			}
		})
	}
}

func TestJSONIsStrict(t *testing.T) {
	tests := []ruleTest{
		{"a resource", `{"resourceType":"Patient"}`, nil},
		{"white space around", " \n{\"resourceType\" : \"Patient\"}\r\n\t", nil},
		{"nothing", ``, []string{"structure "}},
		{"truncated", `{"resourceType":"Patient"`, []string{"structure "}},
		{"trailing data", `{"resourceType":"Patient"} {}`, []string{"structure "}},
		{"trailing comma", `{"resourceType":"Patient",}`, []string{"structure "}},
		{"duplicate member", `{"resourceType":"Patient","active":true,"active":true}`, []string{"structure "}},
		{"duplicate member, escaped", `{"resourceType":"Patient","active":true,"\u0061ctive":true}`, []string{"structure "}},
		{"duplicate of an unknown member", `{"resourceType":"Patient","x":1,"x":1}`, []string{"structure "}},
		{"invalid UTF-8", "{\"resourceType\":\"Patient\",\"id\":\"\xff\"}", []string{"structure "}},
		{"unpaired surrogate", `{"resourceType":"Patient","id":"\ud800"}`, []string{"structure "}},
		{"byte order mark", "\xef\xbb\xbf{\"resourceType\":\"Patient\"}", []string{"structure "}},
		{"control character in a string", "{\"resourceType\":\"Patient\",\"id\":\"a\nb\"}", []string{"structure "}},
		{"number with a leading zero", `{"resourceType":"Patient","multipleBirthInteger":01}`, []string{"structure "}},
		{"not a number", `{"resourceType":"Patient","multipleBirthInteger":NaN}`, []string{"structure "}},
		{"a hundred levels", nestedExtensions(48), nil},
		{"more than a hundred levels", nestedExtensions(60), []string{"structure "}},
		{"escaped member name", `{"resourceType":"Patient","\u0061ctive":true}`, nil},
		{"escaped member name of the wrong kind", `{"resourceType":"Patient","\u0061ctive":1}`, []string{"structure Patient.active"}},
	}
	runRules(t, tests)
	for _, tt := range tests {
		issues := ValidateStructure([]byte(tt.json))
		if len(tt.want) == 1 && tt.want[0] == "structure " && (issues[0].Severity != SeverityFatal || issues[0].Line < 1 || issues[0].Column < 1 || issues[0].Diagnostics == "") {
			t.Errorf("%s: %+v", tt.rule, issues[0])
		}
	}
}

// nestedExtensions is a Patient whose extension holds n-1 more within each
// other: two levels of JSON each.
func nestedExtensions(n int) string {
	inner := `{"url":"u","valueBoolean":true}`
	for range n - 1 {
		inner = `{"url":"u","extension":[` + inner + `]}`
	}
	return `{"resourceType":"Patient","extension":[` + inner + `]}`
}

func TestResourceType(t *testing.T) {
	runRules(t, []ruleTest{
		{"must be there", `{"id":"a"}`, []string{"structure "}},
		{"need not come first", `{"id":"a","active":true,"resourceType":"Patient"}`, nil},
		{"must be known", `{"resourceType":"Martian"}`, []string{"structure "}},
		{"is case-sensitive", `{"resourceType":"patient"}`, []string{"structure "}},
		{"must not be abstract", `{"resourceType":"DomainResource"}`, []string{"structure "}},
		{"must not be a datatype", `{"resourceType":"HumanName"}`, []string{"structure "}},
		{"must be a string", `{"resourceType":1}`, []string{"structure "}},
		{"of an array there is none", `[{"resourceType":"Patient"}]`, []string{"structure "}},
		{"of null there is none", `null`, []string{"structure "}},
		{"is no member of a datatype", `{"resourceType":"Patient","name":[{"resourceType":"HumanName","text":"a"}]}`, []string{"structure Patient.name[0]"}},
	})
}

func TestMembersAndKinds(t *testing.T) {
	runRules(t, []ruleTest{
		{"unknown member", `{"resourceType":"Patient","colour":"red"}`, []string{"structure Patient"}},
		{"unknown member of a datatype", `{"resourceType":"Patient","name":[{"text":"a"},{"text":"a","nick":"b"}]}`, []string{"structure Patient.name[1]"}},
		{"unknown member of a backbone", `{"resourceType":"Patient","contact":[{"x":1}]}`, []string{"structure Patient.contact[0]"}},
		{"names are case-sensitive", `{"resourceType":"Patient","birthdate":"2000"}`, []string{"structure Patient"}},
		{"a choice needs its type", `{"resourceType":"Patient","deceased":true}`, []string{"structure Patient"}},
		{"underscore is for primitives only", `{"resourceType":"Patient","_name":[{"id":"a"}]}`, []string{"structure Patient"}},
		{"comments are not R4", `{"resourceType":"Patient","fhir_comments":["a"]}`, []string{"structure Patient"}},
		{"an empty member name", `{"resourceType":"Patient","":1}`, []string{"structure Patient"}},
		{"boolean as string", `{"resourceType":"Patient","active":"true"}`, []string{"structure Patient.active"}},
		{"number as string", `{"resourceType":"Patient","multipleBirthInteger":"1"}`, []string{"structure Patient.multipleBirth"}},
		{"string as number", `{"resourceType":"Patient","birthDate":2000}`, []string{"structure Patient.birthDate"}},
		{"primitive as object", `{"resourceType":"Patient","birthDate":{"value":"2000"}}`, []string{"structure Patient.birthDate"}},
		{"complex as string", `{"resourceType":"Patient","maritalStatus":"M"}`, []string{"structure Patient.maritalStatus"}},
		{"array of single complex", `{"resourceType":"Patient","maritalStatus":[{"text":"M"}]}`, []string{"structure Patient.maritalStatus"}},
		{"array of single primitive", `{"resourceType":"Patient","birthDate":["2000"]}`, []string{"structure Patient.birthDate"}},
		{"single where it repeats", `{"resourceType":"Patient","name":{"text":"a"}}`, []string{"structure Patient.name"}},
		{"single primitive where it repeats", `{"resourceType":"Patient","name":[{"given":"a"}]}`, []string{"structure Patient.name[0].given"}},
		{"array in array", `{"resourceType":"Patient","name":[[{"text":"a"}]]}`, []string{"structure Patient.name[0]"}},
		{"null for a primitive", `{"resourceType":"Patient","birthDate":null}`, []string{"structure Patient.birthDate"}},
		{"null for an object", `{"resourceType":"Patient","maritalStatus":null}`, []string{"structure Patient.maritalStatus"}},
		{"null for an array", `{"resourceType":"Patient","name":null}`, []string{"structure Patient.name"}},
		{"null in an array of objects", `{"resourceType":"Patient","name":[null]}`, []string{"structure Patient.name[0]"}},
		{"empty object", `{"resourceType":"Patient","maritalStatus":{}}`, []string{"structure Patient.maritalStatus"}},
		{"empty array", `{"resourceType":"Patient","name":[]}`, []string{"structure Patient.name"}},
		{"empty array of primitives", `{"resourceType":"Patient","name":[{"given":[]}]}`, []string{"structure Patient.name[0].given"}},
		{"empty string", `{"resourceType":"Patient","name":[{"family":""}]}`, []string{"value Patient.name[0].family"}},
		{"ele-1: nothing but an id", `{"resourceType":"Patient","maritalStatus":{"id":"a"}}`, []string{"invariant Patient.maritalStatus"}},
		{"a resource may be empty", `{"resourceType":"Basic","code":{"text":"a"}}`, nil},
	})
}

func TestCardinality(t *testing.T) {
	runRules(t, []ruleTest{
		{"required elements of the resource", `{"resourceType":"Observation"}`, []string{"required Observation.status", "required Observation.code"}},
		{"required element of a backbone", `{"resourceType":"Appointment","status":"booked","participant":[{"actor":{"display":"a"}},{"status":"accepted"}]}`, []string{"required Appointment.participant[0].status"}},
		{"required backbone", `{"resourceType":"Appointment","status":"booked"}`, []string{"required Appointment.participant"}},
		{"required primitive given by an extension only", `{"resourceType":"Observation","_status":{"extension":[{"url":"u","valueCode":"unknown"}]},"code":{"text":"a"}}`, nil},
		{"required choice", `{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"display":"a"}}`, []string{"required MedicationRequest.medication"}},
		{"required element of an extension", `{"resourceType":"Patient","extension":[{"valueBoolean":true}]}`, []string{"required Patient.extension[0].url"}},
		{"forbidden by the profile SimpleQuantity", `{"resourceType":"Observation","status":"final","code":{"text":"a"},"referenceRange":[{"low":{"value":1,"comparator":"<"}}]}`, []string{"structure Observation.referenceRange[0].low.comparator"}},
		{"a comparator in a plain Quantity", `{"resourceType":"Observation","status":"final","code":{"text":"a"},"valueQuantity":{"value":1,"comparator":"<"}}`, nil},
		{"content by reference", `{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"1.1"}]}]}`, []string{"required Questionnaire.item[0].item[0].type"}},
	})
}

func TestChoices(t *testing.T) {
	runRules(t, []ruleTest{
		{"one type", `{"resourceType":"Patient","deceasedBoolean":true}`, nil},
		{"two types", `{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2000"}`, []string{"structure Patient.deceased"}},
		{"one type's value, another's extension", `{"resourceType":"Patient","deceasedBoolean":true,"_deceasedDateTime":{"extension":[{"url":"u","valueCode":"a"}]}}`, []string{"structure Patient.deceased"}},
		{"a type's value and its extension", `{"resourceType":"Patient","deceasedDateTime":"2000","_deceasedDateTime":{"extension":[{"url":"u","valueCode":"a"}]}}`, nil},
		{"a type that is not allowed", `{"resourceType":"Patient","deceasedString":"yes"}`, []string{"structure Patient"}},
		{"two choices of one type each", `{"resourceType":"Patient","deceasedBoolean":true,"multipleBirthBoolean":true}`, nil},
		{"two types in an extension", `{"resourceType":"Patient","extension":[{"url":"u","valueCode":"a","valueString":"b"}]}`, []string{"structure Patient.extension[0].value"}},
		{"an extension's value of any type", `{"resourceType":"Patient","extension":[{"url":"u","valueDosage":{"text":"a"}}]}`, nil},
		{"an extension's value of no such type", `{"resourceType":"Patient","extension":[{"url":"u","valueNarrative":{"status":"empty"}}]}`, []string{"structure Patient.extension[0]"}},
		{"ext-1: neither value nor extensions", `{"resourceType":"Patient","extension":[{"url":"u"}]}`, []string{"invariant Patient.extension[0]"}},
		{"ext-1: value and extensions", `{"resourceType":"Patient","extension":[{"url":"u","valueCode":"a","extension":[{"url":"v","valueCode":"b"}]}]}`, []string{"invariant Patient.extension[0]"}},
		{"an extension's url has no extensions", `{"resourceType":"Patient","extension":[{"url":"u","_url":{"id":"a"},"valueCode":"a"}]}`, []string{"structure Patient.extension[0]"}},
	})
}

func TestPrimitivePairing(t *testing.T) {
	const ext = `{"extension":[{"url":"u","valueCode":"a"}]}`
	runRules(t, []ruleTest{
		{"value and extension", `{"resourceType":"Patient","birthDate":"2000","_birthDate":` + ext + `}`, nil},
		{"extension alone", `{"resourceType":"Patient","_birthDate":` + ext + `}`, nil},
		{"extension before the value", `{"resourceType":"Patient","_birthDate":` + ext + `,"birthDate":"2000"}`, nil},
		{"id with a value", `{"resourceType":"Patient","birthDate":"2000","_birthDate":{"id":"a"}}`, nil},
		{"id alone", `{"resourceType":"Patient","_birthDate":{"id":"a"}}`, []string{"invariant Patient.birthDate"}},
		{"empty", `{"resourceType":"Patient","birthDate":"2000","_birthDate":{}}`, []string{"structure Patient.birthDate"}},
		{"null", `{"resourceType":"Patient","birthDate":"2000","_birthDate":null}`, []string{"structure Patient.birthDate"}},
		{"array for a single primitive", `{"resourceType":"Patient","birthDate":"2000","_birthDate":[` + ext + `]}`, []string{"structure Patient.birthDate"}},
		{"string", `{"resourceType":"Patient","_birthDate":"2000"}`, []string{"structure Patient.birthDate"}},
		{"unknown member within", `{"resourceType":"Patient","birthDate":"2000","_birthDate":{"value":"2000"}}`, []string{"structure Patient.birthDate"}},
		{"extension within is checked", `{"resourceType":"Patient","_birthDate":{"extension":[{"valueCode":"a"}]}}`, []string{"required Patient.birthDate.extension[0].url"}},
		{"arrays in step", `{"resourceType":"Patient","name":[{"given":["a",null,"c"],"_given":[null,` + ext + `,{"id":"x"}]}]}`, nil},
		{"arrays in step, extensions first", `{"resourceType":"Patient","name":[{"_given":[null,` + ext + `],"given":["a",null]}]}`, nil},
		{"array of extensions alone", `{"resourceType":"Patient","name":[{"_given":[` + ext + `]}]}`, nil},
		{"null in step with null", `{"resourceType":"Patient","name":[{"given":["a",null],"_given":[` + ext + `,null]}]}`, []string{"invariant Patient.name[0].given[1]"}},
		{"null with an id only", `{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"id":"x"}]}]}`, []string{"invariant Patient.name[0].given[1]"}},
		{"null without extensions", `{"resourceType":"Patient","name":[{"given":["a",null]}]}`, []string{"invariant Patient.name[0].given[1]"}},
		{"extensions with null, no values", `{"resourceType":"Patient","name":[{"_given":[null,` + ext + `]}]}`, []string{"invariant Patient.name[0].given[0]"}},
		{"arrays of different length", `{"resourceType":"Patient","name":[{"given":["a"],"_given":[null,` + ext + `]}]}`, []string{"structure Patient.name[0].given"}},
		{"object for a repeating primitive", `{"resourceType":"Patient","name":[{"given":["a"],"_given":` + ext + `}]}`, []string{"structure Patient.name[0].given"}},
		{"the div of a narrative has no extensions", `{"resourceType":"Patient","text":{"status":"empty","div":"<div>a</div>","_div":` + ext + `}}`, []string{"structure Patient.text.div.extension"}},
	})
}

func TestNestedResources(t *testing.T) {
	runRules(t, []ruleTest{
		{"contained", `{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"a"}]}`, nil},
		{"contained is checked", `{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o"},{"resourceType":"Observation","id":"p","code":{"text":"a"}}]}`, []string{"required Patient.contained[1].status"}},
		{"contained needs a type", `{"resourceType":"Patient","contained":[{"id":"o"}]}`, []string{"structure Patient.contained[0]"}},
		{"contained of unknown type", `{"resourceType":"Patient","contained":[{"resourceType":"Martian","id":"o"}]}`, []string{"structure Patient.contained[0]"}},
		{"contained must be an object", `{"resourceType":"Patient","contained":["o"]}`, []string{"structure Patient.contained[0]"}},
		{"dom-2: contained in contained", `{"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"o","contained":[{"resourceType":"Patient","id":"p"}]}]}`, []string{"invariant Patient.contained[0].contained[0]"}},
		{"an entry may contain", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o"}]}}]}`, nil},
		{"entry is checked", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}},{"resource":{"resourceType":"Patient","name":[{"given":[1]}]}}]}`, []string{"structure Bundle.entry[1].resource.name[0].given[0]"}},
		{"parameter's resource", `{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Martian"}}]}`, []string{"structure Parameters.parameter[0].resource"}},
	})
}

func TestRequiredBindings(t *testing.T) {
	const clinical = `"system":"http://terminology.hl7.org/CodeSystem/condition-clinical"`
	condition := func(status string) string {
		return `{"resourceType":"Condition","subject":{"display":"a"},"clinicalStatus":` + status + `}`
	}
	runRules(t, []ruleTest{
		{"code", `{"resourceType":"Patient","gender":"male"}`, nil},
		{"code outside", `{"resourceType":"Patient","gender":"M"}`, []string{"code-invalid Patient.gender"}},
		{"codes are case-sensitive", `{"resourceType":"Patient","gender":"Male"}`, []string{"code-invalid Patient.gender"}},
		{"escaped code", `{"resourceType":"Patient","gender":"\u006dale"}`, nil},
		{"concept", condition(`{"coding":[{` + clinical + `,"code":"active"}]}`), nil},
		{"one coding of several", condition(`{"coding":[{"system":"http://x","code":"1"},{` + clinical + `,"code":"active"}]}`), nil},
		{"concept of another system", condition(`{"coding":[{"system":"http://x","code":"active"}]}`), []string{"code-invalid Condition.clinicalStatus"}},
		{"concept outside", condition(`{"coding":[{` + clinical + `,"code":"sleeping"}]}`), []string{"code-invalid Condition.clinicalStatus"}},
		{"concept without a system", condition(`{"coding":[{"code":"active"}]}`), []string{"code-invalid Condition.clinicalStatus"}},
		{"text alone", condition(`{"text":"active"}`), []string{"code-invalid Condition.clinicalStatus"}},
		{"extension instead", condition(`{"extension":[{"url":"u","valueCode":"unknown"}]}`), nil},
		{"extension instead of the coding's code", condition(`{"coding":[{"extension":[{"url":"u","valueCode":"unknown"}]}]}`), nil},
		{"coding with neither", condition(`{"coding":[{"display":"active"}]}`), []string{"code-invalid Condition.clinicalStatus"}},
		{"a value set that cannot be enumerated", `{"resourceType":"Invoice","status":"draft","totalNet":{"value":1,"currency":"XXX"}}`, nil},
		{"extensible is no requirement", `{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://x","code":"1"}]}}`, nil},
	})
}

func TestReferenceTargets(t *testing.T) {
	patient := func(reference string) string {
		return `{"resourceType":"Patient","generalPractitioner":[{"reference":"` + reference + `"}]}`
	}
	wrong := []string{"value Patient.generalPractitioner[0].reference"}
	runRules(t, []ruleTest{
		{"allowed type", patient("Practitioner/1"), nil},
		{"allowed type, a version", patient("Practitioner/1/_history/2"), nil},
		{"escaped slash", patient(`Practitioner\/1`), nil},
		{"other type", patient("Patient/1"), wrong},
		{"other type, escaped", patient(`Pat\u0069ent/1`), wrong},
		{"unknown type", patient("Martian/1"), wrong},
		{"conditional reference", patient("Practitioner?identifier=a|b"), nil},
		{"conditional reference to another type", patient("Patient?identifier=a|b"), wrong},
		{"absolute", patient("http://example.org/fhir/Patient/1"), nil},
		{"urn", patient("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"), nil},
		{"contained", patient("#a"), nil},
		{"any type", `{"resourceType":"Provenance","target":[{"reference":"Slot/1"}],"recorded":"2000-01-01T00:00:00Z","agent":[{"who":{"reference":"Patient/1"}}]}`, nil},
		{"any known type", `{"resourceType":"Provenance","target":[{"reference":"Slots/1"}],"recorded":"2000-01-01T00:00:00Z","agent":[{"who":{"reference":"Patient/1"}}]}`, []string{"value Provenance.target[0].reference"}},
		{"in an extension any", `{"resourceType":"Patient","extension":[{"url":"u","valueReference":{"reference":"Slot/1"}}]}`, nil},
		{"in a reference's identifier the assigner has its own", `{"resourceType":"Patient","managingOrganization":{"identifier":{"assigner":{"reference":"Patient/1"}}}}`, []string{"value Patient.managingOrganization.identifier.assigner.reference"}},
	})
}

func TestIssuesSayWhereAndWhich(t *testing.T) {
	const text = "{\n  \"resourceType\": \"Appointment\",\n  \"description\": \"Zoë\",  \"status\": \"bögus\",\n  \"participant\": [\n    {\"required\": \"required\"},\n    {}\n  ]\n}\n"
	want := []Issue{
		{SeverityError, IssueCodeInvalid, "Appointment.status", 3, 36, "Appointment.status must have a code of the value set http://hl7.org/fhir/ValueSet/appointmentstatus (required binding)"},
		{SeverityError, IssueRequired, "Appointment.participant[0].status", 5, 5, "Appointment.participant.status is missing: its minimum is 1"},
		{SeverityError, IssueRequired, "Appointment.participant[1].status", 6, 5, "Appointment.participant.status is missing: its minimum is 1"},
		{SeverityError, IssueStructure, "Appointment.participant[1]", 6, 5, "an object must not be empty"},
	}
	if got := ValidateStructure([]byte(text)); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestIssuesAreBounded(t *testing.T) {
	issues := ValidateStructure([]byte(`{"resourceType":"Patient","name":[` + strings.Repeat(`1,`, 5000) + `1]}`))
	if len(issues) != maxIssues+1 {
		t.Fatalf("%d issues", len(issues))
	}
	if last := issues[maxIssues]; last.Severity != SeverityInformation || last.Code != IssueIncomplete || last.Expression != "Patient" {
		t.Errorf("the cut is not told: %+v", last)
	}
}
