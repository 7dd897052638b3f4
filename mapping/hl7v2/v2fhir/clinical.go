package v2fhir

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// beside reads a field that another line takes into account.
func beside(name string) datatype {
	return datatype{
		name: name, beside: true, reads: everything,
		to:   func(*writer, hl7v2.Value) any { return nil },
		from: func(*reader, any) []cell { return nil },
	}
}

// one-way data types have no other direction.
func noFrom(*reader, any) []cell    { return nil }
func noTo(*writer, hl7v2.Value) any { return nil }

// words is ST as the text of a CodeableConcept.
var words = datatype{
	name: "ST ↔ CodeableConcept.text", says: []string{"text"},
	to: func(_ *writer, v hl7v2.Value) any {
		if s := v.String(); s != "" {
			return object{"text": s}
		}
		return nil
	},
	from: func(_ *reader, x any) []cell {
		o := asObject(x)
		if s := text(o, "text"); s != "" {
			return one(s)
		}
		return one(text(o, "coding[].display"))
	},
}

// ssn is PID-19; senders write digits of one kind where there is no number.
var ssn = datatype{
	name: "ST ↔ Identifier (SS)",
	to: func(w *writer, v hl7v2.Value) any {
		digits := strings.ReplaceAll(v.String(), "-", "")
		if digits == "" || strings.Trim(digits, digits[:1]) == "" {
			w.warn(hl7v2.ErrDataType, "a number of equal digits is none; it is left out")
			return nil
		}
		return object{"value": digits, "type": object{"coding": []any{object{"system": v2Tables + "0203", "code": "SS"}}}}
	},
	from: noFrom,
}

const cdcrec = "urn:oid:2.16.840.1.113883.6.238"

// races and ethnicities are the extensions of US Core: the category and a
// text.
var (
	races       = category("CE ↔ us-core-race", pairs("0005", "1002-5=1002-5 2028-9=2028-9 2054-5=2054-5 2076-8=2076-8 2106-3=2106-3 2131-1=2131-1"))
	ethnicities = category("CE ↔ us-core-ethnicity", pairs("0189", "2135-2=2135-2 2186-5=2186-5 H=2135-2 N=2186-5"))
)

func category(name string, t *codeTable) datatype {
	return datatype{
		name: name, reads: []int{1, 2, 3}, says: []string{"extension", "url"},
		to: func(w *writer, v hl7v2.Value) any {
			code, display := v.Component(1).String(), v.Component(2).String()
			var parts []any
			if c := t.code(w.o, code); c != "" {
				coding := object{"system": cdcrec, "code": c}
				put(coding, "display", display)
				parts = append(parts, object{"url": "ombCategory", "valueCoding": coding})
			}
			if display == "" {
				display = code
			}
			if display == "" {
				return nil
			}
			return object{"extension": append(parts, object{"url": "text", "valueString": display})}
		},
		from: func(r *reader, x any) []cell {
			o := asObject(x)
			for _, e := range objects(o, "extension[url=ombCategory].valueCoding") {
				c := text(e, "code")
				return []cell{{c: 1, text: t.value(r.o, c)}, {c: 2, text: text(e, "display")}, {c: 3, text: "CDCREC"}}
			}
			return []cell{{c: 2, text: text(o, "extension[url=text].valueString")}}
		},
	}
}

// observed is OBX-5 as value[x], by the type in OBX-2. HL7 v2.5.1 § 7.4.2.5.
var observed = datatype{
	name: "OBX-5 ↔ value[x]", reads: everything,
	says: []string{"valueQuantity", "valueString", "valueCodeableConcept", "valueDateTime", "valueTime", "valueRange", "valueRatio", "valueBoolean", "valueInteger"},
	to: func(w *writer, v hl7v2.Value) any {
		switch kind := w.segment.Field(2).String(); kind {
		case "NM", "SN":
			return w.numeric(kind, v)
		case "CE", "CWE", "CF", "CNE":
			if x := cwe.to(w, v); x != nil {
				return members{"valueCodeableConcept": x}
			}
		case "DT", "TS", "DTM":
			if x := dateTime.to(w, v); x != nil {
				return members{"valueDateTime": x}
			}
		case "ED", "RP":
			w.warn(hl7v2.ErrDataType, "an observation of FHIR cannot hold a document; it is left out")
		default:
			// Several repetitions are the lines of one text.
			var lines []string
			for r := range w.segment.Field(5).Parts() {
				lines = append(lines, strings.TrimSpace(r.Text()))
			}
			if s := strings.TrimSpace(strings.Join(lines, "\n")); s != "" {
				return members{"valueString": s}
			}
		}
		return nil
	},
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		switch kind, v := valueOf(o); kind {
		case "NM":
			return one(text(asObject(v), "value"))
		case "SN":
			return structured(o)
		case "CWE":
			return cwe.from(r, v)
		case "TS":
			return dateTime.from(r, v)
		case "":
			return nil
		default:
			return one(scalar(v))
		}
	},
	formatted: true,
}

