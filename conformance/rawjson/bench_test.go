package rawjson_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// BenchmarkParse compares building the tree with this package's scanner, building
// the same tree from jsontext's tokens, and only checking the text with
// encoding/json.
func BenchmarkParse(b *testing.B) {
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(b, "data", "synthea"), "*.json"))
	if err != nil || len(files) == 0 {
		b.Fatal(len(files), err)
	}
	var resources [][]byte
	total := int64(0)
	for _, file := range files[:10] {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		bundle, err := rawjson.Parse(data, nil)
		if err != nil {
			b.Fatal(err)
		}
		entries, _ := bundle.Root().Member("entry")
		for entry := range entries.Elements() {
			resource, _ := entry.Member("resource")
			resources = append(resources, resource.Raw())
			total += int64(len(resource.Raw()))
		}
	}
	b.Run("rawjson", func(b *testing.B) {
		b.SetBytes(total)
		b.ReportAllocs()
		var doc rawjson.Document
		for b.Loop() {
			for _, data := range resources {
				if err := doc.Parse(data, nil); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("jsontext", func(b *testing.B) {
		b.SetBytes(total)
		b.ReportAllocs()
		var nodes []jsontextNode
		var decoder jsontext.Decoder
		var source bytes.Buffer // a source that jsontext reads in place
		for b.Loop() {
			for _, data := range resources {
				source = *bytes.NewBuffer(data)
				decoder.Reset(&source)
				if nodes, err = parseWithJSONText(nodes[:0], &decoder); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("encoding/json.Valid", func(b *testing.B) {
		b.SetBytes(total)
		for b.Loop() {
			for _, data := range resources {
				if !json.Valid(data) {
					b.Fatal("invalid")
				}
			}
		}
	})
}

// jsontextNode is what the tree would hold if jsontext read the tokens.
type jsontextNode struct {
	start, end, next, count int32
	kind                    jsontext.Kind
}

func parseWithJSONText(nodes []jsontextNode, decoder *jsontext.Decoder) ([]jsontextNode, error) {
	index := len(nodes)
	nodes = append(nodes, jsontextNode{kind: decoder.PeekKind()})
	switch nodes[index].kind {
	case '{', '[':
		if _, err := decoder.ReadToken(); err != nil {
			return nodes, err
		}
		nodes[index].start = int32(decoder.InputOffset()) - 1
		last := 0
		for kind := decoder.PeekKind(); kind != '}' && kind != ']'; kind = decoder.PeekKind() {
			if nodes[index].kind == '{' {
				if _, err := decoder.ReadToken(); err != nil {
					return nodes, err
				}
			}
			if last != 0 {
				nodes[last].next = int32(len(nodes))
			}
			last = len(nodes)
			nodes[index].count++
			var err error
			if nodes, err = parseWithJSONText(nodes, decoder); err != nil {
				return nodes, err
			}
		}
		if _, err := decoder.ReadToken(); err != nil {
			return nodes, err
		}
	default:
		value, err := decoder.ReadValue()
		if err != nil {
			return nodes, err
		}
		nodes[index].start = int32(decoder.InputOffset()) - int32(len(value))
	}
	nodes[index].end = int32(decoder.InputOffset())
	return nodes, nil
}

func BenchmarkAppendEdited(b *testing.B) {
	data, err := os.ReadFile(sharedtest.Dir(b, "data", "examples-r4") + "/Patient-example.json")
	if err != nil {
		b.Fatal(err)
	}
	doc, err := rawjson.Parse(data, nil)
	if err != nil {
		b.Fatal(err)
	}
	edits := []rawjson.Edit{
		{Name: "id", Value: []byte(`"example"`)},
		{Parent: "meta", Name: "versionId", Value: []byte(`"2"`)},
		{Parent: "meta", Name: "lastUpdated", Value: []byte(`"2024-05-01T12:00:00.000Z"`)},
	}
	var dst []byte
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = doc.AppendEdited(dst[:0], edits); err != nil {
			b.Fatal(err)
		}
	}
}
