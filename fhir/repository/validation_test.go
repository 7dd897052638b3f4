package repository

import (
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/fhir/validate"
)

// FuzzUnchecked: whatever passes where the structure is not checked can be
// given keys and rendered, or is refused; neither panics, and what is rendered
// is JSON again.
func FuzzUnchecked(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Patient","id":"a","gender":7,"name":{"family":[]},"birthDate":{"x":[null]},"identifier":[null,{"value":{}}]}`))
	f.Add([]byte(`{"resourceType":"Observation","valueQuantity":[{"value":"x"}],"component":{},"effectivePeriod":{"start":7},"subject":{"reference":[]},"meta":{"tag":{}}}`))
	f.Add([]byte(`{"resourceType":"Location","position":{"longitude":"x","latitude":1e999},"text":{"div":[]},"contained":[7,{"resourceType":"Nothing"}]}`))
	d := conformance.R4()
	index := search.NewIndex(d, r4model.R4())
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := rawjson.Parse(data, nil)
		if err != nil || len(validate.Storable(doc.Root())) > 0 {
			return
		}
		name, _ := doc.Root().Member("resourceType")
		if _, err := index.Keys(name.String(), doc.Root(), search.Base{Definitions: d, FullText: true}); err != nil {
			return
		}
		body, err := doc.AppendEdited(nil, []rawjson.Edit{{Name: "id", Value: []byte(`"x"`)}, {Parent: "meta", Name: "versionId", Value: []byte(`"1"`)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rawjson.Parse(body, nil); err != nil {
			t.Errorf("%v: %s", err, body)
		}
	})
}