// numeric is NM or SN: a quantity, a range or a ratio. What is no number is a
// text, as laboratories send it.
func (w *writer) numeric(kind string, v hl7v2.Value) any {
	quantity := func(n number) object {
		o := object{"value": n}
		u := w.segment.Field(6)
		put(o, "unit", u.Component(2).String())
		if code := u.Component(1).String(); code != "" {
			if _, named := o["unit"]; !named {
				o["unit"] = code
			}
			o["code"] = code
			put(o, "system", w.o.codeSystem(u.Component(3).String()))
			if _, there := o["system"]; !there {
				delete(o, "code") // a code needs its system
			}
		}
		return o
	}
	if kind == "NM" {
		if n, ok := decimal(v.String()); ok {
			return members{"valueQuantity": quantity(n)}
		}
		w.warn(hl7v2.ErrDataType, "OBX-5 is no number, though OBX-2 says so; it is kept as text")
		return members{"valueString": strings.TrimSpace(v.Text())}
	}
	sign, between := v.Component(1).String(), v.Component(3).String()
	low, lowOK := decimal(v.Component(2).String())
	high, highOK := decimal(v.Component(4).String())
	switch {
	case lowOK && highOK && between == "-":
		return members{"valueRange": object{"low": quantity(low), "high": quantity(high)}}
	case lowOK && highOK && (between == ":" || between == "/"):
		return members{"valueRatio": object{"numerator": object{"value": low}, "denominator": object{"value": high}}}
	case lowOK && between == "" && (sign == "" || sign == "=" || sign == "<" || sign == ">" || sign == "<=" || sign == ">="):
		q := quantity(low)
		if sign != "" && sign != "=" {
			q["comparator"] = sign
		}
		return members{"valueQuantity": q}
	}
	var parts []string
	for c := 1; c <= 4; c++ {
		parts = append(parts, v.Component(c).String())
	}
	return members{"valueString": strings.TrimSpace(strings.Join(parts, " "))}
}

func structured(o object) []cell {
	if q := asObject(o["valueQuantity"]); q != nil {
		return []cell{{c: 1, text: text(q, "comparator")}, {c: 2, text: text(q, "value")}}
	}
	if r := asObject(o["valueRange"]); r != nil {
		return []cell{{c: 2, text: text(r, "low.value")}, {c: 3, text: "-"}, {c: 4, text: text(r, "high.value")}}
	}
	return []cell{{c: 2, text: text(o, "valueRatio.numerator.value")}, {c: 3, text: ":"}, {c: 4, text: text(o, "valueRatio.denominator.value")}}
}

// valueOf is the value of an observation with its type of table 0125.
func valueOf(o object) (kind string, v any) {
	for _, m := range []struct{ member, kind string }{
		{"valueQuantity", "NM"}, {"valueRange", "SN"}, {"valueRatio", "SN"}, {"valueCodeableConcept", "CWE"}, {"valueDateTime", "TS"},
		{"valueTime", "TM"}, {"valueString", "ST"}, {"valueInteger", "NM"}, {"valueBoolean", "ST"},
	} {
		x, ok := o[m.member]
		if !ok {
			continue
		}
		switch {
		case m.member == "valueQuantity" && text(asObject(x), "comparator") != "":
			return "SN", x
		case m.member == "valueInteger":
			return "NM", object{"value": x}
		case m.member == "valueTime":
			return "TM", strings.ReplaceAll(scalar(x), ":", "")
		case m.member == "valueString" && strings.ContainsAny(scalar(x), "\r\n"):
			return "FT", x
		}
		return m.kind, x
	}
	return "", nil
}

// valueType is OBX-2.
var valueType = datatype{
	name: "ID (0125) ↔ value[x]", to: noTo, says: []string{"resourceType"},
	from: func(_ *reader, x any) []cell {
		kind, _ := valueOf(asObject(x))
		return one(kind)
	},
}

