package v2fhir

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// cx is CX as an Identifier; its type is of table 0203.
var cx = datatype{
	name:  "CX ↔ Identifier",
	reads: []int{1, 4, 5},
	says:  []string{"system", "value", "type", "use"},
	to:    func(w *writer, v hl7v2.Value) any { return w.identifier(v, 4, 5) },
	from: func(r *reader, x any) []cell {
		return r.identifierCells(asObject(x), 1, 4, 5)
	},
}

// identifier is component 1 with the authority and the type in other
// components.
func (w *writer) identifier(v hl7v2.Value, authority, kind int) any {
	id := v.Component(1).String()
	if id == "" {
		return nil
	}
	o := object{"value": id}
	code := v.Component(kind).String()
	system := w.o.authority(v.Component(authority))
	if code != "" {
		o["type"] = object{"coding": []any{object{"system": v2Tables + "0203", "code": code}}}
		if system == "" {
			system = w.o.urn("type:", code)
		}
	}
	put(o, "system", system)
	return o
}

func (r *reader) identifierCells(o object, id, authority, kind int) []cell {
	if text(o, "value") == "" {
		return nil
	}
	cells := append([]cell{{c: id, text: text(o, "value")}}, r.o.authorityCells(authority, text(o, "system"))...)
	if kind > 0 {
		cells = append(cells, cell{c: kind, text: text(o, "type.coding[].code")})
	}
	return cells
}

// numberOf is CX whose type is known by its field, such as PV1-19, the visit
// number.
func numberOf(kind string) datatype {
	d := cx
	d.name = "CX ↔ Identifier (" + kind + ")"
	d.to = func(w *writer, v hl7v2.Value) any {
		o, ok := cx.to(w, v).(object)
		if !ok {
			return nil
		}
		o["type"] = object{"coding": []any{object{"system": v2Tables + "0203", "code": kind}}}
		if text(o, "system") == "" {
			o["system"] = w.o.urn("type:", kind)
		}
		return o
	}
	d.from = func(r *reader, x any) []cell {
		cells := cx.from(r, x)
		if len(cells) > 0 {
			cells = cells[:len(cells)-1] // the field says the type
		}
		return cells
	}
	return d
}

// ei is EI as an Identifier of a type of table 0203: placer, filler.
func ei(kind string) datatype {
	return datatype{
		name:  "EI ↔ Identifier (" + kind + ")",
		reads: []int{1, 2, 3, 4},
		says:  []string{"system", "value", "type"},
		to: func(w *writer, v hl7v2.Value) any {
			id := v.Component(1).String()
			if id == "" {
				return nil
			}
			o := object{"value": id, "type": object{"coding": []any{object{"system": v2Tables + "0203", "code": kind}}}}
			space, uid, uidType := v.Component(2).String(), v.Component(3).String(), v.Component(4).String()
			switch {
			case w.o.Systems[space] != "":
				o["system"] = w.o.Systems[space]
			case uidType == "ISO" && uid != "":
				o["system"] = "urn:oid:" + uid
			case isURI(uid):
				o["system"] = uid
			case space != "":
				o["system"] = w.o.urn("", space)
			default:
				o["system"] = w.o.urn("type:", kind)
			}
			return o
		},
		from: func(r *reader, x any) []cell {
			o := asObject(x)
			if text(o, "value") == "" {
				return nil
			}
			cells := []cell{{c: 1, text: text(o, "value")}}
			for _, a := range r.o.authorityCells(1, text(o, "system")) {
				cells = append(cells, cell{c: 1 + a.s, text: a.text})
			}
			return cells
		},
	}
}

// xpn is XPN as a HumanName.
var xpn = datatype{
	name:  "XPN ↔ HumanName",
	reads: []int{1, 2, 3, 4, 5, 6, 7},
	says:  []string{"family", "given", "prefix", "suffix", "use", "text"},
	to: func(w *writer, v hl7v2.Value) any {
		o := w.name(v, 1)
		if len(o) == 0 {
			return nil
		}
		put(o, "use", nameUses.code(w.o, v.Component(7).String()))
		return o
	},
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		cells := nameCells(o, 1)
		if len(cells) > 0 {
			cells = append(cells, cell{c: 7, text: nameUses.value(r.o, text(o, "use"))})
		}
		return cells
	},
}

