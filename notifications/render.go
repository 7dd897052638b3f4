package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	mhpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/message_header_go_proto"
	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/store"
)

// Payload is what is POSTed to a subscriber.
type Payload struct {
	ContentType string
	Body        []byte
}

// Renderer makes payloads from the versions that a log entry names.
type Renderer struct {
	Reader      store.Reader
	Definitions *conformance.Definitions
	// Base is the absolute URL of a tenant's FHIR service.
	Base func(store.Tenant) string
	// RedoxMessage returns a message of the message log as Redox JSON.
	RedoxMessage func(ctx context.Context, t store.Tenant, id string) ([]byte, error)
	// WritebackBundle returns the Bundle of a writeback.
	WritebackBundle func(ctx context.Context, t store.Tenant, id string) ([]byte, error)
}

// Render makes the payload of one event for one destination. It is the same
// each time, however often a delivery is repeated.
func (r *Renderer) Render(ctx context.Context, t store.Tenant, s Subscription, d Destination, id string, entry store.Entry, e Event) (Payload, error) {
	switch s.Content {
	case Redox:
		return r.redox(ctx, t, d, id, e)
	case HL7v2:
		return r.hl7v2(ctx, t, d, id, entry, e)
	}
	body, err := r.message(ctx, t, s.Content, d, id, entry, e)
	return Payload{"application/fhir+json", body}, err
}

// redox sends the message on with the Meta of this transmission.
func (r *Renderer) redox(ctx context.Context, t store.Tenant, d Destination, id string, e Event) (Payload, error) {
	raw, err := r.RedoxMessage(ctx, t, e.Message)
	if err != nil {
		return Payload{}, err
	}
	doc, err := rawjson.Parse(raw, nil)
	if err != nil {
		return Payload{}, err
	}
	edit := func(name string, v any) rawjson.Edit {
		b, _ := json.Marshal(v) // strings only: cannot fail
		return rawjson.Edit{Parent: "Meta", Name: name, Value: b}
	}
	type party struct {
		ID   string `json:"ID"`
		Name string `json:"Name"`
	}
	body, err := doc.AppendEdited(nil, []rawjson.Edit{
		edit("Source", party{e.SourceID, e.SourceName}),
		edit("Destinations", []party{{d.ID, d.Name}}),
		edit("Logs", []map[string]string{{"ID": e.Message, "AttemptID": id}}),
	})
	return Payload{"application/json", body}, err
}

