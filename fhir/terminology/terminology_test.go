package terminology

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// shelf is a Reader of what it was given, by type and canonical URL or id.
type shelf map[string]string

func (s shelf) Canonical(_ context.Context, typ, url, version string) ([]byte, bool, error) {
	if version != "" {
		url += "|" + version
	}
	b, ok := s[typ+" "+url]
	return []byte(b), ok, nil
}

func (s shelf) Resource(_ context.Context, typ, id string) ([]byte, bool, error) {
	b, ok := s[typ+" "+id]
	return []byte(b), ok, nil
}

func (s shelf) Maps(context.Context, int) ([][]byte, error) {
	var all [][]byte
	for name, body := range s {
		if strings.HasPrefix(name, "ConceptMap ") {
			all = append(all, []byte(body))
		}
	}
	return all, nil
}

// given is a value set that is not stored.
func given(t testing.TB, resource string) ValueSet {
	t.Helper()
	doc, err := rawjson.Parse([]byte(resource), nil)
	if err != nil {
		t.Fatal(err)
	}
	return ValueSet{Resource: doc.Root()}
}

const animals = `{"resourceType":"CodeSystem","url":"urn:animals","name":"Animals","version":"2","caseSensitive":false,"content":"complete",
"property":[{"code":"legs","type":"integer"}],
"concept":[{"code":"animal","display":"Animal","property":[{"code":"notSelectable","valueBoolean":true}],"concept":[
 {"code":"mammal","display":"Mammal","definition":"It gives milk.","designation":[{"language":"de","value":"Säugetier"}],"concept":[{"code":"whale","display":"Whale"},{"code":"cat","display":"Cat","property":[{"code":"legs","valueInteger":4}]}]},
 {"code":"fish","display":"Fish"}]},
 {"code":"swimmer","display":"Swimmer","property":[{"code":"child","valueCode":"whale"},{"code":"child","valueCode":"fish"}]}]}`

func service(t testing.TB, more shelf) *Service {
	t.Helper()
	s := shelf{"CodeSystem urn:animals": animals, "CodeSystem urn:animals|2": animals}
	for k, v := range more {
		s[k] = v
	}
	return New(Options{Reader: s, Definitions: conformance.R4(), MaxCodes: 100})
}

