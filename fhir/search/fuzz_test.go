package search

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/store"
)

// Whatever is asked, the answer is a query that a store takes, or a 4xx that
// shows nothing of the values.
func FuzzParse(f *testing.F) {
	for _, q := range []string{
		"name=a&birthdate=ge2020&_sort=-name&_count=3", "code-value-quantity=a|b$gt5.4|c|d", "subject:Patient.name:exact=x",
		"_has:Observation:patient:_has:Provenance:target:agent=x", "identifier:of-type=a|b|c", "url:above=http://a/b/c", "probability=ap1e-9",
		`given=a\,b,c\`, "_include=*&_revinclude:iterate=Observation:*", "_type=Patient&_id=x", "date=2020-01-01T10:00:60.5%2B02:00", "a:b:c.d:e=f",
		"subject.subject.subject.name=x", "_text=(bone+or+liv*)+and+not+x", "_content=a,b&_text:missing=true", "_contained=false", "_filter=name+eq+x+and+not(birthdate+ge+2020)", "_sort=_id,-_lastUpdated&_total=estimate&_type=Patient,Group", "_summary=text&_elements=a", "_page=AAAA", "%00=%00", "gender:not=a,b&gender:missing=true",
	} {
		for _, typ := range []string{"Patient", "Observation", ""} {
			f.Add(typ, q, false)
		}
	}
	f.Fuzz(func(t *testing.T, typ, query string, lenient bool) {
		params, err := ParseQuery(query)
		if err != nil {
			return
		}
		o := testOptions()
		o.Lenient, o.Base.FullText = lenient, len(query)%2 == 0
		if len(query)%3 == 0 {
			o.Compartment = &Compartment{Type: "Patient", ID: "x"}
		}
		r, err := Parse(typ, params, o)
		if err != nil {
			var e *outcome.Error
			if !errors.As(err, &e) || e.Status < 400 || e.Status > 499 || len(e.Issues) == 0 {
				t.Fatalf("%v", err)
			}
			for _, p := range params {
				if len(p.Value) > 12 && !strings.HasPrefix(p.Name, "_") && strings.Contains(err.Error(), p.Value) {
					t.Fatalf("%q shows the value %q", err, p.Value)
				}
			}
			return
		}
		if err := store.CheckQuery(store.Query{Where: r.Where, Sort: r.Sort, After: r.After, Limit: r.Count}); err != nil {
			t.Fatalf("%s?%s: %v", typ, query, err)
		}
		if r.Count < 0 || r.Count > o.MaxCount {
			t.Fatalf("count %d", r.Count)
		}
		again, err := ParseQuery(strings.TrimPrefix(AppendQuery("", r.Applied), "?"))
		if err != nil || len(again) != len(r.Applied) {
			t.Fatalf("the self link of %s is another search: %v", query, err)
		}
		for i := range again {
			if again[i] != r.Applied[i] {
				t.Fatalf("%q becomes %q", r.Applied[i], again[i])
			}
		}
	})
}

// Whatever a filter is, it is refused by what breaks the grammar, without its
// values, or becomes a query that a store takes. What was read is read the
// same when it is written with all parentheses.
func FuzzFilter(f *testing.F) {
	for _, q := range []string{
		`given eq "peter" and birthdate ge 2014-10-10`, `not (a eq b) or not(c pr true)`, `subject[name eq x].birthdate gt 2000`, `name eq "a\"b\u00e9"`,
		`code-value-quantity[code eq a].value-quantity lt 1||mg`, `_has:Observation:patient:code ne x`, `((((name eq x))))`, `not eq x`, `a.b.c.d eq e`, `name eq )`, `"`,
	} {
		f.Add("Patient", q)
		f.Add("Observation", q)
	}
	f.Fuzz(func(t *testing.T, typ, text string) {
		read, err := parseFilter(text)
		if err == nil {
			written := writeFilter(read)
			again, err := parseFilter(written)
			if err != nil {
				var e *outcome.Error
				if errors.As(err, &e) && e.Issues[0].Code == outcome.CodeTooCostly {
					return // parentheses are levels, too
				}
				t.Fatalf("%q is written %q: %v", text, written, err)
			}
			if more := writeFilter(again); more != written {
				t.Fatalf("%q is written %q and then %q", text, written, more)
			}
		}
		r, err := Parse(typ, []Parameter{{"_filter", text}}, testOptions())
		if err != nil {
			var e *outcome.Error
			if !errors.As(err, &e) || e.Status < 400 || e.Status > 499 {
				t.Fatalf("%v", err)
			}
			return
		}
		if err := store.CheckQuery(store.Query{Where: r.Where, Limit: r.Count}); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

func writeFilter(f filter) string {
	switch f := f.(type) {
	case filterAnd:
		return "(" + writeFilter(f.left) + ") and (" + writeFilter(f.right) + ")"
	case filterOr:
		return "(" + writeFilter(f.left) + ") or (" + writeFilter(f.right) + ")"
	case filterNot:
		return "not (" + writeFilter(f.part) + ")"
	}
	t := f.(*filterTest)
	var b strings.Builder
	for i, step := range t.path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(step.name)
		if step.within != nil {
			b.WriteString("[" + writeFilter(step.within) + "]")
		}
	}
	value, _ := json.Marshal(strings.ToValidUTF8(t.value, "\ufffd"))
	return b.String() + " " + t.operator + " " + string(value)
}

func FuzzParseQuery(f *testing.F) {
	for _, q := range []string{"a=b&c=d", "&&=", "a=%zz", "a=b=c&a", "+=+", "%2B=%26", "a;b=c"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		params, err := ParseQuery(q)
		if err != nil {
			return
		}
		again, err := ParseQuery(strings.TrimPrefix(AppendQuery("", params), "?"))
		if err != nil || len(again) != len(params) {
			t.Fatalf("%q: %v, %d and %d", q, err, len(params), len(again))
		}
		for i := range params {
			if params[i] != again[i] {
				t.Fatalf("%q becomes %q", params[i], again[i])
			}
		}
	})
}

