package ucum

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decimal reads a plain number.
func decimal(s string) Decimal {
	var d Decimal
	s, d.Negative = strings.TrimPrefix(s, "-"), strings.HasPrefix(s, "-")
	whole, fraction, _ := strings.Cut(s, ".")
	all := whole + fraction
	d.Exponent = len(whole) - (len(all) - len(strings.TrimLeft(all, "0")))
	d.Digits = []byte(strings.Trim(all, "0"))
	if len(d.Digits) == 0 {
		return Decimal{}
	}
	return d
}

// text writes a decimal plainly.
func text(d Decimal) string {
	s, digits := "", string(d.Digits)
	if d.Negative {
		s = "-"
	}
	switch {
	case digits == "":
		return "0"
	case d.Exponent <= 0:
		return s + "0." + strings.Repeat("0", -d.Exponent) + digits
	case d.Exponent >= len(digits):
		return s + digits + strings.Repeat("0", d.Exponent-len(digits))
	}
	return s + digits[:d.Exponent] + "." + digits[d.Exponent:]
}

func TestConversion(t *testing.T) {
	for _, c := range []struct{ value, unit, want, dimension string }{
		{"5.4", "mg", "0.0054", "g"},
		{"0.0054", "g", "0.0054", "g"},
		{"1", "[in_i]", "0.0254", "m"},
		{"2.54", "cm", "0.0254", "m"},
		{"98.6", "[degF]", "310.15", "K"},
		{"37", "Cel", "310.15", "K"},
		{"37000", "mCel", "310.15", "K"},
		{"-459.67", "[degF]", "0", "K"},
		{"-500", "Cel", "-226.85", "K"},
		{"95", "mg/dL", "950", "g.m-3"},
		{"0.95", "g/L", "950", "g.m-3"},
		{"4.5", "10*3/uL", "4500000000000", "m-3"},
		{"4.5", "10*9/L", "4500000000000", "m-3"},
		{"4.5", "10^9/L", "4500000000000", "m-3"},
		{"5", "mmol/L", "3011070380000000000000000", "m-3"},
		{"60", "/min", "1", "s-1"},
		{"72", "{beats}/min", "1.2", "s-1"},
		{"1", "/min", "0.01666666666666666666666666666", "s-1"},
		{"7", "%", "0.07", "1"},
		{"7", "{score}", "7", "1"},
		{"7", "%{HbA1c}", "0.07", "1"},
		{"120", "mm[Hg]", "15998640", "g.m-1.s-2"},
		{"1", "[lb_av]", "453.59237", "g"},
		{"16", "[oz_av]", "453.59237", "g"},
		{"1", "a", "31557600", "s"},
		{"12", "mo", "31557600", "s"},
		{"1", "m[IU]/L", "1", "m-3.[iU]"},
		{"1", "[IU]/m3", "1", "m-3.[iU]"},
		{"7.4", "[pH]", "7.4", "[pH]"},
		{"1", "dB", "0.1", "B"},
		{"1", "mL/min/{1.73_m2}", "0.00000001666666666666666666666666666", "m3.s-1"},
		{"3", "N/(m2)", "3000", "g.m-1.s-2"},
		{"1", "/(s.m)2", "", ""},
		{"2", "4.m/2", "4", "m"},
		{"2", "m/s/s", "2", "m.s-2"},
		{"2", "(m)/(s/s)", "2", "m"},
		{"0", "mg", "0", "g"},
		{"0", "Cel", "273.15", "K"},
		{"-1", "mg", "-0.001", "g"},
		{"12345678901234567890123456789012345", "mg", "12345678901234567890123456780000", "g"},
		{"1", "KiBy", "8192", "1"},
		{"1", "B[10.nV]", "1", "B[10.nV]"},
		{"360", "deg", "6.283185307179586476925286766", "rad"},
		{"1", "m0", "1", "1"},
		{"1", "m+2", "1", "m2"},
	} {
		u, err := Parse(c.unit)
		if c.dimension == "" {
			if err == nil {
				t.Errorf("%s is taken for a unit", c.unit)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.unit, err)
			continue
		}
		if got := text(u.Base(decimal(c.value), nil)); got != c.want || u.Dimension() != c.dimension {
			t.Errorf("%s %s is %s %s, want %s %s", c.value, c.unit, got, u.Dimension(), c.want, c.dimension)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, code := range []string{
		"", "mgg", "mg/", "mg//dL", "mg..dL", "(mg", "mg)", "{x", "x}", "{a{b}}", "{a b}", "m-", "m--1", "[in_i", "in_i]", "Cel.m", "Cel2", "2mg", "0", "m/0", "-1", "k%", "k[in_i]",
		"[degF]/s", "[pH].m", "dB2", "mmin", "Mg/DL", "kk", "k", "m100", strings.Repeat("(", 50), strings.Repeat("m.", 100) + "m", "10*99.10*99.10*99.[G]99.[G]99", "m m", "µg", "\x00", "m{é}", "/", ".m", "m.",
	} {
		if u, err := Parse(code); !errors.Is(err, ErrUnit) {
			t.Errorf("%q: %v, as %v", code, err, u)
		}
	}
}

// Every unit of the table can be read, alone and with its prefixes, and its
// dimension is a code of the same dimension.
func TestTable(t *testing.T) {
	for code, d := range units().units {
		u, err := Parse(code)
		if err != nil {
			t.Errorf("%s: %v", code, err)
			continue
		}
		if base, err := Parse(u.Dimension()); err != nil || base.Dimension() != u.Dimension() {
			t.Errorf("%s: its dimension %s is no such unit: %v", code, u.Dimension(), err)
		}
		if _, err := Parse("k" + code); (err == nil) != d.metric && !known("k"+code) {
			t.Errorf("k%s: %v", code, err)
		}
	}
}

func known(code string) bool { _, ok := units().units[code]; return ok }

// A conversion is what exact fractions say, cut to MaxDigits digits.
func TestExact(t *testing.T) {
	codes := strings.Fields(`mg g kg [lb_av] [oz_av] [gr] [in_i] cm /min /h %  mmol/L mg/dL 10*3/uL [degF] Cel mCel [degRe] [ft_us] deg a mo wk 7.m/3 [psi]`)
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom(codes).Draw(t, "unit")
		value := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?`).Draw(t, "value")
		u, err := Parse(code)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := new(big.Rat).SetString(value)
		want.Mul(want, new(big.Rat).SetFrac(u.coefficient, u.divisor))
		power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(abs(u.exponent))), nil))
		if u.exponent < 0 {
			power.Inv(power)
		}
		want.Mul(want, power)
		if u.offset != nil {
			want.Add(want, u.offset)
		}
		got, _ := new(big.Rat).SetString(text(u.Base(decimal(value), make([]byte, 0, 64))))
		off := new(big.Rat).Sub(want, got)
		if want.Sign()*got.Sign() < 0 || off.Sign()*want.Sign() < 0 {
			t.Fatalf("%s %s is %s, more than %s", value, code, got.FloatString(40), want.FloatString(40))
		}
		bound := new(big.Rat).Mul(want, new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(MaxDigits-1), nil)))
		if off.Abs(off).Cmp(bound.Abs(bound)) > 0 {
			t.Fatalf("%s %s is %s, want %s", value, code, got.FloatString(40), want.FloatString(40))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, code := range strings.Fields(clinical) {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		u, err := Parse(code)
		if err != nil {
			if !errors.Is(err, ErrUnit) {
				t.Fatalf("%q: %v", code, err)
			}
			return
		}
		again, err := Parse(u.Dimension())
		if err != nil || again.Dimension() != u.Dimension() {
			t.Fatalf("%q measures %q, which is no unit: %v", code, u.Dimension(), err)
		}
		if noted, err := Parse(code + "{x}"); err == nil && noted.Dimension() != u.Dimension() {
			t.Fatalf("%q changes its dimension with an annotation", code)
		}
		small, great := u.Base(decimal("1.5"), nil), u.Base(decimal("2"), nil)
		a, _ := new(big.Rat).SetString("0." + string(small.Digits) + "e" + "0")
		b, _ := new(big.Rat).SetString("0." + string(great.Digits) + "e" + "0")
		if small.Exponent > great.Exponent || small.Exponent == great.Exponent && a.Cmp(b) > 0 {
			t.Fatalf("%q: 1.5 is more than 2", code)
		}
	})
}

func BenchmarkBase(b *testing.B) {
	for _, code := range []string{"mg/dL", "[lb_av]", "/min", "Cel", "mmol/L"} {
		u, err := Parse(code)
		if err != nil {
			b.Fatal(err)
		}
		v := decimal("98.6")
		room := make([]byte, 0, 64)
		b.Run(strings.ReplaceAll(code, "/", "_per_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				u.Base(v, room)
			}
		})
	}
}
