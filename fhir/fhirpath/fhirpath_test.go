package fhirpath_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath"
	"github.com/fhirfacade/fhirfacade/fhir/fhirpath/r4model"
)

const patient = `{
	"resourceType": "Patient", "id": "p1",
	"contained": [{"resourceType": "Organization", "id": "o1", "name": "Hos\u0070ital"}],
	"extension": [{"url": "http://e/x", "valueDecimal": 1.50}, {"url": "http://e/y", "valueCode": "c"}],
	"identifier": [{"system": "http://s", "value": "A1"}, {"system": "http://s", "value": "A2"}],
	"active": true,
	"name": [{"use": "official", "family": "Do", "given": ["Jo", null, "Al"], "_given": [null, {"id": "g2", "extension": [{"url": "http://e/z", "valueString": "why"}]}]}],
	"telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "e"}, {"system": "phone", "value": "2"}],
	"birthDate": "1974-12",
	"_birthDate": {"id": "b1", "extension": [{"url": "http://e/birthTime", "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
	"_gender": {"extension": [{"url": "http://e/absent", "valueCode": "unknown"}]},
	"deceasedDateTime": "2010-01-01",
	"_deceasedDateTime": {"id": "d1"},
	"multipleBirthInteger": 2,
	"generalPractitioner": [{"reference": "Practitioner/1"}, {"reference": "http://a.b/fhir/Organization/2/_history/3"}, {"reference": "#o1"}, {"reference": "urn:uuid:1", "type": "PractitionerRole"}, {"display": "somebody"}],
	"managingOrganization": {"reference": "#o1"}
}`

func resource(t testing.TB, text string) fhirpath.Value {
	t.Helper()
	v, ok := fhirpath.NewResource(r4model.R4(), parse(t, []byte(text)).Root())
	if !ok {
		t.Fatal("no resource")
	}
	return v
}

func context() *fhirpath.Context { return &fhirpath.Context{Model: r4model.R4()} }

