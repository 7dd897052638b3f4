package fhirpath

import (
	"strings"

	"github.com/shopspring/decimal"
)

// The functions of FHIRPath 2.0 § 5.5 Conversion: toX() gives empty where
// convertsToX() gives false.
var conversionFunctions = map[string]function{
	"toBoolean":         {0, 0, callConversion(toBoolean, false)},
	"convertsToBoolean": {0, 0, callConversion(toBoolean, true)},

	"toInteger":         {0, 0, callConversion(toInteger, false)},
	"convertsToInteger": {0, 0, callConversion(toInteger, true)},

	"toDecimal":         {0, 0, callConversion(toDecimal, false)},
	"convertsToDecimal": {0, 0, callConversion(toDecimal, true)},

	"toString":         {0, 0, callConversion(toString, false)},
	"convertsToString": {0, 0, callConversion(toString, true)},

	"toDate":         {0, 0, callConversion(toDate, false)},
	"convertsToDate": {0, 0, callConversion(toDate, true)},

	"toDateTime":         {0, 0, callConversion(toDateTime, false)},
	"convertsToDateTime": {0, 0, callConversion(toDateTime, true)},

	"toTime":         {0, 0, callConversion(toTime, false)},
	"convertsToTime": {0, 0, callConversion(toTime, true)},

	"toQuantity":         {0, 1, callToQuantity(false)},
	"convertsToQuantity": {0, 1, callToQuantity(true)},

	"iif": {2, 3, callIif},
}

func callConversion(convert func(v *Value) (Value, bool), test bool) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		v, ok, err := m.inputSingle(c, mark)
		if err != nil || !ok {
			return err
		}
		converted, ok := convert(&v)
		switch {
		case test:
			m.push(Boolean(ok))
		case ok:
			m.push(converted)
		}
		return nil
	}
}

func toBoolean(v *Value) (Value, bool) {
	switch v.kind {
	case KindBoolean:
		return *v, true
	case KindInteger, KindDecimal:
		d, _ := v.decimal()
		if d.Equal(decimal.New(1, 0)) {
			return Boolean(true), true
		}
		return Boolean(false), d.IsZero()
	case KindString:
		switch strings.ToLower(v.str) {
		case "true", "t", "yes", "y", "1", "1.0":
			return Boolean(true), true
		case "false", "f", "no", "n", "0", "0.0":
			return Boolean(false), true
		}
	}
	return Value{}, false
}

func toInteger(v *Value) (Value, bool) {
	switch v.kind {
	case KindInteger:
		return *v, true
	case KindBoolean:
		return Integer(v.num), true
	case KindString:
		i, ok := parseInteger(v.str)
		return Integer(i), ok
	}
	return Value{}, false
}

func toDecimal(v *Value) (Value, bool) {
	switch v.kind {
	case KindDecimal:
		return *v, true
	case KindInteger, KindBoolean:
		return Decimal(decimal.New(int64(v.num), 0)), true
	case KindString:
		if strings.ContainsAny(v.str, "eE") {
			return Value{}, false
		}
		d, ok := parseDecimal(v.str)
		return Decimal(d), ok
	}
	return Value{}, false
}

func toString(v *Value) (Value, bool) {
	text, ok := v.text()
	return String(text), ok
}

// text writes a System value the way toString() does.
func (v *Value) text() (string, bool) {
	switch v.kind {
	case KindString:
		return v.str, true
	case KindBoolean:
		if v.num != 0 {
			return "true", true
		}
		return "false", true
	case KindInteger, KindDecimal:
		d, _ := v.decimal()
		return formatDecimal(d), true
	case KindDate, KindDateTime, KindTime:
		return v.dateTime().format(v.kind), true
	case KindQuantity:
		return v.quantity().String(), true
	}
	return "", false
}