// name reads a name whose family part is component c.
func (w *writer) name(v hl7v2.Value, c int) object {
	o := object{}
	put(o, "family", v.Component(c).String())
	var given []any
	for _, n := range []int{c + 1, c + 2} {
		if s := v.Component(n).String(); s != "" {
			given = append(given, s)
		}
	}
	put(o, "given", given)
	for i, member := range []string{"suffix", "prefix"} {
		if s := v.Component(c + 3 + i).String(); s != "" {
			o[member] = []any{s}
		}
	}
	if degree := v.Component(c + 5).String(); degree != "" && c == 1 {
		suffixes, _ := o["suffix"].([]any)
		o["suffix"] = append(suffixes, degree)
	}
	return o
}

func nameCells(o object, c int) []cell {
	var cells []cell
	family, given := text(o, "family"), texts(o, "given")
	if family == "" && len(given) == 0 {
		if whole := text(o, "text"); whole != "" {
			cells = append(cells, cell{c: c, text: whole})
		}
		return cells
	}
	cells = append(cells, cell{c: c, text: family})
	if len(given) > 0 {
		cells = append(cells, cell{c: c + 1, text: given[0]}, cell{c: c + 2, text: strings.Join(given[1:], " ")})
	}
	cells = append(cells, cell{c: c + 3, text: strings.Join(texts(o, "suffix"), " ")}, cell{c: c + 4, text: strings.Join(texts(o, "prefix"), " ")})
	return cells
}

