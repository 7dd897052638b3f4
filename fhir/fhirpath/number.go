package fhirpath

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// maxDigits bounds a decimal's digits on either side of the point, exponents
// written out. R4's decimals have at most 18 (R4 § 2.24.0.1); the bound is there
// because 1e999999999 is one line of JSON and a gigabyte of digits.
const maxDigits = 400

// parseInteger reads an integer of JSON or FHIRPath's toInteger(): digits with
// an optional sign, within 32 bits (FHIRPath 2.0 § 3.1.4).
func parseInteger(s string) (int32, bool) {
	i, err := strconv.ParseInt(s, 10, 32)
	return int32(i), err == nil
}

// parseDecimal reads a decimal and keeps its precision: 1.50 has two digits
// after the point.
func parseDecimal(s string) (decimal.Decimal, bool) {
	if s == "" || len(s) > maxDigits {
		return decimal.Decimal{}, false
	}
	if len(s) <= 18 {
		if d, ok := parseShortDecimal(s); ok {
			return d, true
		}
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if exp, err := strconv.Atoi(s[i+1:]); err != nil || exp < -maxDigits || exp > maxDigits {
			return decimal.Decimal{}, false
		}
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return decimal.Decimal{}, false
		}
	}
	d, err := decimal.NewFromString(s)
	return d, err == nil
}

// parseShortDecimal reads what fits 64 bits, which is nearly everything, without
// the general parser's string building.
func parseShortDecimal(s string) (decimal.Decimal, bool) {
	i, negative := 0, false
	if s[0] == '-' || s[0] == '+' {
		i, negative = 1, s[0] == '-'
	}
	value, digits, scale := int64(0), 0, -1
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			value = value*10 + int64(c-'0')
			digits++
			if scale >= 0 {
				scale++
			}
		case c == '.' && scale < 0 && digits > 0:
			scale = 0
		default:
			return decimal.Decimal{}, false
		}
	}
	if digits == 0 || scale == 0 {
		return decimal.Decimal{}, false
	}
	if negative {
		value = -value
	}
	return decimal.New(value, -int32(max(scale, 0))), true
}

// formatDecimal writes all digits that the decimal's precision has.
func formatDecimal(d decimal.Decimal) string {
	if d.Exponent() < 0 {
		return d.StringFixed(-d.Exponent())
	}
	return d.String()
}

// scaleOf is the number of digits after the point.
func scaleOf(d decimal.Decimal) int32 { return max(0, -d.Exponent()) }

// bounded tells whether d is small enough to go on calculating with.
func bounded(d decimal.Decimal) bool {
	return d.Exponent() < maxDigits && d.Exponent() > -maxDigits && d.NumDigits() < maxDigits
}

// trimScale drops zeros at the end of the digits after the point.
func trimScale(d decimal.Decimal) decimal.Decimal {
	if d.Exponent() >= 0 {
		return d
	}
	coefficient, exponent := d.Coefficient(), d.Exponent()
	ten, digit := big.NewInt(10), new(big.Int)
	for exponent < 0 {
		quotient, _ := new(big.Int).QuoRem(coefficient, ten, digit)
		if digit.Sign() != 0 {
			break
		}
		coefficient, exponent = quotient, exponent+1
	}
	return decimal.NewFromBigInt(coefficient, exponent)
}

// divide gives the quotient to 16 digits after the point and without needless
// zeros (FHIRPath 2.0 § 6.6.2 leaves the precision to the implementation, with
// eight digits at least).
func divide(a, b decimal.Decimal) decimal.Decimal {
	return trimScale(a.DivRound(b, 16))
}

// decimalOfFloat is for the functions of § 5.7 that have no exact result.
func decimalOfFloat(f float64) (decimal.Decimal, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) > 1e100 {
		return decimal.Decimal{}, false
	}
	return decimal.NewFromFloat(f), true
}

func integerOf(d decimal.Decimal) (int32, bool) {
	if d.NumDigits() > 12+int(scaleOf(d)) || d.Exponent() > 12 {
		return 0, false
	}
	i := d.IntPart()
	if i < math.MinInt32 || i > math.MaxInt32 {
		return 0, false
	}
	return int32(i), true
}
