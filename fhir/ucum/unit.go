package ucum

import (
	"math/big"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Unit is a unit that was read. It does not change.
type Unit struct {
	dimension string
	// A value in base units is value * coefficient / divisor * 10^exponent,
	// + offset.
	coefficient, divisor *big.Int
	exponent             int
	offset               *big.Rat
	// small and smallDivisor are the coefficient and the divisor when both fit
	// and there is no offset, else 0.
	small, smallDivisor uint64
	// scale, add and over are a unit with an offset as (value*scale+add)/over
	// when they fit, else 0.
	scale, add, over int64
}

// Dimension is what the unit measures, as the product of base units, itself a
// UCUM code: "g.m-3" for mg/dL, "1" for %. Units of the same dimension convert
// into each other.
func (u *Unit) Dimension() string { return u.dimension }

// unit makes m a Unit.
func (m measure) unit() (*Unit, error) {
	u := &Unit{dimension: dimension(m.dims), offset: m.offset}
	u.coefficient, u.divisor = new(big.Int).Set(m.factor.Num()), new(big.Int).Set(m.factor.Denom())
	// Twos and fives in the divisor are a power of ten.
	two, five, ten := big.NewInt(2), big.NewInt(5), big.NewInt(10)
	for {
		other := two
		if !divides(u.divisor, five) {
			if other = five; !divides(u.divisor, two) {
				break
			}
			u.divisor.Quo(u.divisor, two)
		} else {
			u.divisor.Quo(u.divisor, five)
		}
		u.coefficient.Mul(u.coefficient, other)
		u.exponent--
	}
	for divides(u.coefficient, ten) {
		u.coefficient.Quo(u.coefficient, ten)
		u.exponent++
	}
	switch {
	case u.offset != nil:
		u.scale, u.add, u.over = m.line()
	case u.coefficient.IsUint64() && u.divisor.IsUint64() && u.divisor.Uint64() < maxSmallDivisor:
		u.small, u.smallDivisor = u.coefficient.Uint64(), u.divisor.Uint64()
	}
	return u, nil
}

// line is factor and offset over one divisor.
func (m measure) line() (scale, add, over int64) {
	d := new(big.Int).Mul(m.factor.Denom(), m.offset.Denom())
	s := new(big.Int).Mul(m.factor.Num(), m.offset.Denom())
	a := new(big.Int).Mul(m.offset.Num(), m.factor.Denom())
	for _, n := range [3]*big.Int{s, a, d} {
		if n.CmpAbs(big.NewInt(1_000_000)) > 0 {
			return 0, 0, 0
		}
	}
	return s.Int64(), a.Int64(), d.Int64()
}

// maxSmallDivisor leaves room for another digit in 64 bits.
const maxSmallDivisor = 1 << 60

func divides(n, by *big.Int) bool { return new(big.Int).Rem(n, by).Sign() == 0 }

func dimension(dims map[string]int) string {
	var parts []string
	add := func(base string) {
		switch n := dims[base]; n {
		case 0:
		case 1:
			parts = append(parts, base)
		default:
			parts = append(parts, base+strconv.Itoa(n))
		}
	}
	for _, base := range baseUnits {
		add(base)
	}
	var own []string
	for base := range dims {
		if !slices.Contains(baseUnits[:], base) {
			own = append(own, base)
		}
	}
	slices.Sort(own)
	for _, base := range own {
		add(base)
	}
	if len(parts) == 0 {
		return "1"
	}
	return strings.Join(parts, ".")
}

// Decimal is 0.Digits * 10^Exponent, or 0 without digits. Digits are ASCII,
// without zeros at either end.
type Decimal struct {
	Digits   []byte
	Exponent int
	Negative bool
}

// MaxDigits is how many digits a result has at most.
const MaxDigits = 28

// beyond is the exponent from which on a value is so great, or so near to 0,
// that an offset is nothing to it, or it to an offset.
const beyond = 200

// Base converts a value in the unit into one in base units. The digits of the
// result are appended to room[:0], which must not hold those of the value.
func (u *Unit) Base(v Decimal, room []byte) Decimal {
	if u.offset != nil {
		return u.shift(v, room)
	}
	if len(v.Digits) == 0 {
		return Decimal{Digits: room[:0]}
	}
	if u.small == 1 && u.smallDivisor == 1 {
		return trim(append(room[:0], v.Digits...), v.Exponent+u.exponent, v.Negative)
	}
	if n, ok := v.whole(); ok && u.small != 0 {
		high, low := bits.Mul64(n, u.small)
		return divide(high, low, u.smallDivisor, v.Exponent-len(v.Digits)+u.exponent, v.Negative, room)
	}
	n, _ := new(big.Int).SetString(string(v.Digits), 10)
	return quotient(n.Mul(n, u.coefficient), u.divisor, v.Exponent-len(v.Digits)+u.exponent, v.Negative, room)
}

// whole are the digits as a number, if it fits.
func (d Decimal) whole() (n uint64, ok bool) {
	if len(d.Digits) > 19 {
		return 0, false
	}
	for _, c := range d.Digits {
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// nineteen is 10^19, the greatest power of ten in 64 bits.
const nineteen = 10_000_000_000_000_000_000

// divide is quotient for small numbers: high and low are those of 128 bits.
func divide(high, low, d uint64, exponent int, negative bool, room []byte) Decimal {
	if high|low == 0 {
		return Decimal{Digits: room[:0]}
	}
	wholeHigh := high / d
	wholeLow, rest := bits.Div64(high%d, low, d)
	digits := room[:0]
	if wholeHigh != 0 {
		// The product of two numbers below 2^64 is less than 10^19 times 2^64.
		first, last := bits.Div64(wholeHigh, wholeLow, nineteen)
		digits = strconv.AppendUint(digits, first, 10)
		from := len(digits)
		digits = append(digits, "0000000000000000000"...)
		for i := len(digits) - 1; i >= from; i-- {
			digits[i] += byte(last % 10)
			last /= 10
		}
	} else if wholeLow != 0 {
		digits = strconv.AppendUint(digits, wholeLow, 10)
	}
	exponent += len(digits)
	for ; rest != 0 && len(digits) < MaxDigits; rest %= d {
		rest *= 10
		if len(digits) == 0 && rest < d {
			exponent--
			continue
		}
		digits = append(digits, byte('0'+rest/d))
	}
	return trim(digits, exponent, negative)
}

// shift is Base for a unit with an offset.
func (u *Unit) shift(v Decimal, room []byte) Decimal {
	places := len(v.Digits) - v.Exponent
	if n, ok := v.whole(); ok && u.over != 0 && n < 1_000_000_000 && len(v.Digits) > 0 && places >= 0 && places <= 6 {
		ten := int64(1)
		for range places {
			ten *= 10
		}
		signed := int64(n)
		if v.Negative {
			signed = -signed
		}
		sum := signed*u.scale + u.add*ten // below 10^15 + 10^12
		return divide(0, uint64(max(sum, -sum)), uint64(u.over*ten), 0, sum < 0, room)
	}
	sum := new(big.Rat)
	exponent := 0
	if len(v.Digits) > 0 && v.Exponent >= -beyond {
		n, _ := new(big.Int).SetString(string(v.Digits), 10)
		if v.Negative {
			n.Neg(n)
		}
		sum.SetFrac(n.Mul(n, u.coefficient), u.divisor)
		exponent = v.Exponent - len(v.Digits) + u.exponent
		if v.Exponent > beyond {
			return quotient(new(big.Int).Abs(sum.Num()), sum.Denom(), exponent, v.Negative, room)
		}
		power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(abs(exponent))), nil))
		if exponent < 0 {
			power.Inv(power)
		}
		sum.Mul(sum, power)
	}
	sum.Add(sum, u.offset)
	return quotient(new(big.Int).Abs(sum.Num()), sum.Denom(), 0, sum.Sign() < 0, room)
}

func abs(n int) int { return max(n, -n) }

// quotient is n / d * 10^exponent, n being free to change.
func quotient(n, d *big.Int, exponent int, negative bool, room []byte) Decimal {
	if n.Sign() == 0 {
		return Decimal{Digits: room[:0]}
	}
	// Enough zeros behind n that the quotient has more digits than are kept.
	if d.BitLen() > 1 {
		zeros := max(0, (d.BitLen()-n.BitLen())*30103/100000+MaxDigits+2)
		n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(zeros)), nil))
		n.Quo(n, d)
		exponent -= zeros
	}
	digits := n.Append(room[:0], 10)
	return trim(digits, exponent+len(digits), negative)
}

// trim keeps MaxDigits digits and no zeros behind them.
func trim(digits []byte, exponent int, negative bool) Decimal {
	digits = digits[:min(len(digits), MaxDigits)]
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return Decimal{Digits: digits, Exponent: exponent, Negative: negative}
}
