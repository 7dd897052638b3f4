package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2/v2fhir"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// formatHL7v2 is Message.Format of HL7 v2.
const formatHL7v2 = "hl7v2"

// moduleHL7v2 is the module of errors of HL7 v2 messages.
const moduleHL7v2 = "HL7v2"

// messageNamespace makes the ids of HL7 v2 messages, which follow from what
// tells them apart: one that comes again has the same id.
var messageNamespace = uuid.MustParse("3f3c1c52-7a3a-5b7e-9d0c-6b8f0f1f4a21")

// messageID is the id of a message in the log: that of its source, MSH-3,
// MSH-4, MSH-10 and its text.
func messageID(t store.Tenant, source string, h hl7v2.Header, text []byte) string {
	sum := sha256.Sum256(text)
	name := strings.Join([]string{string(t), source, h.SendingApplication, h.SendingFacility, h.ControlID, string(sum[:])}, "\x00")
	return uuid.NewSHA1(messageNamespace, []byte(name)).String()
}

// IngestHL7v2 takes one HL7 v2 message of a source from its text to a commit,
// as Ingest does with Redox JSON. What was taken before changes nothing and
// has its first record as its receipt, also after a restart. An error is of
// package hl7v2 where the message is at fault, and says how it is answered;
// any other means that the message was not stored and can be sent again.
func (x *Exchange) IngestHL7v2(ctx context.Context, t store.Tenant, src Source, c HL7v2, text []byte, m *hl7v2.Message) (Receipt, error) {
	h := m.Header()
	rc := Receipt{Message: Message{
		ID: messageID(t, src.ID, h, text), ReceivedAt: x.o.Now().UTC(), Direction: Inbound, Status: notifications.Pending,
		Source: src.ID, SourceName: src.Name, Bytes: len(text), Format: formatHL7v2,
	}}
	switch known, err := x.messages.Get(ctx, t, rc.Message.ID); {
	case err == nil && known.Status == notifications.Succeeded:
		return Receipt{Message: known}, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return rc, err
	}
	err := survive(func() error { return x.commitHL7v2(ctx, t, src, c, &rc, text, m) })
	if err == nil {
		rc.Message.Status = notifications.Succeeded
		x.count(rc.Message)
		return rc, nil
	}
	f, logged := x.refuse(ctx, t, &rc.Message, text, failureOfHL7v2(err))
	if !logged && f.Permanent() {
		// The sender must send again what the log does not have.
		return rc, store.ErrUnavailable
	}
	return rc, asHL7v2(f)
}

func (x *Exchange) commitHL7v2(ctx context.Context, t store.Tenant, src Source, c HL7v2, rc *Receipt, text []byte, m *hl7v2.Message) error {
	said, r, err := x.readHL7v2(t, src, c, m)
	if r != nil {
		rc.Message.DataModel, rc.Message.EventType = r.DataModel, r.EventType
		for _, w := range r.Warnings {
			rc.Message.Warnings = append(rc.Message.Warnings, w.Error())
		}
	}
	if err != nil {
		return err
	}
	meta := &redox.Meta{DataModel: said.DataModel, EventType: said.EventType, Logs: []redox.Log{{ID: r.Header.ControlID}}}
	return x.commitSaid(ctx, t, src, rc, text, said, meta)
}

// readHL7v2 says a message in FHIR.
func (x *Exchange) readHL7v2(t store.Tenant, src Source, c HL7v2, m *hl7v2.Message) (*mapping.Message, *v2fhir.Result, error) {
	h := m.Header()
	if err := c.takes(h); err != nil {
		return nil, nil, err
	}
	o, err := c.translation(t, src)
	if err != nil {
		return nil, nil, err
	}
	r, err := v2fhir.ToFHIR(m, o)
	if err != nil {
		return nil, nil, err
	}
	said, err := saidInFHIR(r)
	if err == nil {
		said.Source = mapping.Party{ID: src.ID, Name: src.Name}
	}
	return said, r, err
}

// redoxOfHL7v2 is an HL7 v2 message as Redox JSON, for the destinations that
// take the data model.
func (x *Exchange) redoxOfHL7v2(ctx context.Context, t store.Tenant, m Message, text []byte) ([]byte, error) {
	src, err := x.sources.Get(ctx, t, m.Source)
	if err != nil {
		return nil, err
	}
	c, err := x.hl7v2Of(ctx, t, src.ID)
	if err != nil {
		return nil, err
	}
	parsed, err := hl7v2.Parse(text, hl7v2.Options{Charset: c.Charset})
	if err != nil {
		return nil, err
	}
	c.Events = nil // what was taken then is sent on, whatever is taken now
	said, _, err := x.readHL7v2(t, src, c, parsed)
	if err != nil {
		return nil, err
	}
	return x.redoxOf(t, src, said)
}

// redoxOf says a message in Redox JSON.
func (x *Exchange) redoxOf(t store.Tenant, src Source, said *mapping.Message) ([]byte, error) {
	o, err := x.options(t, src)
	if err != nil {
		return nil, err
	}
	m, err := redox.FromFHIR(said, o)
	if err != nil {
		return nil, err
	}
	return redox.Marshal(m)
}

// failureOfHL7v2 gives errors of a message the form that the log has.
func failureOfHL7v2(err error) error {
	var several hl7v2.Errors
	var one *hl7v2.Error
	switch {
	case errors.As(err, &several):
	case errors.As(err, &one):
		several = hl7v2.Errors{one}
	default:
		return err
	}
	f := &Failure{Status: http.StatusBadRequest, cause: err}
	for _, e := range several {
		f.Errors = append(f.Errors, RedoxError{Text: e.Error(), Type: "message", Module: moduleHL7v2})
	}
	return f
}

// asHL7v2 is a failure as it is acknowledged: what the message is at fault for
// with its condition, everything else as an internal error.
func asHL7v2(f *Failure) error {
	var several hl7v2.Errors
	var one *hl7v2.Error
	switch {
	case errors.As(f.cause, &several), errors.As(f.cause, &one), !f.Permanent():
		return f.cause
	}
	kind := hl7v2.ErrDataType
	if f.Status == http.StatusConflict {
		kind = hl7v2.ErrDuplicate
	}
	for _, e := range f.Errors {
		several = append(several, &hl7v2.Error{Kind: kind, Rule: e.Text})
	}
	return several
}
