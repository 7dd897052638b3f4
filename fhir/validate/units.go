package validate

import (
	"math/big"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/fhir/ucum"
)

// Units are UCUM's, for [Options.Units]: 3 g and 2 kg compare.
type Units struct{}

// Canonical converts a value to base units. It implements fhirpath.Units.
func (Units) Canonical(value decimal.Decimal, unit string) (base decimal.Decimal, baseUnit string, ok bool) {
	u, err := ucum.Parse(unit)
	if err != nil {
		return decimal.Decimal{}, "", false
	}
	v := ucum.Decimal{Negative: value.IsNegative()}
	if !value.IsZero() {
		digits := new(big.Int).Abs(value.Coefficient()).String()
		v.Exponent = len(digits) + int(value.Exponent())
		v.Digits = []byte(strings.TrimRight(digits, "0"))
	}
	b := u.Base(v, nil)
	if len(b.Digits) == 0 {
		return decimal.Decimal{}, u.Dimension(), true
	}
	coefficient, _ := new(big.Int).SetString(string(b.Digits), 10) // digits only
	if b.Negative {
		coefficient.Neg(coefficient)
	}
	return decimal.NewFromBigInt(coefficient, int32(b.Exponent-len(b.Digits))), u.Dimension(), true
}
