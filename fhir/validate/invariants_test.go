package validate

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// foreign are the invariants that name what the type does not have, and what
// that comes to.
var foreign = map[string]string{
	"cid-0 of ChargeItemDefinition": "R4 gives it no name, so the rule is always met",
	"ras-1 of decimal":              "the rule is about the other type of the choice, Range",
}

// Every invariant of R4's tables is asked of the elements that it is given
// for, and says nothing that their types do not have: a name that is wrong
// would give an empty result, and not an error, at every resource.
func TestEveryInvariantIsUnderstood(t *testing.T) {
	p := r4Plan()
	tried, said := map[*rule]bool{}, map[string]bool{}
	try := func(s *shape, rules []*rule) {
		for _, r := range rules {
			if tried[r] {
				continue
			}
			tried[r] = true
			v := fhirpath.NewElement(s.typ, parse(t, `{}`).Root(), rawjson.Node{})
			root, _, _ := strings.Cut(s.name, ".")
			resource := fhirpath.NewElement(p.shapes[root].typ, parse(t, `{}`).Root(), rawjson.Node{})
			_, err := r.expression.Evaluate(&fhirpath.Context{Model: p.model, Units: fhirpath.UCUM{}, Strict: true, Resource: resource, RootResource: resource}, v)
			var failed *fhirpath.Error
			name := r.keys + " of " + s.name
			said[name] = err != nil
			if errors.As(err, &failed) && foreign[name] == "" {
				t.Errorf("%s of %s: %v in %s", r.keys, s.name, err, r.expression)
			}
		}
	}
	for _, s := range p.shapes {
		try(s, s.rules)
		for _, m := range s.members {
			if m.shape != nil {
				try(m.shape, m.rules)
			} else if len(m.rules) > 0 {
				t.Errorf("%s has rules that nobody asks", m.element.Path)
			}
		}
	}
	for name := range foreign {
		if !said[name] {
			t.Errorf("%s names only what is there", name)
		}
	}
	given := 0
	for name := range conformance.R4().TypeNames() {
		typ, _ := conformance.R4().Type(name)
		given += len(typ.Constraints)
		for _, e := range typ.Elements {
			given += len(e.Constraints)
		}
	}
	t.Logf("FHIRPath: %d different expressions of R4's invariants compiled, tried in %d contexts; none is left out", p.rules, len(tried))
	if given < 200 || len(tried) < given {
		t.Errorf("%d constraints in %d contexts", given, len(tried))
	}
}

// What is left out stops the program from starting.
func TestInvariantsCannotBeLeftOut(t *testing.T) {
	c := &compiler{definitions: conformance.R4(), plan: r4Plan(), taken: map[string]bool{}}
	if err := c.complete(); err == nil {
		t.Error("nothing was compiled, and nobody says so")
	}
	if slices.Contains(slices.Collect(conformance.R4().TypeNames()), "") {
		t.Error("a type without a name")
	}
}
