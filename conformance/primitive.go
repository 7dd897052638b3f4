package conformance

import (
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// primitive is a primitive datatype
// (https://hl7.org/fhir/R4/datatypes.html#primitive); 0 is none.
type primitive uint8

const (
	primitiveBase64Binary primitive = iota + 1
	primitiveBoolean
	primitiveCode
	primitiveDate
	primitiveDateTime
	primitiveDecimal
	primitiveID
	primitiveInstant
	primitiveInteger
	primitiveOID
	primitivePositiveInt
	primitiveString
	primitiveTime
	primitiveUnsignedInt
	primitiveURI
	primitiveUUID
	primitiveXHTML
)

var primitives = map[string]primitive{
	"base64Binary": primitiveBase64Binary,
	"boolean":      primitiveBoolean,
	"canonical":    primitiveURI,
	"code":         primitiveCode,
	"date":         primitiveDate,
	"dateTime":     primitiveDateTime,
	"decimal":      primitiveDecimal,
	"id":           primitiveID,
	"instant":      primitiveInstant,
	"integer":      primitiveInteger,
	"markdown":     primitiveString,
	"oid":          primitiveOID,
	"positiveInt":  primitivePositiveInt,
	"string":       primitiveString,
	"time":         primitiveTime,
	"unsignedInt":  primitiveUnsignedInt,
	"uri":          primitiveURI,
	"url":          primitiveURI,
	"uuid":         primitiveUUID,
	"xhtml":        primitiveXHTML,
}

// jsonKind is how the type is written in JSON
// (https://hl7.org/fhir/R4/json.html#primitive).
func (p primitive) jsonKind() string {
	switch p {
	case primitiveBoolean:
		return "a JSON boolean"
	case primitiveDecimal, primitiveInteger, primitivePositiveInt, primitiveUnsignedInt:
		return "a JSON number"
	}
	return "a JSON string"
}

// hasKind reports whether the JSON value is of the kind that the type takes.
func (p primitive) hasKind(k rawjson.Kind) bool {
	switch p {
	case primitiveBoolean:
		return k == rawjson.KindTrue || k == rawjson.KindFalse
	case primitiveDecimal, primitiveInteger, primitivePositiveInt, primitiveUnsignedInt:
		return k == rawjson.KindNumber
	}
	return k == rawjson.KindString
}

// valid reports whether the unescaped text is in the type's format. The formats
// are R4's regular expressions written out: they run on every value of every
// write.
func (p primitive) valid(b []byte) bool {
	switch p {
	case primitiveBase64Binary:
		return validBase64(b)
	case primitiveCode:
		return validCode(b)
	case primitiveDate:
		return validDate(b)
	case primitiveDateTime:
		return validDateTime(b)
	case primitiveInstant:
		return len(b) > 10 && validDateTime(b)
	case primitiveTime:
		return len(b) > 0 && validTime(b) == len(b)
	case primitiveID:
		return ValidID(b)
	case primitiveInteger:
		return validInteger(b, "2147483648", 0)
	case primitiveUnsignedInt:
		return validInteger(b, "", 0)
	case primitivePositiveInt:
		return validInteger(b, "", 1)
	case primitiveURI:
		return validURI(b)
	case primitiveOID:
		return validOID(b)
	case primitiveUUID:
		return validUUID(b)
	case primitiveString:
		return validString(b)
	case primitiveXHTML:
		return validString(b) && validDiv(b)
	}
	// boolean and decimal: every JSON value of the right kind is one.
	return true
}

// rule says what valid demands, for diagnostics.
func (p primitive) rule() string {
	switch p {
	case primitiveBase64Binary:
		return "must be base64, in groups of four characters"
	case primitiveCode:
		return "must not be empty, start or end with white space, or have more than one white space character in a row"
	case primitiveDate:
		return "must be YYYY, YYYY-MM or YYYY-MM-DD and exist in the calendar"
	case primitiveDateTime:
		return "must be YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a time zone, and exist in the calendar"
	case primitiveInstant:
		return "must be YYYY-MM-DDThh:mm:ss with a time zone and exist in the calendar"
	case primitiveTime:
		return "must be hh:mm:ss"
	case primitiveID:
		return "must be 1 to 64 letters, digits, - and ."
	case primitiveInteger:
		return "must be a whole number of 32 bits, written without fraction and exponent"
	case primitiveUnsignedInt:
		return "must be a whole number from 0 to 2147483647, written without fraction and exponent"
	case primitivePositiveInt:
		return "must be a whole number from 1 to 2147483647, written without fraction and exponent"
	case primitiveURI:
		return "must not be empty or contain white space"
	case primitiveOID:
		return "must be urn:oid: and an OID"
	case primitiveUUID:
		return "must be urn:uuid: and a UUID in lower case"
	case primitiveString:
		return "must not be empty or contain control characters other than tab, carriage return and line feed"
	case primitiveXHTML:
		return "must be one XHTML div element"
	}
	return "must be " + p.jsonKind()
}