func codes(all []Code) string {
	var list []string
	for _, c := range all {
		list = append(list, c.Code)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestHierarchy(t *testing.T) {
	s, ctx := service(t, nil), t.Context()
	for _, c := range []struct {
		ask  func(context.Context, string, string) ([]Code, error)
		code string
		want string
	}{
		{s.Below, "animal", "animal cat fish mammal whale"}, {s.Below, "swimmer", "fish swimmer whale"}, {s.Below, "cat", "cat"},
		{s.Above, "whale", "animal mammal swimmer whale"}, {s.Above, "animal", "animal"}, {s.Below, "MAMMAL", "cat mammal whale"},
	} {
		got, err := c.ask(ctx, "urn:animals", c.code)
		if err != nil || codes(got) != c.want {
			t.Errorf("%s: %q, %v, want %q", c.code, codes(got), err, c.want)
		}
	}
	for _, c := range []struct {
		a, b string
		want Subsumption
	}{{"animal", "cat", Subsumes}, {"whale", "swimmer", SubsumedBy}, {"cat", "cat", Equivalent}, {"cat", "whale", NotSubsumed}} {
		if got, err := s.Subsumes(ctx, "urn:animals", "2", c.a, c.b); err != nil || got != c.want {
			t.Errorf("%s and %s: %s, %v, want %s", c.a, c.b, got, err, c.want)
		}
	}
	if _, err := s.Subsumes(ctx, "urn:animals", "3", "cat", "cat"); !errors.Is(err, ErrNotHeld) {
		t.Errorf("another version: %v", err)
	}
	if _, err := s.Below(ctx, "urn:animals", "dodo"); !errors.Is(err, ErrInvalid) {
		t.Errorf("no such code: %v", err)
	}
}

func TestLookup(t *testing.T) {
	d, err := service(t, nil).Lookup(t.Context(), "urn:animals", "", "mammal")
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "Animals" || d.Display != "Mammal" || d.Definition != "It gives milk." || d.Version != "2" || len(d.Designations) != 1 {
		t.Errorf("%+v", d)
	}
	for _, p := range []Property{{"parent", "code", "animal"}, {"child", "code", "cat"}, {"child", "code", "whale"}} {
		if !slices.Contains(d.Properties, p) {
			t.Errorf("no %v in %v", p, d.Properties)
		}
	}
}

func TestValidateCode(t *testing.T) {
	s := service(t, shelf{"ValueSet urn:vs": `{"resourceType":"ValueSet","compose":{"include":[{"system":"urn:animals"},{"system":"urn:x","concept":[{"code":"cat"}]}]}}`})
	for _, c := range []struct {
		system, code, display string
		want                  bool
	}{
		{"urn:animals", "cat", "", true}, {"urn:animals", "cat", "cat", true}, {"urn:animals", "cat", "Dog", false}, {"urn:animals", "dog", "", false},
		{"", "whale", "", true}, {"", "cat", "", false}, {"urn:x", "cat", "", true}, {"urn:animals", "animal", "", false},
	} {
		if v, err := s.ValidateCode(t.Context(), ValueSet{Canonical: "urn:vs"}, []Coding{{System: c.system, Code: c.code, Display: c.display}}, Rules{}); err != nil || v.Result != c.want || v.Result == (v.Message != "") {
			t.Errorf("%+v: %+v, %v", c, v, err)
		}
	}
	for code, want := range map[string]bool{"fish": true, "FISH": true, "dog": false, "animal": false} {
		if v, err := s.ValidateIn(t.Context(), CodeSystem{URL: "urn:animals"}, []Coding{{Code: code}}, Rules{}); err != nil || v.Result != want {
			t.Errorf("%s: %+v, %v", code, v, err)
		}
	}
	if v, err := s.ValidateIn(t.Context(), CodeSystem{URL: "http://hl7.org/fhir/administrative-gender"}, []Coding{{Code: "male"}}, Rules{}); err != nil || !v.Result {
		t.Errorf("a code of R4: %+v, %v", v, err)
	}
}

func TestTranslate(t *testing.T) {
	s := service(t, shelf{
		"ConceptMap urn:map": `{"resourceType":"ConceptMap","group":[{"source":"urn:animals","target":"urn:t","element":[
			{"code":"cat","target":[{"code":"CAT","equivalence":"equivalent"},{"code":"PET","equivalence":"wider"}]},{"code":"fish","target":[{"equivalence":"unmatched"}]}],
			"unmapped":{"mode":"other-map","url":"urn:rest"}},{"source":"urn:animals","target":"urn:u","element":[{"code":"cat","target":[{"code":"c","equivalence":"equal"}]}]}]}`,
		"ConceptMap urn:rest":   `{"resourceType":"ConceptMap","group":[{"source":"urn:animals","target":"urn:t","unmapped":{"mode":"fixed","code":"ANY"}}]}`,
		"ConceptMap urn:circle": `{"resourceType":"ConceptMap","group":[{"source":"urn:animals","target":"urn:t","unmapped":{"mode":"other-map","url":"urn:circle"}}]}`,
	})
	for _, c := range []struct{ code, target, want string }{
		{"cat", "urn:t", "equivalent CAT, wider PET"}, {"cat", "", "equivalent CAT, wider PET, equal c"}, {"fish", "urn:t", "unmatched "}, {"whale", "urn:t", "inexact ANY"}, {"cat", "urn:v", ""},
	} {
		all, err := s.Translate(t.Context(), Translating{Map: "urn:map", TargetSystem: c.target}, []Coding{{System: "urn:animals", Code: c.code}})
		var got []string
		for _, x := range all {
			got = append(got, x.Equivalence+" "+x.Target.Code)
			if x.Matches() != (x.Equivalence != "unmatched") {
				t.Errorf("%+v matches: %v", x, x.Matches())
			}
		}
		if err != nil || strings.Join(got, ", ") != c.want {
			t.Errorf("%s to %s: %q, %v, want %q", c.code, c.target, got, err, c.want)
		}
	}
	if _, err := s.Translate(t.Context(), Translating{Map: "urn:circle"}, []Coding{{System: "urn:animals", Code: "cat"}}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a map that leads to itself: %v", err)
	}
	if _, err := s.Translate(t.Context(), Translating{Map: "urn:none"}, []Coding{{System: "urn:animals", Code: "cat"}}); !errors.Is(err, ErrNotHeld) {
		t.Errorf("no map: %v", err)
	}
}

// What has too many codes, or leads too far, is refused with a reason.
func TestLimits(t *testing.T) {
	var many, wide strings.Builder
	for i := range 101 {
		fmt.Fprintf(&many, `%s{"code":"c%d"}`, ","[:min(i, 1)], i)
		fmt.Fprintf(&wide, `%s{"valueSet":["urn:m%d"]}`, ","[:min(i, 1)], i%2)
	}
	more := shelf{
		"CodeSystem urn:many":  `{"resourceType":"CodeSystem","content":"complete","concept":[` + many.String() + `]}`,
		"CodeSystem urn:twice": `{"resourceType":"CodeSystem","content":"complete","concept":[{"code":"a"},{"code":"a"}]}`,
		"CodeSystem urn:lost":  `{"resourceType":"CodeSystem","content":"complete","concept":[{"code":"a","property":[{"code":"parent","valueCode":"b"}]}]}`,
		"CodeSystem urn:round": `{"resourceType":"CodeSystem","content":"complete","concept":[{"code":"a","property":[{"code":"parent","valueCode":"b"}]},{"code":"b","property":[{"code":"parent","valueCode":"a"}]}]}`,
		"ValueSet urn:m0":      `{"compose":{"include":[{"system":"urn:animals"}]}}`,
		"ValueSet urn:m1":      `{"compose":{"include":[{"system":"urn:animals"}]}}`,
	}
	for i := range 40 {
		more[fmt.Sprintf("ValueSet urn:deep%d", i)] = fmt.Sprintf(`{"compose":{"include":[{"valueSet":["urn:deep%d"]}]}}`, i+1)
	}
	// Twice the next, 25 times over: each is expanded once.
	for i := range 25 {
		more[fmt.Sprintf("ValueSet urn:fork%d", i)] = fmt.Sprintf(`{"compose":{"include":[{"valueSet":["urn:fork%d"]},{"valueSet":["urn:fork%d"]}]}}`, i+1, i+1)
	}
	more["ValueSet urn:fork25"] = more["ValueSet urn:m0"]
	s := service(t, more)
	for compose, want := range map[string]error{
		`{"include":[{"system":"urn:many"}]}`:                                                            ErrTooCostly,
		`{"include":[{"system":"urn:x","concept":[` + many.String() + `]}]}`:                             ErrTooCostly,
		`{"include":[{"valueSet":["urn:deep0"]}]}`:                                                       ErrTooCostly,
		`{"include":[` + wide.String() + `]}`:                                                            nil,
		`{"include":[{"system":"urn:twice"}]}`:                                                           ErrInvalid,
		`{"include":[{"system":"urn:lost"}]}`:                                                            ErrInvalid,
		`{"include":[{"system":"urn:round","filter":[{"property":"concept","op":"is-a","value":"a"}]}]}`: nil,
		`{"include":[{"valueSet":["urn:fork0"]}]}`:                                                       nil,
		`{"include":[{}]}`: ErrInvalid,
		`{"include":[{"system":"urn:animals","concept":[{"code":"cat"}],"filter":[{"property":"code","op":"=","value":"x"}]}]}`:          ErrInvalid,
		`{"include":[{"system":"urn:animals","filter":[{"property":"legs","op":"is-a","value":"x"}]}]}`:                                  ErrInvalid,
		`{"include":[{"system":"urn:animals","filter":[{"property":"legs","op":"like","value":"x"}]}]}`:                                  ErrInvalid,
		`{"include":[{"system":"urn:animals","filter":[{"property":"legs","op":"exists","value":"x"}]}]}`:                                ErrInvalid,
		`{"include":[{"system":"urn:animals","filter":[{"property":"code","op":"regex","value":"` + strings.Repeat("a", 2000) + `"}]}]}`: ErrTooCostly,
	} {
		_, err := s.ExpandBy(t.Context(), given(t, `{"resourceType":"ValueSet","compose":`+compose+`}`), Versions{})
		if !errors.Is(err, want) {
			t.Errorf("%.80s: %v, want %v", compose, err, want)
		}
	}
}

// A code is found in a value set that is too large to be listed.
func TestValidateInLargeSets(t *testing.T) {
	var many strings.Builder
	for i := range 500 {
		fmt.Fprintf(&many, `%s{"code":"c%d"}`, ","[:min(i, 1)], i)
	}
	s := service(t, shelf{"CodeSystem urn:many": `{"resourceType":"CodeSystem","content":"complete","concept":[` + many.String() + `]}`})
	set := given(t, `{"compose":{"include":[{"system":"urn:many"}],"exclude":[{"system":"urn:many","concept":[{"code":"c7"}]}]}}`)
	for code, want := range map[string]bool{"c499": true, "c7": false, "c500": false} {
		if v, err := s.ValidateCode(t.Context(), set, []Coding{{Code: code}}, Rules{}); err != nil || v.Result != want {
			t.Errorf("%s: %+v, %v", code, v, err)
		}
	}
	if _, err := s.ExpandBy(t.Context(), set, Versions{}); !errors.Is(err, ErrTooCostly) {
		t.Errorf("expanded: %v", err)
	}
}

func FuzzExpand(f *testing.F) {
	for _, compose := range []string{
		`{"include":[{"system":"urn:animals"}]}`, `{"include":[{"system":"urn:animals","filter":[{"property":"concept","op":"is-a","value":"mammal"}]}],"exclude":[{"valueSet":["urn:vs"]}]}`,
		`{"include":[{"system":"urn:animals","filter":[{"property":"display","op":"regex","value":"(a+)+$"}]}]}`, `{"inactive":false,"include":[{"valueSet":["urn:vs|1","urn:vs"]}]}`, `[]`, `{"include":{"system":1}}`,
	} {
		f.Add(compose, animals)
	}
	f.Fuzz(func(t *testing.T, compose, system string) {
		s := service(t, shelf{
			"CodeSystem urn:animals": system,
			"ValueSet urn:vs":        `{"compose":{"include":[{"system":"urn:animals","concept":[{"code":"cat"}]},{"valueSet":["urn:vs"]}]}}`,
		})
		doc, err := rawjson.Parse([]byte(`{"compose":`+compose+`}`), nil)
		if err != nil {
			return
		}
		x, err := s.ExpandBy(t.Context(), ValueSet{Resource: doc.Root()}, Versions{})
		all := x.Codes
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Cause == nil {
				t.Fatalf("%v", err)
			}
			return
		}
		seen := map[[2]string]bool{}
		for _, c := range all {
			if seen[c.key()] {
				t.Fatalf("%s twice", c.Code)
			}
			seen[c.key()] = true
		}
		if len(all) > 100 {
			t.Fatalf("%d codes", len(all))
		}
	})
}
