package v2fhir

import (
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// needed are the elements without which a resource says nothing, and the
// fields that they come from.
var needed = map[string][2]string{
	"Patient":           {"identifier[]", "PID-3"},
	"Observation":       {"code", "OBX-3"},
	"DiagnosticReport":  {"code", "OBR-4"},
	"Immunization":      {"vaccineCode", "RXA-5"},
	"ChargeItem":        {"code", "FT1-7"},
	"Appointment":       {"identifier[]", "SCH-2"},
	"DocumentReference": {"masterIdentifier", "TXA-12"},
}

// finish does what no line can: rules between elements of a resource, and what
// FHIR requires where the message says nothing.
func (w *writer) finish() {
	for i := range w.result.Entries {
		o := w.result.Entries[i].Resource
		typ := text(o, "resourceType")
		if n, ok := needed[typ]; ok && len(compilePath(n[0]).get(o)) == 0 {
			p, err := hl7v2.ParsePath(n[1])
			if err == nil {
				w.problems = append(w.problems, &hl7v2.Error{Kind: hl7v2.ErrRequired, Path: p, Rule: typ + " needs " + n[1]})
			}
		}
		switch typ {
		case "Patient":
			if _, dated := o["deceasedDateTime"]; dated {
				delete(o, "deceasedBoolean") // one of them says it all
			}
		case "Encounter":
			visitStatus(o)
		case "Appointment":
			w.appointment(o)
		case "ServiceRequest":
			put0(o, "status", "active")
		case "Observation":
			put0(o, "status", "unknown")
		case "DiagnosticReport":
			put0(o, "status", "unknown")
		case "Immunization":
			if _, said := o["occurrenceDateTime"]; !said {
				o["occurrenceString"] = "unknown"
			}
			performers(o)
		case "ChargeItem":
			performers(o)
		case "Coverage":
			if _, said := o["payor"]; !said {
				o["payor"] = []any{object{"display": "unknown"}}
			}
			groupClass(o)
		case "AllergyIntolerance":
			for _, r := range objects(o, "reaction[]") {
				if _, said := r["manifestation"]; !said {
					r["manifestation"] = []any{object{"text": "unknown"}}
				}
			}
		case "DocumentReference":
			related(o)
			if _, said := o["content"]; !said {
				o["content"] = []any{object{"attachment": object{"title": "no content was sent"}}}
			}
		}
		if slices.Contains(w.ev.of.focus(), typ) {
			w.result.Focus = append(w.result.Focus, i)
		}
	}
	if len(w.result.Focus) == 0 && len(w.result.Entries) > 0 {
		w.result.Focus = []int{max(w.latest("Patient", len(w.result.Entries)), 0)}
	}
}

func put0(o object, name, value string) {
	if _, said := o[name]; !said {
		o[name] = value
	}
}

// visitStatus tells from the times what no event says.
func visitStatus(o object) {
	if text(o, "status") == "unknown" {
		switch {
		case text(o, "period.end") != "":
			o["status"] = "finished"
		case text(o, "period.start") != "":
			o["status"] = "in-progress"
		}
	}
	if _, said := o["class"]; !said {
		o["class"] = object{"system": v3Tables + "NullFlavor", "code": "UNK"}
	}
}

// appointment makes the end of the start and the duration, and gives
// participants a status. R4 Appointment app-2, app-3.
func (w *writer) appointment(o object) {
	for _, p := range objects(o, "participant[]") {
		put0(p, "status", "accepted")
	}
	start, err := time.Parse(time.RFC3339Nano, text(o, "start"))
	if err == nil && text(o, "end") == "" {
		n := 0
		for _, c := range text(o, "minutesDuration") {
			n = n*10 + int(c-'0')
		}
		if n > 0 {
			o["end"] = start.Add(time.Duration(n) * time.Minute).Format("2006-01-02T15:04:05Z07:00")
		}
	}
	s := text(o, "status")
	if (text(o, "start") == "" || text(o, "end") == "") && (s == "booked" || s == "arrived" || s == "fulfilled" || s == "noshow") {
		w.problems = append(w.problems, &hl7v2.Error{
			Kind: hl7v2.ErrRequired, Path: hl7v2.Path{Segment: "SCH", Field: 11}, Rule: "an appointment needs its start, and its end or its duration (SCH-11, TQ1-7, AIS-4; SCH-9)",
		})
	}
}

// performers name the systems of the functions that tell them apart.
func performers(o object) {
	for _, c := range objects(o, "performer[].function.coding[]") {
		switch text(c, "code") {
		case "OP", "AP":
			put0(c, "system", v2Tables+"0443")
		default:
			put0(c, "system", participation)
		}
	}
}

// groupClass makes one class of the lines of IN1-8 and IN1-9.
func groupClass(o object) {
	list, _ := o["class"].([]any)
	var kept []any
	group := object{}
	for _, x := range list {
		c := asObject(x)
		for _, coding := range objects(c, "type.coding[]") {
			put0(coding, "system", terminology+"coverage-class")
		}
		// IN1-8 and IN1-9 are the value and the name of one group.
		for k, v := range c {
			if _, there := group[k]; !there {
				group[k] = v
			}
		}
	}
	if _, valued := group["value"]; valued {
		kept = []any{group}
	} else if name, ok := group["name"]; ok {
		group["value"] = name
		kept = []any{group}
	}
	delete(o, "class")
	put(o, "class", kept)
}

// related drops a relation to a document that the message does not name.
func related(o object) {
	var kept []any
	for _, r := range objects(o, "relatesTo[]") {
		if _, said := r["target"]; said {
			put0(r, "code", "appends")
			kept = append(kept, r)
		}
	}
	delete(o, "relatesTo")
	put(o, "relatesTo", kept)
}

// focus are the resource types that a message is about.
func (m *message) focus() []string {
	switch m {
	case adt:
		return []string{"Encounter"}
	case merge:
		return []string{"Patient"}
	}
	return []string{"Appointment", "DiagnosticReport", "ServiceRequest", "DocumentReference", "Immunization", "ChargeItem"}
}
