package search

import (
	"bytes"
	"errors"
)

var errNumber = errors.New("not a number")

// maxDigits is how many significant digits a key holds; a number with more is
// cut to them.
const maxDigits = 100

// maxExponent is the greatest exponent of ten, up or down, that a key tells
// from greater ones.
const maxExponent = 0x7FFF

// appendDecimal writes a decimal so that byte order is the order of the
// values, exactly, for up to maxDigits digits: sign, exponent of the first
// digit, digits, end. 100, 100.0 and 1e2 are the same key.
//
//	0            0x80
//	positive     0x81 exponent+0x8000 digits+1 0x00
//	negative     the complement of all that
//
// Numbers beyond maxExponent come after all others (or before, if negative)
// and those nearer to 0 count as the nearest that a key can hold.
func appendDecimal(dst []byte, s []byte) ([]byte, error) {
	var room [maxDigits]byte
	d, err := parseDecimal(s, room[:0])
	if err != nil {
		return dst, err
	}
	return appendNumber(dst, d), nil
}

// appendNumber is appendDecimal of a number that was read.
func appendNumber(dst []byte, d number) []byte {
	if len(d.digits) == 0 {
		return append(dst, 0x80)
	}
	from := len(dst)
	switch {
	case d.exponent > maxExponent:
		dst = append(dst, 0x82)
	case d.exponent < -maxExponent:
		dst = append(dst, 0x81, 0, 0, 1, 0)
	default:
		biased := d.exponent + 0x8000
		dst = append(dst, 0x81, byte(biased>>8), byte(biased))
		for _, c := range d.digits {
			dst = append(dst, c-'0'+1)
		}
		dst = append(dst, 0)
	}
	if d.negative {
		dst[from]--
		for i := from; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

func encodeDecimal(s string) (string, error) {
	b, err := appendDecimal(nil, []byte(s))
	return string(b), err
}

// number is 0.digits * 10^exponent.
type number struct {
	digits   []byte // without zeros at either end; none for 0
	exponent int
	negative bool
	// cut says that there were more digits than fit.
	cut bool
}

// parseDecimal reads a number in JSON's grammar, or with leading zeros or a
// plus sign, as people write them.
func parseDecimal(s, room []byte) (number, error) {
	n := number{digits: room}
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		n.negative, s = s[0] == '-', s[1:]
	}
	if i := bytes.IndexAny(s, "eE"); i >= 0 {
		var err error
		if n.exponent, err = exponent(s[i+1:]); err != nil {
			return number{}, err
		}
		s = s[:i]
	}
	whole, fraction, point := bytes.Cut(s, []byte{'.'})
	if len(whole) == 0 || point && len(fraction) == 0 {
		return number{}, errNumber
	}
	for i, part := range [2][]byte{whole, fraction} {
		for _, c := range part {
			switch {
			case c < '0' || c > '9':
				return number{}, errNumber
			case c == '0' && len(n.digits) == 0:
				if i == 1 {
					n.exponent--
				}
				continue
			case len(n.digits) < maxDigits:
				n.digits = append(n.digits, c)
			case c != '0':
				n.cut = true
			}
			if i == 0 {
				n.exponent++
			}
		}
	}
	n.digits = bytes.TrimRight(n.digits, "0")
	n.negative = n.negative && len(n.digits) > 0
	return n, nil
}

// exponent reads what follows the e. One of more digits than any that matters
// is as good as a great one.
func exponent(s []byte) (int, error) {
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative, s = s[0] == '-', s[1:]
	}
	if len(s) == 0 {
		return 0, errNumber
	}
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, errNumber
		}
		n = min(n*10+int(c-'0'), 1<<30)
	}
	if negative {
		n = -n
	}
	return n, nil
}
