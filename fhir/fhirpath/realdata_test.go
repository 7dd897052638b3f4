package fhirpath_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
)

// R4 defines 1,375 search parameters with an expression each, but for three that
// have none. All of them compile, and run on every example of R4 without error.
func TestSearchParameterExpressions(t *testing.T) {
	expressions := compileAll(t, "expression", "search-parameters.json")
	if len(expressions) < 1000 {
		t.Fatalf("only %d different expressions", len(expressions))
	}
	ctx := &fhirpath.Context{Model: r4model.R4()}
	resources, results := 0, 0
	var found fhirpath.Collection
	eachExample(t, func(name string, resource fhirpath.Value) {
		resources++
		for _, expression := range expressions {
			var err error
			if found, err = expression.AppendTo(found[:0], ctx, resource); err != nil {
				t.Errorf("%s: %s: %v", name, expression, err)
			}
			results += len(found)
		}
	})
	t.Logf("%d expressions on %d resources gave %d values", len(expressions), resources, results)
	if results < 10*resources {
		t.Errorf("only %d values from %d resources", results, resources)
	}
}

// Every invariant of R4's resources and datatypes compiles, and R4's examples
// violate none of those with severity error but the ones listed.
func TestInvariantExpressions(t *testing.T) {
	expressions := compileAll(t, "expression", "profiles-resources.json", "profiles-types.json")
	if len(expressions) < 190 {
		t.Fatalf("only %d different expressions", len(expressions))
	}
	byText := map[string]*fhirpath.Expression{}
	for _, expression := range expressions {
		byText[expression.String()] = expression
	}
	checks, failed := 0, map[string]int{}
	eachExample(t, func(name string, resource fhirpath.Value) {
		if len(resource.Node().Raw()) > 100_000 {
			return // definitions of hundreds of pages: nothing more to learn from them
		}
		ctx := &fhirpath.Context{Model: r4model.R4(), Resource: resource}
		var walk func(v fhirpath.Value, constraints []conformance.Constraint)
		walk = func(v fhirpath.Value, constraints []conformance.Constraint) {
			for typ, ok := conformance.R4().Type(v.TypeName()); ok; typ, ok = conformance.R4().Type(typ.Base) {
				constraints = append(constraints, typ.Constraints...)
			}
			if v.IsResource() {
				defer func(before fhirpath.Value) { ctx.Resource = before }(ctx.Resource)
				ctx.RootResource, ctx.Resource = resource, v
			}
			for _, c := range constraints {
				if byText[c.Expression] == nil {
					t.Fatalf("%s: %s is in no profile", c.Key, c.Expression)
				}
				checks++
				truth, ok, err := byText[c.Expression].Truth(ctx, v)
				if err != nil {
					t.Errorf("%s: %s %s: %v", name, c.Key, c.Expression, err)
				}
				if c.Severity == "error" && ok && !truth {
					failed[c.Key]++
				}
			}
			for _, e := range v.Type().Elements {
				definition, _ := conformance.R4().Element(v.TypeName(), e.Name)
				children, err := fhirpath.MustCompile("`"+e.Name+"`").Evaluate(ctx, v)
				if err != nil {
					t.Fatal(err)
				}
				for _, child := range children {
					walk(child, definition.Constraints)
				}
			}
		}
		walk(resource, nil)
	})
	t.Logf("%d checks, violated: %v", checks, failed)
	want := map[string]int{
		// "answer is Boolean" was meant to be boolean: a FHIR.boolean is no
		// System.Boolean (official case testType12).
		"que-7": 1,
		// Narratives of four examples are blank, which txt-2 forbids; txt-1 is
		// the same expression.
		"txt-1": 4, "txt-2": 4,
	}
	if !maps.Equal(failed, want) {
		t.Errorf("violated: %v, want %v", failed, want)
	}
	if checks < 50_000 {
		t.Errorf("only %d checks", checks)
	}
}

// compileAll compiles every text of a member in definition files, each once.
func compileAll(t *testing.T, member string, files ...string) []*fhirpath.Expression {
	t.Helper()
	seen := map[string]bool{}
	var expressions []*fhirpath.Expression
	var walk func(n rawjson.Node)
	walk = func(n rawjson.Node) {
		for child := range n.Elements() {
			walk(child)
		}
		for child := range n.Members() {
			if child.NameIs(member) && child.Kind() == rawjson.KindString && !seen[child.String()] {
				seen[child.String()] = true
				expression, err := fhirpath.Compile(child.String())
				if err != nil {
					t.Errorf("%s: %v", child.String(), err)
					continue
				}
				expressions = append(expressions, expression)
			}
			walk(child)
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(sharedtest.Dir(t, "data", "r4"), file))
		if err != nil {
			t.Fatal(err)
		}
		walk(parse(t, data).Root())
	}
	return expressions
}

func eachExample(t *testing.T, use func(name string, resource fhirpath.Value)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "examples-r4"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	var doc rawjson.Document
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(data, []byte("\ufeff")) {
			data = data[3:]
		}
		if err := doc.Parse(data, nil); err != nil {
			t.Fatal(err)
		}
		resource, ok := fhirpath.NewResource(r4model.R4(), doc.Root())
		if !ok {
			t.Errorf("%s is no resource of R4", filepath.Base(file))
			continue
		}
		use(filepath.Base(file), resource)
	}
}
