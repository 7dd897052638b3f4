package fhirpath

import (
	"math"

	"github.com/shopspring/decimal"
)

// The functions of FHIRPath 2.0 § 5.7 Math. Where a result is not a real number
// it is empty.
var mathFunctions = map[string]function{
	"abs": {0, 0, func(m *machine, c *callNode, mark int) error {
		v, ok, err := m.inputSingle(c, mark)
		if err != nil || !ok {
			return err
		}
		switch v.kind {
		case KindInteger:
			if v.num == math.MinInt32 {
				return nil
			}
			m.push(Integer(int32(math.Abs(float64(v.num)))))
		case KindDecimal:
			d, _ := v.decimal()
			m.push(Decimal(d.Abs()))
		case KindQuantity:
			q := *v.quantity()
			q.Value = q.Value.Abs()
			m.push(QuantityOf(q))
		default:
			return m.errorf(ExecutionError, c.pos, "abs() on something that is no number")
		}
		return nil
	}},
	"ceiling":  {0, 0, toWhole(decimal.Decimal.Ceil)},
	"floor":    {0, 0, toWhole(decimal.Decimal.Floor)},
	"truncate": {0, 0, toWhole(func(d decimal.Decimal) decimal.Decimal { return d.Truncate(0) })},
	"round":    {0, 1, callRound},
	"exp":      {0, 0, realFunction(math.Exp)},
	"ln":       {0, 0, realFunction(math.Log)},
	"sqrt":     {0, 0, callSqrt},
	"log":      {1, 1, callLog},
	"power":    {1, 1, callPower},
}

// inputNumber takes the input, which must be one number or empty, off the stack.
func (m *machine) inputNumber(c *callNode, mark int) (v Value, d decimal.Decimal, ok bool, err error) {
	v, ok, err = m.inputSingle(c, mark)
	if err != nil || !ok {
		return v, d, false, err
	}
	d, ok = v.decimal()
	if !ok {
		return v, d, false, m.errorf(ExecutionError, c.pos, "%s() on something that is no number", c.name)
	}
	return v, d, true, nil
}

// numberArg evaluates an argument that must be one number or empty.
func (m *machine) numberArg(c *callNode, arg int) (v Value, d decimal.Decimal, ok bool, err error) {
	v, ok, err = m.single(c.args[arg], c.pos)
	if err != nil || !ok {
		return v, d, false, err
	}
	d, ok = v.decimal()
	if !ok {
		return v, d, false, m.errorf(ExecutionError, c.pos, "%s(): argument %d must be a number", c.name, arg+1)
	}
	return v, d, true, nil
}

// toWhole makes a function whose result is an Integer.
func toWhole(f func(decimal.Decimal) decimal.Decimal) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		_, d, ok, err := m.inputNumber(c, mark)
		if err != nil || !ok {
			return err
		}
		whole := f(d)
		if i, ok := integerOf(whole); ok {
			m.push(Integer(i))
		} else {
			m.push(Decimal(whole)) // too large for an Integer, but still a number
		}
		return nil
	}
}

func callRound(m *machine, c *callNode, mark int) error {
	v, ok, err := m.inputSingle(c, mark)
	if err != nil || !ok {
		return err
	}
	places := int32(0)
	if len(c.args) > 0 {
		n, given, err := m.integerArg(c, 0)
		if err != nil {
			return err
		}
		if given {
			places = n
		}
	}
	if places < 0 || places > maxDigits {
		return m.errorf(ExecutionError, c.pos, "round(): the number of places is out of range")
	}
	if v.kind == KindQuantity {
		q := *v.quantity()
		q.Value = q.Value.Round(places)
		m.push(QuantityOf(q))
		return nil
	}
	d, ok := v.decimal()
	if !ok {
		return m.errorf(ExecutionError, c.pos, "round() on something that is no number")
	}
	m.push(Decimal(d.Round(places)))
	return nil
}

func (m *machine) pushFloat(f float64) {
	if d, ok := decimalOfFloat(f); ok {
		m.push(Decimal(d))
	}
}

func realFunction(f func(float64) float64) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		_, d, ok, err := m.inputNumber(c, mark)
		if err != nil || !ok {
			return err
		}
		m.pushFloat(f(d.InexactFloat64()))
		return nil
	}
}

// callSqrt gives an exact root where there is one.
func callSqrt(m *machine, c *callNode, mark int) error {
	_, d, ok, err := m.inputNumber(c, mark)
	if err != nil || !ok || d.IsNegative() {
		return err
	}
	if root, ok := decimalOfFloat(math.Sqrt(d.InexactFloat64())); ok {
		m.push(Decimal(root))
	}
	return nil
}

func callLog(m *machine, c *callNode, mark int) error {
	_, d, ok, err := m.inputNumber(c, mark)
	if err != nil || !ok {
		return err
	}
	_, base, ok, err := m.numberArg(c, 0)
	if err != nil || !ok {
		return err
	}
	x, b := d.InexactFloat64(), base.InexactFloat64()
	switch b {
	case 2:
		m.pushFloat(math.Log2(x))
	case 10:
		m.pushFloat(math.Log10(x))
	default:
		m.pushFloat(math.Log(x) / math.Log(b))
	}
	return nil
}

// callPower is exact for whole exponents of moderate size; an Integer to the
// power of one that is not negative stays an Integer.
func callPower(m *machine, c *callNode, mark int) error {
	v, d, ok, err := m.inputNumber(c, mark)
	if err != nil || !ok {
		return err
	}
	e, exponent, ok, err := m.numberArg(c, 0)
	if err != nil || !ok {
		return err
	}
	n, whole := integerOf(exponent)
	if whole && exponent.IsInteger() && n >= 0 && n <= 64 {
		result := decimal.New(1, 0)
		for range n {
			if result = result.Mul(d); !bounded(result) {
				return nil
			}
		}
		if i, ok := integerOf(result); ok && v.kind == KindInteger && e.kind == KindInteger {
			m.push(Integer(i))
		} else {
			m.push(Decimal(result))
		}
		return nil
	}
	m.pushFloat(math.Pow(d.InexactFloat64(), exponent.InexactFloat64()))
	return nil
}
