package redox

import (
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// texts are what senders put into fields.
var texts = []string{
	"", " ", "x", "Self", "Male", "Inpatient", "Mother", "Primary", "1", "15", "0", "-1", "2026-03-09", "2026-03-09T15:30:00Z", "2026-03-09 15:30",
	"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999+14:00", "a  b", "a\tb", "a\nb", " a", "é", "\u2028", "𝄞", "\u007f", "<script>", `"\`,
	"MR", "NPI", "urn:x", "http://x y", "http://example.org/x", "1.2.3", "1.02", "LOINC", "Preadmit", "Arrived", "%", "%41", "a/b", "a:b", "SSN", "COMPANY", "VN",
}

// TestAnyMessage builds messages of any of the catalogue's fields with any
// values, sends them to FHIR and back, and expects them unchanged.
func TestAnyMessage(t *testing.T) {
	models := catalogue(t)
	var pairs []Event
	for _, e := range Events() {
		if translated(e.DataModel, e.EventType) {
			pairs = append(pairs, e)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.SampledFrom(pairs).Draw(t, "event")
		message := everyField(e.DataModel, e.EventType, models[e.DataModel][e.EventType].Fields, nil)
		keep := rapid.IntRange(5, 95).Draw(t, "keep")
		thin(t, message, keep)
		message["Meta"].(map[string]any)["DataModel"] = e.DataModel
		message["Meta"].(map[string]any)["EventType"] = e.EventType
		data, err := json.Marshal(message, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		m, err := parseEvent(e, data)
		if err != nil {
			t.Skip("not a valid message")
		}
		_, back := throughRapid(t, m)
		again, err := Marshal(back)
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if json.Unmarshal(data, &want) != nil || json.Unmarshal(again, &got) != nil {
			t.Fatal("not JSON")
		}
		want, _ = normal(want, true)
		got, _ = normal(got, true)
		if diff := cmp.Diff(want, sameTimes(want, got)); diff != "" {
			t.Errorf("%s differs (-sent +got):\n%s\n%s", m.Pair(), diff, data)
		}
	})
}

// thin drops members and changes texts at random.
func thin(t *rapid.T, at any, keep int) any {
	switch v := at.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if name == "Meta" || name == "Patient" || name == "Visit" || name == "Identifiers" || name == "Location" {
				v[name] = thin(t, v[name], keep)
			} else if rapid.IntRange(0, 99).Draw(t, "drop") >= keep {
				delete(v, name)
			} else {
				v[name] = thin(t, v[name], keep)
			}
		}
	case []any:
		for i := range v {
			v[i] = thin(t, v[i], keep)
		}
	case string:
		if rapid.IntRange(0, 99).Draw(t, "change") < 60 {
			return rapid.SampledFrom(texts).Draw(t, "text")
		}
	case bool:
		return rapid.Bool().Draw(t, "bool")
	}
	return at
}

// sameTimes makes times equal that are the same instant in another spelling,
// and forgives IsDeceased, which a time of death says already.
func sameTimes(before, after any) any {
	switch a := after.(type) {
	case map[string]any:
		b, _ := before.(map[string]any)
		for k := range a {
			if _, had := b[k]; k == "IsDeceased" && !had && b["DeathDateTime"] != nil {
				delete(a, k)
				continue
			}
			a[k] = sameTimes(b[k], a[k])
		}
	case []any:
		b, _ := before.([]any)
		for i := range a {
			if i < len(b) {
				a[i] = sameTimes(b[i], a[i])
			}
		}
	case string:
		if b, ok := before.(string); ok && testOptions.same(a, b) {
			return b
		}
	}
	return after
}
