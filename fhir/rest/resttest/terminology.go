package resttest

import (
	"net/http"
	"strings"
	"testing"
)

// https://hl7.org/fhir/R4/terminology-service.html
func terminologies(t *testing.T, open Open) {
	s := Serve(t, open)
	vocabularyOperations(t, s)
	s.Put(valueSet("isa", `{"include":[`+ofSites+`,"filter":[{"property":"concept","op":"is-a","value":"arm"}]}]}`), valueSet("none", `{"include":[{"system":"urn:nowhere"}]}`),
		`{"resourceType":"ConceptMap","id":"map","url":"http://example.org/map","status":"active","group":[{"source":"http://example.org/sites","target":"urn:t","element":[{"code":"arm","target":[{"code":"A","equivalence":"equivalent"}]}]}]}`)
	const vs, cs = "url=http://example.org/vs/isa", "system=http://example.org/sites"
	for _, c := range []struct {
		rule, query string
		words       []string // of the answer, without white space
		not         string
	}{
		{"$expand by url", "ValueSet/$expand?" + vs, []string{`"total":4`, `"code":"arm"`, `"code":"finger"`, `"display":"Hand"`, `"timestamp":"2026-03-01T12:00:00Z"`}, `"leg"`},
		{"$expand of an instance", "ValueSet/isa/$expand", []string{`"total":4`}, ""},
		{"$expand of a version", "ValueSet/$expand?" + vs + "&valueSetVersion=1", []string{`"total":4`}, ""},
		{"$expand with a filter", "ValueSet/$expand?" + vs + "&filter=HAN", []string{`"total":1`, `"code":"hand"`}, `"arm"`},
		{"$expand by pages", "ValueSet/$expand?" + vs + "&offset=1&count=1", []string{`"total":4`, `"offset":1`, `"code":"hand"`}, `"thumb"`},
		{"$expand of R4's own", "ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender", []string{`"total":4`, `"code":"female"`}, ""},
		{"ValueSet/$validate-code", "ValueSet/$validate-code?" + vs + "&" + cs + "&code=hand", []string{`"result","valueBoolean":true`, `"Hand"`}, ""},
		{"ValueSet/$validate-code: no", "ValueSet/isa/$validate-code?" + cs + "&code=leg", []string{`"result","valueBoolean":false`, `"message"`}, ""},
		{"ValueSet/$validate-code: display", "ValueSet/isa/$validate-code?" + cs + "&code=hand&display=Foot", []string{`"result","valueBoolean":false`, `"Hand"`}, ""},
		{"CodeSystem/$validate-code", "CodeSystem/$validate-code?url=http://example.org/sites&code=leg", []string{`"result","valueBoolean":true`}, ""},
		{"CodeSystem/$validate-code of an instance", "CodeSystem/sites/$validate-code?code=tail", []string{`"result","valueBoolean":false`}, ""},
		{"$lookup", "CodeSystem/$lookup?" + cs + "&code=leg", []string{`"display","valueString":"Leg"`, `"valueCode":"weight"`, `"valueInteger":12`, `"valueCode":"body"`}, ""},
		{"$subsumes", "CodeSystem/$subsumes?" + cs + "&codeA=arm&codeB=finger", []string{`"outcome","valueCode":"subsumes"`}, ""},
		{"$subsumes the other way", "CodeSystem/sites/$subsumes?codeA=finger&codeB=arm", []string{`"subsumed-by"`}, ""},
		{"$translate", "ConceptMap/$translate?url=http://example.org/map&" + cs + "&code=arm", []string{`"result","valueBoolean":true`, `"equivalent"`, `"code":"A"`, `"urn:t"`}, ""},
		{"$translate: none", "ConceptMap/map/$translate?" + cs + "&code=leg", []string{`"result","valueBoolean":false`}, `"match"`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			a := s.In(t).Get(c.query).Want(http.StatusOK)
			s.In(t).valid(a)
			body := string(a.Body)
			for _, w := range c.words {
				if !strings.Contains(body, w) {
					t.Errorf("no %s in %s", w, a.Body)
				}
			}
			if c.not != "" && strings.Contains(body, c.not) {
				t.Errorf("%s in %s", c.not, a.Body)
			}
		})
	}
	s.Do("POST", "ValueSet/$expand", `{"resourceType":"Parameters","parameter":[{"name":"url","valueUri":"http://example.org/vs/isa"},{"name":"count","valueInteger":1}]}`).Want(http.StatusOK)
	for query, want := range map[string]struct {
		status int
		code   string
		word   string
	}{
		"ValueSet/$expand":                                          {400, "required", "url"},
		"ValueSet/$expand?" + vs + "&count=-1":                      {400, "value", "count"},
		"ValueSet/$expand?" + vs + "&date=2020-01-01":               {400, "not-supported", "as they are defined now"},
		"ValueSet/$expand?" + vs + "&context=x":                     {400, "not-supported", "url"},
		"ValueSet/$expand?" + vs + "&profile=x":                     {400, "not-supported", "profile"},
		"ValueSet/$expand?" + vs + "&activeOnly=yes":                {400, "value", "activeOnly"},
		"ValueSet/$expand?" + vs + "&system-version=x":              {400, "value", "system-version"},
		"ValueSet/$expand?" + vs + "|1&valueSetVersion=1":           {400, "value", "valueSetVersion"},
		"ValueSet/$expand?" + vs + "&valueSet=x":                    {400, "value", "POST"},
		"ValueSet/isa/$validate-code?code=x&date=2020":              {400, "not-supported", "date"},
		"ValueSet/isa/$validate-code?code=x&abstract=1":             {400, "value", "abstract"},
		"CodeSystem/$validate-code?code=x":                          {400, "required", "url"},
		"CodeSystem/$lookup?code=x":                                 {400, "required", "system"},
		"CodeSystem/sites/$subsumes?codeA=x&codeB=x&" + cs:          {400, "value", "system"},
		"ConceptMap/$translate?url=http://example.org/map&code=arm": {400, "required", "system"},
		"ValueSet/$expand?" + vs + "&" + vs:                         {400, "value", "url"},
		"ValueSet/isa/$expand?" + vs:                                {400, "value", "url"},
		"ValueSet/$expand?url=http://example.org/vs/nowhere":        {404, "not-found", "http://example.org/vs/nowhere"},
		"ValueSet/none/$expand":                                     {404, "not-found", "urn:nowhere"},
		"ValueSet/isa/$validate-code":                               {400, "required", "code"},
		"CodeSystem/$lookup?" + cs + "&code=tail":                   {422, "invalid", "http://example.org/sites"},
		"CodeSystem/$subsumes?" + cs + "&codeA=arm":                 {400, "required", "codeB"},
		"CodeSystem/nobody/$subsumes?codeA=arm&codeB=arm":           {404, "not-found", ""},
		"ConceptMap/$translate?url=urn:none&" + cs + "&code=x":      {404, "not-found", "urn:none"},
		"ConceptMap/map/$expand":                                    {404, "not-supported", "$expand"},
	} {
		s.Get(query).WantOutcome(want.status, want.code, want.word)
	}
}
