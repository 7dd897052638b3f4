package search

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/ucum"
	"github.com/fhirfacade/fhirfacade/store"
)

// Explain tells what a key is there for: the type and a search by which a
// resource that has the key is found. It is for diagnosis, and for tests that
// Index and Parse agree. ok is false for keys that no single search asks for:
// the server's own, ones that were cut, times before our era.
func Explain(d *conformance.Definitions, key store.Key) (typ string, p Parameter, ok bool) {
	if len(key) < 6 {
		return "", p, false
	}
	typ, ok = d.TypeName(binary.BigEndian.Uint16([]byte(key)))
	number := binary.BigEndian.Uint16([]byte(key[2:]))
	if !ok {
		return "", p, false
	}
	for _, sp := range d.SearchParameters(typ) {
		if sp.Number != number {
			continue
		}
		if sp.Type == conformance.SearchComposite {
			p, ok = explainPair(sp, key[4:])
		} else {
			p, ok = explain(sp.Type, sp.Code, key[4:])
		}
		return typ, p, ok
	}
	return "", p, false
}

func explainPair(sp *conformance.SearchParameter, key string) (Parameter, bool) {
	if key[0] != formComposite || len(key) < 4 {
		return Parameter{}, false
	}
	n := int(binary.BigEndian.Uint16([]byte(key[1:])))
	first, ok1 := explain(sp.Components[0].Type, sp.Code, key[3:3+n])
	if coordinates(sp) {
		p, ok := explainCoordinates(sp.Code, first.Value, key[3+n:])
		return p, ok && ok1
	}
	second, ok2 := explain(sp.Components[1].Type, sp.Code, key[3+n:])
	return Parameter{sp.Code, first.Value + "$" + second.Value}, ok1 && ok2
}

// explain reads a form and a value.
func explain(t conformance.SearchType, code, key string) (Parameter, bool) {
	form, value := key[0], key[1:]
	switch t {
	case conformance.SearchSpecial:
		return Parameter{}, false // to look near it takes a store
	case conformance.SearchDate:
		return explainDate(code, form, value)
	case conformance.SearchNumber, conformance.SearchQuantity:
		return explainNumber(code, form, value)
	}
	if len(value) > maxText {
		return Parameter{}, false
	}
	switch form {
	case formCode, formURL, formReference, formNormal, formFamily:
		return Parameter{code, escape(value)}, value != ""
	case formSystem:
		system, c, _ := strings.Cut(value, "\x00")
		return Parameter{code, escape(system) + "|" + escape(c)}, system+c != ""
	case formText:
		return Parameter{code + ":text", escape(value)}, true
	case formPart:
		return Parameter{code + ":contains", escape(value)}, utf8.ValidString(value)
	case formExact:
		return Parameter{code + ":exact", escape(value)}, true
	case formOfType:
		parts := strings.SplitN(value, "\x00", 3)
		return Parameter{code + ":of-type", escape(parts[0]) + "|" + escape(parts[1]) + "|" + escape(parts[2])}, parts[0] != "" && parts[1] != ""
	case formIdentifier:
		if v, ok := strings.CutPrefix(value, "\x00\x00"); ok {
			return Parameter{code + ":identifier", escape(v)}, true
		}
		system, v, _ := strings.Cut(value, "\x00")
		return Parameter{code + ":identifier", escape(system) + "|" + escape(v)}, true
	}
	return Parameter{}, false
}

func explainDate(code string, form byte, value string) (Parameter, bool) {
	if form == formSeveral {
		return Parameter{}, false // of one value among others
	}
	step := byte(0)
	if form == formWithin {
		step, value = value[0], value[1:]
	}
	t := time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(value)) ^ (1 << 63))).UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return Parameter{}, false
	}
	const exact = "2006-01-02T15:04:05.000000Z07:00"
	switch form {
	case formLow:
		return Parameter{code, "ge" + t.Format(exact)}, true
	case formHigh:
		return Parameter{code, "le" + t.Format(exact)}, true
	}
	layout := map[byte]string{
		stepSecond: "2006-01-02T15:04:05Z07:00", stepMinute: "2006-01-02T15:04Z07:00",
		stepDay: "2006-01-02", stepMonth: "2006-01", stepYear: "2006",
	}[step]
	return Parameter{code, t.Format(layout)}, layout != ""
}

func explainNumber(code string, form byte, value string) (Parameter, bool) {
	unit := ""
	switch form {
	case formSystem:
		parts := strings.SplitN(value, "\x00", 3)
		unit, value = "|"+escape(parts[0])+"|"+escape(parts[1]), parts[2]
		if parts[0] == "" {
			return Parameter{}, false
		}
	case formCode:
		u, rest, _ := strings.Cut(value, "\x00")
		unit, value = "||"+escape(u), rest
	case formCanonical:
		u, rest, _ := strings.Cut(value, "\x00")
		unit, value = "|"+ucum.System+"|"+escape(u), rest
	case formLow, formHigh:
		return explainBound(code, form, value)
	}
	s, ok := decodeDecimal(value)
	if form == formCanonical && len(value) >= ucum.MaxDigits {
		s = "ge" + s // cut, so that it is not what rounds to it
	}
	return Parameter{code, s + unit}, ok
}

// explainBound reads the key of an end of a span: what begins at 5 is found by
// le5, and what begins behind it by gt5.
func explainBound(code string, form byte, value string) (Parameter, bool) {
	// The number of the span, and the form of the end without what says
	// where beside its number it lies.
	end, where := value[1:len(value)-1], value[len(value)-1]
	if where == minusInfinity || where == plusInfinity {
		return Parameter{}, false
	}
	p, ok := explainNumber(code, end[0], end[1:])
	switch {
	case where == justAbove:
		p.Value = "gt" + p.Value
	case where == justBelow:
		p.Value = "lt" + p.Value
	case form == formLow:
		p.Value = "le" + p.Value
	default:
		p.Value = "ge" + p.Value
	}
	return p, ok
}

// decodeDecimal is the number that encodeDecimal wrote.
func decodeDecimal(key string) (string, bool) {
	if key == "\x80" {
		return "0", true
	}
	b := []byte(key)
	sign := ""
	if b[0] < 0x80 {
		sign = "-"
		for i := range b {
			b[i] = ^b[i]
		}
		b[0]++
	}
	if b[0] != 0x81 || len(b) < 5 {
		return "", false
	}
	exponent := int(binary.BigEndian.Uint16(b[1:])) - 0x8000
	digits := make([]byte, 0, len(b))
	for _, d := range b[3 : len(b)-1] {
		digits = append(digits, d-1+'0')
	}
	return fmt.Sprintf("%s0.%se%d", sign, digits, exponent), true
}

// escape protects what separates values (R4 search, escaping).
func escape(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`)
