package subscription

import (
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// FuzzParse reads whatever is a Subscription in structure: no panic, headers
// that are one line each, and a status that survives being changed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"resourceType":"Subscription","status":"requested","reason":"r","criteria":"Observation?code=1","channel":{"type":"rest-hook","endpoint":"https://a.example/x","header":["A: b"],"payload":"application/fhir+json"}}`,
		`{"resourceType":"Subscription","status":"active","error":"e","end":"2030-01-01T00:00:00Z","reason":"r","criteria":"https://example.org/t","_criteria":{"extension":[{"url":"` + filterCriteria + `","valueString":"patient=1"}]},"channel":{"type":"rest-hook","endpoint":"http://a.example","extension":[{"url":"` + heartbeat + `","valueUnsignedInt":60}],"payload":"application/fhir+xml;fhirVersion=4.0","_payload":{"extension":[{"url":"` + payloadContent + `","valueCode":"id-only"}]}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := rawjson.Parse(data, nil)
		if err != nil || len(conformance.ValidateStructureOf(doc.Root())) > 0 {
			return
		}
		if m, _ := doc.Root().Member("resourceType"); !m.Is("Subscription") {
			return
		}
		s, err := Parse(doc.Root(), Rules{PlainHTTP: true})
		if err == nil {
			for _, h := range s.Headers {
				if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
					t.Errorf("a header is more than one line")
				}
			}
		}
		again, err := WithStatus(doc.Root(), Error, "why")
		if err != nil {
			t.Fatal(err)
		}
		if issues := conformance.ValidateStructure(again); len(issues) > 0 {
			t.Errorf("with a status it is no R4: %v", issues)
		}
	})
}

// What extensions of the IG say, and those that are not for Subscriptions here.
func TestParseBackport(t *testing.T) {
	parse := func(text string) (Spec, error) {
		doc, err := rawjson.Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return Parse(doc.Root(), Rules{})
	}
	const good = `{"resourceType":"Subscription","id":"x","status":"requested","reason":"r","criteria":"https://example.org/t","_criteria":{"extension":[{"url":"` + filterCriteria + `","valueString":"patient=1"},{"url":"` + filterCriteria + `","valueString":"status=final"}]},"channel":{"type":"rest-hook","endpoint":"https://a.example","extension":[{"url":"` + heartbeat + `","valueUnsignedInt":60},{"url":"` + timeout + `","valueUnsignedInt":5},{"url":"` + maxCount + `","valuePositiveInt":7}],"payload":"application/fhir+json","_payload":{"extension":[{"url":"` + payloadContent + `","valueCode":"id-only"}]}}}`
	s, err := parse(good)
	if err != nil || s.Heartbeat != 60 || s.Timeout != 5 || s.MaxCount != 7 || s.Content != IDOnly || len(s.Filters) != 2 || !s.Topic {
		t.Errorf("%+v, %v", s, err)
	}
	for name, change := range map[string][2]string{
		"another content level":        {`"id-only"`, `"some"`},
		"a heartbeat of nothing":       {`"valueUnsignedInt":60`, `"valueUnsignedInt":0`},
		"a timeout of an hour":         {`"valueUnsignedInt":5`, `"valueUnsignedInt":3600`},
		"an extension that is unknown": {maxCount, profiles + "backport-unknown"},
		"a filter of FHIR 5.0":         {filterCriteria, "http://hl7.org/fhir/5.0/subscriptions-backport/StructureDefinition/backport-filter-criteria"},
		"an extension of FHIR 5.0":     {`"id":"x"`, `"id":"x","extension":[{"url":"http://hl7.org/fhir/5.0/StructureDefinition/extension-Subscription.topic","valueCanonical":"x"}]`},
		"no TLS":                       {"https://a.example", "http://a.example"},
		"a custom channel":             {`"type":"rest-hook"`, `"type":"rest-hook","_type":{"extension":[{"url":"` + channelType + `","valueCoding":{"code":"x"}}]}`},
	} {
		if _, err := parse(strings.Replace(good, change[0], change[1], 1)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
