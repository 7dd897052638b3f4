package redox

import (
	"reflect"
	"strings"

	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/fhirfacade/fhirfacade/fhir/ucum"
)

// decimalText recognises what a JSON number and so a FHIR decimal can be.
func decimalText(s string) bool {
	if s == "" || len(s) > 18 {
		return false
	}
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || strings.Trim(whole, "0123456789") != "" || len(whole) > 1 && whole[0] == '0' {
		return false
	}
	return !point || fraction != "" && strings.Trim(fraction, "0123456789") == ""
}

// comparators are those of quantities, the longer ones first.
var comparators = []struct {
	text string
	code codes_go_proto.QuantityComparatorCode_Value
}{
	{"<=", codes_go_proto.QuantityComparatorCode_LESS_THAN_OR_EQUAL_TO},
	{">=", codes_go_proto.QuantityComparatorCode_GREATER_THAN_OR_EQUAL_TO},
	{"<", codes_go_proto.QuantityComparatorCode_LESS_THAN},
	{">", codes_go_proto.QuantityComparatorCode_GREATER_THAN},
}

// quantity makes a quantity of a number, perhaps behind a comparator, and its
// units; nil for what is none.
func quantity(value, units string) *dtpb.Quantity {
	q := &dtpb.Quantity{}
	for _, c := range comparators {
		if rest, ok := strings.CutPrefix(value, c.text); ok {
			q.Comparator, value = &dtpb.Quantity_ComparatorCode{Value: c.code}, rest
			break
		}
	}
	if !decimalText(value) {
		return nil
	}
	q.Value, q.Unit = &dtpb.Decimal{Value: value}, str(units)
	if isUCUM(units) {
		q.System, q.Code = uri(unitsOfMeasure), &dtpb.Code{Value: units}
	}
	return q
}

const unitsOfMeasure = "http://unitsofmeasure.org"

func isUCUM(units string) bool {
	if units == "" || len(units) > 32 || !isCodeValue(units) {
		return false
	}
	_, err := ucum.Parse(units)
	return err == nil
}

func readQuantity(q *dtpb.Quantity) (value, units string) {
	value = q.GetValue().GetValue()
	for _, c := range comparators {
		if q.GetComparator().GetValue() == c.code {
			value = c.text + value
		}
	}
	units = q.GetUnit().GetValue()
	give(&units, q.GetCode().GetValue())
	return value, units
}

func simple(q *dtpb.Quantity) *dtpb.SimpleQuantity {
	if q == nil || q.Comparator != nil {
		return nil
	}
	return &dtpb.SimpleQuantity{Value: q.Value, Unit: q.Unit, System: q.System, Code: q.Code}
}

// amount is an object of Quantity and Units, or of Amount and Units.
var amount = codec{
	write: func(_ *writer, f fields, put func(any)) {
		at := reflect.ValueOf(f[0]).Elem()
		value, units := amountIn(at.Elem())
		q := quantity(value.String(), units.String())
		if q == nil || q.Comparator != nil {
			return
		}
		// What else the object has stays in it.
		left := reflect.New(at.Type().Elem())
		left.Elem().Set(at.Elem())
		value, units = amountIn(left.Elem())
		value.SetString("")
		units.SetString("")
		at.Set(left)
		put(quantityFiller(q))
	},
	read: func(_ *reader, f fields, v any) {
		number, unit, ok := quantityIn(v)
		if !ok {
			return
		}
		at := reflect.ValueOf(f[0]).Elem()
		if at.IsNil() {
			at.Set(reflect.New(at.Type().Elem()))
		}
		if value, units := amountIn(at.Elem()); value.Len() == 0 && units.Len() == 0 {
			value.SetString(number)
			units.SetString(unit)
		}
	},
}

// amountIn are the members of an object that say how much.
func amountIn(object reflect.Value) (value, units reflect.Value) {
	index := members(object.Type())
	if i, ok := index["Amount"]; ok {
		return object.Field(i), object.Field(index["Units"])
	}
	return object.Field(index["Quantity"]), object.Field(index["Units"])
}

// quantified is a number and its units in two members.
var quantified = codec{
	write: func(_ *writer, f fields, put func(any)) {
		if q := quantity(*f.text(0), *f.text(1)); q != nil && q.Comparator == nil {
			*f.text(0), *f.text(1) = "", ""
			put(quantityFiller(q))
		}
	},
	read: func(_ *reader, f fields, v any) {
		if number, unit, ok := quantityIn(v); ok && *f.text(0) == "" {
			*f.text(0) = number
			give(f.text(1), unit)
		}
	},
}

func quantityFiller(q *dtpb.Quantity) filler {
	return func(m proto.Message) {
		switch m := m.(type) {
		case *dtpb.Quantity:
			proto.Merge(m, q)
		case *dtpb.SimpleQuantity:
			proto.Merge(m, simple(q))
		}
	}
}

func quantityIn(v any) (value, units string, ok bool) {
	switch q := v.(type) {
	case *dtpb.Quantity:
		value, units = readQuantity(q)
		return value, units, true
	case *dtpb.SimpleQuantity:
		value, units = readQuantity(&dtpb.Quantity{Value: q.Value, Unit: q.Unit, Code: q.Code})
		return value, units, true
	}
	return "", "", false
}
