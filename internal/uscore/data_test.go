package uscore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// population is what a server was given.
type population struct {
	byType map[string][]*resource
	byRef  map[string]*resource
	// matching says which resources of a type match one value, fitting which
	// are of a group: searches repeat them.
	matching map[string][]bool
	fitting  map[string][]*resource
}

func newPopulation() *population {
	return &population{byType: map[string][]*resource{}, byRef: map[string]*resource{}, matching: map[string][]bool{}, fitting: map[string][]*resource{}}
}

func (p *population) add(t *testing.T, body []byte) {
	t.Helper()
	r := &resource{found: map[string][]any{}}
	if err := json.Unmarshal(body, &r.body); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	r.typ, _ = r.body["resourceType"].(string)
	r.id, _ = r.body["id"].(string)
	if r.typ == "" || r.id == "" {
		t.Fatalf("no type or id: %s", body)
	}
	if p.byRef[r.ref()] == nil { // organizations are in several of Synthea's bundles
		p.byRef[r.ref()] = r
		p.byType[r.typ] = append(p.byType[r.typ], r)
	}
}

// synthea adds the resources of patients, with ids of their own in place of
// the bundles' urn:uuid, so that it is known beforehand what is stored. The
// types that US Core does not speak of are left out.
func (p *population) synthea(t *testing.T, patients int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "synthea"), "*.json"))
	if err != nil || len(files) < patients {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files[:patients] {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct {
			Entry []struct {
				FullURL  string          `json:"fullUrl"`
				Resource json.RawMessage `json:"resource"`
			} `json:"entry"`
		}
		if err := json.Unmarshal(data, &bundle); err != nil {
			t.Fatal(err)
		}
		var urns []string
		for _, e := range bundle.Entry {
			var head struct{ ResourceType, ID string }
			if err := json.Unmarshal(e.Resource, &head); err != nil {
				t.Fatal(err)
			}
			urns = append(urns, `"`+e.FullURL+`"`, `"`+head.ResourceType+"/"+head.ID+`"`)
		}
		resolve := strings.NewReplacer(urns...)
		for _, e := range bundle.Entry {
			if bytes.Contains(e.Resource[:min(len(e.Resource), 200)], []byte(`"Claim"`)) || bytes.Contains(e.Resource[:min(len(e.Resource), 200)], []byte(`"ExplanationOfBenefit"`)) {
				continue
			}
			p.add(t, []byte(resolve.Replace(string(e.Resource))))
		}
	}
}

// load stores everything, some hundred resources in a transaction.
func (p *population) load(s *resttest.Server) {
	s.Helper()
	for _, typ := range []string{"Claim", "ExplanationOfBenefit"} {
		if len(p.byType[typ]) > 0 {
			s.Fatalf("there are resources of the type %s", typ)
		}
	}
	for some := range slices.Chunk(p.all(), 400) {
		var entries []string
		for _, r := range some {
			body, err := json.Marshal(r.body)
			if err != nil {
				s.Fatal(err)
			}
			entries = append(entries, fmt.Sprintf(`{"resource":%s,"request":{"method":"PUT","url":"%s"}}`, body, r.ref()))
		}
		s.Do(http.MethodPost, "", `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`).Want(http.StatusOK)
	}
}

// all are the resources by type and in the order of their files.
func (p *population) all() []*resource {
	var all []*resource
	for _, typ := range slices.Sorted(keys(p.byType)) {
		all = append(all, p.byType[typ]...)
	}
	return all
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