// texts are the strings of a list.
func texts(o object, name string) []string {
	var all []string
	list, _ := o[name].([]any)
	for _, x := range list {
		if s := scalar(x); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// xad is XAD as an Address.
var xad = datatype{
	name:  "XAD ↔ Address",
	reads: []int{1, 2, 3, 4, 5, 6, 7, 9},
	says:  []string{"line", "city", "state", "postalCode", "country", "district", "use", "type", "text"},
	to: func(w *writer, v hl7v2.Value) any {
		o := object{}
		var lines []any
		for _, c := range []int{1, 2} {
			if s := v.Component(c).String(); s != "" {
				lines = append(lines, s)
			}
		}
		put(o, "line", lines)
		for c, member := range map[int]string{3: "city", 4: "state", 5: "postalCode", 6: "country", 9: "district"} {
			put(o, member, v.Component(c).String())
		}
		if len(o) == 0 {
			return nil
		}
		switch kind := v.Component(7).String(); kind {
		case "M":
			o["type"] = "postal"
		default:
			put(o, "use", addressUses.code(w.o, kind))
		}
		return o
	},
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		lines := texts(o, "line")
		if len(lines) == 0 && text(o, "text") != "" && text(o, "city") == "" {
			lines = []string{text(o, "text")}
		}
		var cells []cell
		if len(lines) > 0 {
			cells = append(cells, cell{c: 1, text: lines[0]}, cell{c: 2, text: strings.Join(lines[1:], ", ")})
		}
		for _, m := range []struct {
			c      int
			member string
		}{{3, "city"}, {4, "state"}, {5, "postalCode"}, {6, "country"}, {9, "district"}} {
			cells = append(cells, cell{c: m.c, text: text(o, m.member)})
		}
		kind := addressUses.value(r.o, text(o, "use"))
		if kind == "" && text(o, "type") == "postal" {
			kind = "M"
		}
		return append(cells, cell{c: 7, text: kind})
	},
}

// xtn is XTN as a ContactPoint; where the field says the use, that is given.
func xtn(use string) datatype {
	return datatype{
		name:  "XTN ↔ ContactPoint",
		reads: []int{1, 2, 3, 4, 5, 6, 7, 8},
		says:  []string{"system", "value", "use"},
		to: func(w *writer, v hl7v2.Value) any {
			o := object{}
			kind, equipment := v.Component(2).String(), strings.ToUpper(v.Component(3).String())
			email, number := v.Component(4).String(), v.Component(1).String()
			if number == "" {
				for _, c := range []int{5, 6, 7} {
					if s := v.Component(c).String(); s != "" {
						number = strings.TrimSpace(number + " " + s)
					}
				}
				if s := v.Component(8).String(); s != "" && number != "" {
					number += " x" + s
				}
			}
			if email == "" && strings.Contains(number, "@") {
				email = number // a free form, as older senders have it
			}
			switch {
			case email != "":
				o["system"], o["value"] = "email", email
			case number == "":
				return nil
			case equipment == "FX":
				o["system"], o["value"] = "fax", number
			case equipment == "BP":
				o["system"], o["value"] = "pager", number
			default:
				o["system"], o["value"] = "phone", number
			}
			switch {
			case equipment == "CP":
				o["use"] = "mobile"
			case phoneUses.code(w.o, kind) != "":
				o["use"] = phoneUses.code(w.o, kind)
			case use != "" && kind != "NET":
				o["use"] = use
			}
			return o
		},
		from: func(r *reader, x any) []cell {
			o := asObject(x)
			value := text(o, "value")
			if value == "" {
				return nil
			}
			kind := phoneUses.value(r.o, text(o, "use"))
			switch text(o, "system") {
			case "email":
				return []cell{{c: 2, text: "NET"}, {c: 3, text: "Internet"}, {c: 4, text: value}}
			case "fax":
				return []cell{{c: 1, text: value}, {c: 2, text: kind}, {c: 3, text: "FX"}}
			case "pager":
				return []cell{{c: 1, text: value}, {c: 2, text: kind}, {c: 3, text: "BP"}}
			}
			equipment := "PH"
			if text(o, "use") == "mobile" {
				kind, equipment = "PRN", "CP"
			}
			return []cell{{c: 1, text: value}, {c: 2, text: kind}, {c: 3, text: equipment}}
		},
	}
}

// unusedTelecom is a ContactPoint whose use no line asks for.
var unusedTelecom = datatype{
	name: "XTN ↔ ContactPoint", to: noTo, says: []string{"system", "value", "use"},
	from: func(r *reader, x any) []cell {
		switch text(asObject(x), "use") {
		case "home", "work", "mobile":
			return nil
		}
		return xtn("").from(r, x)
	},
}

// xcn is XCN as a reference to a Practitioner of the message.
var xcn = datatype{
	name:  "XCN ↔ Practitioner",
	reads: []int{1, 2, 3, 4, 5, 6, 9, 13},
	says:  []string{"reference", "display", "type", "identifier"},
	to: func(w *writer, v hl7v2.Value) any {
		o := object{"resourceType": "Practitioner"}
		if id := w.identifier(v, 9, 13); id != nil {
			o["identifier"] = []any{id}
		}
		if n := w.name(v, 2); len(n) > 0 {
			o["name"] = []any{n}
		}
		return w.shared(o)
	},
	from: func(r *reader, x any) []cell {
		o, p := asObject(x), r.find(x)
		if p == nil || text(p, "resourceType") != "Practitioner" {
			if id := objects(o, "identifier"); len(id) > 0 {
				return append(r.identifierCells(id[0], 1, 9, 13), cell{c: 2, text: text(o, "display")})
			}
			if d := text(o, "display"); d != "" {
				return []cell{{c: 2, text: d}}
			}
			return nil
		}
		var cells []cell
		if ids := objects(p, "identifier[]"); len(ids) > 0 {
			cells = r.identifierCells(ids[0], 1, 9, 13)
		}
		if names := objects(p, "name[]"); len(names) > 0 {
			cells = append(cells, nameCells(names[0], 2)...)
		}
		return cells
	},
}

// xon is XON as a reference to an Organization of the message.
var xon = datatype{
	name:  "XON ↔ Organization",
	reads: []int{1, 3, 6, 7, 10},
	says:  []string{"reference", "display", "type", "identifier"},
	to: func(w *writer, v hl7v2.Value) any {
		o := object{"resourceType": "Organization"}
		put(o, "name", v.Component(1).String())
		id := v.Component(10).String()
		if id == "" {
			id = v.Component(3).String()
		}
		if id != "" {
			system := w.o.authority(v.Component(6))
			if system == "" {
				system = w.o.urn("type:", "XX")
			}
			o["identifier"] = []any{object{"system": system, "value": id}}
		}
		return w.shared(o)
	},
	from: func(r *reader, x any) []cell {
		p := r.find(x)
		if p == nil || text(p, "resourceType") != "Organization" {
			return []cell{{c: 1, text: text(asObject(x), "display")}}
		}
		cells := []cell{{c: 1, text: text(p, "name")}}
		if ids := objects(p, "identifier[]"); len(ids) > 0 {
			cells = append(cells, r.identifierCells(ids[0], 10, 6, 0)...)
		}
		return cells
	},
}

// company is IN1-4's name as a reference to an Organization, with the id of
// IN1-3 beside it.
var company = datatype{
	name:  "XON + CX ↔ Organization",
	reads: []int{1},
	says:  xon.says,
	to: func(w *writer, v hl7v2.Value) any {
		o := object{"resourceType": "Organization"}
		put(o, "name", v.Component(1).String())
		if id := cx.to(w, w.segment.Field(3).Repetition(0)); id != nil {
			o["identifier"] = []any{id}
		}
		return w.shared(o)
	},
	from: func(r *reader, x any) []cell {
		if p := r.find(x); p != nil {
			return []cell{{c: 1, text: text(p, "name")}}
		}
		return []cell{{c: 1, text: text(asObject(x), "display")}}
	},
}

// companyID is IN1-3, which [company] reads.
var companyID = datatype{
	name:   "CX ↔ Organization.identifier",
	reads:  cx.reads,
	says:   xon.says,
	beside: true,
	to:     func(*writer, hl7v2.Value) any { return nil },
	from: func(r *reader, x any) []cell {
		if ids := objects(r.find(x), "identifier[]"); len(ids) > 0 {
			return cx.from(r, ids[0])
		}
		return nil
	},
}

// place is PL as a reference to a Location of the message. Its parts are kept
// in an identifier, since FHIR has a resource for each of them.
var place = datatype{
	name:  "PL ↔ Location",
	reads: []int{1, 2, 3, 4, 7, 8, 9},
	says:  []string{"reference", "display", "type", "identifier"},
	to: func(w *writer, v hl7v2.Value) any {
		var name, parts []string
		for c := 1; c <= 8; c++ {
			s := v.Component(c).String()
			if c == 5 || c == 6 {
				s = "" // its status and kind
			}
			parts = append(parts, strings.ReplaceAll(s, "^", " "))
			if s != "" && c <= 4 {
				name = append(name, s)
			}
		}
		o := object{"resourceType": "Location"}
		put(o, "name", strings.Join(name, " "))
		put(o, "description", v.Component(9).String())
		if id := strings.TrimRight(strings.Join(parts, "^"), "^"); id != "" {
			o["identifier"] = []any{object{"system": w.o.urn("", "PL"), "value": id}}
		}
		return w.shared(o)
	},
	from: func(r *reader, x any) []cell {
		p := r.find(x)
		if p == nil || text(p, "resourceType") != "Location" {
			return []cell{{c: 1, text: text(asObject(x), "display")}}
		}
		cells := []cell{{c: 9, text: text(p, "description")}}
		for _, id := range objects(p, "identifier[]") {
			if text(id, "system") == r.o.urn("", "PL") {
				for i, s := range strings.Split(text(id, "value"), "^") {
					cells = append(cells, cell{c: i + 1, text: s})
				}
				return cells
			}
		}
		return append(cells, cell{c: 1, text: text(p, "name")})
	},
}
