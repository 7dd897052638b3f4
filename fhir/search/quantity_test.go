package search

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/store"
)

// A value between low and high; nil is without end, open without the end itself.
type between struct {
	low, high         *decimal.Decimal
	lowOpen, highOpen bool
}

func (b between) someBelow(x decimal.Decimal, at bool) bool {
	return b.low == nil || b.low.Cmp(x) < 0 || at && !b.lowOpen && b.low.Equal(x)
}

func (b between) someAbove(x decimal.Decimal, at bool) bool {
	return b.high == nil || b.high.Cmp(x) > 0 || at && !b.highOpen && b.high.Equal(x)
}

// Whatever the values of a parameter are, points or spans, a search holds
// exactly when it holds for one of them.
func TestSpanPrefixes(t *testing.T) {
	small := rapid.StringMatching(`-?[0-9](\.[0-9])?`)
	rapid.Check(t, func(t *rapid.T) {
		e := emitter{prefix: appendParam(nil, 7, 200)}
		var values []between
		var texts []string
		for range rapid.IntRange(1, maxSpans).Draw(t, "values") {
			low, high := small.Draw(t, "low"), small.Draw(t, "high")
			l, h := decimal.RequireFromString(low), decimal.RequireFromString(high)
			if l.Cmp(h) > 0 {
				l, h, low, high = h, l, high, low
			}
			var text, typ string
			switch kind := rapid.SampledFrom([]string{"", "range", "from", "to", "<", "<=", ">", ">="}).Draw(t, "kind"); kind {
			case "":
				values, text, typ = append(values, between{&l, &l, false, false}), fmt.Sprintf(`{"value":%s}`, low), "Quantity"
			case "range":
				values, text, typ = append(values, between{&l, &h, false, false}), fmt.Sprintf(`{"low":{"value":%s},"high":{"value":%s}}`, low, high), "Range"
			case "from":
				values, text, typ = append(values, between{&l, nil, false, false}), fmt.Sprintf(`{"low":{"value":%s}}`, low), "Range"
			case "to":
				values, text, typ = append(values, between{nil, &h, false, false}), fmt.Sprintf(`{"high":{"value":%s}}`, high), "Range"
			default:
				b := between{lowOpen: kind == ">", highOpen: kind == "<"}
				if kind[0] == '>' {
					b.low = &l
				} else {
					b.high = &l
				}
				values, text, typ = append(values, b), fmt.Sprintf(`{"value":%s,"comparator":%q}`, low, kind), "Quantity"
			}
			doc, err := rawjson.Parse([]byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			e.quantity(typ, doc.Root())
			texts = append(texts, text)
		}
		keys := e.keys()
		asked := small.Draw(t, "asked")
		x := decimal.RequireFromString(asked)
		half := decimal.New(5, x.Exponent()-1)
		wide := decimal.Max(half, x.Abs().Mul(decimal.New(1, -1)))
		within := func(b between, half decimal.Decimal) bool {
			return !b.someBelow(x.Sub(half), false) && !b.someAbove(x.Add(half), true)
		}
		f := field{p: &parser{o: testOptions()}, many: true, prefix: paramKey(7, 200)}
		for prefix, holds := range map[string]func(b between) bool{
			"eq": func(b between) bool { return within(b, half) },
			"ne": func(b between) bool { return !within(b, half) },
			"gt": func(b between) bool { return b.someAbove(x, false) },
			"ge": func(b between) bool { return b.someAbove(x, true) },
			"lt": func(b between) bool { return b.someBelow(x, false) },
			"le": func(b between) bool { return b.someBelow(x, true) },
			"sa": func(b between) bool { return !b.someBelow(x, true) },
			"eb": func(b between) bool { return !b.someAbove(x, true) },
			"ap": func(b between) bool { return b.someBelow(x.Add(wide), false) && b.someAbove(x.Sub(wide), true) },
		} {
			want := false
			for _, b := range values {
				want = want || holds(b)
			}
			c, err := f.ordered(formNormal, "", nil, prefix+asked)
			if err != nil {
				t.Fatal(err)
			}
			if got := store.MatchKeys(c, keys); got != want {
				t.Fatalf("%s%s of %v: %v, want %v", prefix, asked, texts, got, want)
			}
		}
	})
}

// Amounts in different units compare as exact fractions do, also just beside
// the bounds of a search.
func TestUnitsCompare(t *testing.T) {
	factors := map[string]*big.Rat{}
	for unit, factor := range map[string]string{
		"g": "1", "mg": "1/1000", "kg": "1000", "[lb_av]": "45359237/100000", "[oz_av]": "45359237/1600000", "[gr]": "6479891/100000000", "[car_m]": "1/5",
	} {
		factors[unit], _ = new(big.Rat).SetString(factor)
	}
	units := []string{"g", "mg", "kg", "[lb_av]", "[oz_av]", "[gr]", "[car_m]"}
	rapid.Check(t, func(t *rapid.T) {
		own, other := rapid.SampledFrom(units).Draw(t, "own"), rapid.SampledFrom(units).Draw(t, "other")
		asked := rapid.StringMatching(`[1-9][0-9]{0,3}(\.[0-9]{1,4})?`).Draw(t, "asked")
		x := decimal.RequireFromString(asked)
		half := decimal.New(5, x.Exponent()-1)
		// A value at a bound, give or take the least that 18 digits tell apart.
		at := x.Add(half.Mul(decimal.NewFromInt(rapid.Int64Range(-1, 1).Draw(t, "bound")))).Rat()
		at.Mul(at, new(big.Rat).Quo(factors[other], factors[own]))
		value := decimal.RequireFromString(at.FloatString(12)).Add(decimal.New(rapid.Int64Range(-1, 1).Draw(t, "beside"), -12))
		doc, err := rawjson.Parse([]byte(fmt.Sprintf(`{"value":%s,"system":"http://unitsofmeasure.org","code":%q}`, value, own)), nil)
		if err != nil {
			t.Fatal(err)
		}
		e := emitter{prefix: appendParam(nil, 7, 200)}
		e.quantity("Quantity", doc.Root())
		keys := e.keys()
		in := func(d decimal.Decimal, unit string) *big.Rat { return new(big.Rat).Mul(d.Rat(), factors[unit]) }
		v, exact, low, high := in(value, own), in(x, other), in(x.Sub(half), other), in(x.Add(half), other)
		within := v.Cmp(low) >= 0 && v.Cmp(high) < 0
		f := field{p: &parser{o: testOptions()}, many: true, prefix: paramKey(7, 200)}
		for prefix, want := range map[string]bool{
			"": within, "ne": !within, "gt": v.Cmp(exact) > 0, "ge": v.Cmp(exact) >= 0, "lt": v.Cmp(exact) < 0, "le": v.Cmp(exact) <= 0,
		} {
			c, err := f.quantity(prefix + asked + "|http://unitsofmeasure.org|" + other)
			if err != nil {
				t.Fatal(err)
			}
			if got := store.MatchKeys(c, keys); got != want {
				t.Fatalf("%s%s %s of %s %s: %v, want %v", prefix, asked, other, value, own, got, want)
			}
		}
	})
}

// The bounds of samples are those of the reckoned values.
func TestSampledBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`-?([0-9]{1,3}|[0-9]{0,2}\.[0-9]{1,3})`)
		origin, factor := rapid.IntRange(-50, 50).Draw(t, "origin"), rapid.SampledFrom([]string{"1", "0.5", "-2", "3.25"}).Draw(t, "factor")
		data := rapid.SliceOfN(number, 1, 8).Draw(t, "data")
		doc, err := rawjson.Parse([]byte(fmt.Sprintf(`{"origin":{"value":%d},"factor":%s,"data":"%s E"}`, origin, factor, strings.Join(data, " "))), nil)
		if err != nil {
			t.Fatal(err)
		}
		e := emitter{prefix: appendParam(nil, 7, 200)}
		e.quantity("SampledData", doc.Root())
		var all []decimal.Decimal
		for _, d := range data {
			if d = strings.Replace(strings.Replace(d, "-.", "-0.", 1), "-", "-0", 1); d[0] == '.' {
				d = "0" + d
			}
			all = append(all, decimal.RequireFromString(d).Mul(decimal.RequireFromString(factor)).Add(decimal.NewFromInt(int64(origin))))
		}
		low, high := decimal.Min(all[0], all...), decimal.Max(all[0], all...)
		want := between{&low, &high, false, false}
		f := field{p: &parser{o: testOptions()}, many: true, prefix: paramKey(7, 200)}
		for query, want := range map[string]bool{
			"sa" + low.String(): false, "le" + low.String(): true, "lt" + low.String(): false,
			"eb" + high.String(): false, "ge" + high.String(): true, "gt" + high.String(): false,
			"sa-10000": want.someAbove(high, true),
		} {
			c, err := f.ordered(formNormal, "", nil, query)
			if err != nil {
				t.Fatal(err)
			}
			if got := store.MatchKeys(c, e.keys()); got != want {
				t.Fatalf("%s of %s: %v, want %v", query, doc.Data(), got, want)
			}
		}
	})
}
