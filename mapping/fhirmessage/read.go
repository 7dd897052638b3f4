package fhirmessage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// ErrInvalid: the text is no message that can be read. What wraps it names
// the element and the rule.
var ErrInvalid = errors.New("not a FHIR message")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// Is reports whether a text is a FHIR resource and no Redox message.
func Is(text []byte) bool {
	var head struct {
		ResourceType string          `json:"resourceType"`
		Meta         json.RawMessage `json:"Meta"`
	}
	return json.Unmarshal(text, &head) == nil && head.ResourceType != ""
}

// addressSpace makes the local urn:uuid addresses.
var addressSpace = uuid.MustParse("c1d0f0a2-2b52-5b0e-9c0e-95a8c1f3a0d4")

func local(address string) string {
	return "urn:uuid:" + uuid.NewSHA1(addressSpace, []byte(address)).String()
}

// Read reads a message.
func Read(text []byte) (*mapping.Message, error) {
	var b bundle
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, invalid("the text is not a Bundle in JSON")
	}
	if b.ResourceType != "Bundle" || b.Type != "message" {
		return nil, invalid("Bundle.type must be message")
	}
	if len(b.Entry) < 2 {
		return nil, invalid("Bundle.entry needs a MessageHeader and a resource")
	}
	var head header
	if err := json.Unmarshal(b.Entry[0].Resource, &head); err != nil || head.ResourceType != "MessageHeader" {
		return nil, invalid("Bundle.entry[0] must be a MessageHeader")
	}
	model, event, ok := strings.Cut(head.EventCoding.Code, ":")
	if !ok || model == "" || event == "" || head.EventCoding.System != System {
		return nil, invalid("MessageHeader.eventCoding must be a code of %s such as Scheduling:New", System)
	}
	base := strings.TrimSuffix(head.Source.Endpoint, "/")
	if !strings.Contains(base, "://") {
		return nil, invalid("MessageHeader.source.endpoint must be the address of a FHIR service")
	}
	m := &mapping.Message{ID: b.ID, DataModel: model, EventType: event, Event: mapping.EventOf(model, event)}
	if b.Timestamp != "" {
		t, err := time.Parse(time.RFC3339, b.Timestamp)
		if err != nil {
			return nil, invalid("Bundle.timestamp must be an instant")
		}
		m.Time = t
	}
	focus := map[string]bool{}
	for _, f := range head.Focus {
		focus[absolute(base, f.Reference)] = true
	}
	r := &reader{base: base, of: m, entries: map[string]bool{}, mentioned: map[string]bool{}}
	for _, e := range b.Entry[1:] {
		r.entries[e.FullURL] = true
	}
	for i, e := range b.Entry[1:] {
		if err := r.entry(e); err != nil {
			return nil, fmt.Errorf("%w (Bundle.entry[%d])", err, i+1)
		}
		if focus[e.FullURL] {
			m.Focus = append(m.Focus, i)
		}
	}
	if len(m.Focus) == 0 {
		return nil, invalid("MessageHeader.focus must name an entry")
	}
	return m, nil
}

// reader makes the entries of a message.
type reader struct {
	base      string
	of        *mapping.Message
	entries   map[string]bool // by fullUrl
	mentioned map[string]bool
}

func (r *reader) entry(e entry) error {
	typ, id, ok := r.name(e.FullURL)
	if !ok {
		return invalid("fullUrl must be the resource's address below MessageHeader.source.endpoint")
	}
	d := json.NewDecoder(bytes.NewReader(e.Resource))
	d.UseNumber() // decimals keep their digits
	var resource map[string]any
	if err := d.Decode(&resource); err != nil {
		return invalid("the resource is not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("there is something behind the resource")
	}
	if resource["resourceType"] != typ {
		return invalid("resourceType must be that of fullUrl")
	}
	r.resolve(resource, "")
	out := mapping.Entry{FullURL: local(e.FullURL), Parent: mapping.NoParent}
	own := mapping.Identifier{System: r.base + "/" + typ, Value: id}
	switch {
	case !identified[typ]:
		out.Key, out.Whole = e.FullURL, true
	default:
		out.Identifiers = append(out.Identifiers, own)
		shared := sharedIdentifiers(typ, resource)
		out.Identifiers = append(out.Identifiers, shared...)
		out.Whole = !sharedTypes[typ]
		list, _ := resource["identifier"].([]any)
		resource["identifier"] = append(list, map[string]any{"system": own.System, "value": own.Value})
	}
	meta, _ := resource["meta"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	meta["source"] = e.FullURL
	delete(meta, "versionId")
	delete(meta, "lastUpdated")
	resource["meta"] = meta
	delete(resource, "id")
	raw, err := encode(resource)
	if err != nil {
		return err
	}
	out.Raw = raw
	r.of.Entries = append(r.of.Entries, out)
	return nil
}

// name takes an address apart that is below the sender's base.
func (r *reader) name(address string) (typ, id string, ok bool) {
	below, ok := strings.CutPrefix(address, r.base+"/")
	if !ok {
		return "", "", false
	}
	typ, id, ok = strings.Cut(below, "/")
	id, _, _ = strings.Cut(id, "/_history/")
	if !ok || typ == "" || id == "" || strings.ContainsAny(id, "/?#") || !resourceTypes[typ] {
		return "", "", false
	}
	return typ, id, true
}

// resolve gives the references below a value their local addresses, and what
// is relative at the sender's its absolute one.
func (r *reader) resolve(v any, name string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			r.resolve(item, name)
		}
	case map[string]any:
		for member, value := range v {
			text, isText := value.(string)
			switch {
			case member == "reference" && isText:
				v[member] = r.reference(text)
			case member == "url" && isText && name == "content", member == "url" && isText && name == "attachment",
				member == "url" && isText && name == "photo", member == "url" && isText && strings.HasSuffix(name, "Attachment"):
				v[member] = absolute(r.base, text)
			default:
				r.resolve(value, member)
			}
		}
	}
}

func (r *reader) reference(text string) string {
	if text == "" || strings.HasPrefix(text, "#") || strings.HasPrefix(text, "urn:") {
		return text
	}
	address := absolute(r.base, text)
	typ, id, ok := r.name(address)
	if !ok {
		return address
	}
	// A reference to a version is one to the record here.
	address = r.base + "/" + typ + "/" + id
	at := local(address)
	if !r.entries[address] && !r.mentioned[address] {
		r.mentioned[address] = true
		m := mapping.Mention{FullURL: at, Type: typ, URL: address}
		if identified[typ] {
			m.Identifier = mapping.Identifier{System: r.base + "/" + typ, Value: id}
		}
		r.of.Mentioned = append(r.of.Mentioned, m)
	}
	return at
}

func absolute(base, text string) string {
	if text == "" || strings.Contains(text, ":") || strings.HasPrefix(text, "#") {
		return text
	}
	return base + "/" + strings.TrimPrefix(text, "/")
}
