package resttest

// bodySites is a code system with a hierarchy by nesting and by properties.
const bodySites = `{"resourceType":"CodeSystem","id":"sites","url":"http://example.org/sites","version":"1.9","status":"active","content":"complete",
"property":[{"code":"parent","type":"code"},{"code":"side","type":"string"},{"code":"weight","type":"integer"}],
"concept":[
 {"code":"body","display":"Body","concept":[
  {"code":"arm","display":"Arm","property":[{"code":"side","valueString":"either"}],"concept":[{"code":"hand","display":"Hand","concept":[{"code":"thumb"}]}]},
  {"code":"leg","display":"Leg","property":[{"code":"weight","valueInteger":12}]}]},
 {"code":"finger","display":"Finger","property":[{"code":"parent","valueCode":"hand"}]},
 {"code":"aura","display":"Aura","property":[{"code":"inactive","valueBoolean":true}]}]}`

// valueSet is a ValueSet with a compose.
func valueSet(id, compose string) string {
	return `{"resourceType":"ValueSet","id":"` + id + `","url":"http://example.org/vs/` + id + `","version":"1","status":"active","compose":` + compose + `}`
}

// atSite is a Condition at a body site.
func atSite(code string) string {
	return `{"resourceType":"Condition","id":"` + code + `","subject":{"reference":"Patient/1"},"bodySite":[{"coding":[{"system":"http://example.org/sites","code":"` + code + `"}]}]}`
}

const ofSites = `{"system":"http://example.org/sites"`