func toDate(v *Value) (Value, bool) {
	switch v.kind {
	case KindDate:
		return *v, true
	case KindDateTime:
		t := *v.dateTime()
		t.Precision = min(t.Precision, Day)
		t.HasOffset, t.Offset, t.FractionDigits = false, 0, 0
		return temporal(KindDate, cutTo(t)), true
	case KindString:
		t, ok := parseTemporal(KindDate, v.str)
		return temporal(KindDate, t), ok
	}
	return Value{}, false
}

func toDateTime(v *Value) (Value, bool) {
	switch v.kind {
	case KindDateTime:
		return *v, true
	case KindDate:
		return temporal(KindDateTime, *v.dateTime()), true
	case KindString:
		t, ok := parseTemporal(KindDateTime, v.str)
		return temporal(KindDateTime, t), ok
	}
	return Value{}, false
}

func toTime(v *Value) (Value, bool) {
	switch v.kind {
	case KindTime:
		return *v, true
	case KindString:
		t, ok := parseTemporal(KindTime, strings.TrimPrefix(v.str, "T"))
		return temporal(KindTime, t), ok
	}
	return Value{}, false
}

func callToQuantity(test bool) func(*machine, *callNode, int) error {
	return func(m *machine, c *callNode, mark int) error {
		v, ok, err := m.inputSingle(c, mark)
		if err != nil || !ok {
			return err
		}
		q, ok := toQuantity(&v)
		if len(c.args) > 0 && ok {
			unit, given, err := m.stringArg(c, 0)
			if err != nil {
				return err
			}
			if given {
				q, ok = m.convert(q, unit)
			}
		}
		switch {
		case test:
			m.push(Boolean(ok))
		case ok:
			m.push(QuantityOf(q))
		}
		return nil
	}
}

func toQuantity(v *Value) (Quantity, bool) {
	switch v.kind {
	case KindQuantity:
		return *v.quantity(), true
	case KindInteger, KindDecimal, KindBoolean:
		d := decimal.New(int64(v.num), 0)
		if v.kind == KindDecimal {
			d, _ = v.decimal()
		}
		return Quantity{d, "1"}, true
	case KindString:
		return parseQuantity(v.str)
	}
	return Quantity{}, false
}

// convert expresses q in another unit. Where that has a zero of its own, as
// Cel has, the steps from it are counted.
func (m *machine) convert(q Quantity, unit string) (Quantity, bool) {
	if q.Unit == unit {
		return q, true
	}
	zero, one := Quantity{decimal.Zero, unit}, Quantity{decimal.New(1, 0), unit}
	x, from, _, ok := m.commensurable(&q, &zero)
	if !ok {
		return Quantity{}, false
	}
	_, to, _, _ := m.commensurable(&q, &one)
	step := to.Sub(from)
	if step.IsZero() {
		return Quantity{}, false
	}
	return Quantity{divide(x.Sub(from), step), unit}, true
}

// callIif is iif(criterion, then, otherwise): only the branch taken is
// evaluated, on the input as $this.
func callIif(m *machine, c *callNode, mark int) error {
	if len(m.stack)-mark > 1 {
		return m.errorf(ExecutionError, c.pos, "iif() on more than one item")
	}
	this, index := m.this, m.index
	defer func() { m.this, m.index = this, index }()
	if _, bare := c.input.(*thisNode); !bare {
		m.this = Value{}
		if len(m.stack) > mark {
			m.this = m.stack[mark]
		}
		m.index = 0
	}
	m.drop(mark)
	if err := c.args[0].evaluate(m); err != nil {
		return err
	}
	if m.ctx.Strict && len(m.stack) == mark+1 {
		if v := m.stack[mark].system(); v.kind != KindBoolean {
			return m.errorf(SemanticError, c.pos, "the criterion of iif() is no Boolean")
		}
	}
	t, err := m.criterion(c, mark)
	switch {
	case err != nil:
		return err
	case t == yes:
		return c.args[1].evaluate(m)
	case len(c.args) > 2:
		return c.args[2].evaluate(m)
	}
	return nil
}
