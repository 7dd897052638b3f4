package mongo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
	"github.com/fhirfacade/fhirfacade/store"
)

// resource is a Synthea resource with the keys that the server gives it.
type resource struct {
	ref  store.Ref
	body []byte // minified
	keys []store.Key
}

func (r resource) change() store.Change {
	return store.Change{Ref: r.ref, Expect: store.Absent(), Render: func(store.Stamp) store.Content {
		return store.Content{Body: r.body, Keys: append([]store.Key(nil), r.keys...)}
	}}
}

// synthea reads up to n resources.
func synthea(tb testing.TB, n int) []resource {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(tb, "data", "synthea"), "*.json"))
	if err != nil || len(files) == 0 {
		tb.Fatal(len(files), err)
	}
	index, base := search.NewIndex(conformance.R4(), r4model.R4()), search.Base{Definitions: conformance.R4()}
	seen := map[store.Ref]bool{}
	var out []resource
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		var bundle struct {
			Entry []struct {
				FullURL  string
				Resource json.RawMessage
			}
		}
		if err := json.Unmarshal(data, &bundle); err != nil {
			tb.Fatal(err)
		}
		var names []string
		refs := make([]store.Ref, len(bundle.Entry))
		for i, e := range bundle.Entry {
			var name struct{ ResourceType, ID string }
			if err := json.Unmarshal(e.Resource, &name); err != nil {
				tb.Fatal(err)
			}
			refs[i] = store.Ref{Type: name.ResourceType, ID: name.ID}
			names = append(names, e.FullURL, refs[i].String())
		}
		local := strings.NewReplacer(names...)
		for i, e := range bundle.Entry {
			if seen[refs[i]] {
				continue
			}
			seen[refs[i]] = true
			minified, err := json.Marshal(e.Resource)
			if err != nil {
				tb.Fatal(err)
			}
			r := resource{ref: refs[i], body: []byte(local.Replace(string(minified)))}
			doc, err := rawjson.Parse(r.body, nil)
			if err != nil {
				tb.Fatal(err)
			}
			if r.keys, err = index.Keys(r.ref.Type, doc.Root(), base); err != nil {
				tb.Fatal(err)
			}
			r.keys = store.SortKeys(append(r.keys, index.IDKeys(r.ref)...))
			if out = append(out, r); len(out) == n {
				return out
			}
		}
	}
	return out
}
