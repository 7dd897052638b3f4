package conformance

import (
	"slices"
	"testing"
)

func TestWithAddsParametersToTheirTypesOnly(t *testing.T) {
	eye := &SearchParameter{Number: FirstCustomParameterNumber, URL: "http://example.org/eye", Code: "eye-colour", Base: "Patient", Type: SearchToken, Expression: "Patient.extension"}
	ward := &SearchParameter{Number: FirstCustomParameterNumber + 1, URL: "http://example.org/ward", Code: "ward", Base: "DomainResource", Type: SearchString, Expression: "DomainResource.extension"}
	d, err := R4().With([]*SearchParameter{eye, ward})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		typ, code string
		want      *SearchParameter
	}{
		{"Patient", "eye-colour", eye}, {"Patient", "ward", ward}, {"Observation", "ward", ward},
		{"DomainResource", "ward", ward}, {"Observation", "eye-colour", nil}, {"Binary", "ward", nil}, {"Resource", "ward", nil},
	} {
		got, _ := d.SearchParameter(c.typ, c.code)
		if got != c.want {
			t.Errorf("%s %s: %v", c.typ, c.code, got)
		}
		if _, ok := R4().SearchParameter(c.typ, c.code); ok {
			t.Errorf("R4 itself has %s of %s now", c.code, c.typ)
		}
		if c.want != nil && !slices.Contains(d.SearchParameters(c.typ), c.want) {
			t.Errorf("%s is not among the parameters of %s", c.code, c.typ)
		}
	}
	if !slices.IsSortedFunc(d.SearchParameters("Patient"), func(a, b *SearchParameter) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	}) {
		t.Error("not sorted by code")
	}
	if got := d.SearchParametersByURL("http://example.org/eye"); len(got) != 1 || got[0] != eye {
		t.Errorf("by URL: %v", got)
	}
	if same, err := R4().With(nil); err != nil || same != R4() {
		t.Error("nothing added makes something new")
	}
}

func TestWithRefuses(t *testing.T) {
	const n = FirstCustomParameterNumber
	for name, all := range map[string][]*SearchParameter{
		"a number of R4's":          {{Number: 200, Code: "x", Base: "Patient"}},
		"no resource type":          {{Number: n, Code: "x", Base: "HumanName"}},
		"a code that R4 has":        {{Number: n, Code: "birthdate", Base: "Patient"}},
		"a code that is inherited":  {{Number: n, Code: "_id", Base: "Patient"}},
		"a code that a type has":    {{Number: n, Code: "birthdate", Base: "Resource"}},
		"two of the same code":      {{Number: n, Code: "x", Base: "Patient"}, {Number: n + 1, Code: "x", Base: "Patient"}},
		"two of which one inherits": {{Number: n, Code: "x", Base: "Patient"}, {Number: n + 1, Code: "x", Base: "Resource"}},
	} {
		if _, err := R4().With(all); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// The numbers of numbers.txt only grow; they must not grow into those that
// tenants have given out.
func TestOwnNumbersStayBelowCustomOnes(t *testing.T) {
	for _, p := range R4().parameters {
		if p.Number >= FirstCustomParameterNumber {
			t.Fatalf("%s has number %d", p.URL, p.Number)
		}
	}
}

func TestInherits(t *testing.T) {
	for _, c := range []struct {
		typ, base string
		want      bool
	}{
		{"Patient", "Patient", true}, {"Patient", "DomainResource", true}, {"Patient", "Resource", true},
		{"Binary", "DomainResource", false}, {"Patient", "Person", false}, {"Nothing", "Resource", false},
	} {
		if got := R4().Inherits(c.typ, c.base); got != c.want {
			t.Errorf("%s inherits %s: %v", c.typ, c.base, got)
		}
	}
}