// placer is EI as a reference to the order by its identifier.
var placer = datatype{
	name: "EI ↔ Reference.identifier", reads: []int{1, 2, 3, 4}, says: []string{"identifier", "reference", "type"},
	to: func(w *writer, v hl7v2.Value) any {
		if id := ei("PLAC").to(w, v); id != nil {
			return object{"type": "ServiceRequest", "identifier": id}
		}
		return nil
	},
	from: func(r *reader, x any) []cell {
		id := asObject(asObject(x)["identifier"])
		if order := r.find(x); order != nil {
			for _, each := range objects(order, "identifier[]") {
				if kind := text(each, "type.coding[].code"); kind == "PLAC" || id == nil {
					id = each
				}
			}
		}
		return ei("PLAC").from(r, id)
	},
}

// collected is OBR-7 with OBR-8: when a specimen was taken, or from when on.
var collected = datatype{
	name: "TS ↔ effective[x]", from: noFrom,
	to: func(w *writer, v hl7v2.Value) any {
		start := dateTime.to(w, v)
		if start == nil {
			return nil
		}
		if end := dateTime.to(w, w.segment.Field(8)); end != nil {
			return members{"effectivePeriod": object{"start": start, "end": end}}
		}
		return members{"effectiveDateTime": start}
	},
}

// unit is OBX-6, which [observed] reads.
var unit = datatype{
	name: "CE ↔ Quantity.unit", beside: true, reads: []int{1, 2, 3}, says: []string{"unit", "code", "system"}, to: noTo,
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		code := text(o, "code")
		if code == "" {
			return []cell{{c: 1, text: text(o, "unit")}}
		}
		name := text(o, "unit")
		if name == code {
			name = ""
		}
		return []cell{{c: 1, text: code}, {c: 2, text: name}, {c: 3, text: r.o.codeSystemName(text(o, "system"))}}
	},
}

// referenceRange is OBX-7: low-high, <n, >n or a text.
var referenceRange = datatype{
	name: "ST ↔ referenceRange", reads: everything, says: []string{"low", "high", "text"},
	to: func(_ *writer, v hl7v2.Value) any {
		s := strings.TrimSpace(v.Text())
		if s == "" {
			return nil
		}
		o := object{"text": s}
		if low, high, ok := strings.Cut(s, "-"); ok {
			l, lowOK := decimal(strings.TrimSpace(low))
			h, highOK := decimal(strings.TrimSpace(high))
			if lowOK && highOK {
				o["low"], o["high"] = object{"value": l}, object{"value": h}
			}
		} else if n, ok := decimal(strings.TrimLeft(s, "<>= ")); ok && strings.HasPrefix(s, "<") {
			o["high"] = object{"value": n}
		} else if ok && strings.HasPrefix(s, ">") {
			o["low"] = object{"value": n}
		}
		return o
	},
	from: func(_ *reader, x any) []cell {
		o := asObject(x)
		low, high := text(o, "low.value"), text(o, "high.value")
		switch {
		case text(o, "text") != "":
			return one(text(o, "text"))
		case low != "" && high != "":
			return one(low + "-" + high)
		case low != "":
			return one(">=" + low)
		case high != "":
			return one("<=" + high)
		}
		return nil
	},
}

// diagnosticSection is a code of table 0074 as it is.
var diagnosticSection = datatype{
	name: "0074 ↔ CodeableConcept", says: []string{"coding"},
	to: func(_ *writer, v hl7v2.Value) any {
		if s := v.String(); s != "" {
			return object{"coding": []any{object{"system": v2Tables + "0074", "code": s}}}
		}
		return nil
	},
	from: func(_ *reader, x any) []cell {
		return one(text(asObject(x), "coding[system="+v2Tables+"0074].code"))
	},
}

// interpreter is NDL, whose first component is a person (CNN) in
// subcomponents.
var interpreter = datatype{
	name: "NDL ↔ Practitioner", says: xcn.says, reads: []int{1},
	to: func(w *writer, v hl7v2.Value) any {
		c := v.Component(1)
		o := object{"resourceType": "Practitioner"}
		if id := c.Subcomponent(1).String(); id != "" {
			system := w.o.urn("type:", "PRN")
			if space := c.Subcomponent(9).String(); space != "" {
				system = w.o.urn("", space)
			}
			o["identifier"] = []any{object{"system": system, "value": id}}
		}
		name := object{}
		put(name, "family", c.Subcomponent(2).String())
		if given := c.Subcomponent(3).String(); given != "" {
			name["given"] = []any{given}
		}
		if len(name) > 0 {
			o["name"] = []any{name}
		}
		return w.shared(o)
	},
	from: func(r *reader, x any) []cell {
		p := r.find(x)
		if p == nil {
			return nil
		}
		cells := []cell{{c: 1, s: 1, text: text(p, "identifier[].value")}, {c: 1, s: 2, text: text(p, "name[].family")}, {c: 1, s: 3, text: text(p, "name[].given[]")}}
		if space := r.o.bare("", text(p, "identifier[].system")); !isURI(space) && !strings.HasPrefix(space, "type:") {
			cells = append(cells, cell{c: 1, s: 9, text: space})
		}
		return cells
	},
}

