package differential

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// place is a value somewhere in a decoded resource, and how it is replaced.
type place struct {
	name  string // of the member, or of the array that it is in
	value any
	set   func(any)
	drop  func()
	// holder is the object of a member, nil for an item.
	holder map[string]any
}

// places are all values of an object, in an order that a seed can rely on.
func places(object map[string]any) []place {
	var all []place
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		all = append(all, place{name, value, func(v any) { object[name] = v }, func() { delete(object, name) }, object})
		switch value := value.(type) {
		case map[string]any:
			all = append(all, places(value)...)
		case []any:
			for i, item := range value {
				all = append(all, place{name: name, value: item, set: func(v any) { value[i] = v }, drop: func() { object[name] = slices.Delete(value, i, i+1) }})
				if inner, ok := item.(map[string]any); ok {
					all = append(all, places(inner)...)
				}
			}
		}
	}
	return all
}

// odd are values that some type does not allow.
var odd = []any{
	"", " ", "x", " x", "x ", "a  b", "\u0001", "2020-02-30", "2020-13", "2020", "2020-01", "2020-01-01", "2020-01-01T10:00", "2020-01-01T10:00:00",
	"2020-01-01T10:00:00Z", "2020-01-01T10:00:00+15:00", "2020-01-01T25:00:00Z", "0000", "10:00", "10:00:00", "25:00:00", "urn:oid:1.2.3", "urn:oid:3.2", "urn:oid:01.2",
	"urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:C757873D-EC9A-4326-A141-556F43239520", "AAAA", "AAA", "AA==", "A A A A", "http://example.org/a b",
	"#x", "Patient/1", "Nothing/1", "true", "1", "-1", "1.5", "x_y", strings.Repeat("a", 65),
	json.Number("0"), json.Number("1"), json.Number("-1"), json.Number("1.5"), json.Number("-0"), json.Number("1e2"), json.Number("1.0"), json.Number("2147483648"), json.Number("99999999999999999999"), json.Number("0.000000000000000000001"),
	true, false, nil, map[string]any{}, []any{}, []any{nil}, []any{"x"}, map[string]any{"id": "x"}, map[string]any{"extension": []any{map[string]any{"url": "u", "valueCode": "c"}}}, map[string]any{"value": "x"},
}

// mutations spoil, or only change, a resource in one place. They return false
// where they do not fit.
var mutations = []struct {
	name string
	do   func(r *rand.Rand, p place) bool
}{
	{"drop", func(_ *rand.Rand, p place) bool { p.drop(); return true }},
	{"odd value", func(r *rand.Rand, p place) bool { p.set(odd[r.IntN(len(odd))]); return true }},
	{"odd primitive", func(r *rand.Rand, p place) bool {
		switch p.value.(type) {
		case map[string]any, []any:
			return false
		}
		p.set(odd[r.IntN(len(odd)-8)])
		return true
	}},
	{"array of it", func(_ *rand.Rand, p place) bool { p.set([]any{p.value}); return true }},
	{"twice in its array", func(_ *rand.Rand, p place) bool {
		list, ok := p.value.([]any)
		if ok && len(list) > 0 {
			p.set(append(slices.Clone(list), list[0]))
		}
		return ok && len(list) > 0
	}},
	{"first of its array", func(_ *rand.Rand, p place) bool {
		list, ok := p.value.([]any)
		if ok && len(list) > 0 {
			p.set(list[0])
		}
		return ok && len(list) > 0
	}},
	{"quoted", func(_ *rand.Rand, p place) bool {
		switch v := p.value.(type) {
		case json.Number:
			p.set(v.String())
		case bool:
			p.set(map[bool]string{true: "true", false: "false"}[v])
		default:
			return false
		}
		return true
	}},
	{"one letter", func(r *rand.Rand, p place) bool {
		text, ok := p.value.(string)
		if !ok || text == "" {
			return false
		}
		at := r.IntN(len(text))
		if text[at] >= 0x80 {
			return false
		}
		p.set(text[:at] + string(" -:xX0.#/\t"[r.IntN(10)]) + text[at+1:])
		return true
	}},
	{"renamed", func(r *rand.Rand, p place) bool {
		if p.holder == nil {
			return false
		}
		p.drop()
		p.holder[[]string{"_" + p.name, p.name + "s", strings.ToUpper(p.name), "valueString", "valueQuantity", "extension", "id", "x"}[r.IntN(8)]] = p.value
		return true
	}},
	{"beside an underscore", func(r *rand.Rand, p place) bool {
		if p.holder == nil {
			return false
		}
		p.holder["_"+p.name] = odd[len(odd)-1-r.IntN(9)]
		return true
	}},
	{"another target", func(r *rand.Rand, p place) bool {
		if p.name != "reference" {
			return false
		}
		p.set([]string{"Patient/1", "Group/1", "Device/1", "Nothing/1", "Patient", "#x", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "http://example.org/Patient/1", "Patient/1/_history/2", "Patient?x=y", "Patient/a b", "patient/1"}[r.IntN(12)])
		return true
	}},
	{"another choice", func(r *rand.Rand, p place) bool {
		if p.holder == nil || !strings.HasPrefix(p.name, "value") || len(p.name) < 6 {
			return false
		}
		p.holder[[]string{"valueString", "valueBoolean", "valueInteger", "valueCode"}[r.IntN(4)]] = []any{"x", true, json.Number("1"), "c"}[r.IntN(4)]
		return true
	}},
}
