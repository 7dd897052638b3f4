package resttest

// https://hl7.org/fhir/R4/search.html#combining
var combinations = subject{
	name: "combinations",
	resources: []string{
		`{"resourceType":"Patient","id":"a","gender":"female","language":"fr","name":[{"given":["Anna","Nora"]}]}`,
		`{"resourceType":"Patient","id":"b","gender":"female","language":"en","name":[{"given":["Anna"]}]}`,
		`{"resourceType":"Patient","id":"c","gender":"male","name":[{"given":["Nora"]}]}`,
		`{"resourceType":"Practitioner","id":"a","gender":"female"}`,
	},
	found: []found{
		{"no parameters: all of the type", "Patient", "a b c"},
		{"a comma is OR", "Patient?gender=male,female", "a b c"},
		{"a repeated parameter is AND", "Patient?given=anna&given=nora", "a"},
		{"different parameters are AND", "Patient?gender=female&given=nora", "a"},
		{"OR within AND", "Patient?given=anna,nora&gender=male", "c"},
		{"empty pairs are nothing", "Patient?&gender=male&", "c"},
		{"_contained=false is the default", "Patient?gender=male&_contained=false&_containedType=container", "c"},
		{"_format is about the answer", "Patient?gender=male&_format=json", "c"},
		{"names are case-sensitive values", "Patient?_id=A", ""},
	},
	refused: []refused{
		{"an unknown parameter", "Patient?shoesize=44", "not-supported", []string{"shoesize"}},
		{"an unknown parameter among known ones", "Patient?gender=male&Gender=male", "not-supported", []string{"Gender"}},
		{"a parameter of another type", "Patient?code=x", "not-supported", []string{"code"}},
		{"full text", "Patient?_content=x", "not-supported", []string{"_content", "full-text"}},
		{"a query", "Patient?_query=x", "not-supported", []string{"_query", "named queries"}},
		{"_contained of another kind", "Patient?_contained=maybe", "value", []string{"_contained"}},
		{"_containedType of another kind", "Patient?_containedType=maybe", "value", []string{"_containedType"}},
		{"no name", "Patient?=x", "not-supported", nil},
		{"a broken escape", "Patient?given=%zz", "invalid", nil},
	},
}

// https://hl7.org/fhir/R4/search.html#chaining
var chains = subject{
	name: "chains",
	resources: []string{
		`{"resourceType":"Organization","id":"o","name":"Good Health"}`,
		`{"resourceType":"Patient","id":"p","name":[{"family":"Chalmers"}],"managingOrganization":{"reference":"Organization/o"}}`,
		`{"resourceType":"Patient","id":"q","name":[{"family":"Smith"}]}`,
		`{"resourceType":"Device","id":"v","deviceName":[{"name":"Chalmers pump","type":"other"}]}`,
		`{"resourceType":"Observation","id":"a","status":"final","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Observation","id":"b","status":"final","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Patient/q"}}`,
		`{"resourceType":"Observation","id":"c","status":"final","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Device/v"},"encounter":{"reference":"Encounter/e"}}`,
		`{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"}}`,
	},
	found: []found{
		{"reference.parameter", "Observation?patient.name=chal", "a"},
		{"reference:Type.parameter", "Observation?subject:Patient.name=chal", "a"},
		{"any of the types that have the parameter", "Observation?subject.identifier:missing=true&code=x", "a b c"},
		{"only the types that have the parameter", "Observation?subject.family=chal", "a"},
		{"two chains", "Observation?patient.organization.name=good", "a"},
		{"through another type", "Observation?encounter.patient.name=chal", "c"},
		{"modifier at the end", "Observation?patient.family:exact=Chalmers", "a"},
		{":missing at the end", "Observation?patient.organization:missing=true", "b"},
		{":not at the end", "Observation?patient.family=chal,smith&patient.organization:missing=false", "a"},
		{"OR at the end", "Observation?patient.family=chal,smith", "a b"},
		{"AND of two chains", "Observation?patient.family=chal&patient.organization=Organization/o", "a"},
		{"_id at the end", "Observation?patient._id=q", "b"},
		{"no match", "Observation?patient.name=nobody", ""},
	},
	refused: []refused{
		{"an unknown parameter at the end", "Observation?patient.shoesize=44", "not-supported", []string{"shoesize"}},
		{"nothing at the end", "Observation?patient.=44", "not-supported", nil},
		{"a parameter that is no reference", "Observation?code.name=x", "value", []string{"code"}},
		{"a type that it cannot refer to", "Observation?subject:Account.name=x", "value", []string{"Account"}},
		{"a parameter that the type lacks", "Observation?subject:Group.family=x", "not-supported", []string{"family"}},
		{"a wrong value at the end", "Observation?patient.birthdate=x", "value", []string{"birthdate"}},
	},
}

