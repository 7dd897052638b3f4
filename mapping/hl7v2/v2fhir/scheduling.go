package v2fhir

import (
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// plainNumber is the identifier of a resource that is neither a placer's nor a
// filler's: an app's own, which is a placer's then.
var plainNumber = datatype{
	name: "EI ↔ Identifier", to: noTo, says: []string{"system", "value", "use"},
	reads: []int{1, 2, 3, 4},
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		for _, id := range objects(r.resource, "identifier[]") {
			if kind := text(id, "type.coding[].code"); kind == "PLAC" || kind == "FILL" {
				return nil
			}
		}
		if all := objects(r.resource, "identifier[]"); !sameObject(all[0], o) {
			return nil
		}
		return ei("").from(r, x)
	},
}

// ownNumber is what a resource without an identifier is called by: its id in
// the Bundle.
var ownNumber = datatype{
	name: "EI ↔ id", to: noTo, reads: []int{1, 2}, says: []string{"id"},
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		if len(objects(o, "identifier[]")) > 0 || len(objects(o, "masterIdentifier")) > 0 {
			return nil
		}
		id := text(o, "id")
		for _, e := range r.entries {
			if id == "" && sameObject(e.resource, o) {
				id = strings.TrimPrefix(e.fullURL, "urn:uuid:")
			}
		}
		return []cell{{c: 1, text: id}}
	},
}

// length is SCH-9 of an appointment that has its times alone.
var length = datatype{
	name: "NM ↔ end", to: noTo, says: []string{},
	from: func(r *reader, x any) []cell {
		start, err := time.Parse(time.RFC3339Nano, text(r.resource, "start"))
		end, wrong := time.Parse(time.RFC3339Nano, scalar(x))
		if err != nil || wrong != nil || text(r.resource, "minutesDuration") != "" || !end.After(start) {
			return nil
		}
		return one(itoa(int(end.Sub(start).Minutes())))
	},
}

// comment is NTE-3; the notes of an appointment are one text, line by line.
var comment = datatype{
	name: "FT ↔ string", reads: everything, formatted: true, beside: true,
	to: func(w *writer, _ hl7v2.Value) any {
		var lines []string
		for i, s := range w.notes() {
			if i == 0 && s != w.segment {
				return nil
			}
			lines = append(lines, strings.TrimSpace(s.Field(3).Text()))
		}
		return strings.Join(lines, "\n")
	},
	from: func(_ *reader, x any) []cell { return one(scalar(x)) },
}

// notes are the NTE segments behind SCH.
func (w *writer) notes() []hl7v2.Segment {
	var all []hl7v2.Segment
	behind := false
	for _, s := range w.m.Segments() {
		switch {
		case s.Is("SCH"):
			behind = true
		case behind && s.Is("NTE"):
			all = append(all, s)
		case behind && !s.Is("TQ1"):
			return all
		}
	}
	return all
}

// participants is table 0278 as a participant's status.
var participants = datatype{
	name: "0278 ↔ participant.status", beside: true,
	from: func(_ *reader, x any) []cell {
		return one(map[any]string{"accepted": "Booked", "declined": "Cancelled", "needs-action": "Pending", "tentative": "Pending"}[x])
	},
	to: func(w *writer, v hl7v2.Value) any {
		switch fillerStatuses.code(w.o, v.String()) {
		case "booked", "arrived", "fulfilled":
			return "accepted"
		case "cancelled", "noshow":
			return "declined"
		case "pending", "waitlist":
			return "needs-action"
		}
		return nil
	},
}

// placeOnly, personOnly and thing are the actors of participants, by what they
// are.
var (
	placeOnly  = only(place, "Location")
	personOnly = only(xcn, "Practitioner", "PractitionerRole")
)

func only(d datatype, types ...string) datatype {
	from := d.from
	d.from = func(r *reader, x any) []cell {
		if text(r.element, "type[].coding[].code") == "ADM" {
			return nil // SCH-16 has the filler's contact
		}
		typ := text(asObject(x), "type")
		if p := r.find(x); p != nil {
			typ = text(p, "resourceType")
		} else if typ == "" {
			typ, _, _ = strings.Cut(text(asObject(x), "reference"), "/")
		}
		for _, t := range types {
			if t == typ {
				return from(r, x)
			}
		}
		return nil
	}
	return d
}

// thing is AIG-3, a device or another resource by its name.
var thing = datatype{
	name: "CE ↔ Reference.display", reads: []int{1, 2}, says: []string{"display", "type", "identifier"},
	to: func(w *writer, v hl7v2.Value) any {
		o := object{"type": "Device"}
		put(o, "display", v.Component(2).String())
		if id := v.Component(1).String(); id != "" {
			o["identifier"] = object{"system": w.o.urn("", "AIG"), "value": id}
		}
		return o
	},
	from: func(_ *reader, x any) []cell {
		o := asObject(x)
		if text(o, "type") != "Device" {
			return nil
		}
		return []cell{{c: 1, text: text(o, "identifier.value")}, {c: 2, text: text(o, "display")}}
	},
}

// concept1 is CE of a table as a code.
func concept1(t *codeTable) datatype {
	d := coded(t)
	d.reads = []int{1, 2, 3}
	return d
}

