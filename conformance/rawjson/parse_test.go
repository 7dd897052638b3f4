package rawjson_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 101) + strings.Repeat("]", 101)
	wide := `{"e":[{`
	for i := range 40 {
		wide += `"m` + string(rune('A'+i/10)) + string(rune('0'+i%10)) + `":1,`
	}
	for _, c := range []struct {
		rule, text string
		reason     rawjson.Reason
		offset     int
		line, col  int
		path       string
	}{
		{"empty text", "", rawjson.UnexpectedEnd, 0, 1, 1, ""},
		{"white space only", " \n ", rawjson.UnexpectedEnd, 3, 2, 2, ""},
		{"byte order mark", "\ufeff{}", rawjson.ByteOrderMark, 0, 1, 1, ""},
		{"trailing data", "{} x", rawjson.TrailingData, 3, 1, 4, ""},
		{"two values", "1 2", rawjson.TrailingData, 2, 1, 3, ""},
		{"trailing comma in object", `{"a":1,}`, rawjson.SyntaxError, 7, 1, 8, ""},
		{"trailing comma in array", `[1,]`, rawjson.SyntaxError, 3, 1, 4, "[1]"},
		{"comma first", `[,1]`, rawjson.SyntaxError, 1, 1, 2, "[0]"},
		{"missing comma", `{"a":1 "b":2}`, rawjson.SyntaxError, 7, 1, 8, ""},
		{"missing colon", `{"a" 1}`, rawjson.SyntaxError, 5, 1, 6, ""},
		{"name not a string", `{a:1}`, rawjson.SyntaxError, 1, 1, 2, ""},
		{"single quotes", `{'a':1}`, rawjson.SyntaxError, 1, 1, 2, ""},
		{"comment", `{"a":1} // x`, rawjson.TrailingData, 8, 1, 9, ""},
		{"wrong bracket", `{"a":[1}`, rawjson.SyntaxError, 7, 1, 8, "a"},
		{"unclosed", `{"name":[{"given":["x"`, rawjson.UnexpectedEnd, 22, 1, 23, "name[0].given"},
		{"unclosed string", `{"name":[{"given":["x`, rawjson.UnexpectedEnd, 21, 1, 22, "name[0].given[0]"},
		{"name without value", `{"a":`, rawjson.UnexpectedEnd, 5, 1, 6, ""},
		{"control character", "{\"a\":\"x\ty\"}", rawjson.SyntaxError, 7, 1, 8, "a"},
		{"bad escape", `{"a":"\x"}`, rawjson.SyntaxError, 7, 1, 8, "a"},
		{"short unicode escape", `["\u12"]`, rawjson.SyntaxError, 6, 1, 7, "[0]"},
		{"unpaired high surrogate", `["\ud800"]`, rawjson.InvalidUTF8, 2, 1, 3, "[0]"},
		{"unpaired low surrogate", `["\udc00"]`, rawjson.InvalidUTF8, 2, 1, 3, "[0]"},
		{"surrogate followed by none", `["\ud800\u0041"]`, rawjson.InvalidUTF8, 2, 1, 3, "[0]"},
		{"invalid UTF-8", "{\"a\":\"é\xffb\"}", rawjson.InvalidUTF8, 8, 1, 8, "a"},
		{"earlier error before invalid UTF-8", "{\"a\":x, \"\xff\"}", rawjson.SyntaxError, 5, 1, 6, "a"},
		{"UTF-16 surrogate in UTF-8", "[\"\xed\xa0\x80\"]", rawjson.InvalidUTF8, 2, 1, 3, "[0]"},
		{"leading zero", `{"a":012}`, rawjson.SyntaxError, 6, 1, 7, ""},
		{"plus sign", `[+1]`, rawjson.SyntaxError, 1, 1, 2, "[0]"},
		{"point without digits", `[1.]`, rawjson.SyntaxError, 3, 1, 4, "[0]"},
		{"no integer part", `[.5]`, rawjson.SyntaxError, 1, 1, 2, "[0]"},
		{"exponent without digits", `[1e+]`, rawjson.SyntaxError, 4, 1, 5, "[0]"},
		{"minus alone", `[-]`, rawjson.SyntaxError, 2, 1, 3, "[0]"},
		{"NaN", `[NaN]`, rawjson.SyntaxError, 1, 1, 2, "[0]"},
		{"misspelt literal", `{"active":tru3}`, rawjson.SyntaxError, 13, 1, 14, "active"},
		{"cut literal", `{"active":tr`, rawjson.UnexpectedEnd, 12, 1, 13, "active"},
		{"no-break space is not white space", "{\u00a0}", rawjson.SyntaxError, 1, 1, 2, ""},
		{"duplicate name", "{\"id\":\"1\",\n \"id\":\"2\"}", rawjson.DuplicateName, 12, 2, 2, "id"},
		{"duplicate name, deep", `{"name":[{"a":1},{"use":1,"b":2,"use":3}]}`, rawjson.DuplicateName, 32, 1, 33, "name[1].use"},
		{"duplicate name, escaped", `{"id":1,"\u0069d":2}`, rawjson.DuplicateName, 8, 1, 9, "id"},
		{"duplicate empty name", `{"":1,"":2}`, rawjson.DuplicateName, 6, 1, 7, "?"},
		{"duplicate among many", wide + `"mA3":2,"mA1":3}]}`, rawjson.DuplicateName, 7 + 40*8, 1, 8 + 40*8, "e[0].mA3"},
		{"too deep", deep, rawjson.TooDeep, 100, 1, 101, strings.Repeat("[0]", 100)},
		{"names that are no element names stay out of errors", `{"Jane Doe":[x`, rawjson.SyntaxError, 13, 1, 14, "?[0]"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			doc, err := rawjson.Parse([]byte(c.text), nil)
			var e *rawjson.Error
			if !errors.As(err, &e) || doc != nil {
				t.Fatalf("got %v, want an error", err)
			}
			want := rawjson.Error{Reason: c.reason, Offset: c.offset, Line: c.line, Column: c.col, Path: c.path}
			if *e != want {
				t.Errorf("got  %+v\nwant %+v", *e, want)
			}
			if !errors.Is(err, c.reason) {
				t.Errorf("errors.Is(%v, %v) does not hold", err, c.reason)
			}
		})
	}
}

