package validate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// told is an issue as tests write it: "error invariant per-1 Patient.name[0].period".
func told(issues []conformance.Issue) []string {
	var all []string
	for _, i := range issues {
		key, _, _ := strings.Cut(i.Diagnostics, ":")
		if i.Code != conformance.IssueInvariant {
			key = ""
		}
		if key == "dom-6" {
			continue
		}
		all = append(all, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", i.Severity, i.Code, key, i.Expression)), " "))
	}
	return all
}

// Each resource breaks just what is said behind it.
func TestRules(t *testing.T) {
	const ref = `"subject":{"reference":"Patient/1"}`
	for _, c := range []struct {
		name, resource string
		want           []string
	}{
		{"a period that ends before it starts", `{"resourceType":"Patient","name":[{"text":"A","period":{"start":"2020-02","end":"2020-01-31"}}]}`,
			[]string{"error invariant per-1 Patient.name[0].period"}},
		{"a period of different precision", `{"resourceType":"Patient","name":[{"text":"A","period":{"start":"2020-02","end":"2020"}}]}`, nil},
		{"a range backwards", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueRange":{"low":{"value":3},"high":{"value":2}}}`,
			[]string{"error invariant rng-2 Observation.value"}},
		{"a range in two units", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueRange":{"low":{"value":3,"system":"http://unitsofmeasure.org","code":"g"},"high":{"value":2,"system":"http://unitsofmeasure.org","code":"kg"}}}`, nil},
		{"a range of two quantities", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueRange":{"low":{"value":3,"system":"http://unitsofmeasure.org","code":"g"},"high":{"value":2,"system":"http://unitsofmeasure.org","code":"m"}}}`, nil},
		{"a contact without content", `{"resourceType":"Patient","contact":[{"gender":"male"}]}`, []string{"error invariant pat-1 Patient.contact[0]"}},
		{"a telecom without system", `{"resourceType":"Patient","telecom":[{"value":"1"}]}`, []string{"error invariant cpt-2 Patient.telecom[0]"}},
		{"a unit's code without system", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"code":"g"}}`,
			[]string{"error invariant qty-3 Observation.value"}},
		{"a comparator in a simple quantity", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"referenceRange":[{"low":{"value":1,"comparator":"<"}}]}`,
			[]string{"error structure Observation.referenceRange[0].low.comparator", "error invariant sqty-1 Observation.referenceRange[0].low"}},
		{"value and the reason of its absence", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueBoolean":true,"dataAbsentReason":{"text":"x"}}`,
			[]string{"error invariant obs-6 Observation"}},
		{"a home of an organization", `{"resourceType":"Organization","name":"x","address":[{"use":"work"},{"use":"home"}]}`,
			[]string{"error invariant org-2 Organization.address[1]"}},
		{"an item of an item", `{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"2","type":"display","required":true}]}]}`,
			[]string{"error invariant que-6 Questionnaire.item[0].item[0]"}},
		{"exists, with a boolean", `{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"string","enableWhen":[{"question":"2","operator":"exists","answerBoolean":true}]}]}`, nil},
		{"exists, with a string", `{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"string","enableWhen":[{"question":"2","operator":"exists","answerString":"x"}]}]}`,
			[]string{"error invariant que-7 Questionnaire.item[0].enableWhen[0]"}},
		{"a script in a narrative", `{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"}}`,
			[]string{"error invariant txt-1, txt-2 Patient.text.div"}},
		{"the name of a definition", `{"resourceType":"ValueSet","status":"draft","name":"a b"}`, []string{"warning invariant vsd-0 ValueSet"}},
		{"a definition without a name", `{"resourceType":"ValueSet","status":"draft"}`, nil},
		{"a total that is none", `{"resourceType":"Bundle","type":"collection","total":1}`, []string{"error invariant bdl-1 Bundle"}},
		{"an empty entry", `{"resourceType":"Bundle","type":"collection","entry":[{"link":[{"relation":"self","url":"x"}]}]}`,
			[]string{"error invariant bdl-5 Bundle.entry[0]"}},
		{"an entry with a version in its URL", `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://x/Patient/1/_history/1","resource":{"resourceType":"Patient"}}]}`,
			[]string{"error invariant bdl-8 Bundle.entry[0]"}},
		{"a transaction without requests", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"}}]}`,
			[]string{"error invariant bdl-3 Bundle"}},
		{"the same URL twice", `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:x","resource":{"resourceType":"Patient"}},{"fullUrl":"urn:uuid:x","resource":{"resourceType":"Patient"}}]}`,
			[]string{"error invariant bdl-7 Bundle"}},
		{"a document that does not begin with a Composition", `{"resourceType":"Bundle","type":"document","identifier":{"system":"urn:x","value":"1"},"timestamp":"2020-01-01T00:00:00Z","entry":[{"fullUrl":"urn:x","resource":{"resourceType":"Patient"}}]}`,
			[]string{"error invariant bdl-11 Bundle"}},
		{"rules within an entry", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","telecom":[{"value":"1"}]}}]}`,
			[]string{"error invariant cpt-2 Bundle.entry[0].resource.telecom[0]"}},

		{"contained and referred to", `{"resourceType":"Condition",` + ref + `,"contained":[{"resourceType":"Practitioner","id":"a"}],"asserter":{"reference":"#a"}}`, nil},
		{"contained and not referred to", `{"resourceType":"Condition",` + ref + `,"contained":[{"resourceType":"Practitioner","id":"a"}]}`,
			[]string{"error invariant dom-3 Condition.contained[0]"}},
		{"contained without an id", `{"resourceType":"Condition",` + ref + `,"contained":[{"resourceType":"Practitioner"}]}`,
			[]string{"error invariant dom-3 Condition.contained[0]"}},
		{"contained, referring to the container", `{"resourceType":"Condition",` + ref + `,"contained":[{"resourceType":"Provenance","id":"a","target":[{"reference":"#"}],"recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}]}`, nil},
		{"referred to by a canonical", `{"resourceType":"Questionnaire","status":"draft","contained":[{"resourceType":"ValueSet","id":"v","status":"draft"}],"item":[{"linkId":"1","type":"choice","answerValueSet":"#v"}]}`, nil},
		{"referred to with an escape", `{"resourceType":"Condition",` + ref + `,"contained":[{"resourceType":"Practitioner","id":"a"}],"asserter":{"reference":"\u0023a"}}`, nil},
		{"a fragment that leads nowhere", `{"resourceType":"Condition",` + ref + `,"asserter":{"reference":"#a"}}`, []string{"error invariant ref-1 Condition.asserter.reference"}},
		{"the container from without", `{"resourceType":"Condition",` + ref + `,"asserter":{"reference":"#"}}`, []string{"error invariant ref-1 Condition.asserter.reference"}},
		{"an entry does not see its neighbours' contained", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Condition","contained":[{"resourceType":"Patient","id":"a"}],"subject":{"reference":"#a"}}},{"resource":{"resourceType":"Condition","subject":{"reference":"#a"}}}]}`,
			[]string{"error invariant ref-1 Bundle.entry[1].resource.subject.reference"}},
		{"contained twice", `{"resourceType":"Condition","subject":{"reference":"#a"},"contained":[{"resourceType":"Patient","id":"a"},{"resourceType":"Patient","id":"a"}]}`,
			[]string{"error duplicate Condition.contained[1]"}},
		{"contained in contained", `{"resourceType":"Condition","subject":{"reference":"#a"},"contained":[{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Practitioner","id":"b"}]}]}`,
			[]string{"error invariant dom-2 Condition.contained[0].contained[0]"}},
		{"a version in contained", `{"resourceType":"Condition","contained":[{"resourceType":"Patient","id":"a","meta":{"versionId":"1"}}],"subject":{"reference":"#a"}}`,
			[]string{"error invariant dom-4 Condition"}},
		{"a time in contained", `{"resourceType":"Condition","contained":[{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2020-01-01T00:00:00Z"}}],"subject":{"reference":"#a"}}`,
			[]string{"error invariant dom-4 Condition"}},
		{"a label in contained", `{"resourceType":"Condition","contained":[{"resourceType":"Patient","id":"a","meta":{"security":[{"code":"R"}]}}],"subject":{"reference":"#a"}}`,
			[]string{"error invariant dom-5 Condition"}},
		{"a rule within contained", `{"resourceType":"Condition","contained":[{"resourceType":"Patient","id":"a","telecom":[{"value":"1"}]}],"subject":{"reference":"#a"}}`,
			[]string{"error invariant cpt-2 Condition.contained[0].telecom[0]"}},

		{"ids twice", `{"resourceType":"Patient","name":[{"id":"n","text":"A"},{"id":"n","text":"B"}]}`, []string{"error duplicate Patient.name[1].id"}},
		{"the id of a primitive's element twice", `{"resourceType":"Patient","active":true,"_active":{"id":"n"},"name":[{"id":"n","text":"B"}]}`, []string{"error duplicate Patient.name[0].id"}},
		{"ids of two resources", `{"resourceType":"Bundle","type":"collection","entry":[{"id":"n","resource":{"resourceType":"Patient","id":"n","name":[{"id":"n","text":"A"}]}},{"id":"m","resource":{"resourceType":"Patient","name":[{"id":"n","text":"A"}]}}]}`, nil},
		{"a modifier extension", `{"resourceType":"Patient","modifierExtension":[{"url":"http://example.org/x","valueBoolean":true}]}`,
			[]string{"warning extension Patient.modifierExtension[0]"}},
		{"structure and rules", `{"resourceType":"Patient","gender":"x","telecom":[{"value":"1"}]}`,
			[]string{"error code-invalid Patient.gender", "error invariant cpt-2 Patient.telecom[0]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			issues, err := Resource(t.Context(), parse(t, c.resource).Root(), Options{Units: Units{}})
			if err != nil {
				t.Fatal(err)
			}
			got := told(issues)
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, i := range issues {
				if i.Line != 1 || i.Column < 1 || i.Column > len(c.resource) {
					t.Errorf("%s at %d:%d", i.Diagnostics, i.Line, i.Column)
				}
			}
		})
	}
}

func TestLinesAndColumns(t *testing.T) {
	issues, err := Resource(t.Context(), parse(t, "{\"resourceType\": \"Patient\",\n \"name\": [{\"text\": \"\u00e9\", \"period\":\n  {\"start\": \"2021\", \"end\": \"2020\"}}],\n\t\"telecom\": [{\"value\": \"1\"}]}").Root(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range issues {
		got = append(got, fmt.Sprintf("%d:%d %s", i.Line, i.Column, i.Expression))
	}
	if want := []string{"1:1 Patient", "3:3 Patient.name[0].period", "4:14 Patient.telecom[0]"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestUnknownModifierExtensions(t *testing.T) {
	const resource = `{"resourceType":"Patient","modifierExtension":[{"url":"http://example.org/x","valueBoolean":true}]}`
	for setting, want := range map[Modifiers][]string{
		"": {"warning extension Patient.modifierExtension[0]"}, ModifiersWarn: {"warning extension Patient.modifierExtension[0]"},
		ModifiersRefuse: {"error extension Patient.modifierExtension[0]"}, ModifiersAccept: nil,
	} {
		issues, err := Resource(t.Context(), parse(t, resource).Root(), Options{ModifierExtension: setting})
		if got := told(issues); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", setting, got, err)
		}
	}
}

// held are definitions of extensions for tests.
type held map[string]*Extension

func (h held) Extensions(context.Context, []string) (map[string]*Extension, error) { return h, nil }

func hold(t *testing.T, definition string) held {
	t.Helper()
	e, ok := ParseExtension(parse(t, definition).Root())
	if !ok {
		t.Fatal("no extension")
	}
	return held{e.URL: e}
}

func TestExtensionContext(t *testing.T) {
	const x = `{"url":"http://example.org/x","valueBoolean":true}`
	on := map[string]string{
		"Patient":              `{"resourceType":"Patient","extension":[` + x + `]}`,
		"Patient.name":         `{"resourceType":"Patient","name":[{"extension":[` + x + `]}]}`,
		"Patient.name.given":   `{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"extension":[` + x + `]}]}]}`,
		"Patient.birthDate":    `{"resourceType":"Patient","birthDate":"2020","_birthDate":{"extension":[` + x + `]}}`,
		"Patient.contact.name": `{"resourceType":"Patient","contact":[{"name":{"extension":[` + x + `]}}]}`,
		"in an extension":      `{"resourceType":"Patient","extension":[{"url":"http://example.org/y","extension":[` + x + `]}]}`,
		"in an entry":          `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","name":[{"extension":[` + x + `]}]}}]}`,
		"Observation.value":    `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"extension":[` + x + `]}}`,
		"as a modifier":        `{"resourceType":"Patient","modifierExtension":[` + x + `]}`,
	}
	everywhere := []string{"Patient", "Patient.name", "Patient.name.given", "Patient.birthDate", "Patient.contact.name", "in an extension", "in an entry", "Observation.value"}
	for _, c := range []struct {
		context string
		fits    []string
	}{
		{`{"type":"element","expression":"Patient"}`, []string{"Patient"}},
		{`{"type":"element","expression":"DomainResource"}`, []string{"Patient"}},
		{`{"type":"element","expression":"Patient.name"}`, []string{"Patient.name", "in an entry"}},
		{`{"type":"element","expression":"HumanName"}`, []string{"Patient.name", "Patient.contact.name", "in an entry"}},
		{`{"type":"element","expression":"HumanName.given"}`, []string{"Patient.name.given"}},
		{`{"type":"element","expression":"Patient.name.given"}`, []string{"Patient.name.given"}},
		{`{"type":"element","expression":"Patient.contact.name"}`, []string{"Patient.contact.name"}},
		{`{"type":"element","expression":"string"}`, []string{"Patient.name.given"}},
		{`{"type":"element","expression":"Observation.value[x]"}`, []string{"Observation.value"}},
		{`{"type":"element","expression":"Element"}`, everywhere[1:]},
		{`{"type":"extension","expression":"http://example.org/y"}`, []string{"in an extension"}},
		{`{"type":"fhirpath","expression":"Patient.birthDate | Patient.name"}`, []string{"Patient.name", "Patient.birthDate", "in an entry"}},
		{`{"type":"fhirpath","expression":"((("}`, nil},
		{`{"type":"element","expression":"Patient"},{"type":"element","expression":"Quantity"}`, []string{"Patient", "Observation.value"}},
	} {
		h := hold(t, `{"resourceType":"StructureDefinition","url":"http://example.org/x","type":"Extension","derivation":"constraint","context":[`+c.context+`]}`)
		for name, resource := range on {
			issues, err := Rules(t.Context(), parse(t, resource).Root(), Options{Extensions: h})
			if err != nil {
				t.Fatal(err)
			}
			refused := slices.ContainsFunc(issues, func(i conformance.Issue) bool { return i.Code == conformance.IssueExtension })
			if want := !slices.Contains(c.fits, name); refused != want {
				t.Errorf("%s on %s: refused is %t", c.context, name, refused)
			}
		}
	}
}

func TestExtensionDefinitions(t *testing.T) {
	modifier := hold(t, `{"resourceType":"StructureDefinition","url":"http://example.org/x","type":"Extension","derivation":"constraint",
		"context":[{"type":"element","expression":"Patient"}],"contextInvariant":["active"],"differential":{"element":[{"path":"Extension","isModifier":true}]}}`)
	for resource, want := range map[string][]string{
		`{"resourceType":"Patient","active":true,"modifierExtension":[{"url":"http://example.org/x","valueBoolean":true}]}`:  nil,
		`{"resourceType":"Patient","active":true,"extension":[{"url":"http://example.org/x","valueBoolean":true}]}`:          {"error extension Patient.extension[0]"},
		`{"resourceType":"Patient","active":false,"modifierExtension":[{"url":"http://example.org/x","valueBoolean":true}]}`: {"error extension Patient.modifierExtension[0]"},
		`{"resourceType":"Patient","modifierExtension":[{"url":"http://example.org/x","valueBoolean":true}]}`:                {"error extension Patient.modifierExtension[0]"},
	} {
		issues, err := Rules(t.Context(), parse(t, resource).Root(), Options{Extensions: modifier})
		if got := told(issues); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", resource, got, err)
		}
	}
	for _, other := range []string{`{"resourceType":"Patient"}`, `{"resourceType":"StructureDefinition","type":"Extension"}`, `{"resourceType":"StructureDefinition","type":"Patient","derivation":"constraint"}`} {
		if _, ok := ParseExtension(parse(t, other).Root()); ok {
			t.Errorf("%s is taken for an extension", other)
		}
	}
}

// An extension that costs much is one thing; that it is bounded, and said, is
// the other.
func TestCostIsBounded(t *testing.T) {
	h := hold(t, `{"resourceType":"StructureDefinition","url":"http://example.org/x","type":"Extension","derivation":"constraint",
		"contextInvariant":["(1).repeat($this + 1).empty()"]}`)
	var b strings.Builder
	b.WriteString(`{"resourceType":"Patient"`)
	for i := range 3 {
		fmt.Fprintf(&b, `,"_%s":{"extension":[{"url":"http://example.org/x","valueBoolean":true}]}`, []string{"active", "birthDate", "gender"}[i])
	}
	b.WriteString(`,"telecom":[{"value":"1"}]}`)
	doc := parse(t, b.String())
	w := walkers.Get().(*walker)
	defer w.release()
	w.options.Extensions, w.steps = h, 50_000
	w.resource(doc.Root(), nil, nil)
	if err := w.extensions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.steps > 0 || w.steps < -50_000 {
		t.Errorf("%d steps are left", w.steps)
	}
	issues := w.issues(doc.Data())
	if !slices.Contains(told(issues), "error extension Patient.active.extension[0]") {
		t.Errorf("%q", told(issues))
	}

	w.release()
	w = walkers.Get().(*walker)
	w.steps = 3
	w.resource(doc.Root(), nil, nil)
	if got := told(w.issues(doc.Data())); len(got) != 1 || !strings.HasPrefix(got[0], "error too-costly Patient") {
		t.Errorf("%q", got)
	}
}

func TestIssuesAreBounded(t *testing.T) {
	many := `{"resourceType":"Bundle","type":"collection","entry":[` +
		strings.Repeat(`{"resource":{"resourceType":"Patient"}},`, 2*MaxIssues) + `{"resource":{"resourceType":"Patient","telecom":[{"value":"1"}]}}]}`
	issues, err := Rules(t.Context(), parse(t, many).Root(), Options{})
	if err != nil || len(issues) != MaxIssues+1 {
		t.Fatal(len(issues), err)
	}
	if got := told(issues); len(got) != 2 || got[0] != "error invariant cpt-2 Bundle.entry[200].resource.telecom[0]" || !strings.HasPrefix(got[1], "information incomplete") {
		t.Errorf("%q", got)
	}
}

func TestSettings(t *testing.T) {
	for _, s := range []Settings{{}, {Level: Off}, {Level: Structure}, {Level: Full, ModifierExtension: ModifiersRefuse}, {ModifierExtension: ModifiersAccept}} {
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
	for field, s := range map[string]Settings{"validation.level": {Level: "some"}, "validation.unknownModifierExtensions": {ModifierExtension: "maybe"}} {
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v: %v", s, err)
		}
	}
}

// FuzzRules: any JSON whatever gives issues with a place and no text of the
// resource, within the steps that its size allows.
func FuzzRules(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Condition","contained":[{"resourceType":"Patient","id":"a"}],"subject":{"reference":"#a"},"_recordedDate":{"id":"x","extension":[{"url":"http://x"}]}}`))
	f.Add([]byte(`{"resourceType":"Bundle","type":"document","entry":[{"resource":{"resourceType":"Questionnaire","item":[{"type":"display","item":[{}]}]}},{"fullUrl":7}]}`))
	f.Add([]byte(`{"resourceType":"Patient","name":{"period":[{"start":[],"end":{}}]},"contained":{"id":1},"text":{"div":["<div/>"]},"modifierExtension":[null,{"url":{}}]}`))
	f.Add([]byte(`{"resourceType":"StructureDefinition","snapshot":{"element":[{"path":"a","min":-1,"max":"x"},{"path":[]}]},"kind":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := rawjson.Parse(data, nil)
		if err != nil {
			return
		}
		w := walkers.Get().(*walker)
		w.options.Extensions = held{"http://x": {URL: "http://x", Contexts: []Context{{Type: "element", Expression: "Patient.name"}}}}
		w.steps = stepsFloor + stepsPerValue*doc.Len()
		w.resource(doc.Root(), nil, nil)
		if err := w.extensions(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(w.at) > 1 || len(w.frames) > 0 || w.scope != nil {
			t.Errorf("the walk ends at %v in %d frames", w.at, len(w.frames))
		}
		issues := w.issues(data)
		w.release()
		if len(issues) > MaxIssues+1 {
			t.Errorf("%d issues", len(issues))
		}
		for _, i := range issues {
			if i.Line < 1 || i.Column < 1 || i.Diagnostics == "" {
				t.Errorf("%+v", i)
			}
		}
		again, err := Rules(t.Context(), doc.Root(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if more, _ := Rules(t.Context(), doc.Root(), Options{}); !slices.Equal(again, more) {
			t.Error("a second look finds something else")
		}
	})
}
