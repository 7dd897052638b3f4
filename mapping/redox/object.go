package redox

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Object is what every Redox object can carry besides its own fields.
type Object struct {
	// Extensions are additional values by name:
	// {"<name>": {"url": "https://api.redoxengine.com/extensions/<name>", "<type>": value}}.
	Extensions map[string]jsontext.Value `json:"Extensions,omitzero"`
	// Unknown are members that the catalogue does not have for any event of
	// the model; Parse keeps them and Marshal writes them back.
	Unknown map[string]jsontext.Value `json:",embed"`
}

// Number is a JSON number with its digits as they were written: 15, 12.50.
// The empty Number is absent.
type Number string

// Int returns i as a Number.
func Int(i int) Number { return Number(strconv.Itoa(i)) }

// MarshalJSON writes the digits; it fails when they are not a JSON number.
func (n Number) MarshalJSON() ([]byte, error) {
	v := jsontext.Value(n)
	if n == "" || v.Kind() != '0' || !v.IsValid() {
		return nil, &Error{Kind: ErrType, Text: "not a JSON number"}
	}
	return v, nil
}

// Date is YYYY-MM-DD.
type Date = string

// DateTime is an ISO 8601 instant. Redox's are in UTC; one without an offset
// is in the source's time zone.
type DateTime = string

// Bool returns a pointer to b, for the optional booleans of the models.
func Bool(b bool) *bool { return &b }