// https://hl7.org/fhir/R4/search.html#modifiers and
// https://hl7.org/fhir/R4/valueset.html#compositions
var vocabularies = subject{
	name: "terminology",
	resources: []string{
		bodySites,
		`{"resourceType":"CodeSystem","id":"old","url":"http://example.org/sites","version":"1.10","status":"retired","content":"complete","concept":[{"code":"body"}]}`,
		`{"resourceType":"CodeSystem","id":"empty","url":"http://example.org/far","status":"active","content":"not-present"}`,
		valueSet("list", `{"include":[`+ofSites+`,"concept":[{"code":"arm"},{"code":"leg"}]}]}`),
		valueSet("all", `{"include":[`+ofSites+`}]}`),
		valueSet("active", `{"inactive":false,"include":[`+ofSites+`}]}`),
		valueSet("isa", `{"include":[`+ofSites+`,"filter":[{"property":"concept","op":"is-a","value":"arm"}]}]}`),
		valueSet("under", `{"include":[`+ofSites+`,"filter":[{"property":"concept","op":"descendent-of","value":"arm"}]}]}`),
		valueSet("isnota", `{"include":[`+ofSites+`,"filter":[{"property":"concept","op":"is-not-a","value":"arm"}]}]}`),
		valueSet("general", `{"include":[`+ofSites+`,"filter":[{"property":"concept","op":"generalizes","value":"hand"}]}]}`),
		valueSet("in", `{"include":[`+ofSites+`,"filter":[{"property":"code","op":"in","value":"arm,hand"}]}]}`),
		valueSet("notin", `{"include":[`+ofSites+`,"filter":[{"property":"code","op":"not-in","value":"arm,hand"}]}]}`),
		valueSet("regex", `{"include":[`+ofSites+`,"filter":[{"property":"display","op":"regex","value":"[A-H].*"}]}]}`),
		valueSet("equal", `{"include":[`+ofSites+`,"filter":[{"property":"weight","op":"=","value":"12"}]}]}`),
		valueSet("exists", `{"include":[`+ofSites+`,"filter":[{"property":"side","op":"exists","value":"true"}]}]}`),
		valueSet("parent", `{"include":[`+ofSites+`,"filter":[{"property":"parent","op":"=","value":"hand"}]}]}`),
		valueSet("child", `{"include":[`+ofSites+`,"filter":[{"property":"child","op":"exists","value":"false"}]}]}`),
		valueSet("two", `{"include":[`+ofSites+`,"filter":[{"property":"concept","op":"is-a","value":"arm"},{"property":"child","op":"exists","value":"true"}]}]}`),
		valueSet("exclude", `{"include":[`+ofSites+`}],"exclude":[{"valueSet":["http://example.org/vs/isa|1"]}]}`),
		valueSet("import", `{"include":[{"valueSet":["http://example.org/vs/isa"]},{"valueSet":["http://example.org/vs/list"]}]}`),
		valueSet("both", `{"include":[{"valueSet":["http://example.org/vs/isa","http://example.org/vs/list"]}]}`),
		valueSet("cut", `{"include":[`+ofSites+`,"valueSet":["http://example.org/vs/list"],"filter":[{"property":"concept","op":"is-a","value":"arm"}]}]}`),
		valueSet("pinned", `{"include":[`+ofSites+`,"version":"1.10"}]}`),
		valueSet("circle", `{"include":[{"valueSet":["http://example.org/vs/circle"]}]}`),
		valueSet("far", `{"include":[{"system":"http://example.org/far"}]}`),
		valueSet("unknown", `{"include":[{"system":"http://example.org/nowhere"}]}`),
		valueSet("badop", `{"include":[`+ofSites+`,"filter":[{"property":"shape","op":"=","value":"x"}]}]}`),
		valueSet("badregex", `{"include":[`+ofSites+`,"filter":[{"property":"code","op":"regex","value":"("}]}]}`),
		valueSet("gender", `{"include":[{"system":"http://hl7.org/fhir/administrative-gender"}],"exclude":[{"system":"http://hl7.org/fhir/administrative-gender","concept":[{"code":"male"}]}]}`),
		`{"resourceType":"ValueSet","id":"expanded","url":"http://example.org/vs/expanded","status":"active","compose":{"include":[{"system":"http://example.org/nowhere"}]},"expansion":{"timestamp":"2020-01-01","contains":[{"system":"http://example.org/sites","code":"leg"}]}}`,
		atSite("body"), atSite("arm"), atSite("hand"), atSite("thumb"), atSite("finger"), atSite("leg"), atSite("aura"),
		`{"resourceType":"Condition","id":"other","subject":{"reference":"Patient/1"},"bodySite":[{"coding":[{"system":"urn:other","code":"arm"}]}]}`,
		`{"resourceType":"Patient","id":"f","gender":"female"}`, `{"resourceType":"Patient","id":"m","gender":"male"}`, `{"resourceType":"Patient","id":"n"}`,
		`{"resourceType":"QuestionnaireResponse","id":"v1","status":"completed","questionnaire":"http://example.org/q|1.0"}`,
		`{"resourceType":"QuestionnaireResponse","id":"v10","status":"completed","questionnaire":"http://example.org/q|10"}`,
		`{"resourceType":"QuestionnaireResponse","id":"v","status":"completed","questionnaire":"http://example.org/q"}`,
	},
	found: []found{
		{":in listed codes", "Condition?body-site:in=http://example.org/vs/list", "arm leg"},
		{":in a version", "Condition?body-site:in=http://example.org/vs/list|1", "arm leg"},
		{":in by id", "Condition?body-site:in=ValueSet/list", "arm leg"},
		{":in of several", "Condition?body-site:in=http://example.org/vs/list,http://example.org/vs/under", "arm hand thumb finger leg"},
		{":in a whole system; a retired one comes last", "Condition?body-site:in=http://example.org/vs/all", "body arm hand thumb finger leg aura"},
		{"compose.inactive", "Condition?body-site:in=http://example.org/vs/active", "body arm hand thumb finger leg"},
		{"is-a", "Condition?body-site:in=http://example.org/vs/isa", "arm hand thumb finger"},
		{"descendent-of", "Condition?body-site:in=http://example.org/vs/under", "hand thumb finger"},
		{"is-not-a", "Condition?body-site:in=http://example.org/vs/isnota", "body leg aura"},
		{"generalizes", "Condition?body-site:in=http://example.org/vs/general", "body arm hand"},
		{"in", "Condition?body-site:in=http://example.org/vs/in", "arm hand"},
		{"not-in", "Condition?body-site:in=http://example.org/vs/notin", "body thumb finger leg aura"},
		{"regex", "Condition?body-site:in=http://example.org/vs/regex", "body arm hand finger aura"},
		{"=", "Condition?body-site:in=http://example.org/vs/equal", "leg"},
		{"exists", "Condition?body-site:in=http://example.org/vs/exists", "arm"},
		{"parent", "Condition?body-site:in=http://example.org/vs/parent", "thumb finger"},
		{"child", "Condition?body-site:in=http://example.org/vs/child", "thumb finger leg aura"},
		{"two filters", "Condition?body-site:in=http://example.org/vs/two", "arm hand"},
		{"exclude", "Condition?body-site:in=http://example.org/vs/exclude", "body leg aura"},
		{"several includes are a union", "Condition?body-site:in=http://example.org/vs/import", "arm hand thumb finger leg"},
		{"several value sets of an include are what they share", "Condition?body-site:in=http://example.org/vs/both", "arm"},
		{"a system and a value set", "Condition?body-site:in=http://example.org/vs/cut", "arm"},
		{"a pinned version", "Condition?body-site:in=http://example.org/vs/pinned", "body"},
		{"an expansion that is stored", "Condition?body-site:in=http://example.org/vs/expanded", "leg"},
		{":not-in", "Condition?body-site:not-in=http://example.org/vs/isa", "body leg aura other"},
		{":not-in holds where there is no value", "Patient?gender:not-in=http://example.org/vs/gender", "m n"},
		{":in of a code element", "Patient?gender:in=http://example.org/vs/gender", "f"},
		{":in of R4's own value set", "Patient?gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", "f m"},
		{":below", "Condition?body-site:below=http://example.org/sites|arm", "arm hand thumb finger"},
		{":below a leaf", "Condition?body-site:below=http://example.org/sites|leg", "leg"},
		{":above", "Condition?body-site:above=http://example.org/sites|finger", "body arm hand finger"},
		{"in a chain", "Condition?subject:Patient.gender:in=http://example.org/vs/gender", ""},
		{"in a filter", "Condition?_filter=body-site%20ss%20%22http://example.org/sites|arm%22", "arm hand thumb finger"},
		{"a canonical: any version", "QuestionnaireResponse?questionnaire=http://example.org/q", "v1 v10 v"},
		{"a canonical: this version", "QuestionnaireResponse?questionnaire=http://example.org/q|1.0", "v1"},
		{"a canonical: below a version", "QuestionnaireResponse?questionnaire:below=http://example.org/q|1", "v1"},
		{"a canonical: below no version", "QuestionnaireResponse?questionnaire:below=http://example.org/q", "v1 v10 v"},
	},
	refused: []refused{
		{"no URL", "Condition?body-site:in=list", "value", []string{":in"}},
		{":below without a system", "Condition?body-site:below=arm", "value", []string{":below"}},
		{":below a version that is empty", "QuestionnaireResponse?questionnaire:below=http://example.org/q|", "value", []string{":below"}},
		{":below of a reference", "Condition?subject:below=http://example.org/q", "value", []string{":below"}},
	},
	unheld: []unheld{
		{"a value set that is not held", "Condition?body-site:in=http://example.org/vs/none", 404, "http://example.org/vs/none"},
		{"a version that is not held", "Condition?body-site:in=http://example.org/vs/list|2", 404, "http://example.org/vs/list|2"},
		{"an id that is not held", "Condition?body-site:in=ValueSet/none", 404, "ValueSet/none"},
		{"a code system that is not held", "Condition?body-site:in=http://example.org/vs/unknown", 404, "http://example.org/nowhere"},
		{"a code system without its codes", "Condition?body-site:in=http://example.org/vs/far", 404, "http://example.org/far"},
		{"a hierarchy that is not held", "Condition?body-site:below=http://hl7.org/fhir/name-use|usual", 404, "name-use"},
		{":below of a system that is not held", "Condition?body-site:below=http://example.org/nowhere|x", 404, "http://example.org/nowhere"},
		{":below of a code that is not there", "Condition?body-site:below=http://example.org/sites|tail", 422, "http://example.org/sites"},
		{"a value set that imports itself", "Condition?body-site:in=http://example.org/vs/circle", 422, "imports itself"},
		{"a property that is not there", "Condition?body-site:in=http://example.org/vs/badop", 422, "http://example.org/vs/badop"},
		{"a regular expression that is none", "Condition?body-site:in=http://example.org/vs/badregex", 422, "http://example.org/vs/badregex"},
	},
}
