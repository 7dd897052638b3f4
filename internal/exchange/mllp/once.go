package mllp

import (
	"context"
	"errors"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// ErrNotStored: the message is not at fault; it can be sent again.
var ErrNotStored = errors.New("mllp: the message was not stored")

// Answer handles one message that came in another way than over a connection
// of this server, such as HTTP, and returns its acknowledgement. The error
// tells what the acknowledgement says.
func (s *Server) Answer(ctx context.Context, raw []byte) ([]byte, error) {
	m, err := hl7v2.Parse(raw, s.o.Read)
	if err != nil {
		return s.application(hl7v2.Header{}, err, nil), err
	}
	h := m.Header()
	switch {
	case m.Batched() || m.Count("MSH") > 1:
		err = &hl7v2.Error{Kind: hl7v2.ErrFrame, Path: hl7v2.Path{Segment: "MSH"}, Rule: "one message is taken at a time, without a batch's header"}
	case m.Segment("MSA", 0).Exists():
		err = &hl7v2.Error{Kind: hl7v2.ErrMessageType, Path: hl7v2.Path{Segment: "MSA"}, Rule: "an acknowledgement is not taken"}
	default:
		if err = required(h); err == nil {
			err = s.handle(ctx, Received{Raw: raw, Message: m, Header: h})
		}
	}
	if err != nil {
		s.o.Logger.Warn("a message was not taken", "type", word(h.Type), "event", word(h.Event), "error", err)
		if !content(err) && !errors.Is(err, hl7v2.ErrFrame) {
			err = errors.Join(ErrNotStored, err)
		}
	}
	return s.application(h, err, m.Warnings), err
}

// application is the application acknowledgement, whatever MSH-15 and MSH-16
// ask for: an answer of HTTP holds one message.
func (s *Server) application(h hl7v2.Header, err error, warnings hl7v2.Errors) []byte {
	h.AcceptAck, h.ApplicationAck = "", ""
	if all := s.acknowledge(nil, h, hl7v2.CodeOf(said(err)), err, warnings); len(all) > 0 {
		return all[0]
	}
	return nil
}
