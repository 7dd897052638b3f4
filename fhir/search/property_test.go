package search

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/fhirfacade/fhirfacade/store"
)

var decimals = rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?`)

// Byte order is the order of the numbers, exactly, and equal numbers are
// equal keys however they are written.
func TestDecimalOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimals.Draw(t, "a"), decimals.Draw(t, "b")
		if rapid.Bool().Draw(t, "near") {
			// Numbers that differ late, or not at all.
			b = a + rapid.SampledFrom([]string{"", "0", "1"}).Draw(t, "more")
			if strings.ContainsAny(a, "eE") || !strings.Contains(a, ".") {
				b = a
			}
		}
		want := decimal.RequireFromString(a).Cmp(decimal.RequireFromString(b))
		if got := strings.Compare(encoded(t, a), encoded(t, b)); got != want {
			t.Fatalf("%s and %s: %d, want %d", a, b, got, want)
		}
		if back, ok := decodeDecimal(encoded(t, a)); !ok || !decimal.RequireFromString(back).Equal(decimal.RequireFromString(a)) {
			t.Fatalf("%s decodes as %s", a, back)
		}
	})
}

func encoded(t *rapid.T, s string) string {
	k, err := encodeDecimal(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return k
}

func TestDecimalEdges(t *testing.T) {
	for _, pair := range [][2]string{
		{"-1e99999999999", "-1e32766"}, {"-1e32766", "-1"}, {"-1", "-1e-32760"}, {"-1e-32760", "0"}, {"-1e-99999", "0"}, {"0", "1e-99999"},
		{"1e-99999", "1e-32760"}, {"1e-32760", "1"}, {"1", "1e32766"}, {"1e32766", "1e32768"},
		{"0." + strings.Repeat("9", 90), "1"}, {"9", "10"}, {"-10", "-9"}, {"99", "100"}, {"0.1", "0.10000001"},
	} {
		a, err1 := encodeDecimal(pair[0])
		b, err2 := encodeDecimal(pair[1])
		if err1 != nil || err2 != nil || a >= b {
			t.Errorf("%.20s is not below %.20s: %x %x %v %v", pair[0], pair[1], a, b, err1, err2)
		}
	}
	for _, same := range [][2]string{{"0", "-0.000"}, {"100", "1e2"}, {"0.0010", "1e-3"}, {"-5.40", "-54e-1"}, {"+7", "007"}} {
		a, _ := encodeDecimal(same[0])
		if b, _ := encodeDecimal(same[1]); a != b {
			t.Errorf("%s is not %s", same[0], same[1])
		}
	}
	for _, wrong := range []string{"", "-", ".", "1.", ".5", "1e", "1e+", "1e+-5", "--1", "1x", "0x1", "1e1.5", "∞", "NaN"} {
		if _, err := encodeDecimal(wrong); err == nil {
			t.Errorf("%q is taken for a number", wrong)
		}
	}
}

var times = rapid.Custom(func(t *rapid.T) time.Time {
	return time.UnixMicro(rapid.Int64Range(beginning.UnixMicro(), never.UnixMicro()).Draw(t, "micros")).UTC()
})

func TestTimeOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := times.Draw(t, "a"), times.Draw(t, "b")
		if got, want := strings.Compare(encodeTime(a), encodeTime(b)), a.Compare(b); got != want {
			t.Fatalf("%v and %v: %d, want %d", a, b, got, want)
		}
		if encodeTime(a) >= afterAll {
			t.Fatalf("%v is after all", a)
		}
	})
	if encodeTime(beginning) >= encodeTime(time.Time{}) || encodeTime(time.Time{}) >= encodeTime(never) {
		t.Error("the open ends are not at the ends")
	}
}

// A date search by keys is the same as comparing intervals, whatever the
// prefix, when each resource has one value; and eq holds for one of several
// values.
func TestDatePrefixes(t *testing.T) {
	moments := rapid.Custom(func(t *rapid.T) string {
		at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, int64(800*24*time.Hour)).Draw(t, "offset")))
		layouts := []string{"2006", "2006-01", "2006-01-02", "2006-01-02T15:04Z", "2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z"}
		return at.Format(rapid.SampledFrom(layouts).Draw(t, "precision"))
	})
	typ, sp := uint16(7), uint16(200)
	rapid.Check(t, func(t *rapid.T) {
		e := emitter{prefix: appendParam(nil, typ, sp)}
		n := rapid.IntRange(1, maxSpans).Draw(t, "values")
		var values []interval
		for range n {
			i, err := parseDate(moments.Draw(t, "start"))
			if err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "period") {
				end, _ := parseDate(moments.Draw(t, "end"))
				if end.high.After(i.low) {
					i.high = end.high
				}
			}
			values = append(values, i)
			e.interval(i)
		}
		keys := e.keys()
		asked := moments.Draw(t, "asked")
		v, _ := parseDate(asked)
		f := field{p: &parser{o: testOptions()}, prefix: paramKey(typ, sp)}
		wide := v.approximate(f.p.o.Now)
		for prefix, holds := range map[string]func(i interval) bool{
			"eq": func(i interval) bool { return !i.low.Before(v.low) && !i.high.After(v.high) },
			"ne": func(i interval) bool { return i.low.Before(v.low) || i.high.After(v.high) },
			"gt": func(i interval) bool { return i.high.After(v.high) },
			"lt": func(i interval) bool { return i.low.Before(v.low) },
			"ge": func(i interval) bool { return i.high.After(v.high) || !i.low.Before(v.low) },
			"le": func(i interval) bool { return i.low.Before(v.low) || !i.high.After(v.high) },
			"sa": func(i interval) bool { return !i.low.Before(v.high) },
			"eb": func(i interval) bool { return !i.high.After(v.low) },
			"ap": func(i interval) bool { return i.low.Before(wide.high) && i.high.After(wide.low) },
		} {
			want := false
			for _, i := range values {
				want = want || holds(i)
			}
			c, err := f.date(prefix + asked)
			if err != nil {
				t.Fatal(err)
			}
			if got := store.MatchKeys(c, keys); got != want {
				t.Fatalf("%s%s of %v: %v, want %v", prefix, asked, values, got, want)
			}
		}
	})
}

// What a number search finds is what its interval holds.
func TestNumberPrefixes(t *testing.T) {
	small := rapid.StringMatching(`-?(0|[1-9][0-9]?)(\.[0-9]{1,3})?(e[+-]?[0-2])?`)
	rapid.Check(t, func(t *rapid.T) {
		value, asked := small.Draw(t, "value"), small.Draw(t, "asked")
		x, v := decimal.RequireFromString(value), decimal.RequireFromString(asked)
		half := decimal.New(5, v.Exponent()-1)
		base := store.Key("base")
		key := base + "n" + encoded(t, value)
		within := x.Cmp(v.Sub(half)) >= 0 && x.Cmp(v.Add(half)) < 0
		for prefix, want := range map[string]bool{
			"": within, "eq": within, "ne": !within, "gt": x.Cmp(v) > 0, "ge": x.Cmp(v) >= 0,
			"lt": x.Cmp(v) < 0, "le": x.Cmp(v) <= 0, "sa": x.Cmp(v) > 0, "eb": x.Cmp(v) < 0,
		} {
			c, err := field{prefix: base}.ordered(formNormal, "", nil, prefix+asked)
			if err != nil {
				t.Fatal(err)
			}
			if got := store.MatchKeys(c, []store.Key{key}); got != want {
				t.Fatalf("%s%s of %s: %v, want %v", prefix, asked, value, got, want)
			}
		}
	})
}

// Normalising is done once: what is normal stays so, and a text begins with
// each of its own starts that end between words.
func TestNormalise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		n := normalise(s)
		if again := normalise(n); again != n {
			t.Fatalf("%q becomes %q and then %q", s, n, again)
		}
		if !utf8.ValidString(n) || normalise("  "+s+"\t") != n || strings.TrimSpace(n) != n {
			t.Fatalf("%q becomes %q", s, n)
		}
	})
	for from, to := range map[string]string{
		"Séverine": "severine", "STRASSE": "strasse", "Straße": "strasse", "A \t b": "a b", "ﬁne": "fine", "Ⅷ": "viii",
		"İstanbul": "istanbul", "ΣΑΣ": "σασ", "K": "k", "Ångström": "angstrom", "é": "e",
	} {
		if got := normalise(from); got != to {
			t.Errorf("%q becomes %q, want %q", from, got, to)
		}
	}
}

func TestPageTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := PageTokens{Key: []byte("key")}
		content := rapid.SliceOf(rapid.Byte()).Draw(t, "content")
		scope := rapid.String().Draw(t, "scope")
		token := tokens.Seal(content, scope)
		if got, ok := tokens.Open(token, scope); !ok || string(got) != string(content) {
			t.Fatalf("opens as %q", got)
		}
		if _, ok := tokens.Open(token, scope+"x"); ok {
			t.Fatal("opens in another scope")
		}
		if _, ok := (PageTokens{Key: []byte("other")}).Open(token, scope); ok {
			t.Fatal("opens with another key")
		}
		i := rapid.IntRange(0, len(token)-1).Draw(t, "place")
		changed := token[:i] + string("AB"[map[bool]int{true: 1}[token[i] == 'A']]) + token[i+1:]
		if got, ok := tokens.Open(changed, scope); ok && i < len(token)-1 {
			t.Fatalf("changed, it opens as %q", got)
		}
	})
}