// provider is PRD-2, by the role in PRD-1. HL7 v2.5.1 § 11.6.3.
func provider(kind string) datatype {
	return datatype{
		name: "XPN ↔ Practitioner (" + kind + ")", reads: []int{1, 2, 3, 4, 5, 6}, says: xcn.says,
		to: func(w *writer, v hl7v2.Value) any {
			if w.segment.Field(1).String() != kind {
				return nil
			}
			o := object{"resourceType": "Practitioner"}
			if n := w.name(v, 1); len(n) > 0 {
				o["name"] = []any{n}
			}
			if id := w.segment.Field(7).Component(1).String(); id != "" {
				system := w.o.authority(w.segment.Field(7).Component(2))
				if system == "" {
					system = w.o.urn("type:", "PRN")
				}
				o["identifier"] = []any{object{"system": system, "value": id}}
			}
			return w.shared(o)
		},
		from: func(r *reader, x any) []cell {
			p := r.find(x)
			names := objects(p, "name[]")
			if len(names) == 0 {
				return []cell{{c: 1, text: text(asObject(x), "display")}}
			}
			r.out.Set(hl7v2.Path{Field: 1, Component: 1}, kind)
			if ids := objects(p, "identifier[]"); len(ids) > 0 {
				r.out.Set(hl7v2.Path{Field: 7, Component: 1}, text(ids[0], "value"))
				for _, c := range r.o.authorityCells(2, text(ids[0], "system")) {
					r.out.Set(hl7v2.Path{Field: 7, Component: 2, Subcomponent: c.s}, c.text)
				}
			}
			return nameCells(names[0], 1)
		},
	}
}

// document is EI as the identifier of a document.
var document = datatype{
	name: "EI ↔ Identifier", reads: []int{1, 2, 3, 4}, says: []string{"system", "value"},
	to: func(w *writer, v hl7v2.Value) any {
		o, ok := ei("DOC").to(w, v).(object)
		if !ok {
			return nil
		}
		delete(o, "type")
		return o
	},
	from: func(r *reader, x any) []cell { return ei("").from(r, x) },
}

// firstNumber is the first identifier of a document without a master
// identifier.
var firstNumber = datatype{
	name: "EI ↔ Identifier", to: noTo, says: []string{"system", "value"},
	from: func(r *reader, x any) []cell {
		if len(objects(r.resource, "masterIdentifier")) > 0 || !sameObject(objects(r.resource, "identifier[]")[0], asObject(x)) {
			return nil
		}
		return document.from(r, x)
	},
}

// localType is TXA-2: a code of table 0270, or of a connection's table.
var localType = datatype{
	name: "IS (0270) ↔ CodeableConcept", says: []string{"coding", "text"},
	to: func(w *writer, v hl7v2.Value) any {
		s := v.String()
		if s == "" {
			return nil
		}
		codings := []any{object{"system": v2Tables + "0270", "code": s}}
		if loinc := w.o.Codes["0270"][s]; loinc != "" {
			codings = append(codings, object{"system": "http://loinc.org", "code": loinc})
		}
		return object{"coding": codings}
	},
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		if s := text(o, "coding[system="+v2Tables+"0270].code"); s != "" {
			return one(s)
		}
		local := &codeTable{number: "0270"}
		if s := local.value(r.o, text(o, "coding[system=http://loinc.org].code")); s != "" {
			return one(s)
		}
		return one(text(o, "coding[].code"))
	},
}

// transaction is FT1-2, an identifier without an authority.
var transaction = datatype{
	name: "ST ↔ Identifier", says: []string{"system", "value"},
	to: func(w *writer, v hl7v2.Value) any {
		if s := v.String(); s != "" {
			return object{"system": w.o.urn("type:", "FT1"), "value": s}
		}
		return nil
	},
	from: func(_ *reader, x any) []cell { return one(text(asObject(x), "value")) },
}

// amount is NM as a Quantity without a unit.
var amount = datatype{
	name: "NM ↔ Quantity", says: []string{"value"},
	to: func(w *writer, v hl7v2.Value) any {
		if n := nm.to(w, v); n != nil {
			return object{"value": n}
		}
		return nil
	},
	from: func(_ *reader, x any) []cell { return one(text(asObject(x), "value")) },
}

// money is CP: an amount and its currency, US dollars where none is said.
var money = datatype{
	name: "CP ↔ Money", says: []string{"value", "currency"},
	to: func(w *writer, v hl7v2.Value) any {
		n, ok := decimal(v.Component(1).Subcomponent(1).String())
		if !ok {
			w.problem(hl7v2.ErrDataType, "an amount (MO.1) is a number")
			return nil
		}
		o := object{"value": n, "currency": "USD"}
		if c := v.Component(1).Subcomponent(2).String(); c != "" {
			o["currency"] = c
		}
		return o
	},
	from: func(_ *reader, x any) []cell {
		o := asObject(x)
		return []cell{{c: 1, s: 1, text: text(o, "value")}, {c: 1, s: 2, text: text(o, "currency")}}
	},
}

// department is a department's code as an Organization.
var department = datatype{
	name: "CE ↔ Organization", reads: []int{1, 2}, says: xon.says,
	to: func(w *writer, v hl7v2.Value) any {
		o := object{"resourceType": "Organization"}
		put(o, "name", v.Component(2).String())
		if id := v.Component(1).String(); id != "" {
			o["identifier"] = []any{object{"system": w.o.urn("", "0049"), "value": id}}
		}
		return w.shared(o)
	},
	from: func(r *reader, x any) []cell {
		if p := r.find(x); p != nil {
			return []cell{{c: 1, text: text(p, "identifier[].value")}, {c: 2, text: text(p, "name")}}
		}
		return []cell{{c: 2, text: text(asObject(x), "display")}}
	},
}