// list evaluates and gives each value as type and text.
func list(t *testing.T, ctx *fhirpath.Context, root fhirpath.Value, expr string) []string {
	t.Helper()
	expression, err := fhirpath.Compile(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	values, err := expression.Evaluate(ctx, root)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	var got []string
	for _, v := range values {
		got = append(got, v.TypeName()+" "+text(v))
	}
	return got
}

func TestRules(t *testing.T) {
	root := resource(t, patient)
	for _, c := range []struct {
		rule, expr string
		want       []string
	}{
		{"a path starts with the type", "Patient.name.family", []string{"string Do"}},
		{"or with a type it is derived from", "DomainResource.text | Resource.id", []string{"id p1"}},
		{"or with an element", "name.family", []string{"string Do"}},
		{"a path of another type is empty", "Observation.name", nil},
		{"union takes each value once", "name.family | name.family | 'Do'", []string{"string Do"}},
		{"combine takes all", "name.family.combine(name.family)", []string{"string Do", "string Do"}},
		{"repeating elements are one collection", "telecom.value", []string{"string 1", "string e", "string 2"}},
		{"indexes count from 0", "telecom[1].value", []string{"string e"}},
		{"an index behind the end is empty", "telecom[3]", nil},
		{"a negative index is empty", "telecom[-1]", nil},

		// R4 § 2.6.2: choice of data types
		{"a choice is named without its type", "Patient.deceased", []string{"dateTime 2010-01-01"}},
		{"and not with it", "Patient.deceasedDateTime", nil},
		{"as picks a type of the choice", "(Patient.deceased as dateTime) | (Patient.deceased as boolean)", []string{"dateTime 2010-01-01"}},
		{"ofType picks a type of the choice", "Patient.multipleBirth.ofType(integer)", []string{"integer 2"}},
		{"a choice in an extension", "extension('http://e/x').value", []string{"decimal 1.50"}},
		{"the search parameter deceased", "Patient.deceased.exists() and Patient.deceased != false", []string{"Boolean true"}},

		// R4 § 2.6.2.3: ids and extensions of primitives
		{"id of a primitive", "birthDate.id | deceased.id", []string{"string b1", "string d1"}},
		{"extension of a primitive", "birthDate.extension('http://e/birthTime').value", []string{"dateTime 1974-12-25T14:35:45-05:00"}},
		{"extensions of one of many", "name.given.extension.value", []string{"string why"}},
		{"a value may be missing", "name.given.count() | name.given.where(hasValue()).count()", []string{"Integer 3", "Integer 2"}},
		{"values beside a missing one", "name.given.getValue()", nil},
		{"an element with extensions only exists", "gender.exists() and gender.hasValue().not()", []string{"Boolean true"}},
		{"and has no value to compare", "gender = 'male'", []string{"Boolean false"}},
		{"children of a primitive", "birthDate.children().count()", []string{"Integer 2"}},

		// R4 § 2.9.4: resolve() by the reference alone
		{"type of a relative reference", "generalPractitioner.where(resolve() is Practitioner).reference", []string{"string Practitioner/1"}},
		{"type of an absolute reference with version, and of a contained resource", "generalPractitioner.where(resolve() is Organization).reference", []string{"string http://a.b/fhir/Organization/2/_history/3", "string #o1"}},
		{"type that the reference states", "generalPractitioner.where(resolve() is PractitionerRole).reference", []string{"string urn:uuid:1"}},
		{"contained resources are there whole", "managingOrganization.resolve().name", []string{"string Hospital"}},
		{"resolve() of a text", "'Practitioner/5'.resolve().type().name", []string{"String Practitioner"}},
		{"a canonical with version", "'http://x/ValueSet/5|1.0'.resolve().type().name", []string{"String ValueSet"}},
		{"what is no reference", "'x'.resolve() | 'a/b/c'.resolve() | {}.resolve()", nil},

		// FHIRPath 2.0 § 6.6: exact decimals
		{"decimals are exact", "0.1 + 0.2 = 0.3", []string{"Boolean true"}},
		{"digits are kept", "extension('http://e/x').value.toString()", []string{"String 1.50"}},
		{"division", "10 / 4 | 1 / 3", []string{"Decimal 2.5", "Decimal 0.3333333333333333"}},
		{"Integer overflow is empty", "2147483647 + 1", nil},
		{"the least Integer", "-2147483648", []string{"Integer -2147483648"}},
		{"its negative is empty", "-(-2147483648)", nil},
		{"division by zero is empty", "(1 / 0) | (1 div 0) | (1 mod 0) | (1.0 / 0.0)", nil},
		{"div and mod of negatives", "(-7 div 2) | (-7 mod 2) | (7.5 mod 2)", []string{"Integer -3", "Integer -1", "Decimal 1.5"}},
		{"power and roots", "2.power(10) | 2.power(-1) | 9.sqrt()", []string{"Integer 1024", "Decimal 0.5", "Decimal 3"}},

		// FHIRPath 2.0 § 6.1, § 6.2: three-valued comparison of partial dates
		{"the same precision", "birthDate = @1974-12", []string{"Boolean true"}},
		{"another month decides", "birthDate < @1975", []string{"Boolean true"}},
		{"more precision does not", "birthDate = @1974-12-25", nil},
		{"nor does it order", "birthDate <= @1974-12-25", nil},
		{"equivalence says no", "birthDate ~ @1974-12-25", []string{"Boolean false"}},
		{"offsets are respected", "@2020-01-01T00:30:00+01:00 = @2019-12-31T23:30:00Z", []string{"Boolean true"}},
		{"an unknown offset leaves hours open", "@2020-01-01T12:00:00 < @2020-01-01T13:00:00Z", nil},
		{"but not days", "@2020-01-01T12:00:00 < @2020-01-03T13:00:00Z", []string{"Boolean true"}},
		{"minutes against seconds", "@T10:30 < @T10:31:00", []string{"Boolean true"}},

		// FHIRPath 2.0 § 6.6.5: date arithmetic
		{"the last day of a shorter month", "@2020-01-31 + 1 month", []string{"Date 2020-02-29"}},
		{"leap years", "@2020-02-29 + 1 year", []string{"Date 2021-02-28"}},
		{"partial dates keep their precision", "(@2020 + 24 months) | (@2020-03 - 1 month)", []string{"Date 2022", "Date 2020-02"}},
		{"hours on a date", "@2020-01-01 + 49 hours", []string{"Date 2020-01-03"}},
		{"times wrap around", "@T23:30 + 45 minutes", []string{"Time 00:15"}},
		{"fractions of seconds", "@2020-01-01T00:00:00Z + 1.5 seconds", []string{"DateTime 2020-01-01T00:00:01.500Z"}},
		{"out of range is empty", "(@9999-12-31 + 1 day) | (@0001-01-01 - 1 day)", nil},
		{"durations add", "1 week + 1 day = 8 days", []string{"Boolean true"}},
		{"years and months", "1 year + 1 month = 13 months", []string{"Boolean true"}},

		// Boundaries of times of limited precision
		{"low boundary of a month", "birthDate.lowBoundary()", []string{"Date 1974-12-01"}},
		{"high boundary of a month", "birthDate.highBoundary()", []string{"Date 1974-12-31"}},

		// $this, $index, environment
		{"$this is the item", "telecom.value.where($this = '2')", []string{"string 2"}},
		{"$index is its place", "telecom.where($index > 0).value", []string{"string e", "string 2"}},
		{"arguments see the outer $this", "name.where(family.union(use).count() = 2).family", []string{"string Do"}},
		{"%resource inside a path", "contained.where(id in %resource.managingOrganization.reference.substring(1)).name", []string{"string Hospital"}},
		{"%context", "name.where(%context is Patient).family", []string{"string Do"}},
		{"hyphens in the constants of R4", "%vs-administrative-gender | %`ext-patient-x`", []string{"String http://hl7.org/fhir/ValueSet/administrative-gender", "String http://hl7.org/fhir/StructureDefinition/patient-x"}},
		{"keywords as names", "iif(true, 'a' in ('a' | 'b'), false)", []string{"Boolean true"}},
		{"iif takes its input as $this", "active.iif($this, 'yes', 'no')", []string{"String yes"}},

		// Text
		{"text counts characters", "'año😀x'.length() | 'año😀x'.indexOf('x')", []string{"Integer 5", "Integer 4"}},
		{"substring counts characters", "'año😀x'.substring(3, 1)", []string{"String 😀"}},
		{"groups in replaceMatches", "'2024-05'.replaceMatches('(\\\\d+)-(\\\\d+)', '$2x$1')", []string{"String 05x2024"}},
		{"matches is not anchored, matchesFull is", "'abc'.matches('b') and 'abc'.matchesFull('b').not()", []string{"Boolean true"}},
		{"unescape of surrogates", `'\\ud83d\\ude00\\u0041'.unescape('json')`, []string{"String 😀A"}},

		// Types
		{"derived types are recognised", "Patient is DomainResource and Patient is Resource", []string{"Boolean true"}},
		{"a backbone has the type of its path", "contact.exists() or Patient.is(BackboneElement)", []string{"Boolean false"}},
		{"System types are not FHIR types", "active is Boolean or active is System.Boolean", []string{"Boolean false"}},
		{"as passes over other types", "descendants().as(code).where(hasValue())", []string{"code c", "code official", "code phone", "code email", "code phone", "code unknown"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if diff := cmp.Diff(c.want, list(t, context(), root, c.expr)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", c.expr, diff)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	root := resource(t, patient)
	for _, c := range []struct {
		rule, expr string
		kind       fhirpath.ErrorKind
		position   int
	}{
		{"nothing", "", fhirpath.SyntaxError, 0},
		{"unbalanced", "(name", fhirpath.SyntaxError, 5},
		{"two values", "1 2", fhirpath.SyntaxError, 2},
		{"operator without operand", "name and", fhirpath.SyntaxError, 8},
		{"text without end", "name = 'x", fhirpath.SyntaxError, 7},
		{"unknown escape", `'a\d'`, fhirpath.SyntaxError, 2},
		{"unknown variable", "$that", fhirpath.SyntaxError, 0},
		{"no such day", "@2021-02-29", fhirpath.SyntaxError, 0},
		{"unknown function", "name.foo()", fhirpath.SemanticError, 5},
		{"too few arguments", "name.where()", fhirpath.SemanticError, 5},
		{"too many arguments", "name.first(1)", fhirpath.SemanticError, 5},
		{"unknown type", "active is Boolian", fhirpath.SemanticError, 10},
		{"unknown constant", "%nothing", fhirpath.SemanticError, 0},
		{"invalid pattern", "'a'.matches('(')", fhirpath.SemanticError, 4},
		{"patterns that go back", "'a'.matches('(a)\\\\1')", fhirpath.SemanticError, 4},
		{"more than one operand", "telecom.value + 'x'", fhirpath.ExecutionError, 14},
		{"criterion of many", "name.where(%resource.telecom)", fhirpath.ExecutionError, 5},
		{"order of unlike things", "1 < 'a'", fhirpath.ExecutionError, 2},
		{"function of a complex element", "name.first().length()", fhirpath.ExecutionError, 13},
		{"no clock", "now()", fhirpath.ExecutionError, 0},
		{"deep nesting", strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), fhirpath.SyntaxError, 250},
		{"long chain", "1" + strings.Repeat("+1", 2000), fhirpath.SyntaxError, 2003},
	} {
		t.Run(c.rule, func(t *testing.T) {
			expression, err := fhirpath.Compile(c.expr)
			if err == nil {
				_, err = expression.Evaluate(context(), root)
			}
			var e *fhirpath.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Position != c.position || !errors.Is(err, c.kind) {
				t.Errorf("%.40s: %#v, want %v at %d", c.expr, err, c.kind, c.position)
			}
		})
	}
}

func TestErrorsHoldNoValues(t *testing.T) {
	root := resource(t, `{"resourceType":"Patient","name":[{"family":"Secret"},{"family":"Secret"}]}`)
	for _, expr := range []string{"name.family + 1", "name.first().family + 1", "name.family.single()", "name.first().family.toChars() > 2", "name[0].family < 1"} {
		_, err := fhirpath.MustCompile(expr).Evaluate(context(), root)
		if err == nil || strings.Contains(err.Error(), "Secret") {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// No expression and no document hangs an evaluation or exhausts memory.
func TestLimits(t *testing.T) {
	root := resource(t, patient)
	grow := "('a')"
	for range 40 {
		grow += ".select($this & $this)"
	}
	double := "(1 | 2)"
	for range 40 {
		double += ".combine($this).select($this.combine($this))"
	}
	for _, c := range []struct{ rule, expr string }{
		{"text that doubles", grow},
		{"collections that double", double},
		{"repeat without end", "'a'.repeat($this & 'a')"},
		{"nested loops", strings.Repeat("%resource.descendants().select(", 8) + "id" + strings.Repeat(")", 8)},
		{"replacement that grows", "'aaaaaaaaaa'" + strings.Repeat(".replace('a', 'aaaaaaaaaa')", 10)},
		{"replacement by matches that grows", "'aaaaaaaaaa'" + strings.Repeat(".replaceMatches('a', 'aaaaaaaaaa')", 10)},
		{"replacement by groups that grows", "'aaaaaaaaaa'" + strings.Repeat(".replaceMatches('.+', '$0$0$0$0$0$0$0$0')", 10)},
		{"patterns made up as it goes", "'x'.repeat($this & 'x').matches('(' & $this & '*)*y')"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, err := fhirpath.MustCompile(c.expr).Evaluate(context(), root)
			if !errors.Is(err, fhirpath.LimitError) {
				t.Errorf("got %v, want a limit error", err)
			}
		})
	}
	ctx := context()
	ctx.MaxSteps = 5
	if _, err := fhirpath.MustCompile("name.given.where($this = 'x').exists()").Evaluate(ctx, root); !errors.Is(err, fhirpath.LimitError) {
		t.Errorf("MaxSteps: %v", err)
	}
	ctx = context()
	ctx.MaxCollection = 2
	if _, err := fhirpath.MustCompile("Patient.telecom.value").Evaluate(ctx, root); !errors.Is(err, fhirpath.LimitError) {
		t.Errorf("MaxCollection: %v", err)
	}
	if got := list(t, ctx, root, "Patient.id"); !slices.Equal(got, []string{"id p1"}) {
		t.Errorf("after an error: %v", got)
	}
}

// A number of JSON is a line, and what it stands for may be a gigabyte of digits.
func TestHugeNumbersAreNoValues(t *testing.T) {
	root := resource(t, `{"resourceType":"Observation","valueQuantity":{"value":1e999999999},"component":[{"valueInteger":99999999999}]}`)
	for _, expr := range []string{"value.value + 1", "value.value.toString()", "value.value.round(2)", "component.value + 1"} {
		if got := list(t, context(), root, expr); got != nil {
			t.Errorf("%s: %v", expr, got)
		}
	}
	if got := list(t, context(), root, "value.value"); len(got) != 1 {
		t.Errorf("the element is still there: %v", got)
	}
}

func TestHooks(t *testing.T) {
	root := resource(t, patient)
	practitioner := resource(t, `{"resourceType":"Practitioner","id":"1","name":[{"family":"Pra"}]}`)
	ctx := context()
	var traced []string
	var asked []string
	ctx.Resolve = func(reference string) (fhirpath.Value, bool) {
		asked = append(asked, reference)
		// A hook may evaluate with the same Context.
		if got := list(t, ctx, practitioner, "Practitioner.id | %resource.id"); !slices.Equal(got, []string{"id 1"}) {
			t.Errorf("inside a hook: %v", got)
		}
		return practitioner, reference == "Practitioner/1"
	}
	ctx.Trace = func(name string, values fhirpath.Collection) {
		for _, v := range values {
			traced = append(traced, name+"="+text(v))
		}
	}
	ctx.MemberOf = func(v fhirpath.Value, valueSet string) (member, ok bool) {
		s, _ := v.AsString()
		return s == "official", valueSet == "http://vs"
	}
	ctx.Subsumes = func(general, special fhirpath.Value) (subsumes, ok bool) {
		a, _ := general.AsString()
		b, _ := special.AsString()
		return strings.HasPrefix(b, a), true
	}
	ctx.ConformsTo = func(_ fhirpath.Value, profile string) (conforms, ok bool) { return true, profile == "http://p" }
	ctx.Variables = map[string]fhirpath.Collection{"mine": {fhirpath.String("a"), fhirpath.Integer(1)}}
	calls := 0
	ctx.Now = func() time.Time {
		calls++
		return time.Date(2024, 2, 29, 23, 59, 58, 7e6+1, time.FixedZone("", 3600)).Add(time.Duration(calls) * time.Hour)
	}
	for _, c := range []struct {
		expr string
		want []string
	}{
		{"generalPractitioner.resolve().name.family", []string{"string Pra"}},
		{"managingOrganization.resolve().name", []string{"string Hospital"}},
		{"name.use.memberOf('http://vs')", []string{"Boolean true"}},
		{"name.use.memberOf('http://other')", nil},
		{"'a'.subsumes('ab') and 'ab'.subsumedBy('a')", []string{"Boolean true"}},
		{"conformsTo('http://p')", []string{"Boolean true"}},
		{"%mine", []string{"String a", "Integer 1"}},
		{"telecom.trace('t', value).count()", []string{"Integer 3"}},
		{"now() = now()", []string{"Boolean true"}},
		{"now() | today() | timeOfDay()", []string{"DateTime 2024-03-01T01:59:58.007+01:00", "Date 2024-03-01", "Time 01:59:58.007"}},
	} {
		if diff := cmp.Diff(c.want, list(t, ctx, root, c.expr)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.expr, diff)
		}
	}
	if want := []string{"Practitioner/1", "http://a.b/fhir/Organization/2/_history/3", "urn:uuid:1"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q", asked)
	}
	if want := []string{"t=1", "t=e", "t=2"}; !slices.Equal(traced, want) {
		t.Errorf("traced %q", traced)
	}
	if _, err := fhirpath.MustCompile("conformsTo('http://q')").Evaluate(ctx, root); !errors.Is(err, fhirpath.ExecutionError) {
		t.Errorf("unknown profile: %v", err)
	}
}

func TestStrict(t *testing.T) {
	root := resource(t, patient)
	for _, expr := range []string{"name.given1", "Observation.status", "Patient.children().first()", "telecom.as(ContactPoint)", "iif('x', 1, 2)", "(deceased as Period).unit", "1.foo"} {
		if _, err := fhirpath.MustCompile(expr).Evaluate(context(), root); err != nil {
			t.Errorf("%s: %v", expr, err)
		}
		ctx := context()
		ctx.Strict = true
		if _, err := fhirpath.MustCompile(expr).Evaluate(ctx, root); err == nil {
			t.Errorf("%s: no error in Strict", expr)
		}
	}
}

func TestUnits(t *testing.T) {
	ctx := context()
	ctx.Units = fhirpath.UCUM{}
	root := resource(t, `{"resourceType":"Observation","valueQuantity":{"value":185,"unit":"lbs","system":"http://unitsofmeasure.org","code":"[lb_av]"},
		"component":[{"valueQuantity":{"value":5,"comparator":"<","system":"http://unitsofmeasure.org","code":"mg"}},{"valueQuantity":{"value":5,"system":"http://own","code":"mg"}}]}`)
	for expr, want := range map[string]string{
		"Observation.value != 185 'kg'": "true",

		"Observation.value > 80 'kg'":                "true",
		"Observation.value = 83.91458845 'kg'":       "true",
		"1 'g' + 1 'mg' = 1001 'mg'":                 "true",
		"1 'kg'.toQuantity('g').toString()":          "1000 'g'",
		"37 'Cel' = 310.15 'K'":                      "true",
		"98.6 '[degF]' = 37.0 'Cel'":                 "true",
		"98.6 '[degF]'.toQuantity('Cel').toString()": "37 'Cel'",
		"0 'Cel'.toQuantity('[degF]').toString()":    "32 '[degF]'",
		"-40 'Cel' = -40 '[degF]'":                   "true",
		"0 'm' = 0 'cm'":                             "true",
		"1 week = 168 'h'":                           "true",
		"1 year = 1 'a'":                             "",
		"5 'mg/dL' = 50 'mg/L'":                      "true",
		"1 '{beats}/min' = 1 '/min'":                 "true",
		"120 'mm[Hg]' > 15 'kPa'":                    "true",
		"1000000000000000000000000000000 'm' = 1000000000000000000000000000 'km'": "true",
		"0.1 'mm' = 0.0001 'm'":                   "true",
		"1 'g' = 1 'foo'":                         "",
		"1 'g' < 1 's'":                           "",
		"component[0].value = 5 'mg'":             "false", // "<5" is no value
		"component[1].value = 5 'mg'":             "",      // a unit of another system
		"component[1].value = component[1].value": "true",
	} {
		got := ""
		if values := list(t, ctx, root, expr); len(values) == 1 {
			_, got, _ = strings.Cut(values[0], " ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	root := resource(t, patient)
	get := func(expr string) fhirpath.Value {
		values, err := fhirpath.MustCompile(expr).Evaluate(context(), root)
		if err != nil || len(values) != 1 {
			t.Fatalf("%s: %d values, %v", expr, len(values), err)
		}
		return values[0]
	}
	if v := get("birthDate"); v.Node().Path() != "birthDate" || v.Underscore().Path() != "_birthDate" || v.Kind() != fhirpath.KindElement || v.Type().Name != "date" {
		t.Errorf("birthDate: %+v", v)
	}
	if d, ok := get("birthDate").AsDateTime(); !ok || d.Year != 1974 || d.Month != 12 || d.Precision != fhirpath.Month {
		t.Errorf("AsDateTime: %+v %v", d, ok)
	}
	if b, ok := get("active").AsBoolean(); !ok || !b {
		t.Error("AsBoolean")
	}
	if i, ok := get("multipleBirth").AsInteger(); !ok || i != 2 {
		t.Error("AsInteger")
	}
	if s, ok := get("name.use").AsString(); !ok || s != "official" {
		t.Error("AsString")
	}
	if d, ok := get("extension('http://e/x').value").AsDecimal(); !ok || d.Exponent() != -2 {
		t.Error("AsDecimal")
	}
	if q, ok := get("4.50 'mg'").AsQuantity(); !ok || q.Unit != "mg" || q.String() != "4.50 'mg'" {
		t.Error("AsQuantity")
	}
	if _, ok := get("gender").System(); ok {
		t.Error("a primitive without value has a System value")
	}
	if _, ok := get("name").System(); ok {
		t.Error("a complex element has a System value")
	}
	if _, ok := fhirpath.NewResource(r4model.R4(), parse(t, []byte(`{"resourceType":"HumanName"}`)).Root()); ok {
		t.Error("a datatype is taken for a resource")
	}
	// An element can be the root, as for the components of composite parameters.
	name := fhirpath.NewElement(r4model.R4().Type("HumanName"), get("name").Node(), rawjson.Node{})
	if got := list(t, context(), name, "family"); !slices.Equal(got, []string{"string Do"}) {
		t.Errorf("element as root: %v", got)
	}
}

// Truth is how criteria and invariants read a result (FHIRPath 2.0 § 4.5).
func TestTruth(t *testing.T) {
	root := resource(t, patient)
	for _, c := range []struct {
		expr      string
		truth, ok bool
	}{
		{"active", true, true}, {"active.not()", false, true}, {"{}", false, false}, {"name", true, true}, {"active and {}", false, false},
	} {
		if truth, ok, err := fhirpath.MustCompile(c.expr).Truth(context(), root); truth != c.truth || ok != c.ok || err != nil {
			t.Errorf("%s: %v %v %v", c.expr, truth, ok, err)
		}
	}
	if _, _, err := fhirpath.MustCompile("telecom").Truth(context(), root); !errors.Is(err, fhirpath.ExecutionError) {
		t.Errorf("many: %v", err)
	}
}

// An expression is shared by all goroutines.
func TestExpressionsAreShared(t *testing.T) {
	expression := fhirpath.MustCompile("Resource.id | Patient.name.family | Patient.deceased")
	done := make(chan error)
	for range 8 {
		go func() {
			ctx := context()
			root := resource(t, patient)
			var err error
			for range 200 {
				var values fhirpath.Collection
				if values, err = expression.Evaluate(ctx, root); err == nil && len(values) != 3 {
					err = errors.New("not three values")
				}
				if err != nil {
					break
				}
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestSimplePathsDoNotAllocate(t *testing.T) {
	root := resource(t, patient)
	ctx := context()
	for _, expr := range []string{"Patient.name.family", "Patient.telecom.where(system = 'phone')", "(Patient.deceased as dateTime)", "name.given | name.family"} {
		expression := fhirpath.MustCompile(expr)
		var values fhirpath.Collection
		if n := testing.AllocsPerRun(100, func() {
			var err error
			if values, err = expression.AppendTo(values[:0], ctx, root); err != nil || len(values) == 0 {
				t.Fatal(len(values), err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", expr, n)
		}
	}
}

// Sets of many items are hashed: items that are equal must be found so too.
func TestLargeSets(t *testing.T) {
	numbers := fhirpath.Collection{}
	for i := range 5000 {
		numbers = append(numbers, fhirpath.Integer(int32(i%2000)), fhirpath.Decimal(decimal.New(int64(i%2000)*10, -1)), fhirpath.String("x"+string(rune('a'+i%20))))
	}
	ctx := context()
	ctx.Variables = map[string]fhirpath.Collection{"many": numbers}
	for expr, want := range map[string]string{
		"%many.distinct().count()":                        "Integer 2020",
		"%many.isDistinct()":                              "Boolean false",
		"%many.distinct().isDistinct()":                   "Boolean true",
		"%many.intersect(%many).count()":                  "Integer 2020",
		"%many.exclude(%many).count()":                    "Integer 0",
		"%many.subsetOf(%many.distinct())":                "Boolean true",
		"(%many | 1.0 | 1 '1').count()":                   "Integer 2020",
		"(1 '1' in %many.where(type().name = 'Integer'))": "Boolean true",
	} {
		if got := list(t, ctx, fhirpath.Value{}, expr); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", expr, got, want)
		}
	}
}
