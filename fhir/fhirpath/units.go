package fhirpath

import (
	"math/big"

	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/fhir/ucum"
)

// Units converts between units of measure. The engine compares units by name
// and knows the calendar durations itself; Units is asked about the rest.
type Units interface {
	// Canonical converts a value of a unit to the unit's base units: 4 g and
	// 4000 mg give the same pair. Products of units come as (a).(b), quotients
	// as (a)/(b), which is UCUM's own syntax. ok is false for a unit that is
	// not known. Canonical must be exact where the conversion is.
	Canonical(value decimal.Decimal, unit string) (base decimal.Decimal, baseUnit string, ok bool)
}

// UCUM converts the units of the Unified Code for Units of Measure. Results
// have ucum.MaxDigits digits.
type UCUM struct{}

// Canonical implements Units.
func (UCUM) Canonical(value decimal.Decimal, unit string) (base decimal.Decimal, baseUnit string, ok bool) {
	u, err := ucum.Parse(unit)
	if err != nil {
		return decimal.Decimal{}, "", false
	}
	v := ucum.Decimal{Negative: value.Sign() < 0}
	if value.Sign() != 0 {
		digits := new(big.Int).Abs(value.Coefficient()).Append(nil, 10)
		v.Exponent = len(digits) + int(value.Exponent())
		for digits[len(digits)-1] == '0' {
			digits = digits[:len(digits)-1]
		}
		v.Digits = digits
	}
	v = u.Base(v, nil)
	if len(v.Digits) == 0 {
		return decimal.Decimal{}, u.Dimension(), true
	}
	coefficient, ok := new(big.Int).SetString(string(v.Digits), 10)
	if v.Negative && ok {
		coefficient.Neg(coefficient)
	}
	return decimal.NewFromBigInt(coefficient, int32(v.Exponent-len(v.Digits))), u.Dimension(), ok
}