// message is a FHIR message Bundle (https://hl7.org/fhir/R4/messaging.html) as
// Redox sends its notifications: a MessageHeader, the focus, and what belongs
// to it.
func (r *Renderer) message(ctx context.Context, t store.Tenant, c Content, d Destination, id string, entry store.Entry, e Event) ([]byte, error) {
	header, err := r.header(c, r.Base(t), d, id, e)
	if err != nil {
		return nil, err
	}
	refs := slices.Concat(e.Focus, e.Patients)
	if c == Detailed {
		refs = append(refs, e.Resources...)
	}
	b := append([]byte(nil), `{"resourceType":"Bundle","id":`...)
	b = appendString(b, id)
	b = append(b, `,"type":"message","timestamp":`...)
	b = appendString(b, entry.Time.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	b = append(b, `,"entry":[{"fullUrl":`...)
	b = appendString(b, "urn:uuid:"+id)
	b = append(b, `,"resource":`...)
	b = append(b, header...)
	b = append(b, '}')
	seen := map[string]bool{}
	for _, ref := range refs {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		doc, err := r.asOf(ctx, t, ref, entry)
		if errors.Is(err, store.ErrNotFound) || err == nil && doc.Deleted {
			continue // an entry needs a resource (bdl-5); the focus still names it
		}
		if err != nil {
			return nil, err
		}
		b = append(b, `,{"fullUrl":`...)
		b = appendString(b, r.Base(t)+"/"+ref)
		b = append(b, `,"resource":`...)
		if c == Detailed {
			b = append(b, doc.Body...)
		} else if b, err = r.appendOutline(b, doc); err != nil {
			return nil, err
		}
		b = append(b, '}')
	}
	return append(b, "]}"...), nil
}

// errNoEvent: the log entry was written by a program that knows more events.
var errNoEvent = errors.New("no notification event of this name is known")

func (r *Renderer) header(c Content, base string, d Destination, id string, e Event) ([]byte, error) {
	event, ok := mapping.EventNamed(e.Name)
	if !ok {
		return nil, errNoEvent
	}
	h := &mhpb.MessageHeader{
		Id:    &dtpb.Id{Value: id},
		Event: &mhpb.MessageHeader_EventX{Choice: &mhpb.MessageHeader_EventX_Uri{Uri: &dtpb.Uri{Value: event.URI}}},
		Source: &mhpb.MessageHeader_MessageSource{
			Name: optionalString(e.SourceName), Endpoint: &dtpb.Url{Value: endpoint(e.SourceID)},
		},
		Destination: []*mhpb.MessageHeader_MessageDestination{{
			Name: optionalString(d.Name), Endpoint: &dtpb.Url{Value: endpoint(d.ID)},
		}},
	}
	if c == Detailed {
		h.Definition = &dtpb.Canonical{Value: event.Definition()}
	}
	if e.Test {
		h.Meta = &dtpb.Meta{Tag: []*dtpb.Coding{{
			System: &dtpb.Uri{Value: "http://terminology.hl7.org/CodeSystem/v3-ActReason"}, Code: &dtpb.Code{Value: "HTEST"},
		}}}
	}
	for _, f := range e.Focus {
		// Absolute: from an entry whose fullUrl is a URN, a relative reference
		// leads nowhere (R4 bundle.html#references).
		h.Focus = append(h.Focus, &dtpb.Reference{Reference: &dtpb.Reference_Uri{Uri: &dtpb.String{Value: base + "/" + f}}})
	}
	return mapping.MarshalResource(mapping.Contain(h))
}

// endpoint names a source or a destination. Redox's ids are UUIDs; others are
// put into a URN of our own.
func endpoint(id string) string {
	switch {
	case id == "":
		return "urn:fhirfacade:fhir" // a plain FHIR write
	case uuid.Validate(id) == nil:
		return "urn:uuid:" + strings.ToLower(id)
	}
	return "urn:fhirfacade:party:" + url.PathEscape(id)
}

// optionalString is nil for "", which FHIR does not allow as a value.
func optionalString(s string) *dtpb.String {
	if s == "" {
		return nil
	}
	return &dtpb.String{Value: s}
}

// asOf reads a resource as it was right after an entry.
func (r *Renderer) asOf(ctx context.Context, t store.Tenant, ref string, entry store.Entry) (store.Document, error) {
	typ, id, _ := strings.Cut(ref, "/")
	name := store.Ref{Type: typ, ID: id}
	for _, ch := range entry.Changes {
		if ch.Ref == name {
			return r.Reader.GetVersion(ctx, t, name, ch.Version)
		}
	}
	page, err := r.Reader.History(ctx, t, store.HistoryQuery{
		Type: typ, ID: id, Before: store.HistoryCursor{Seq: entry.Seq}, Limit: 1,
	})
	if err != nil {
		return store.Document{}, err
	}
	if len(page.Versions) == 0 {
		return store.Document{}, store.ErrNotFound // it came later, or never
	}
	return page.Versions[0].Document, nil
}

// appendOutline writes what a lightweight notification shows of a resource:
// its type, id and identifiers, and the elements that FHIR requires of it.
func (r *Renderer) appendOutline(b []byte, doc store.Document) ([]byte, error) {
	parsed, err := rawjson.Parse(doc.Body, nil)
	if err != nil {
		return nil, err
	}
	first := true
	for m := range parsed.Root().Members() {
		switch name := m.Name(); name {
		case "resourceType", "id", "identifier":
		default:
			if e, _, ok := r.element(doc.Ref.Type, name); !ok || e.Min == 0 {
				continue
			}
		}
		if first {
			b = append(b, '{')
		} else {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = append(b, m.RawName()...)
		b = append(b, '"', ':')
		b = append(b, m.Raw()...)
	}
	return append(b, '}'), nil
}

func (r *Renderer) element(typ, name string) (*conformance.Element, string, bool) {
	if e, ok := r.Definitions.Element(typ, name); ok {
		return e, "", true
	}
	return r.Definitions.ChoiceElement(typ, name)
}

func appendString(b []byte, s string) []byte {
	q, _ := json.Marshal(s) // a string: cannot fail
	return append(b, q...)
}