// control is ORC-1, what is to be done with an order. HL7 v2.5.1 table 0119.
var controls = pairs("0119", "NW=active CA=revoked HD=on-hold SC=completed OC=revoked DC=revoked OD=revoked CR=revoked OH=on-hold RL=active OE=active")

var control = datatype{
	name: "0119 ↔ status", beside: true,
	to: func(w *writer, v hl7v2.Value) any {
		if v.String() == "SC" {
			return nil // ORC-5 says it
		}
		if c := controls.code(w.o, v.String()); c != "" {
			return c
		}
		return nil
	},
	from: noFrom,
}

var controlWritten = datatype{
	name: "0119 ↔ status", to: noTo,
	from: func(r *reader, x any) []cell {
		if s := controls.value(r.o, scalar(x)); s != "" {
			return one(s)
		}
		return one("SC")
	},
}

// dose is RXA-6; 999 says that it is not known.
var dose = datatype{
	name: "NM ↔ Quantity", says: []string{"value"},
	to: func(w *writer, v hl7v2.Value) any {
		n, ok := decimal(v.String())
		if !ok || n == "999" {
			w.at.Component = 1
			w.used[w.at] = true
			return nil
		}
		o := object{"value": n}
		u := w.segment.Field(7)
		put(o, "unit", u.Component(2).String())
		if code, system := u.Component(1).String(), w.o.codeSystem(u.Component(3).String()); code != "" && system != "" {
			o["code"], o["system"] = code, system
		} else if code != "" {
			o["unit"] = code
		}
		return o
	},
	from: func(_ *reader, x any) []cell { return one(text(asObject(x), "value")) },
}

// doseUnit is RXA-7, which [dose] reads.
var doseUnit = unit

// recorded is RXA-9, table NIP001: 00 is given here, others from elsewhere.
var recorded = datatype{
	name: "NIP001 ↔ primarySource", reads: []int{1, 2, 3},
	to: func(_ *writer, v hl7v2.Value) any {
		if s := v.String(); s != "" {
			return s == "00"
		}
		return nil
	},
	from: func(_ *reader, x any) []cell {
		switch x {
		case true:
			return []cell{{c: 1, text: "00"}, {c: 2, text: "New immunization record"}, {c: 3, text: "NIP001"}}
		case false:
			return []cell{{c: 1, text: "01"}, {c: 2, text: "Historical information - source unspecified"}, {c: 3, text: "NIP001"}}
		}
		return nil
	},
}

// maker is the manufacturer, a code of MVX.
var maker = datatype{
	name: "CE ↔ Organization", reads: []int{1, 2, 3}, says: xon.says,
	to: func(w *writer, v hl7v2.Value) any {
		o := object{"resourceType": "Organization"}
		put(o, "name", v.Component(2).String())
		if code := v.Component(1).String(); code != "" {
			system := w.o.codeSystem(v.Component(3).String())
			if system == "" {
				system = w.o.codeSystem("MVX")
			}
			o["identifier"] = []any{object{"system": system, "value": code}}
		}
		return w.shared(o)
	},
	from: func(r *reader, x any) []cell {
		p := r.find(x)
		if p == nil {
			return []cell{{c: 2, text: text(asObject(x), "display")}}
		}
		return []cell{
			{c: 1, text: text(p, "identifier[].value")}, {c: 2, text: text(p, "name")},
			{c: 3, text: r.o.codeSystemName(text(p, "identifier[].system"))},
		}
	},
}

// action is RXA-21: a record that is to be deleted was an error.
var action = datatype{
	name: "0323 ↔ status", beside: true, from: noFrom,
	to: func(w *writer, v hl7v2.Value) any {
		if v.String() == "D" {
			return forced("entered-in-error")
		}
		return nil
	},
}

// forced is a value that goes before one that is there.
type forced string
