package search

import (
	"slices"
	"sync"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/store"
)

// An Index is shared by all requests; one extraction must not show in another.
func TestIndexIsShared(t *testing.T) {
	var nodes []rawjson.Node
	var types []string
	examples(t, func(_, typ, _ string, root rawjson.Node) {
		if len(nodes) < 60 {
			nodes, types = append(nodes, root), append(types, typ)
		}
	})
	base := Base{Definitions: conformance.R4()}
	want := make([][]store.Key, len(nodes))
	for i, n := range nodes {
		// Fresh each time: nothing kept from another.
		keys, err := NewIndex(conformance.R4(), r4model.R4()).Keys(types[i], n, base)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = keys
	}
	shared := NewIndex(conformance.R4(), r4model.R4())
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range nodes {
				i = (i*7 + w*13) % len(nodes)
				if got, err := shared.Keys(types[i], nodes[i], base); err != nil || !slices.Equal(got, want[i]) {
					t.Errorf("%s: other keys than alone: %v", types[i], err)
				}
			}
		})
	}
	all.Wait()
}