func TestErrorsHoldNoValues(t *testing.T) {
	const secret = "Jane-SSN-078-05-1120"
	for _, text := range []string{
		`{"name":"` + secret, `{"name":"` + secret + `\x"}`, `{"name":"` + secret + "\xff\"}",
		`{"name":"` + secret + `"} ` + secret, `{"name":"` + secret + `",}`, `{"` + secret + ` x":1,"` + secret + ` x":2}`,
	} {
		_, err := rawjson.Parse([]byte(text), nil)
		if err == nil || strings.Contains(err.Error(), "078") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestNodes(t *testing.T) {
	const text = ` {"a" : [1, -2.50e+3 , "x\u00e9\ud83d\ude00\n", true,null ,{ } ,[]], "b\t":"q", "c":{"d":"é"}} `
	doc, err := rawjson.Parse([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	if root.Kind() != rawjson.KindObject || root.Len() != 3 || string(root.Raw()) != strings.TrimSpace(text) {
		t.Fatalf("root: %v %d %s", root.Kind(), root.Len(), root.Raw())
	}
	var names []string
	for m := range root.Members() {
		names = append(names, m.Name())
	}
	if got := strings.Join(names, "|"); got != "a|b\t|c" {
		t.Errorf("names %q", got)
	}
	a, _ := root.Member("a")
	want := []struct {
		kind rawjson.Kind
		text string
		path string
	}{
		{rawjson.KindNumber, "1", "a[0]"}, {rawjson.KindNumber, "-2.50e+3", "a[1]"},
		{rawjson.KindString, "xé😀\n", "a[2]"}, {rawjson.KindTrue, "true", "a[3]"},
		{rawjson.KindNull, "", "a[4]"}, {rawjson.KindObject, "", "a[5]"}, {rawjson.KindArray, "", "a[6]"},
	}
	i := 0
	for e := range a.Elements() {
		w := want[i]
		if e.Kind() != w.kind || e.String() != w.text || string(e.Bytes()) != w.text || string(e.Append(nil)) != w.text || e.Path() != w.path {
			t.Errorf("element %d: %v %q %q", i, e.Kind(), e.String(), e.Path())
		}
		i++
	}
	if i != len(want) || a.Len() != len(want) {
		t.Errorf("%d elements, Len %d", i, a.Len())
	}
	if b, ok := root.Member("b\t"); !ok || !b.Is("q") || b.Is("x") || !b.NameIs("b\t") || string(b.RawName()) != `b\t` {
		t.Error("a member is not found by its unescaped name")
	}
	c, _ := root.Member("c")
	if d, ok := c.Member("d"); !ok || d.String() != "é" || d.Path() != "c.d" || d.Offset() != strings.Index(text, `"é"`) {
		t.Error("nested member")
	}
	if _, ok := c.Member("x"); ok {
		t.Error("found a member that is not there")
	}
	for range a.Members() {
		t.Error("an array has members")
	}
	for range c.Elements() {
		t.Error("an object has elements")
	}
	var none rawjson.Node
	if none.Exists() || none.Kind() != rawjson.KindInvalid || none.Len() != 0 || none.Raw() != nil || none.String() != "" || none.Name() != "" {
		t.Error("the zero node holds something")
	}
}

func TestDocumentIsReusable(t *testing.T) {
	var doc rawjson.Document
	long := []byte(`{"resourceType":"Patient","name":[{"given":["Jo"],"family":"Do"}]}`)
	if err := doc.Parse(long, nil); err != nil {
		t.Fatal(err)
	}
	if err := doc.Parse([]byte(`{"x":`), nil); err == nil || doc.Root().Exists() {
		t.Fatal("a document is not empty after an error")
	}
	allocations := testing.AllocsPerRun(100, func() {
		if err := doc.Parse(long, nil); err != nil {
			t.Fatal(err)
		}
		name, _ := doc.Root().Member("name")
		for n := range name.Elements() {
			if family, ok := n.Member("family"); !ok || !family.Is("Do") {
				t.Fatal("family")
			}
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations in a reused document", allocations)
	}
}

func TestStringsAreCopiedOnce(t *testing.T) {
	doc, err := rawjson.Parse([]byte(`{"a":["one","two","three","four"]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := doc.Root().Member("a")
	_ = a.String()
	first, _ := a.Child()
	_ = first.String()
	if n := testing.AllocsPerRun(10, func() {
		for e := range a.Elements() {
			if len(e.String()) < 3 {
				t.Fatal("short")
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for strings without escapes", n)
	}
}

func TestMaxDepth(t *testing.T) {
	text := []byte(`{"a":[{"b":1}]}`)
	if _, err := rawjson.Parse(text, &rawjson.Options{MaxDepth: 3}); err != nil {
		t.Error(err)
	}
	if _, err := rawjson.Parse(text, &rawjson.Options{MaxDepth: 2}); !errors.Is(err, rawjson.TooDeep) {
		t.Error(err)
	}
}

func TestLineColumn(t *testing.T) {
	data := []byte("ab\né😀x\n")
	for _, c := range []struct{ offset, line, column int }{
		{-1, 1, 1}, {0, 1, 1}, {2, 1, 3}, {3, 2, 1}, {5, 2, 2}, {9, 2, 3}, {10, 2, 4}, {11, 3, 1}, {99, 3, 1},
	} {
		if line, column := rawjson.LineColumn(data, c.offset); line != c.line || column != c.column {
			t.Errorf("offset %d: line %d column %d, want %d %d", c.offset, line, column, c.line, c.column)
		}
	}
}

// Every official example and every Synthea bundle is strict JSON, so each parses,
// and what the tree says is what the text says.
func TestRealResources(t *testing.T) {
	for _, dir := range []string{"examples-r4", "synthea"} {
		files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", dir), "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		var doc rawjson.Document
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := doc.Parse(data, nil); err != nil {
				t.Errorf("%s: %v", filepath.Base(file), err)
				continue
			}
			if doc.Len() > 200_000 {
				continue // the comparison below walks every value of the smaller ones
			}
			compareWithStandardLibrary(t, &doc)
		}
	}
}

// R4 § 2.6.2.3: the ids and extensions of a primitive are in a member with an
// underscore before the element's name.
func TestProperty(t *testing.T) {
	doc, err := rawjson.Parse([]byte(`{"a":1,"_a":2,"_b":3,"c":4,"\u0064":5,"\u005fd":6,"ab":7}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, value, underscore string }{
		{"a", "1", "2"}, {"b", "", "3"}, {"c", "4", ""}, {"d", "5", "6"}, {"ab", "7", ""}, {"x", "", ""},
	} {
		value, underscore := doc.Root().Property(c.name)
		if value.String() != c.value || underscore.String() != c.underscore {
			t.Errorf("%s: %q %q", c.name, value.String(), underscore.String())
		}
		if value.Exists() && doc.Node(value.Index()) != value {
			t.Errorf("%s: Node(Index()) is another node", c.name)
		}
	}
	if doc.Node(-1).Exists() || doc.Node(doc.Len()).Exists() {
		t.Error("a node outside the document exists")
	}
}
