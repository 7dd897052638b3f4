package v2fhir

import (
	"encoding/base64"
	"strings"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// attachment is OBX-5 of a document: texts are one, whatever the number of
// their segments; ED is base64 or hex.
var attachment = datatype{
	name: "OBX-5 ↔ Attachment", reads: everything, beside: true, says: []string{"contentType", "data", "url", "title"}, formatted: true,
	to: func(w *writer, v hl7v2.Value) any {
		o := object{}
		switch w.segment.Field(2).String() {
		case "ED":
			return w.encapsulated(v)
		case "RP":
			put(o, "url", v.Component(1).String())
			put(o, "contentType", mediaType(v.Component(3).String(), v.Component(4).String()))
		default:
			lines, first := w.textLines()
			if !first {
				return nil // a line of the first one's text
			}
			o["contentType"] = "text/plain"
			o["data"] = base64.StdEncoding.EncodeToString([]byte(lines))
		}
		put(o, "title", w.m.Get("TXA-16").String())
		return o
	},
	from: func(r *reader, x any) []cell {
		o := asObject(x)
		kind, data := text(o, "contentType"), text(o, "data")
		switch attachmentKind(o) {
		case "FT":
			plain, err := base64.StdEncoding.DecodeString(data)
			if err != nil {
				r.problem("is no base64")
				return nil
			}
			return one(string(plain))
		case "RP":
			return []cell{{c: 1, text: text(o, "url")}, {c: 3, text: kind}}
		}
		if data == "" {
			return nil
		}
		main, sub, _ := strings.Cut(kind, "/")
		return []cell{{c: 2, text: main}, {c: 3, text: sub}, {c: 4, text: "Base64"}, {c: 5, text: data}}
	},
}

func attachmentKind(o object) string {
	switch {
	case text(o, "data") == "" && text(o, "url") != "":
		return "RP"
	case strings.HasPrefix(text(o, "contentType"), "text/plain"):
		return "FT"
	}
	return "ED"
}

// attachmentType is OBX-2 of a document.
var attachmentType = datatype{
	name: "ID (0125) ↔ Attachment", to: noTo, says: []string{"contentType"},
	from: func(_ *reader, x any) []cell { return one(attachmentKind(asObject(x))) },
}

// textLines is the text of a document's OBX segments, and whether this segment
// is the first of them.
func (w *writer) textLines() (string, bool) {
	var lines []string
	first, seen := false, false
	for _, s := range w.m.Segments() {
		if kind := s.Field(2).String(); !s.Is("OBX") || kind == "ED" || kind == "RP" {
			continue
		}
		if !seen {
			if first, seen = s == w.segment, true; !first {
				return "", false
			}
		}
		for r := range s.Field(5).Parts() {
			lines = append(lines, strings.TrimRight(r.Text(), " "))
		}
	}
	return strings.Join(lines, "\n"), first
}

func (w *writer) encapsulated(v hl7v2.Value) any {
	data := v.Component(5).String()
	switch encoding := strings.ToUpper(v.Component(4).String()); encoding {
	case "BASE64", "":
		data = strings.Join(strings.Fields(data), "")
		if _, err := base64.StdEncoding.DecodeString(data); err != nil {
			w.problem(hl7v2.ErrDataType, "ED.5 is no base64")
			return nil
		}
	case "A":
		data = base64.StdEncoding.EncodeToString([]byte(data))
	default:
		w.problem(hl7v2.ErrTable, "ED.4 is Base64 or A (table 0299)")
		return nil
	}
	o := object{"data": data}
	put(o, "contentType", mediaType(v.Component(2).String(), v.Component(3).String()))
	put(o, "title", w.m.Get("TXA-16").String())
	return o
}

// mediaType is the type of tables 0191 and 0291 as MIME has it.
func mediaType(main, sub string) string {
	main, sub = strings.ToLower(main), strings.ToLower(sub)
	switch {
	case strings.Contains(sub, "/"):
		return sub
	case sub == "":
		return main
	case sub == "pdf" || sub == "rtf" && main == "ap" || sub == "octet-stream" || sub == "x-hl7-cda-level-one":
		return "application/" + sub
	case main == "" || main == "ap":
		return "application/" + sub
	case main == "im":
		return "image/" + sub
	case main == "tx" || main == "ft":
		return "text/" + sub
	}
	return main + "/" + sub
}
