package v2fhir

import (
	"bytes"
	"encoding/json"

	"github.com/google/uuid"
)

// Bundle is the result as a FHIR message (R4 § 2.4): a MessageHeader with the
// event, who says it to whom and what it is about, then the resources.
func (r *Result) Bundle() ([]byte, error) {
	h := r.Header
	_, trigger, _ := bytes.Cut([]byte(r.Code), []byte("^"))
	header := object{
		"resourceType": "MessageHeader",
		"eventCoding":  object{"system": v2Tables + "0003", "code": string(trigger), "display": r.Code},
		"source":       party(h.SendingApplication, "endpoint"),
	}
	put(header, "sender", named(h.SendingFacility))
	if h.ReceivingApplication != "" || h.ReceivingFacility != "" {
		to := party(h.ReceivingApplication, "endpoint")
		put(to, "receiver", named(h.ReceivingFacility))
		header["destination"] = []any{to}
	}
	var focus []any
	for _, i := range r.Focus {
		focus = append(focus, object{"reference": r.Entries[i].FullURL})
	}
	put(header, "focus", focus)
	id := uuid.NewSHA1(namespace, []byte("MessageHeader/"+h.SendingApplication+"/"+h.SendingFacility+"/"+h.ControlID))
	entries := []any{object{"fullUrl": "urn:uuid:" + id.String(), "resource": header}}
	for _, e := range r.Entries {
		entries = append(entries, object{"fullUrl": e.FullURL, "resource": e.Resource})
	}
	b := object{"resourceType": "Bundle", "type": "message", "entry": entries}
	if h.ControlID != "" {
		b["identifier"] = object{"system": "urn:hl7v2:MSH-10", "value": h.ControlID}
	}
	if !r.Time.IsZero() {
		b["timestamp"] = r.Time.Format("2006-01-02T15:04:05Z07:00")
	}
	if h.ProcessingID == "T" || h.ProcessingID == "D" {
		b["meta"] = object{"tag": []any{object{"system": v3Tables + "ActReason", "code": "HTEST"}}}
	}
	clean(b)
	return marshal(b)
}

func party(name, member string) object {
	o := object{member: "urn:hl7v2:" + uuid.NewSHA1(namespace, []byte(name)).String()}
	put(o, "name", name)
	return o
}

func named(name string) object {
	o := object{}
	put(o, "display", name)
	return o
}

// marshal writes JSON without escaping what only HTML would need.
func marshal(o object) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(o); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Encode writes the message.
func (w *Written) Encode() ([]byte, error) { return w.Draft.Append(nil) }
