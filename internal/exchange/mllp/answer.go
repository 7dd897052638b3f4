package mllp

import (
	"crypto/sha256"
	"errors"
	"net"
	"sync"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// answersTo are the acknowledgements that a message gets: one in original
// mode; in enhanced mode those that the sender wants, the accept
// acknowledgement first. HL7 v2.5.1 § 2.9.2 and § 2.9.3.
func (s *Server) answersTo(h hl7v2.Header, err error, warnings hl7v2.Errors) [][]byte {
	application := hl7v2.CodeOf(said(err))
	codes := []string{application}
	if h.Enhanced() {
		commit := hl7v2.CommitAccept
		switch {
		case err != nil && !content(err):
			// Not in safe storage: that is all there is to say.
			return s.acknowledge(nil, h, hl7v2.CommitReject, err, nil)
		case err != nil && !h.Wants(application):
			commit = hl7v2.CommitError // the only way to say it
		}
		codes = []string{commit, application}
	}
	var all [][]byte
	for _, code := range codes {
		all = s.acknowledge(all, h, code, err, warnings)
	}
	return all
}

// acknowledge appends the acknowledgement, if it is wanted.
func (s *Server) acknowledge(all [][]byte, h hl7v2.Header, code string, err error, warnings hl7v2.Errors) [][]byte {
	if !h.Wants(code) {
		return all
	}
	a := hl7v2.Acknowledgement{
		Code: code, ControlID: s.o.NewID(), Time: s.o.Now().Format("20060102150405-0700"), Problems: problems(err),
	}
	if err == nil || code == hl7v2.CommitAccept {
		a.Problems, a.Warning = warnings, true
	}
	text, err := hl7v2.Acknowledge(h, a).Append(nil)
	if err != nil {
		s.o.Logger.Error("an acknowledgement could not be written", "error", err)
		return all
	}
	return append(all, text)
}

// said is the error as it is answered: what is not of the message is internal.
func said(err error) error {
	if err == nil || len(problems(err)) == 0 {
		return nil
	}
	return problems(err)
}

// problems are the errors of the message, or one internal error without a
// word on what it was.
func problems(err error) hl7v2.Errors {
	var several hl7v2.Errors
	var one *hl7v2.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &several):
		return several
	case errors.As(err, &one):
		return hl7v2.Errors{one}
	}
	return hl7v2.Errors{{Kind: hl7v2.ErrInternal, Rule: "the message was not stored; send it again"}}
}

// content tells whether an error is one of what the message says.
func content(err error) bool {
	for _, p := range problems(err) {
		if errors.Is(p, hl7v2.ErrInternal) || errors.Is(p, hl7v2.ErrSize) || errors.Is(p, hl7v2.ErrFrame) {
			return false
		}
	}
	return true
}

// reject sends the acknowledgement of what cannot be handled at all.
func (s *Server) reject(conn net.Conn, h hl7v2.Header, err error) error {
	text, failed := hl7v2.Acknowledge(h, hl7v2.Acknowledgement{
		Code: hl7v2.ApplicationReject, ControlID: s.o.NewID(), Time: s.o.Now().Format("20060102150405-0700"), Problems: problems(err),
	}).Append(nil)
	if failed != nil {
		return failed
	}
	return s.send(conn, [][]byte{text})
}

func (s *Server) send(conn net.Conn, messages [][]byte) error {
	var out []byte
	for _, m := range messages {
		out = hl7v2.AppendFrame(out, m)
	}
	if len(out) == 0 {
		return nil
	}
	if err := conn.SetWriteDeadline(s.o.Now().Add(s.o.Write)); err != nil {
		return err
	}
	_, err := conn.Write(out)
	return err
}

// key tells a message that comes again from another one: senders that have no
// answer in time send the same one again.
type key struct {
	application, facility, control string
	text                           [sha256.Size]byte
}

func keyOf(h hl7v2.Header, raw []byte) key {
	return key{h.SendingApplication, h.SendingFacility, h.ControlID, sha256.Sum256(raw)}
}

// answers remembers what the latest messages were answered with. It forgets
// with the process: then a message is handled again, and says nothing new.
type answers struct {
	mu    sync.Mutex
	limit int
	of    map[key][][]byte
	order []key
}

func newAnswers(limit int) *answers {
	return &answers{limit: limit, of: make(map[key][][]byte)}
}

func (a *answers) get(k key) ([][]byte, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	texts, ok := a.of[k]
	return texts, ok
}

func (a *answers) put(k key, texts [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.order) == a.limit {
		delete(a.of, a.order[0])
		a.order = a.order[1:]
	}
	a.of[k] = texts
	a.order = append(a.order, k)
}
