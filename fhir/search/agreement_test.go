package search

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
	"github.com/fhirfacade/fhirfacade/store"
)

var testIndex = sync.OnceValue(func() *Index { return NewIndex(conformance.R4(), r4model.R4()) })

func testOptions() Options {
	return Options{
		Base: Base{Definitions: conformance.R4()}, Now: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		DefaultCount: 50, MaxCount: 1000, Pages: PageTokens{Key: []byte("test")}, Scope: "test",
	}
}

// keysOf are all keys of a resource as the repository would store them.
func keysOf(t testing.TB, typ, id string, n rawjson.Node) []store.Key {
	keys, err := testIndex().Keys(typ, n, Base{Definitions: conformance.R4()})
	if err != nil {
		t.Fatalf("%s/%s: %v", typ, id, err)
	}
	keys = append(keys, testIndex().IDKeys(store.Ref{Type: typ, ID: id})...)
	keys = append(keys, testIndex().VersionKeys(typ, testOptions().Now)...)
	return store.SortKeys(keys)
}

// Every key that extraction makes of the official examples is asked for by
// some search, and that search selects the resource.
func TestEveryKeyIsFound(t *testing.T) {
	forms := map[string]int{}
	keys, bytes, resources := 0, 0, 0
	examples(t, func(name, typ, id string, root rawjson.Node) {
		all := keysOf(t, typ, id, root)
		resources++
		for _, k := range all {
			keys++
			bytes += len(k)
			found, p, ok := Explain(conformance.R4(), k)
			if !ok {
				continue
			}
			if found != typ {
				t.Fatalf("%s: a key of %s", name, found)
			}
			r, err := Parse(typ, []Parameter{p}, testOptions())
			if err != nil {
				t.Errorf("%s: %s=%s: %v", name, p.Name, p.Value, err)
				continue
			}
			if !store.MatchKeys(r.Where, all) {
				t.Errorf("%s is not found by %s=%s", name, p.Name, p.Value)
			}
			sp, _ := conformance.R4().SearchParameter(typ, codeOf(p.Name))
			forms[string(sp.Type)+" "+k[4:5]]++
		}
	})
	t.Logf("%d resources, %.0f keys and %.0f bytes of keys each; searches by form: %v",
		resources, float64(keys)/float64(resources), float64(bytes)/float64(resources), forms)
	for _, form := range []string{
		"token c", "token s", "token x", "token o", "reference r", "reference u", "reference i", "string n", "string e",
		"date l", "date h", "date w", "number n", "quantity n", "quantity s", "quantity c", "quantity q", "uri u", "composite k",
	} {
		if forms[form] == 0 {
			t.Errorf("no example has a key of the form %s", form)
		}
	}
}

func codeOf(name string) string {
	for i := range name {
		if name[i] == ':' {
			return name[:i]
		}
	}
	return name
}

// examples calls f with each official example that is structurally valid.
func examples(t testing.TB, f func(name, typ, id string, root rawjson.Node)) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := rawjson.Parse(b, nil)
		if err != nil || len(errorsIn(conformance.ValidateStructureOf(doc.Root()))) > 0 {
			continue
		}
		typ, _ := doc.Root().Member("resourceType")
		id, _ := doc.Root().Member("id")
		f(filepath.Base(file), typ.String(), id.String(), doc.Root())
	}
}

func errorsIn(issues []conformance.Issue) []conformance.Issue {
	var all []conformance.Issue
	for _, i := range issues {
		if i.Severity == conformance.SeverityError || i.Severity == conformance.SeverityFatal {
			all = append(all, i)
		}
	}
	return all
}
