package redox

import (
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Message is one message in a Redox data model.
type Message struct {
	DataModel string // the catalogue's spelling: "ClinicalSummary", also where Meta has "Clinical Summary"
	EventType string
	Body      Body // *Scheduling, *PatientAdmin, ...
}

// Meta returns the message's header; it is never nil.
func (m *Message) Meta() *Meta {
	if meta := *m.Body.header(); meta != nil {
		return meta
	}
	return &Meta{}
}

// Pair names the message's kind as Redox's errors do: Scheduling:New.
func (m *Message) Pair() string { return m.DataModel + ":" + m.EventType }

// NewMessage makes a message of a body that has its Meta, and checks it:
//
//	redox.NewMessage(&redox.Scheduling{Meta: &redox.Meta{DataModel: "Scheduling", EventType: "New"}, …})
func NewMessage(body Body) (*Message, error) {
	meta := *body.header()
	if meta == nil {
		return nil, one(ErrRequired, "Meta", "Required field missing - Meta")
	}
	m, err := lookup(meta.DataModel, meta.EventType, true)
	if err != nil {
		return nil, err
	}
	if want := reflect.TypeOf(events[m.Pair()].new()); want != reflect.TypeOf(body) {
		return nil, one(ErrModel, "Meta.DataModel", "Data model does not fit the body - "+m.Pair())
	}
	m.Body = body
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}

// Parse reads a message that is sent: a notification, an order, a query. It is
// strict about the shape and reports all problems at once as Errors; it is
// tolerant where real messages are loose: null and missing are the same,
// members that the catalogue does not know are kept.
func Parse(data []byte) (*Message, error) {
	root, err := read(data)
	if err != nil {
		return nil, err
	}
	// Only the names are wanted here, so a Meta of a wrong type is no concern
	// yet.
	meta := member(root, "Meta")
	m, err := lookup(stringIn(member(meta, "DataModel")), stringIn(member(meta, "EventType")), false)
	if err != nil {
		return nil, err
	}
	return m.decode(root)
}

// ParseResponse reads a message that answers a query. The answer's Meta may
// have the name of the response (BookedResponse) or still that of the query
// (Booked): event names the response event type that is expected.
func ParseResponse(data []byte, dataModel, event string) (*Message, error) {
	m, err := lookup(dataModel, event, true)
	if err != nil {
		return nil, err
	}
	if !events[m.Pair()].response {
		return nil, one(ErrEvent, "Meta.EventType", "Event type is not a response - "+m.Pair())
	}
	root, err := read(data)
	if err != nil {
		return nil, err
	}
	return m.decode(root)
}

// member is a member of a node that may be no object.
func member(n rawjson.Node, name string) rawjson.Node {
	if n.Kind() != rawjson.KindObject {
		return rawjson.Node{}
	}
	m, _ := n.Member(name)
	return m
}

func text(v jsontext.Value) string {
	if v.Kind() != '"' {
		return ""
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

func stringIn(n rawjson.Node) string {
	if n.Kind() != rawjson.KindString {
		return ""
	}
	return n.String()
}

// lookup finds the message's kind by the names in its Meta.
func lookup(dataModel, eventType string, responses bool) (*Message, error) {
	if dataModel == "" {
		return nil, one(ErrRequired, "Meta.DataModel", "Required field missing - Meta.DataModel")
	}
	model, event := canonical(dataModel, eventType)
	switch {
	case model == "":
		return nil, one(ErrModel, "Meta.DataModel", "Data model not supported - "+name(dataModel))
	case eventType == "":
		return nil, one(ErrRequired, "Meta.EventType", "Required field missing - Meta.EventType in "+model)
	case event == "":
		return nil, one(ErrEvent, "Meta.EventType", "Event type not supported - "+name(eventType)+" in "+model)
	}
	m := &Message{DataModel: model, EventType: event}
	if events[m.Pair()].response && !responses {
		return nil, one(ErrResponse, "Meta.EventType", "Event type is a response and cannot be sent - "+m.Pair())
	}
	return m, nil
}

// name repeats a name of the message in an error if it can be one: text that
// is no word could be anything.
func name(s string) string {
	if len(s) > 64 {
		return "(a long text)"
	}
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == ' ' || r == '-' || r == '_') {
			return "(not a name)"
		}
	}
	return s
}

func (m *Message) decode(root rawjson.Node) (*Message, error) {
	if root.Kind() != rawjson.KindObject {
		return nil, one(ErrSyntax, "", "Invalid JSON - a message is an object")
	}
	m.Body = events[m.Pair()].new()
	var problems Errors
	d := &decoder{report: func(at rawjson.Node, want string) {
		path := at.Path()
		problems = append(problems, problem(ErrType, path, path+" must be "+want+" in "+m.Pair()))
	}}
	d.object(reflect.ValueOf(m.Body).Elem(), root)
	wrong := map[string]bool{}
	for _, p := range problems {
		wrong[p.Path] = true
	}
	for _, p := range m.missing() {
		if !wrong[p.Path] { // it is there, but not what it must be
			problems = append(problems, p)
		}
	}
	if problems = append(problems, m.controls()...); len(problems) > 0 {
		return nil, problems
	}
	return m, nil
}

// Validate reports the required fields that the message lacks and the texts
// with characters that no text may have, as Parse does.
func (m *Message) Validate() error { return append(m.missing(), m.controls()...).or() }

// controls finds texts with control characters, which FHIR's strings cannot
// hold. R4 datatypes: string.
func (m *Message) controls() (problems Errors) {
	body := reflect.ValueOf(m.Body).Elem()
	if !hasControls(body) {
		return nil // as nearly always; the search for the paths is slower
	}
	controls(body, "", func(path string) {
		problems = append(problems, problem(ErrValue, path, path+" must not have control characters in "+m.Pair()))
	})
	return problems
}

func (m *Message) missing() (problems Errors) {
	body := reflect.ValueOf(m.Body).Elem()
	missing(body, "", requirements()[m.Pair()], func(path string) {
		problems = append(problems, problem(ErrRequired, path, "Required field missing - "+path+" in "+m.Pair()))
	})
	return problems
}

// Marshal writes the message as JSON. Absent fields are left out: the empty
// string, the empty Number, nil pointers and nil slices. An empty object and
// an empty slice that is not nil are written, as {} and []. The catalogue
// allows null for what is not required; it means the same as leaving out.
func Marshal(m *Message) ([]byte, error) {
	return json.Marshal(m.Body, json.Deterministic(true))
}
