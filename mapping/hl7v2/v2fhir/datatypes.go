package v2fhir

import (
	"strings"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// datatype translates a value between a field's data type and an element's.
type datatype struct {
	name string // as tables and explanations call it: "CX ↔ Identifier"
	// to makes the element of one repetition, nil for none.
	to func(*writer, hl7v2.Value) any
	// from makes the components of an element, none for none.
	from func(*reader, any) []cell
	// reads are the components that to reads, nil for the first.
	reads []int
	// says are the members of the element that from reads; nil for all.
	says []string
	// beside tells that the value is read with that of another line; to makes
	// nothing then.
	beside bool
	// formatted tells that line breaks are written as \.br\.
	formatted bool
}

// cell is one component or subcomponent of a field that is being written. c
// and s are 0 for a value that has no parts.
type cell struct {
	c, s int
	text string
}

func one(text string) []cell {
	if text == "" {
		return nil
	}
	return []cell{{text: text}}
}

// scalar is a JSON value as text.
func scalar(x any) string {
	switch v := x.(type) {
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	case number:
		return string(v)
	}
	return ""
}

// put adds a member unless it is empty.
func put(o object, name string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case object:
		if len(v) == 0 {
			return
		}
	case []any:
		if len(v) == 0 {
			return
		}
	case nil:
		return
	}
	o[name] = value
}

// ST and the like.
var st = datatype{
	name: "ST ↔ string",
	to: func(_ *writer, v hl7v2.Value) any {
		if s := v.String(); s != "" {
			return s
		}
		return nil
	},
	from: func(_ *reader, x any) []cell { return one(scalar(x)) },
}

// FT and TX: the whole field is the text.
var ft = datatype{
	name: "FT ↔ string",
	to: func(_ *writer, v hl7v2.Value) any {
		if s := strings.TrimSpace(v.Text()); s != "" {
			return s
		}
		return nil
	},
	from:      func(_ *reader, x any) []cell { return one(scalar(x)) },
	reads:     everything,
	formatted: true,
}

// everything marks data types that read all components.
var everything = []int{}

// nm is NM as a decimal or an integer, in the digits of the message.
var nm = datatype{
	name: "NM ↔ decimal",
	to: func(w *writer, v hl7v2.Value) any {
		s := v.String()
		if s == "" {
			return nil
		}
		n, ok := decimal(s)
		if !ok {
			w.problem(hl7v2.ErrDataType, "a number (NM) is digits, with a sign and a decimal point perhaps")
			return nil
		}
		return n
	},
	from: func(_ *reader, x any) []cell { return one(scalar(x)) },
}

