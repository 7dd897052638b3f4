package redox

import (
	"errors"
	"strings"
)

// The identities of what can be wrong with a message: errors.Is finds them in
// what this package returns.
var (
	ErrSyntax        = errors.New("the body is not JSON")
	ErrModel         = errors.New("data model not supported")
	ErrEvent         = errors.New("event type not supported")
	ErrResponse      = errors.New("a response is not a message to send")
	ErrRequired      = errors.New("required field missing")
	ErrType          = errors.New("wrong type")
	ErrValue         = errors.New("wrong value")
	ErrNotTranslated = errors.New("not translated")
	ErrWriteback     = errors.New("incomplete FHIR message")
)

// Error is one entry of Meta.Errors: what is wrong with a message and where.
// Its text holds names of fields and never their values, which are patients'
// data.
type Error struct {
	Kind   error  // one of the Err values above
	Type   string // Redox's: "message"
	Module string // Redox's: "DataModels"
	Text   string // Required field missing - Visit.VisitNumber in Scheduling:New
	Path   string // Visit.VisitNumber, Patient.Identifiers[0].ID; empty for the whole message
	Field  string // the last member of Path: VisitNumber
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives the error's identity.
func (e *Error) Unwrap() error { return e.Kind }

// Errors are all the problems of one message, in the order of the message.
type Errors []*Error

func (e Errors) Error() string {
	texts := make([]string, len(e))
	for i, one := range e {
		texts[i] = one.Text
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives the problems one by one.
func (e Errors) Unwrap() []error {
	list := make([]error, len(e))
	for i, one := range e {
		list[i] = one
	}
	return list
}

// or is nil where there are no problems; a nil Errors in an error would not be.
func (e Errors) or() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

func problem(kind error, path, text string) *Error {
	field := path[strings.LastIndexByte(path, '.')+1:]
	if i := strings.IndexByte(field, '['); i >= 0 {
		field = field[:i]
	}
	return &Error{Kind: kind, Type: "message", Module: "DataModels", Text: text, Path: path, Field: field}
}

func one(kind error, path, text string) error { return Errors{problem(kind, path, text)} }