// https://hl7.org/fhir/R4/search.html#has
var reverseChains = subject{
	name: "has",
	resources: []string{
		`{"resourceType":"Patient","id":"p"}`,
		`{"resourceType":"Patient","id":"q"}`,
		`{"resourceType":"Patient","id":"r"}`,
		`{"resourceType":"Observation","id":"a","status":"final","code":{"coding":[{"code":"1234-5"}]},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e"}}`,
		`{"resourceType":"Observation","id":"b","status":"final","code":{"coding":[{"code":"9999"}]},"subject":{"reference":"Patient/q"}}`,
		`{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"}}`,
		`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/q"}},{"entity":{"reference":"Patient/r"}}]}`,
		`{"resourceType":"List","id":"l","status":"current","mode":"working","entry":[{"item":{"reference":"Patient/p"}},{"item":{"reference":"Patient/r"}}]}`,
		`{"resourceType":"Provenance","id":"v","target":[{"reference":"Observation/b"}],"recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"reference":"Practitioner/x"}}]}`,
	},
	found: []found{
		{"_has", "Patient?_has:Observation:patient:code=1234-5", "p"},
		{"_has with OR", "Patient?_has:Observation:patient:code=1234-5,9999", "p q"},
		{"_has of a group's member", "Patient?_has:Group:member:_id=g", "q r"},
		{"_has within _has", "Patient?_has:Observation:patient:_has:Provenance:target:agent=Practitioner/x", "q"},
		{"_has with a chain", "Patient?_has:Observation:patient:encounter.class=AMB", "p"},
		{"a chain to _has", "Observation?patient._has:Group:member:_id=g", "b"},
		{"_has with a modifier", "Patient?_has:Observation:patient:code:not=1234-5", "q"},
		{"_list", "Patient?_list=l", "p r"},
		{"_list with others", "Patient?_list=List/l&_id=r", "r"},
		{"_list in a chain", "Observation?patient._list=l", "a"},
		{"several _has are AND", "Patient?_has:Observation:patient:code=9999&_has:Group:member:_id=g", "q"},
	},
	refused: []refused{
		{"an unknown type", "Patient?_has:Thing:patient:code=x", "value", []string{"Thing"}},
		{"an unknown reference", "Patient?_has:Observation:thing:code=x", "not-supported", []string{"thing"}},
		{"no reference", "Patient?_has:Observation:code:code=x", "value", []string{"code"}},
		{"an unknown parameter", "Patient?_has:Observation:patient:thing=x", "not-supported", []string{"thing"}},
		{"too few parts", "Patient?_has:Observation:patient=x", "value", []string{"_has"}},
		{"a reference that leads elsewhere", "Organization?_has:Observation:patient:code=x", "value", []string{"Organization"}},
		{"a functional list", "Patient?_list=$current-problems", "not-supported", []string{"_list"}},
		{"a reference to other types", "Patient?_has:Provenance:agent.x:y=1", "not-supported", nil},
	},
}

// https://hl7.org/fhir/R4/search.html#missing
var missing = subject{
	name: "missing",
	resources: []string{
		`{"resourceType":"Patient","id":"a","gender":"male","birthDate":"1970"}`,
		`{"resourceType":"Patient","id":"b","name":[{"family":"B"}]}`,
	},
	found: []found{
		{"token", "Patient?gender:missing=true", "b"},
		{"token present", "Patient?gender:missing=false", "a"},
		{"date", "Patient?birthdate:missing=true", "b"},
		{"string", "Patient?name:missing=false", "b"},
		{"reference", "Patient?organization:missing=true", "a b"},
		{"always there", "Patient?_id:missing=false", "a b"},
	},
	refused: []refused{
		{"neither true nor false", "Patient?gender:missing=1", "value", []string{"missing"}},
	},
}
