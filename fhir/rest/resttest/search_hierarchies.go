package resttest

import "strconv"

// wards are more Locations below one than a search takes.
func wards(n int) (all []string) {
	for i := range n {
		all = append(all, `{"resourceType":"Location","id":"w`+strconv.Itoa(i)+`","partOf":{"reference":"Location/hospital"}}`)
	}
	return all
}

// https://hl7.org/fhir/R4/search.html#recursive
var hierarchies = subject{
	name: "hierarchies",
	resources: append(wards(3),
		`{"resourceType":"Location","id":"hospital"}`,
		`{"resourceType":"Location","id":"bed","partOf":{"reference":"Location/w1"}}`,
		`{"resourceType":"Location","id":"ring1","partOf":{"reference":"Location/ring2"}}`,
		`{"resourceType":"Location","id":"ring2","partOf":{"reference":"Location/ring1"}}`,
		`{"resourceType":"Procedure","id":"in-bed","status":"completed","subject":{"reference":"Patient/p"},"location":{"reference":"Location/bed"}}`,
		`{"resourceType":"Procedure","id":"in-ward","status":"completed","subject":{"reference":"Patient/p"},"location":{"reference":"Location/w1"}}`,
		`{"resourceType":"Procedure","id":"in-hospital","status":"completed","subject":{"reference":"Patient/p"},"location":{"reference":"Location/hospital"}}`,
		`{"resourceType":"Procedure","id":"elsewhere","status":"completed","subject":{"reference":"Patient/p"},"location":{"reference":"Location/ring1"}}`,
		`{"resourceType":"Encounter","id":"stay","status":"finished","class":{"code":"IMP"}}`,
		`{"resourceType":"Encounter","id":"visit","status":"finished","class":{"code":"IMP"},"partOf":{"reference":"Encounter/stay"}}`,
		`{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"encounter":{"reference":"Encounter/stay"}}`,
		`{"resourceType":"Observation","id":"o2","status":"final","code":{"text":"x"},"encounter":{"reference":"Encounter/visit"}}`,
	),
	found: []found{
		{":below: of the resource and what is part of it", "Procedure?location:below=hospital", "in-bed in-ward in-hospital"},
		{":below with a type", "Procedure?location:below=Location/w1", "in-bed in-ward"},
		{":below of a leaf", "Procedure?location:below=bed", "in-bed"},
		{":above: of the resource and what it is part of", "Procedure?location:above=w1", "in-ward in-hospital"},
		{":above of the highest", "Procedure?location:above=hospital", "in-hospital"},
		{":above: an encounter and its parents", "Observation?encounter:above=visit", "o1 o2"},
		{"several", "Procedure?location:below=bed,ring1", "in-bed elsewhere"},
		{"a circle ends", "Procedure?location:below=ring2", "elsewhere"},
		{"what is not there has nothing below it", "Procedure?location:below=nowhere", ""},
		{"the parameter of the hierarchy itself", "Location?partof:below=hospital", "w0 w1 w2 bed"},
		{"in a chain", "Location?_has:Procedure:location:location:below=w1", "w1 bed"},
	},
	refused: []refused{
		{"no hierarchy", "Observation?subject:Patient:below=x", "not-supported", []string{"subject"}},
		{"a type without one", "Observation?patient:below=x", "not-supported", []string{":below", "patient"}},
		{"a type that it cannot refer to", "Procedure?location:below=Patient/x", "value", []string{"location", "Patient"}},
		{":above of a URL", "Procedure?location:above=http://e.org/x", "value", []string{":above"}},
	},
}
