package search

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// synthea are the resources of a few Synthea bundles, parsed.
func synthea(b *testing.B) (nodes []rawjson.Node, bytes int) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(b, "data", "synthea"), "*.json"))
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files[:3] {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			b.Fatal(err)
		}
		entries, _ := doc.Root().Member("entry")
		for e := range entries.Elements() {
			r, _ := e.Member("resource")
			// As stored: each resource is a document of its own.
			own, err := rawjson.Parse(r.Raw(), nil)
			if err != nil {
				b.Fatal(err)
			}
			nodes = append(nodes, own.Root())
			bytes += len(r.Raw())
		}
	}
	return nodes, bytes / len(nodes)
}

// One operation is one resource, parsed already.
func BenchmarkKeys(b *testing.B) { benchmarkKeys(b, false) }

// The same with the words of _text and _content.
func BenchmarkKeysFullText(b *testing.B) { benchmarkKeys(b, true) }

func benchmarkKeys(b *testing.B, fullText bool) {
	nodes, size := synthea(b)
	base := Base{Definitions: conformance.R4(), FullText: fullText}
	keys, bytes := 0, 0
	for _, n := range nodes {
		typ, _ := n.Member("resourceType")
		all, err := testIndex().Keys(typ.String(), n, base)
		if err != nil {
			b.Fatal(err)
		}
		keys += len(all)
		for _, k := range all {
			bytes += len(k)
		}
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		n := nodes[i%len(nodes)]
		typ, _ := n.Member("resourceType")
		if _, err := testIndex().Keys(typ.String(), n, base); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(keys)/float64(len(nodes)), "keys/resource")
	b.ReportMetric(float64(bytes)/float64(len(nodes)), "keybytes/resource")
}

func BenchmarkParse(b *testing.B) {
	for name, query := range map[string]string{
		"token": "code=http://loinc.org|8480-6&subject=Patient/1", "date": "date=ge2020-01&date=lt2021&_sort=-date&_count=20",
		"chain": "subject:Patient.name=smith&encounter.status=finished",
	} {
		params, err := ParseQuery(query)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse("Observation", params, testOptions()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
