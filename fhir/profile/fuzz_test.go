package profile_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/profile"
)

// Whatever a definition says and whatever a resource holds, both are read or
// refused, and checking ends.
func FuzzDefinition(f *testing.F) {
	f.Add(definition("http://a", "Questionnaire", "", `,{"path":"Questionnaire.item","min":1},{"path":"Questionnaire.item.text","min":1}`), `{"resourceType":"Questionnaire","item":[{"item":[{}]}]}`)
	f.Add(definition("http://a", "Patient", "", `,{"path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"closed"}},{"path":"Patient.identifier","sliceName":"a/b"},{"path":"Patient.identifier.system","fixedUri":"http://a"}`), `{"resourceType":"Patient","identifier":[{"system":"http://a"},null,7]}`)
	f.Add(definition("http://a", "Patient", "", `,{"path":"Patient.contact","contentReference":"#Patient"}`), `{"resourceType":"Patient","contact":[{"contact":{}}]}`)
	f.Fuzz(func(t *testing.T, text, resource string) {
		doc, err := rawjson.Parse([]byte(text), nil)
		if err != nil {
			return
		}
		s, err := profile.Parse(doc.Root(), nil)
		var unusable *profile.Error
		if err != nil {
			if !errors.As(err, &unusable) || s != nil {
				t.Fatalf("%v, %v", s, err)
			}
			return
		}
		data, err := rawjson.Parse([]byte(resource), nil)
		if err != nil {
			return
		}
		l := profile.NewLibrary(nil)
		if _, err := l.Add(doc.Root()); err != nil {
			t.Fatal(err)
		}
		if _, err := profile.Resource(context.Background(), data.Root(), profile.Options{Source: l, Profiles: []string{s.URL}, Thorough: true}); err != nil {
			t.Fatal(err)
		}
	})
}