// decimal is a number of NM in JSON's form: without +, with digits on both
// sides of a point and no zeros in front.
func decimal(s string) (number, bool) {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign = "-"
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 {
		return "", false
	}
	whole, fraction, point := strings.Cut(digits, ".")
	if strings.Trim(whole+fraction, "0123456789") != "" || whole+fraction == "" {
		return "", false
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if point && fraction != "" {
		whole += "." + fraction
	}
	return number(sign + whole), true
}

// yesNo is ID of table 0136.
var yesNo = datatype{
	name: "0136 ↔ boolean",
	to: func(w *writer, v hl7v2.Value) any {
		switch strings.ToUpper(v.String()) {
		case "Y", "YES":
			return true
		case "N", "NO":
			return false
		case "":
			return nil
		}
		w.warn(hl7v2.ErrTable, "the value is not of table 0136")
		return nil
	},
	from: func(_ *reader, x any) []cell {
		switch x {
		case true:
			return one("Y")
		case false:
			return one("N")
		}
		return nil
	},
}

// coded is a code of a table, as FHIR's code.
func coded(t *codeTable) datatype {
	return datatype{
		name: t.number + " ↔ code",
		to: func(w *writer, v hl7v2.Value) any {
			s := v.String()
			if s == "" {
				return nil
			}
			if c := t.code(w.o, s); c != "" {
				return c
			}
			w.warn(hl7v2.ErrTable, "the value is not of table "+t.number)
			return nil
		},
		from: func(r *reader, x any) []cell {
			s := scalar(x)
			if v := t.value(r.o, s); v != "" {
				return one(v)
			}
			return nil
		},
	}
}

// concept is a code of a table as a CodeableConcept of another system; what is
// not of the table keeps its code in the table's own system.
func concept(t *codeTable, system string) datatype {
	c := codingOf(t, system)
	return datatype{
		name: t.number + " ↔ CodeableConcept",
		to: func(w *writer, v hl7v2.Value) any {
			coding := c.to(w, v)
			if coding == nil {
				return nil
			}
			o := object{"coding": []any{coding}}
			put(o, "text", v.Component(2).String())
			return o
		},
		from: func(r *reader, x any) []cell {
			for _, coding := range objects(asObject(x), "coding[]") {
				if cells := c.from(r, coding); cells != nil {
					cells[0].c = 1
					if words := text(asObject(x), "text"); words != "" {
						cells = append(cells, cell{c: 2, text: words}, cell{c: 3, text: "HL7" + t.number})
					}
					return cells
				}
			}
			return nil
		},
		reads: []int{1, 2, 3},
		says:  []string{"coding", "text"},
	}
}

// codingOf is a code of a table as a Coding.
func codingOf(t *codeTable, system string) datatype {
	return datatype{
		name: t.number + " ↔ Coding",
		to: func(w *writer, v hl7v2.Value) any {
			s := v.Component(1).String()
			if s == "" {
				return nil
			}
			if c := t.code(w.o, s); c != "" {
				return object{"system": system, "code": c}
			}
			if name := v.Component(3).String(); name != "" {
				return object{"system": w.o.codeSystem(name), "code": s}
			}
			w.warn(hl7v2.ErrTable, "the value is not of table "+t.number+"; it is kept as it is")
			return object{"system": v2Tables + t.number, "code": s}
		},
		from: func(r *reader, x any) []cell {
			o := asObject(x)
			code := text(o, "code")
			switch text(o, "system") {
			case system, "":
				if v := t.value(r.o, code); v != "" {
					return one(v)
				}
			case v2Tables + t.number:
				return one(code)
			}
			return nil
		},
		reads: []int{1, 3},
		says:  []string{"system", "code"},
	}
}

func asObject(x any) object {
	o, _ := x.(object)
	return o
}

// cwe is CE or CWE as a CodeableConcept.
var cwe = datatype{
	name:  "CWE ↔ CodeableConcept",
	reads: []int{1, 2, 3, 4, 5, 6, 9},
	says:  []string{"coding", "text"},
	to: func(w *writer, v hl7v2.Value) any {
		o := object{}
		var codings []any
		for _, c := range []int{1, 4} {
			coding := object{}
			code := v.Component(c).String()
			if code == "" {
				continue
			}
			put(coding, "system", w.o.codeSystem(v.Component(c+2).String()))
			put(coding, "code", strings.Join(strings.Fields(code), " "))
			put(coding, "display", v.Component(c+1).String())
			codings = append(codings, coding)
		}
		put(o, "coding", codings)
		put(o, "text", v.Component(9).String())
		if len(codings) == 0 {
			put(o, "text", v.Component(2).String())
		}
		if len(o) == 0 {
			return nil
		}
		return o
	},
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		var cells []cell
		codings := objects(o, "coding[]")
		for i, coding := range codings[:min(2, len(codings))] {
			cells = append(cells,
				cell{c: 1 + 3*i, text: text(coding, "code")},
				cell{c: 2 + 3*i, text: text(coding, "display")},
				cell{c: 3 + 3*i, text: r.o.codeSystemName(text(coding, "system"))})
		}
		if len(codings) == 0 {
			return append(cells, cell{c: 2, text: text(o, "text")})
		}
		if t := text(o, "text"); t != "" {
			cells = append(cells, cell{c: 9, text: t})
		}
		return cells
	},
}
