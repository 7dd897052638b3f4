package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	mhpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/message_header_go_proto"

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
}

// Render makes the payload of one event for one destination. It is the same
// each time, however often a delivery is repeated.
func (r *Renderer) Render(ctx context.Context, t store.Tenant, s Subscription, d Destination, id string, entry store.Entry, e Event) (Payload, error) {
	if s.Content == Redox {
		return r.redox(ctx, t, d, id, e)
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
	header, err := r.header(c, d, id, e)
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
		doc, err := r.asOf(ctx, t, ref, entry.Seq)
		if errors.Is(err, store.ErrNotFound) {
			continue // it was deleted before this event
		}
		if err != nil {
			return nil, err
		}
		b = append(b, `,{"fullUrl":`...)
		b = appendString(b, r.Base(t)+"/"+ref)
		if !doc.Deleted {
			b = append(b, `,"resource":`...)
			if c == Detailed {
				b = append(b, doc.Body...)
			} else if b, err = r.appendOutline(b, doc); err != nil {
				return nil, err
			}
		}
		b = append(b, '}')
	}
	return append(b, "]}"...), nil
}

func (r *Renderer) header(c Content, d Destination, id string, e Event) ([]byte, error) {
	event, ok := mapping.EventNamed(e.Name)
	if !ok {
		return nil, fmt.Errorf("no notification event is named %q", e.Name)
	}
	h := &mhpb.MessageHeader{
		Id:    &dtpb.Id{Value: id},
		Event: &mhpb.MessageHeader_EventX{Choice: &mhpb.MessageHeader_EventX_Uri{Uri: &dtpb.Uri{Value: event.URI}}},
		Source: &mhpb.MessageHeader_MessageSource{
			Name:     &dtpb.String{Value: e.SourceName},
			Endpoint: &dtpb.Url{Value: "urn:uuid:" + e.SourceID},
		},
		Destination: []*mhpb.MessageHeader_MessageDestination{{
			Name:     &dtpb.String{Value: d.Name},
			Endpoint: &dtpb.Url{Value: "urn:uuid:" + d.ID},
		}},
	}
	if e.SourceName == "" {
		h.Source.Name = nil
	}
	if e.SourceID == "" {
		h.Source.Endpoint = &dtpb.Url{Value: "urn:fhirfacade:fhir"}
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
		h.Focus = append(h.Focus, &dtpb.Reference{Reference: &dtpb.Reference_Uri{Uri: &dtpb.String{Value: f}}})
	}
	return mapping.MarshalResource(mapping.Contain(h))
}

// asOf reads a resource as it was right after the entry seq.
func (r *Renderer) asOf(ctx context.Context, t store.Tenant, ref string, seq int64) (store.Document, error) {
	typ, id, _ := strings.Cut(ref, "/")
	name := store.Ref{Type: typ, ID: id}
	doc, err := r.Reader.Get(ctx, t, name)
	for err == nil && doc.Seq > seq && doc.Version > 1 {
		doc, err = r.Reader.GetVersion(ctx, t, name, doc.Version-1)
	}
	if err == nil && doc.Seq > seq {
		return doc, store.ErrNotFound // it came later
	}
	return doc, err
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
