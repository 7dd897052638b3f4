package search

import (
	"bytes"

	"github.com/shopspring/decimal"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// sampled: SampledData is searched by the bounds of its values (R4,
// Observation, search parameter value-quantity): origin + factor * the least
// and the greatest of the data. A value that was too low to be measured (L)
// lies below all others, at the lower limit if there is one; U likewise.
// Without data the limits are the bounds, or the origin is the value.
func (e *emitter) sampled(n rawjson.Node) {
	origin, ok := n.Member("origin")
	if !ok {
		return
	}
	if !e.one.empty().plain(origin) {
		return
	}
	least, greatest, found := extremes(n)
	low, high := sample{n, origin, least, "lowerLimit"}, sample{n, origin, greatest, "upperLimit"}
	if !found {
		_, lower := n.Member("lowerLimit")
		_, upper := n.Member("upperLimit")
		if !lower && !upper {
			e.quantity("Quantity", origin)
			return
		}
	}
	e.span(low.scales(e, e.one.empty()), high.scales(e, e.other.empty()), false, false)
}

// sample is one bound of the data.
type sample struct {
	data, origin rawjson.Node
	// value is the number in the data; nil when the limit stands for it.
	value []byte
	limit string
}

// maxSampleExponent bounds the numbers that are reckoned with.
const maxSampleExponent = 500

// scales is the bound in the unit of the origin; nil when it is open.
func (s sample) scales(e *emitter, out *scales) *scales {
	var v number
	var err error
	if s.value == nil {
		limit, ok := s.data.Member(s.limit)
		if !ok {
			return nil
		}
		v, err = parseDecimal(limit.Raw(), out.digits[:0])
	} else {
		v, err = s.reckon(out.digits[:0])
	}
	if err != nil {
		return nil
	}
	out.add(formNormal, nil, v)
	out.in(e, member(s.origin, "system"), member(s.origin, "code"), member(s.origin, "unit"), v)
	return out
}

// reckon is origin + value * factor.
func (s sample) reckon(room []byte) (number, error) {
	value, _ := s.origin.Member("value")
	sum, err := plainDecimal(value.Raw())
	if err != nil {
		return number{}, err
	}
	x, err := plainDecimal(s.value)
	if err != nil {
		return number{}, err
	}
	if factor, ok := s.data.Member("factor"); ok {
		f, err := plainDecimal(factor.Raw())
		if err != nil {
			return number{}, err
		}
		x = x.Mul(f)
	}
	return parseDecimal([]byte(sum.Add(x).String()), room)
}

// plainDecimal reads a number that is not so great or small that reckoning
// with it takes long.
func plainDecimal(s []byte) (decimal.Decimal, error) {
	if n, err := parseDecimal(s, nil); err != nil || n.exponent > maxSampleExponent || n.exponent < -maxSampleExponent || n.cut {
		return decimal.Decimal{}, errNumber
	}
	return decimal.NewFromString(string(s))
}

// extremes are the numbers of the data that give the least and the greatest
// value; nil for L and U. found says whether there is any.
func extremes(n rawjson.Node) (least, greatest []byte, found bool) {
	data, ok := n.Member("data")
	if !ok {
		return nil, nil, false
	}
	var lowKey, highKey, key []byte
	var below, above bool
	for _, token := range bytes.Fields([]byte(data.String())) {
		switch string(token) {
		case "L":
			below = true
			continue
		case "U":
			above = true
			continue
		case "E":
			continue
		}
		token = leadingZero(token)
		var err error
		if key, err = appendDecimal(key[:0], token); err != nil {
			continue
		}
		if least == nil || bytes.Compare(key, lowKey) < 0 {
			least, lowKey = token, append(lowKey[:0], key...)
		}
		if greatest == nil || bytes.Compare(key, highKey) > 0 {
			greatest, highKey = token, append(highKey[:0], key...)
		}
	}
	found = least != nil || below || above
	if factor, ok := n.Member("factor"); ok && len(factor.Raw()) > 0 && factor.Raw()[0] == '-' {
		least, greatest = greatest, least
	}
	if below {
		least = nil
	}
	if above {
		greatest = nil
	}
	return least, greatest, found
}

// leadingZero makes -0.5 of -.5, which data may have.
func leadingZero(token []byte) []byte {
	digits, negative := bytes.CutPrefix(token, []byte{'-'})
	if len(digits) == 0 || digits[0] != '.' {
		return token
	}
	if negative {
		return append([]byte("-0"), digits...)
	}
	return append([]byte{'0'}, digits...)
}
