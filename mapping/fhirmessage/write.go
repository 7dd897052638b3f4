package fhirmessage

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
)

// System is the code system of a message's event.
const System = "https://developer.redoxengine.com/data-models"

// layout is how instants are written.
const layout = "2006-01-02T15:04:05.000Z"

// Outgoing is a message to be written.
type Outgoing struct {
	// ID is Bundle.id.
	ID                   string
	DataModel, EventType string
	Time                 time.Time
	// Base is the address of the sender's FHIR service.
	Base string
	// Focus is what the message is about.
	Focus Resource
	// Related are what belongs to it.
	Related []Resource
}

// Resource is a resource and its name at the sender's, "Appointment/7".
type Resource struct {
	Name string
	Body json.RawMessage
}

type bundle struct {
	ResourceType string  `json:"resourceType"`
	ID           string  `json:"id,omitempty"`
	Type         string  `json:"type"`
	Timestamp    string  `json:"timestamp,omitempty"`
	Entry        []entry `json:"entry"`
}

type entry struct {
	FullURL  string          `json:"fullUrl"`
	Resource json.RawMessage `json:"resource"`
}

type header struct {
	ResourceType string      `json:"resourceType"`
	EventCoding  coding      `json:"eventCoding"`
	Source       source      `json:"source"`
	Focus        []reference `json:"focus"`
}

type coding struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

type source struct {
	Endpoint string `json:"endpoint"`
}

type reference struct {
	Reference string `json:"reference"`
}

// headerSpace makes the addresses of headers.
var headerSpace = uuid.MustParse("3b1a3a55-5f2b-5e3e-8a55-6a0a4d1f9c70")

// Write writes a message. The same message is the same bytes.
func Write(m Outgoing) ([]byte, error) {
	if m.Base == "" || m.Focus.Name == "" || m.DataModel == "" || m.EventType == "" {
		return nil, errors.New("fhirmessage: a base, an event and a focus are needed")
	}
	focus := m.Base + "/" + m.Focus.Name
	head, err := encode(header{
		ResourceType: "MessageHeader", EventCoding: coding{System, m.DataModel + ":" + m.EventType},
		Source: source{m.Base}, Focus: []reference{{focus}},
	})
	if err != nil {
		return nil, err
	}
	b := bundle{ResourceType: "Bundle", ID: m.ID, Type: "message"}
	if !m.Time.IsZero() {
		b.Timestamp = m.Time.UTC().Format(layout)
	}
	b.Entry = append(b.Entry, entry{"urn:uuid:" + uuid.NewSHA1(headerSpace, []byte(m.ID)).String(), head}, entry{focus, m.Focus.Body})
	for _, r := range m.Related {
		b.Entry = append(b.Entry, entry{m.Base + "/" + r.Name, r.Body})
	}
	return encode(b)
}

// encode writes JSON without the escapes for HTML, which FHIR has no use for.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, errors.New("fhirmessage: a resource is not JSON")
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