func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-1.50", "1e99", "1e-99", "100.000", "", "-", "1e999999999999", "007", "+1"} {
		f.Add(s, "1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errA := encodeDecimal(a)
		y, errB := encodeDecimal(b)
		if errA != nil || errB != nil || len(a) > 90 || len(b) > 90 {
			return
		}
		for _, s := range [2]string{a, b} {
			if n, _ := parseDecimal([]byte(s), nil); n.exponent > 1000 || n.exponent < -1000 {
				return // beyond what the other library compares in time
			}
		}
		m, errM := decimal.NewFromString(a)
		n, errN := decimal.NewFromString(b)
		if errM != nil || errN != nil {
			t.Fatalf("%q and %q are numbers here only: %v %v", a, b, errM, errN)
		}
		if got, want := strings.Compare(x, y), m.Cmp(n); got != want {
			t.Fatalf("%q and %q: %d, want %d", a, b, got, want)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"2020", "2020-02", "2020-02-29", "2020-02-29T10:00", "2016-12-31T23:59:60Z", "2020-01-01T00:00:00.123456789+14:00", "0000", "9999-12-31T23:59:59.999-14:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		i, err := parseDate(s)
		if err != nil {
			return
		}
		if !i.low.Before(i.high) {
			t.Fatalf("%q is empty", s)
		}
		if encodeTime(i.low) >= encodeTime(i.high) {
			t.Fatalf("%q: the keys of %v and %v are out of order", s, i.low, i.high)
		}
		e := emitter{}
		e.interval(i)
		c := field{p: &parser{o: testOptions()}}.within(i)
		if !store.MatchKeys(c, e.keys()) {
			t.Fatalf("%q does not lie within itself", s)
		}
	})
}
