package conformance

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// BenchmarkValidateStructure measures the validator on Synthea bundles as they
// come, indented; Entries takes their entries one by one, which is what a
// transaction does; Parsed leaves out the reading of JSON.
func BenchmarkValidateStructure(b *testing.B) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(b, "data", "synthea"), "*.json"))
	if err != nil || len(files) < 10 {
		b.Fatalf("%d Synthea files, %v", len(files), err)
	}
	var bundles [][]byte
	var documents []*rawjson.Document
	var entries [][]byte
	var size, entrySize int64
	for _, file := range files[:10] {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			b.Fatal(err)
		}
		bundles, documents = append(bundles, data), append(documents, doc)
		size += int64(len(data))
		list, _ := doc.Root().Member("entry")
		for entry := range list.Elements() {
			if resource, ok := entry.Member("resource"); ok {
				entries = append(entries, resource.Raw())
				entrySize += int64(len(resource.Raw()))
			}
		}
	}
	check := func(b *testing.B, issues []Issue) {
		if len(issues) > 0 {
			b.Fatal(issues[0])
		}
	}
	b.Run("Bundles", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			for _, data := range bundles {
				check(b, ValidateStructure(data))
			}
		}
	})
	b.Run("Entries", func(b *testing.B) {
		b.SetBytes(entrySize)
		b.ReportAllocs()
		for b.Loop() {
			for _, data := range entries {
				check(b, ValidateStructure(data))
			}
		}
	})
	b.Run("Parsed", func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			for _, doc := range documents {
				check(b, ValidateStructureOf(doc.Root()))
			}
		}
	})
}

func BenchmarkCompileShapes(b *testing.B) {
	d := R4()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compile(d); err != nil {
			b.Fatal(err)
		}
	}
}
