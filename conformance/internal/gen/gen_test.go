package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/internal/union"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// The checked-in tables must be what the generator makes of the definitions,
// or a change of one would be lost at the next go generate.
func TestCheckedInFilesAreGenerated(t *testing.T) {
	r4 := sharedtest.Dir(t, "data", "r4")
	dir := t.TempDir()
	numbersFile := filepath.Join(dir, "numbers.txt")
	old, err := os.ReadFile(filepath.Join("..", "..", "numbers.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(numbersFile, old, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(r4, sharedtest.Dir(t, "data", "uscore", "package"), filepath.Join(dir, "r4.tables"), numbersFile); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"r4.tables", "numbers.txt"} {
		want, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: run go generate ./conformance", name)
		}
	}
}

func TestNumbersSurviveRegeneration(t *testing.T) {
	checkedIn, err := os.ReadFile(filepath.Join("..", "..", "numbers.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := parseNumbers(checkedIn)
	if err != nil {
		t.Fatal(err)
	}
	lastType, lastParam := n.lastType, n.lastParam
	var types, params []string
	for name := range n.types {
		types = append(types, name)
	}
	for url := range n.parameters {
		params = append(params, url)
	}
	// New names that sort before all others, in a definition set that has lost
	// some of the old ones.
	if err := n.extend(append(types[10:], "AAA"), append(params[10:], "http://a.example/SearchParameter/aaa")); err != nil {
		t.Fatal(err)
	}
	after := n.format()
	if !bytes.HasPrefix(after, checkedIn) {
		t.Error("regeneration changed lines instead of appending")
	}
	if n.types["AAA"] != lastType+1 || n.parameters["http://a.example/SearchParameter/aaa"] != lastParam+1 {
		t.Errorf("new names did not get the next numbers: %d, %d", n.types["AAA"], n.parameters["http://a.example/SearchParameter/aaa"])
	}
	again, err := parseNumbers(after)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again.types, n.types) || !reflect.DeepEqual(again.parameters, n.parameters) {
		t.Error("the file does not read back as written")
	}
}

func TestParameterNumbersStartAfterTheReservedOnes(t *testing.T) {
	n := newNumbers()
	if err := n.extend([]string{"Patient"}, []string{"http://b", "http://a"}); err != nil {
		t.Fatal(err)
	}
	if n.parameters["http://a"] != 100 || n.parameters["http://b"] != 101 || n.types["Patient"] != 1 {
		t.Errorf("got %v %v", n.parameters, n.types)
	}
}

func TestNumbersFileRefuses(t *testing.T) {
	for rule, file := range map[string]string{
		"a reserved parameter number":  "param\t99\thttp://a\n",
		"a number twice":               "type\t1\tA\ntype\t1\tB\n",
		"a name twice":                 "type\t1\tA\ntype\t2\tA\n",
		"descending numbers":           "type\t2\tA\ntype\t1\tB\n",
		"a number beyond sixteen bits": "type\t65536\tA\n",
		"an unknown kind":              "colour\t1\tA\n",
		"a missing field":              "type\t1\n",
	} {
		if _, err := parseNumbers([]byte(file)); err == nil {
			t.Errorf("%s was accepted", rule)
		}
	}
}

func TestSplitByBase(t *testing.T) {
	tests := []struct {
		rule, expression string
		bases            []string
		want             string // base=expression, or error
	}{
		{"one base", "A.x", []string{"A"}, "A=A.x"},
		{"shared", "A.x | B.y", []string{"B", "A"}, "A=A.x;B=B.y"},
		{"several parts for a base", "A.x | B.y | A.z", []string{"A", "B"}, "A=A.x | A.z;B=B.y"},
		{"parentheses around a part", "(A.x as Quantity) | (B.x as Quantity)", []string{"A", "B"}, "A=(A.x as Quantity);B=(B.x as Quantity)"},
		{"a union within parentheses", "(A.x | A.y).z | B.z", []string{"A", "B"}, "A=(A.x | A.y).z;B=B.z"},
		{"a bar in a string", "A.where(c='|').x | B.y", []string{"A", "B"}, "A=A.where(c='|').x;B=B.y"},
		{"an escaped quote in a string", `A.where(c='\'|').x | B.y`, []string{"A", "B"}, `A=A.where(c='\'|').x;B=B.y`},
		{"an indexer", "A.x[0] | B.y", []string{"A", "B"}, "A=A.x[0];B=B.y"},
		{"a base that is the start of another", "Medication.code | MedicationRequest.code", []string{"Medication", "MedicationRequest"}, "Medication=Medication.code;MedicationRequest=MedicationRequest.code"},
		{"relative path", "name | alias", []string{"A"}, "A=name | alias"},
		{"no expression", "", []string{"A"}, "A="},
		{"a part of no base", "A.x | C.y", []string{"A"}, "error"},
		{"a base without a part", "A.x", []string{"A", "B"}, "error"},
		{"unbalanced", "(A.x | B.y", []string{"A", "B"}, "error"},
		{"closed too often", "A.x) | B.y", []string{"A", "B"}, "error"},
		{"unterminated string", "A.where(x='y) | B.y", []string{"A", "B"}, "error"},
		{"an empty part", "A.x | ", []string{"A"}, "error"},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got := "error"
			if split, err := union.SplitByBase(tt.expression, tt.bases); err == nil {
				var parts []string
				for _, s := range split {
					parts = append(parts, s.Base+"="+s.Expression)
				}
				got = strings.Join(parts, ";")
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEnumerate(t *testing.T) {
	nested := codeSystem{URL: "s", Content: "complete", Concept: []concept{{Code: "a", Concept: []concept{{Code: "b"}}}}}
	systems := map[string]codeSystem{"s": nested, "f": {URL: "f", Content: "fragment"}}
	set := func(include ...valueSetInclude) valueSet {
		var vs valueSet
		vs.Compose.Include = include
		return vs
	}
	listed := valueSetInclude{System: "x", Concept: []struct {
		Code string `json:"code"`
	}{{"c"}}}
	excluding := set(listed)
	excluding.Compose.Exclude = []valueSetInclude{listed}
	tests := []struct {
		rule string
		vs   valueSet
		want map[string][]string
	}{
		{"a whole system with its nested concepts", set(valueSetInclude{System: "s"}), map[string][]string{"s": {"a", "b"}}},
		{"listed concepts, the system unknown", set(listed), map[string][]string{"x": {"c"}}},
		{"both", set(valueSetInclude{System: "s"}, listed), map[string][]string{"s": {"a", "b"}, "x": {"c"}}},
		{"a fragment of a system", set(valueSetInclude{System: "f"}), nil},
		{"an unknown system", set(valueSetInclude{System: "u"}), nil},
		{"another value set", set(valueSetInclude{ValueSet: []string{"v"}}), nil},
		{"an exclusion", excluding, nil},
		{"nothing", set(), nil},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, ok := enumerate(tt.vs, systems)
			if ok != (tt.want != nil) || ok && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, %v", got, ok)
			}
		})
	}
}
