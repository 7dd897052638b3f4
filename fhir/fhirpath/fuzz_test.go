package fhirpath_test

import (
	"errors"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
)

// FuzzEvaluate: no expression panics or runs on and on, and errors are the
// package's own.
func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{
		"Patient.name.given | Patient.name.family", "telecom.where(system='phone').value", "(Patient.deceased as dateTime) > @2009-12-31T10:00:00.5Z",
		"generalPractitioner.where(resolve() is Practitioner)", "birthDate.extension('http://e/birthTime').value + 3 'd'", "name.repeat(given).count() div 2",
		"descendants().select($this.type().name).distinct().join(',')", "iif(active, 1.5 'mg' / 2, -5 mod 3).toString()", "%`vs-x` & %us-zip.matches('[0-9]')",
		"(1|2|3).aggregate($this + $total, 0)", "'a\\u0041\\n'.encode('hex').replaceMatches('(.)', '$1$1')", "1.587.lowBoundary(2) | @2014.highBoundary(6)",
		"name.sort(-family, given.first())", "now() - 1 year < today()", "identifier[0].value.substring(1, 1) in ('1' | '2')", "{} implies true xor false", "`name`.all($index >= 0) // x",
		"telecom.tail().skip(1).take(1).exclude(telecom.first()).trace('x').not()", "deceased ~ @2010-01-01T", "2.power(64).ln().sqrt().round(3)", "text.`div`.htmlChecks()",
		"98.6 '[degF]'.toQuantity('Cel') / 3 'mg/dL' > 1e-9 '10*3/uL'.comparable(2 's')",
	} {
		f.Add(seed)
	}
	root := resource(f, patient)
	f.Fuzz(func(t *testing.T, text string) {
		expression, err := fhirpath.Compile(text)
		if err == nil {
			ctx := context()
			ctx.Units = fhirpath.UCUM{}
			ctx.MaxSteps, ctx.MaxCollection = 20_000, 2_000
			ctx.Now = func() time.Time { return time.Unix(1e9, 0) }
			var values fhirpath.Collection
			if values, err = expression.Evaluate(ctx, root); len(values) > 2_000 {
				t.Fatalf("%d values", len(values))
			}
			for _, v := range values {
				v.System()
				_ = v.TypeName()
			}
		}
		var e *fhirpath.Error
		if err != nil && (!errors.As(err, &e) || e.Position < 0 || e.Position > len(text)) {
			t.Fatalf("unusable error %#v", err)
		}
	})
}
