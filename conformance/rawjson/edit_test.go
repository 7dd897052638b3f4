package rawjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

func TestAppendEdited(t *testing.T) {
	id := rawjson.Edit{Name: "id", Value: []byte(`"7"`)}
	version := rawjson.Edit{Parent: "meta", Name: "versionId", Value: []byte(`"2"`)}
	updated := rawjson.Edit{Parent: "meta", Name: "lastUpdated", Value: []byte(`"2024"`)}
	all := []rawjson.Edit{id, version, updated}
	for _, c := range []struct {
		rule, text string
		edits      []rawjson.Edit
		want       string
	}{
		{"no edits change nothing", ` { "a" : 1.50 } `, nil, ` { "a" : 1.50 } `},
		{"empty object", ` { } `, all, ` {"id":"7","meta":{"versionId":"2","lastUpdated":"2024"} } `},
		{"behind resourceType", "{\n  \"resourceType\": \"Patient\",\n  \"active\": true\n}", all,
			"{\n  \"resourceType\": \"Patient\",\"id\":\"7\",\"meta\":{\"versionId\":\"2\",\"lastUpdated\":\"2024\"},\n  \"active\": true\n}"},
		{"resourceType alone", `{"resourceType":"Patient"}`, []rawjson.Edit{id}, `{"resourceType":"Patient","id":"7"}`},
		{"resourceType not first", `{"active":true,"resourceType":"Patient"}`, []rawjson.Edit{id}, `{"id":"7","active":true,"resourceType":"Patient"}`},
		{"members keep their place", `{"resourceType":"P", "x":1.0, "id" : "old" ,"meta":{"tag":[{}], "versionId" :"1"},"y":2}`, all,
			`{"resourceType":"P", "x":1.0, "id" : "7" ,"meta":{"lastUpdated":"2024","tag":[{}], "versionId" :"2"},"y":2}`},
		{"empty parent", `{"meta":{}}`, []rawjson.Edit{version}, `{"meta":{"versionId":"2"}}`},
		{"names with escapes are the same names", `{"m\u0065ta":{"v\u0065rsionId":1}}`, []rawjson.Edit{version}, `{"m\u0065ta":{"v\u0065rsionId":"2"}}`},
		{"only the root's members are meant", `{"a":{"id":1,"meta":{}}}`, []rawjson.Edit{id}, `{"id":"7","a":{"id":1,"meta":{}}}`},
		{"the last edit counts", `{}`, []rawjson.Edit{{Name: "id", Value: []byte(`1`)}, version, id, {Parent: "meta", Name: "versionId", Value: []byte(`"3"`)}},
			`{"meta":{"versionId":"3"},"id":"7"}`},
		{"edits of a parent need not stand together", `{}`, []rawjson.Edit{version, id, updated}, `{"meta":{"versionId":"2","lastUpdated":"2024"},"id":"7"}`},
		{"resourceType itself", `{"resourceType":"A","b":1}`, []rawjson.Edit{{Name: "resourceType", Value: []byte(`"B"`)}, id}, `{"resourceType":"B","id":"7","b":1}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			doc, err := rawjson.Parse([]byte(c.text), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := doc.AppendEdited([]byte("|"), c.edits)
			if err != nil || string(got) != "|"+c.want {
				t.Errorf("got  %s (%v)\nwant |%s", got, err, c.want)
			}
		})
	}
}

func TestAppendEditedRefuses(t *testing.T) {
	version := rawjson.Edit{Parent: "meta", Name: "versionId", Value: []byte(`"2"`)}
	for _, c := range []struct {
		rule, text string
		edits      []rawjson.Edit
		want       error
	}{
		{"root is no object", `[]`, nil, rawjson.ErrNotObject},
		{"parent is no object", `{"meta":"x"}`, []rawjson.Edit{version}, rawjson.ErrNotObject},
		{"whole and part", `{}`, []rawjson.Edit{version, {Name: "meta", Value: []byte(`{}`)}}, rawjson.ErrConflict},
	} {
		doc, err := rawjson.Parse([]byte(c.text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := doc.AppendEdited(nil, c.edits); !errors.Is(err, c.want) || len(got) != 0 {
			t.Errorf("%s: %s, %v", c.rule, got, err)
		}
	}
}

// Whatever the object and the edits: the result is what setting the members in
// a decoded copy gives.
func TestAppendEditedSetsMembersOnly(t *testing.T) {
	names := rapid.SampledFrom([]string{"resourceType", "id", "meta", "active", "x"})
	member := rapid.SampledFrom([]string{"versionId", "lastUpdated", "tag", "id"})
	rapid.Check(t, func(t *rapid.T) {
		text := "{"
		for i, name := range rapid.SliceOfDistinct(names, func(s string) string { return s }).Draw(t, "members") {
			if i > 0 {
				text += rapid.SampledFrom([]string{",", " , "}).Draw(t, "comma")
			}
			value := rapid.SampledFrom([]string{`1`, `"a"`, `{"tag":[1]}`, `{ }`}).Draw(t, "value")
			if name == "meta" {
				value = rapid.SampledFrom([]string{`{}`, `{"tag":[1],"versionId":"0"}`, ` {"id" : 1}`}).Draw(t, "meta")
			}
			text += `"` + name + `":` + value
		}
		text += "}"
		var want map[string]any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		var edits []rawjson.Edit
		for range rapid.IntRange(0, 5).Draw(t, "edits") {
			if rapid.Bool().Draw(t, "nested") {
				name := member.Draw(t, "name")
				edits = append(edits, rawjson.Edit{Parent: "meta", Name: name, Value: []byte(`"new"`)})
				meta, _ := want["meta"].(map[string]any)
				if meta == nil {
					meta = map[string]any{}
					want["meta"] = meta
				}
				meta[name] = "new"
			} else {
				name := rapid.SampledFrom([]string{"resourceType", "id", "z"}).Draw(t, "name")
				edits = append(edits, rawjson.Edit{Name: name, Value: []byte(`"new"`)})
				want[name] = "new"
			}
		}
		doc, err := rawjson.Parse([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		edited, err := doc.AppendEdited(nil, edits)
		if err != nil {
			t.Fatal(err)
		}
		again, err := rawjson.Parse(edited, nil)
		if err != nil {
			t.Fatalf("%s: %v", edited, err)
		}
		var got map[string]any
		if err := json.Unmarshal(again.Data(), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s with %v gave %s", text, edits, edited)
		}
	})
}
