package exchange

import (
	"context"
	"errors"
	"net/http"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/fhirmessage"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// formatFHIR is Message.Format of FHIR messages.
const formatFHIR = "fhir"

// IngestFHIR takes a FHIR message of a source from its text to a commit, as
// Ingest does with a Redox message. Subscriptions that want Redox JSON are
// not told of it.
func (x *Exchange) IngestFHIR(ctx context.Context, t store.Tenant, src Source, text []byte) (Receipt, error) {
	rc := Receipt{Message: Message{
		ID: x.o.NewID(), ReceivedAt: x.o.Now().UTC(), Direction: Inbound, Status: notifications.Pending,
		Source: src.ID, SourceName: src.Name, Bytes: len(text), Format: formatFHIR,
	}}
	err := survive(func() error {
		said, err := fhirmessage.Read(text)
		if errors.Is(err, fhirmessage.ErrInvalid) {
			f := failure(http.StatusBadRequest, moduleDataModels, err.Error())
			f.cause = err
			return f
		}
		if err != nil {
			return err
		}
		rc.Message.DataModel, rc.Message.EventType = said.DataModel, said.EventType
		meta := &redox.Meta{DataModel: said.DataModel, EventType: said.EventType, Logs: []redox.Log{{ID: said.ID}}}
		return x.commitSaid(ctx, t, src, &rc, text, said, meta)
	})
	if err != nil {
		f, logged := x.refuse(ctx, t, &rc.Message, text, err)
		if !logged && f.Permanent() {
			// The source must send again what the log does not have.
			f = failureOf(store.ErrUnavailable)
		}
		return rc, f
	}
	rc.Message.Status = notifications.Succeeded
	x.count(rc.Message)
	return rc, nil
}

// mentioned names records that a message refers to without having them: as
// they are known here, or by their address at the sender's.
func (x *Exchange) mentioned(ctx context.Context, t store.Tenant, all []mapping.Mention, names map[string]string) error {
	wanted := map[string][]search.Identifier{}
	for _, m := range all {
		names[m.FullURL] = m.URL
		if m.Identifier.Value != "" {
			wanted[m.Type] = append(wanted[m.Type], search.Identifier(m.Identifier))
		}
	}
	found := map[identifierKey]string{}
	for typ, ids := range wanted {
		documents, err := x.having(ctx, t, typ, ids)
		if err != nil {
			return err
		}
		for _, d := range documents {
			doc, err := rawjson.Parse(d.Body, nil)
			if err != nil {
				return err
			}
			list, _ := doc.Root().Member("identifier")
			for n := range list.Elements() {
				system, _ := n.Member("system")
				value, _ := n.Member("value")
				found[identifierKey{typ, mapping.Identifier{System: system.String(), Value: value.String()}}] = d.Ref.String()
			}
		}
	}
	for _, m := range all {
		if name, ok := found[identifierKey{m.Type, m.Identifier}]; ok {
			names[m.FullURL] = name
		}
	}
	return nil
}
