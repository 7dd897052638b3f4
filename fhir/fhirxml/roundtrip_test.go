package fhirxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// canonical is JSON such that two texts of the same resource have the same:
// members sorted, no white space, strings unescaped, numbers as written, a
// narrative as in XML, no nulls where nothing follows.
func canonical(b *strings.Builder, n rawjson.Node) {
	switch n.Kind() {
	case rawjson.KindObject:
		members := slices.Collect(n.Members())
		slices.SortFunc(members, func(x, y rawjson.Node) int { return strings.Compare(x.Name(), y.Name()) })
		b.WriteByte('{')
		for _, m := range members {
			if m.Kind() == rawjson.KindArray && !slices.ContainsFunc(slices.Collect(m.Elements()), func(e rawjson.Node) bool { return e.Kind() != rawjson.KindNull }) {
				continue
			}
			fmt.Fprintf(b, "%q:", m.Name())
			if m.Name() == "div" && m.Kind() == rawjson.KindString {
				div, _ := narrative(m.Bytes())
				fmt.Fprintf(b, "%q,", div)
				continue
			}
			canonical(b, m)
			b.WriteByte(',')
		}
		b.WriteByte('}')
	case rawjson.KindArray:
		elements := slices.Collect(n.Elements())
		for len(elements) > 0 && elements[len(elements)-1].Kind() == rawjson.KindNull {
			elements = elements[:len(elements)-1]
		}
		b.WriteByte('[')
		for _, e := range elements {
			canonical(b, e)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case rawjson.KindString:
		fmt.Fprintf(b, "%q", n.String())
	default:
		b.Write(n.Raw())
	}
}

func canonicalOf(t testing.TB, data []byte) string {
	t.Helper()
	doc, err := rawjson.Parse(data, nil)
	if err != nil {
		t.Fatalf("%v in %.500s", err, data)
	}
	var b strings.Builder
	canonical(&b, doc.Root())
	return b.String()
}

// roundTrip writes JSON as XML and reads it back: the same resource, the same
// XML again and the same bytes of JSON again.
func roundTrip(t testing.TB, data []byte, o Options) (inXML []byte) {
	t.Helper()
	doc, err := rawjson.Parse(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	inXML, err = Append(nil, doc.Root(), o)
	if err != nil {
		t.Fatalf("to XML: %v", err)
	}
	back, err := AppendJSON(nil, inXML)
	if err != nil {
		t.Fatalf("from XML: %v\n%.2000s", err, inXML)
	}
	if want, got := canonicalOf(t, data), canonicalOf(t, back); want != got {
		at := 0
		for at < min(len(want), len(got)) && want[at] == got[at] {
			at++
		}
		t.Fatalf("another resource came back, from\n%.200s\non, want\n%.200s", got[max(0, at-50):], want[max(0, at-50):])
	}
	again, err := rawjson.Parse(back, nil)
	if err != nil {
		t.Fatal(err)
	}
	xmlAgain, err := Append(nil, again.Root(), o)
	if err != nil || !bytes.Equal(xmlAgain, inXML) {
		t.Fatalf("the second XML differs: %v\n%.2000s\n%.2000s", err, xmlAgain, inXML)
	}
	backAgain, err := AppendJSON(nil, xmlAgain)
	if err != nil || !bytes.Equal(backAgain, back) {
		t.Fatalf("the second JSON differs: %v", err)
	}
	return inXML
}

func examples(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", dir), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	return files
}

// Every official example goes to XML and back without loss, but for those
// that are not valid.
func TestExamplesRoundTrip(t *testing.T) {
	done := 0
	for _, file := range examples(t, "examples-r4") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			if slices.ContainsFunc(conformance.ValidateStructure(data), func(i conformance.Issue) bool {
				return i.Severity == conformance.SeverityError || i.Severity == conformance.SeverityFatal
			}) {
				doc, err := rawjson.Parse(data, nil)
				if err == nil {
					_, err = Append(nil, doc.Root(), Options{})
				}
				t.Logf("not valid; to XML: %v", err)
				if err != nil && !errors.As(err, new(*Error)) {
					t.Error(err)
				}
				return
			}
			done++
			plain, err := AppendJSON(nil, roundTrip(t, data, Options{}))
			if err != nil {
				t.Fatal(err)
			}
			doc, err := rawjson.Parse(data, nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err := Append(nil, doc.Root(), Options{Indent: true})
			if err != nil {
				t.Fatal(err)
			}
			if indented, err := AppendJSON(nil, text); err != nil || !bytes.Equal(indented, plain) {
				t.Errorf("indented it is another resource: %v", err)
			}
		})
	}
	t.Logf("%d examples", done)
	if done < 800 {
		t.Error("too few")
	}
}

func TestSyntheaRoundTrip(t *testing.T) {
	files := examples(t, "synthea")
	for _, file := range files[:min(5, len(files))] {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { roundTrip(t, data, Options{}) })
	}
}

func BenchmarkAppend(b *testing.B)     { benchmark(b, true) }
func BenchmarkAppendJSON(b *testing.B) { benchmark(b, false) }

// BenchmarkTokens is what encoding/xml takes to read the same: the most that a
// reader on top of it can reach.
func BenchmarkTokens(b *testing.B) {
	var texts [][]byte
	size := 0
	for _, file := range examples(b, "synthea")[:10] {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			b.Fatal(err)
		}
		text, err := Append(nil, doc.Root(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		texts, size = append(texts, text), size+len(text)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range texts {
			d := xml.NewDecoder(bytes.NewReader(text))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// benchmark works on Synthea bundles; the bytes are those read.
func benchmark(b *testing.B, toXML bool) {
	var docs []*rawjson.Document
	var texts [][]byte
	size := 0
	for _, file := range examples(b, "synthea")[:10] {
		data, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			b.Fatal(err)
		}
		text, err := Append(nil, doc.Root(), Options{})
		if err != nil {
			b.Fatal(err)
		}
		docs, texts = append(docs, doc), append(texts, text)
		if size += len(text); toXML {
			size += len(data) - len(text)
		}
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	var out []byte
	for b.Loop() {
		for i := range docs {
			var err error
			if toXML {
				out, err = Append(out[:0], docs[i].Root(), Options{})
			} else {
				out, err = AppendJSON(out[:0], texts[i])
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
