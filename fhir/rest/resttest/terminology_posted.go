package resttest

import (
	"net/http"
	"strings"
	"testing"
)

// posted is a Parameters resource of parameters.
func posted(parameters ...string) string {
	return `{"resourceType":"Parameters","parameter":[` + strings.Join(parameters, ",") + `]}`
}

// vocabularyOperations is what the terminology operations take in a Parameters
// resource, and their rarer parameters.
func vocabularyOperations(t *testing.T, s *Server) {
	const old = `{"resourceType":"ConceptMap","id":"old","url":"http://example.org/old","status":"active","sourceUri":"http://example.org/vs/a","targetUri":"http://example.org/vs/b","group":[{"source":"http://example.org/sites","target":"urn:old",
"element":[{"code":"arm","target":[{"code":"1","equivalence":"wider","product":[{"property":"http://example.org/side","system":"urn:sides","value":"any"}]},{"code":"2","equivalence":"narrower","dependsOn":[{"property":"http://example.org/side","system":"urn:sides","value":"left"}]}]}],
"unmapped":{"mode":"provided"}}]}`
	s.Put(bodySites, old,
		`{"resourceType":"CodeSystem","id":"colors","url":"http://example.org/colors","version":"1","status":"active","caseSensitive":false,"content":"complete","concept":[
{"code":"warm","display":"Warm","property":[{"code":"notSelectable","valueBoolean":true}],"concept":[{"code":"red","display":"Red","designation":[{"language":"de-CH","value":"Rot"},{"language":"fr","use":{"system":"urn:uses","code":"short"},"value":"Rouge"}]}]},
{"code":"blue","display":"Blue","property":[{"code":"status","valueCode":"retired"}]}]}`,
		valueSet("colors", `{"include":[{"system":"http://example.org/colors"}]}`))
	const (
		colors  = `{"name":"url","valueUri":"http://example.org/vs/colors"}`
		system  = `{"name":"url","valueUri":"http://example.org/colors"}`
		red     = `{"system":"http://example.org/colors","code":"red"}`
		inline  = `{"name":"valueSet","resource":{"resourceType":"ValueSet","status":"draft","url":"http://example.org/inline","compose":{"include":[{"valueSet":["http://example.org/vs/colors"]}],"exclude":[{"system":"http://example.org/colors","concept":[{"code":"blue"}]}]}}}`
		arm     = `{"system":"http://example.org/sites","code":"arm"}`
		unknown = `{"system":"http://example.org/sites","code":"tail"}`
	)
	for _, c := range []struct {
		rule, at, body string
		words          []string
		not            string
	}{
		{"$expand of a value set that is sent", "ValueSet/$expand", posted(inline), []string{`"total":2`, `"red"`, `"url":"http://example.org/inline"`, `"status":"draft"`, `"valueUri":"http://example.org/colors|1"`}, `"compose"`},
		{"$expand: includeDefinition", "ValueSet/$expand", posted(inline, `{"name":"includeDefinition","valueBoolean":true}`), []string{`"compose"`, `"total":2`}, ""},
		{"$expand: activeOnly", "ValueSet/$expand", posted(colors, `{"name":"activeOnly","valueBoolean":true}`), []string{`"total":2`, `"name":"activeOnly","valueBoolean":true`}, `"blue"`},
		{"$expand: excludeNotForUI", "ValueSet/$expand", posted(colors, `{"name":"excludeNotForUI","valueBoolean":true}`), []string{`"total":2`}, `"warm"`},
		{"$expand: includeDesignations", "ValueSet/$expand", posted(colors, `{"name":"includeDesignations","valueBoolean":true}`), []string{`"value":"Rot"`, `"value":"Rouge"`}, ""},
		{"$expand: designation of a language", "ValueSet/$expand", posted(colors, `{"name":"designation","valueString":"urn:ietf:bcp:47|fr"}`), []string{`"value":"Rouge"`}, `Rot`},
		{"$expand: designation of a use", "ValueSet/$expand", posted(colors, `{"name":"designation","valueString":"urn:uses|short"}`), []string{`"value":"Rouge"`}, `Rot`},
		{"$expand: displayLanguage", "ValueSet/$expand", posted(colors, `{"name":"displayLanguage","valueCode":"de"}`, `{"name":"filter","valueString":"rot"}`), []string{`"display":"Rot"`, `"total":1`}, `"Rouge"`},
		{"$expand: exclude-system", "ValueSet/$expand", posted(colors, `{"name":"exclude-system","valueCanonical":"http://example.org/colors"}`), []string{`"total":0`}, `"contains"`},
		{"$expand: another version is not excluded", "ValueSet/$expand", posted(colors, `{"name":"exclude-system","valueCanonical":"http://example.org/colors|2"}`), []string{`"total":3`}, ""},
		{"$expand: system-version", "ValueSet/$expand", posted(colors, `{"name":"system-version","valueUri":"http://example.org/colors|1"}`), []string{`"total":3`}, ""},
		{"$expand: excludeNested", "ValueSet/$expand", posted(colors, `{"name":"excludeNested","valueBoolean":true}`, `{"name":"count","valueInteger":0}`), []string{`"total":3`, `"count","valueInteger":0`}, `"contains"`},
		{"$validate-code of a coding", "ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCoding":`+red+`}`), []string{`"result","valueBoolean":true`, `"Red"`}, ""},
		{"$validate-code of a concept: any code", "ValueSet/$validate-code", posted(colors, `{"name":"codeableConcept","valueCodeableConcept":{"coding":[`+arm+`,`+red+`]}}`), []string{`"result","valueBoolean":true`}, ""},
		{"$validate-code of a concept: none", "ValueSet/$validate-code", posted(colors, `{"name":"codeableConcept","valueCodeableConcept":{"coding":[`+arm+`,`+unknown+`]}}`), []string{`"result","valueBoolean":false`, "none of the codes"}, ""},
		{"$validate-code by a value set that is sent", "ValueSet/$validate-code", posted(inline, `{"name":"code","valueCode":"BLUE"}`, `{"name":"system","valueUri":"http://example.org/colors"}`), []string{`"result","valueBoolean":false`}, ""},
		{"$validate-code without regard to case", "ValueSet/$validate-code", posted(colors, `{"name":"code","valueCode":"RED"}`, `{"name":"system","valueUri":"http://example.org/colors"}`), []string{`"result","valueBoolean":true`}, ""},
		{"$validate-code: systemVersion", "ValueSet/$validate-code", posted(colors, `{"name":"code","valueCode":"red"}`, `{"name":"system","valueUri":"http://example.org/colors"}`, `{"name":"systemVersion","valueString":"9"}`), []string{`"result","valueBoolean":false`, "another version"}, ""},
		{"$validate-code: abstract", "ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCoding":{"system":"http://example.org/colors","code":"warm"}}`, `{"name":"abstract","valueBoolean":true}`), []string{`"result","valueBoolean":true`}, ""},
		{"$validate-code: not abstract", "ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCoding":{"system":"http://example.org/colors","code":"warm"}}`), []string{`"result","valueBoolean":false`, "abstract"}, ""},
		{"$validate-code: a display in a language", "ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCoding":{"system":"http://example.org/colors","code":"red","display":"rot"}}`, `{"name":"displayLanguage","valueCode":"de"}`), []string{`"result","valueBoolean":true`, `"Rot"`}, ""},
		{"$validate-code: a display of another language", "ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCoding":{"system":"http://example.org/colors","code":"red","display":"rouge"}}`, `{"name":"displayLanguage","valueCode":"de"}`), []string{`"result","valueBoolean":false`}, ""},
		{"CodeSystem/$validate-code of a coding", "CodeSystem/$validate-code", posted(`{"name":"coding","valueCoding":` + red + `}`), []string{`"result","valueBoolean":true`}, ""},
		{"CodeSystem/$validate-code: another system", "CodeSystem/$validate-code", posted(system, `{"name":"coding","valueCoding":`+arm+`}`), []string{`"result","valueBoolean":false`}, ""},
		{"CodeSystem/$validate-code of an instance", "CodeSystem/colors/$validate-code", posted(`{"name":"codeableConcept","valueCodeableConcept":{"coding":[` + red + `]}}`), []string{`"result","valueBoolean":true`}, ""},
		{"CodeSystem/$validate-code of one that is sent", "CodeSystem/$validate-code", posted(`{"name":"codeSystem","resource":{"resourceType":"CodeSystem","status":"draft","content":"complete","concept":[{"code":"x"}]}}`, `{"name":"code","valueCode":"x"}`), []string{`"result","valueBoolean":true`}, ""},
		{"$lookup of a coding", "CodeSystem/$lookup", posted(`{"name":"coding","valueCoding":` + red + `}`), []string{`"Red"`, `"language","valueCode":"de-CH"`, `"use"`, `"valueCode":"parent"`, `"valueCode":"warm"`}, ""},
		{"$lookup: a property", "CodeSystem/$lookup", posted(`{"name":"coding","valueCoding":`+arm+`}`, `{"name":"property","valueCode":"side"}`), []string{`"either"`}, `"parent"`},
		{"$lookup: two properties", "CodeSystem/$lookup", posted(`{"name":"coding","valueCoding":`+arm+`}`, `{"name":"property","valueCode":"child"}`, `{"name":"property","valueCode":"parent"}`), []string{`"body"`, `"hand"`}, `"either"`},
		{"$lookup: lang.X", "CodeSystem/$lookup", posted(`{"name":"coding","valueCoding":`+red+`}`, `{"name":"property","valueCode":"lang.fr"}`, `{"name":"displayLanguage","valueCode":"fr"}`), []string{`"display","valueString":"Rouge"`, `"language","valueCode":"fr"`}, `Rot`},
		{"$subsumes of codings", "CodeSystem/$subsumes", posted(`{"name":"codingA","valueCoding":`+arm+`}`, `{"name":"codingB","valueCoding":{"system":"http://example.org/sites","code":"thumb"}}`), []string{`"valueCode":"subsumes"`}, ""},
		{"$translate of a concept", "ConceptMap/$translate", posted(`{"name":"url","valueUri":"http://example.org/old"}`, `{"name":"codeableConcept","valueCodeableConcept":{"coding":[{"system":"urn:other","code":"x"},`+arm+`]}}`), []string{`"result","valueBoolean":true`, `"code":"1"`, `"element","valueUri":"http://example.org/side"`, `"any"`}, `"code":"2"`},
		{"$translate: a dependency", "ConceptMap/$translate", posted(`{"name":"url","valueUri":"http://example.org/old"}`, `{"name":"coding","valueCoding":`+arm+`}`, `{"name":"dependency","part":[{"name":"element","valueUri":"http://example.org/side"},{"name":"concept","valueCodeableConcept":{"coding":[{"system":"urn:sides","code":"left"}]}}]}`), []string{`"code":"2"`}, ""},
		{"$translate: reverse", "ConceptMap/old/$translate", posted(`{"name":"coding","valueCoding":{"system":"urn:old","code":"1"}}`, `{"name":"reverse","valueBoolean":true}`), []string{`"code":"arm"`, `"equivalence","valueCode":"narrower"`}, ""},
		{"$translate: by source and target", "ConceptMap/$translate", posted(`{"name":"source","valueUri":"http://example.org/vs/a"}`, `{"name":"target","valueUri":"http://example.org/vs/b"}`, `{"name":"coding","valueCoding":`+arm+`}`), []string{`"code":"1"`, `"source","valueUri":"http://example.org/old"`}, ""},
		{"$translate: another source", "ConceptMap/$translate", posted(`{"name":"source","valueUri":"http://example.org/vs/b"}`, `{"name":"coding","valueCoding":`+arm+`}`), []string{`"result","valueBoolean":false`}, `"match"`},
		{"$translate: unmapped as provided", "ConceptMap/$translate", posted(`{"name":"targetsystem","valueUri":"urn:old"}`, `{"name":"coding","valueCoding":{"system":"http://example.org/sites","code":"leg"}}`), []string{`"code":"leg"`, `"inexact"`}, ""},
		{"$translate by a map that is sent", "ConceptMap/$translate", posted(`{"name":"conceptMap","resource":`+strings.Replace(old, "urn:old", "urn:new", 1)+`}`, `{"name":"coding","valueCoding":`+arm+`}`), []string{`"urn:new"`}, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			a := s.In(t).Do("POST", c.at, c.body).Want(http.StatusOK)
			s.In(t).valid(a)
			for _, w := range c.words {
				if !strings.Contains(string(a.Body), w) {
					t.Errorf("no %s in %s", w, a.Body)
				}
			}
			if c.not != "" && strings.Contains(string(a.Body), c.not) {
				t.Errorf("%s in %s", c.not, a.Body)
			}
		})
	}
	for _, c := range []struct {
		at, body string
		status   int
		code     string
		word     string
	}{
		{"ValueSet/$expand", posted(inline, colors), 400, "value", "valueSet"},
		{"ValueSet/$expand", posted(`{"name":"valueSet","resource":{"resourceType":"Patient"}}`), 400, "value", "ValueSet"},
		{"ValueSet/$expand", posted(`{"name":"url","valueCoding":` + red + `}`), 400, "value", "url"},
		{"ValueSet/$expand", posted(colors, `{"name":"check-system-version","valueUri":"http://example.org/colors|2"}`), 404, "not-found", "http://example.org/colors|2"},
		{"ValueSet/$expand", posted(colors, `{"name":"force-system-version","valueUri":"http://example.org/colors|2"}`), 404, "not-found", "http://example.org/colors|2"},
		{"ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCoding":`+red+`}`, `{"name":"code","valueCode":"x"}`), 400, "value", "coding"},
		{"ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCoding":`+red+`}`, `{"name":"display","valueString":"x"}`), 400, "value", "display"},
		{"ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCoding":{"display":"x"}}`), 400, "required", "coding"},
		{"ValueSet/$validate-code", posted(colors, `{"name":"coding","valueCode":"x"}`), 400, "value", "valueCoding"},
		{"CodeSystem/$subsumes", posted(`{"name":"codingA","valueCoding":`+arm+`}`, `{"name":"codingB","valueCoding":`+red+`}`), 400, "value", "different"},
		{"CodeSystem/$lookup", posted(`{"name":"coding","valueCoding":{"code":"red"}}`), 400, "required", "system"},
		{"ConceptMap/$translate", posted(`{"name":"coding","valueCoding":`+arm+`}`, `{"name":"dependency","part":[{"name":"element","valueUri":"x"}]}`), 400, "required", "concept"},
	} {
		s.Do("POST", c.at, c.body).WantOutcome(c.status, c.code, c.word)
	}
}
