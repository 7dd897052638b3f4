package search

import (
	"errors"
	"strings"
)

var errNumber = errors.New("not a number")

// encodeDecimal writes a decimal so that byte order is the order of the
// values, exactly, whatever the number of digits: sign, exponent of the first
// digit, digits, end. 100, 100.0 and 1e2 are the same key.
//
//	0            0x80
//	positive     0x81 exponent+0x8000 digits 0x00
//	negative     0x7F and then the complement of all that
func encodeDecimal(s string) (string, error) {
	digits, exponent, negative, err := parseDecimal(s)
	if err != nil {
		return "", err
	}
	if digits == "" {
		return "\x80", nil
	}
	biased := exponent + 0x8000
	b := []byte{0x81, byte(biased >> 8), byte(biased)}
	for i := 0; i < len(digits); i++ {
		b = append(b, digits[i]-'0'+1)
	}
	b = append(b, 0)
	if negative {
		b[0] = 0x80
		for i := range b {
			b[i] = ^b[i]
		}
	}
	return string(b), nil
}

// parseDecimal splits a JSON number into its significant digits, the place of
// the point relative to the first of them, and its sign.
func parseDecimal(s string) (digits string, exponent int, negative bool, err error) {
	if strings.HasPrefix(s, "-") {
		negative, s = true, s[1:]
	} else {
		s = strings.TrimPrefix(s, "+")
	}
	mantissa := s
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		if exponent, err = smallInt(s[i+1:]); err != nil {
			return "", 0, false, err
		}
	}
	whole, fraction, point := strings.Cut(mantissa, ".")
	if whole == "" || point && fraction == "" {
		return "", 0, false, errNumber
	}
	all := whole + fraction
	for i := 0; i < len(all); i++ {
		if all[i] < '0' || all[i] > '9' {
			return "", 0, false, errNumber
		}
	}
	exponent += len(whole)
	for all != "" && all[0] == '0' {
		all = all[1:]
		exponent--
	}
	all = strings.TrimRight(all, "0")
	if len(all) > 100 {
		return "", 0, false, errNumber
	}
	if exponent < -0x7FFF || exponent > 0x7FFF {
		return "", 0, false, errNumber
	}
	return all, exponent, negative && all != "", nil
}

func smallInt(s string) (int, error) {
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s, "+-")
	if s == "" || len(s) > 5 {
		return 0, errNumber
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, errNumber
		}
		n = n*10 + int(s[i]-'0')
	}
	if negative {
		n = -n
	}
	return n, nil
}
