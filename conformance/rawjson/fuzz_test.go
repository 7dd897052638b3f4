package rawjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// FuzzParse holds Parse against encoding/json: what Parse accepts,
// encoding/json accepts and finds the same values in; what only encoding/json
// accepts has one of the flaws that this package is strict about.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `null`, `"x"`, `-1.50E+2`, `{"a":[1,2,{"b":"c\n\u00e9\ud83d\ude00"}],"":null}`,
		`{"resourceType":"Patient","name":[{"given":["Jo"]}],"_birthDate":{"id":"x"}}`,
		`{"a":1,"a":2}`, `["\ud800"]`, "\ufeff1", "[\"\xff\"]", `{"\u0061":1,"a":2}`, `[[[[]]]]`, ` [1 , 2 ] `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			var e *rawjson.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(data) || e.Line < 1 || e.Column < 1 {
				t.Fatalf("unusable error %#v", err)
			}
			stricter := []rawjson.Reason{rawjson.DuplicateName, rawjson.InvalidUTF8, rawjson.TooDeep}
			if json.Valid(data) && !slices.Contains(stricter, e.Reason) {
				t.Fatalf("refused %q: %v", data, err)
			}
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("accepted %q", data)
		}
		compareWithStandardLibrary(t, doc)
	})
}

// compareWithStandardLibrary decodes the document's text with encoding/json and
// fails unless both hold the same values.
func compareWithStandardLibrary(t *testing.T, doc *rawjson.Document) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(doc.Data()))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	if got := compare(doc.Root(), value); got != "" {
		t.Fatal(got)
	}
}

func compare(n rawjson.Node, value any) string {
	same := false
	switch v := value.(type) {
	case nil:
		same = n.Kind() == rawjson.KindNull
	case bool:
		same = v && n.Kind() == rawjson.KindTrue || !v && n.Kind() == rawjson.KindFalse
	case json.Number:
		same = n.Kind() == rawjson.KindNumber && n.String() == v.String()
	case string:
		same = n.Kind() == rawjson.KindString && n.String() == v && n.Is(v) && string(n.Append(nil)) == v
	case []any:
		same = n.Kind() == rawjson.KindArray && n.Len() == len(v)
		i := 0
		for e := range n.Elements() {
			if i >= len(v) {
				return "too many elements in " + n.Path()
			}
			if diff := compare(e, v[i]); diff != "" {
				return diff
			}
			i++
		}
	case map[string]any:
		same = n.Kind() == rawjson.KindObject && n.Len() == len(v)
		for m := range n.Members() {
			member, ok := v[m.Name()]
			if !ok {
				return "unknown member in " + n.Path()
			}
			if diff := compare(m, member); diff != "" {
				return diff
			}
			if found, ok := n.Member(m.Name()); !ok || found != m {
				return "Member does not find " + m.Path()
			}
		}
	}
	if !same {
		return "not the same value: " + n.Path()
	}
	return ""
}
