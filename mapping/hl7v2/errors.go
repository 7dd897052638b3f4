package hl7v2

import (
	"errors"
	"strings"
)

// The identities of what can be wrong with a message: errors.Is finds them in
// what this package returns.
var (
	ErrHeader      = errors.New("not an HL7 v2 message")
	ErrDelimiters  = errors.New("wrong delimiters")
	ErrSize        = errors.New("too large")
	ErrCharset     = errors.New("wrong character set")
	ErrPath        = errors.New("wrong path")
	ErrFrame       = errors.New("wrong frame")
	ErrSequence    = errors.New("segment sequence error")
	ErrRequired    = errors.New("required field missing")
	ErrDataType    = errors.New("data type error")
	ErrTable       = errors.New("table value not found")
	ErrMessageType = errors.New("unsupported message type")
	ErrEvent       = errors.New("unsupported event code")
	ErrProcessing  = errors.New("unsupported processing id")
	ErrVersion     = errors.New("unsupported version id")
	ErrDuplicate   = errors.New("duplicate key identifier")
	ErrInternal    = errors.New("application internal error")
)

// conditions are the codes of table 0357, message error condition, and the
// acknowledgement that goes with them: a rejection is for what no change of
// the content would help. HL7 v2.5.1 § 2.9.2.2.
var conditions = []struct {
	kind   error
	code   string
	text   string
	reject bool
}{
	{ErrSequence, "100", "Segment sequence error", false},
	{ErrRequired, "101", "Required field missing", false},
	{ErrDataType, "102", "Data type error", false},
	{ErrCharset, "102", "Data type error", false},
	{ErrTable, "103", "Table value not found", false},
	{ErrHeader, "100", "Segment sequence error", true},
	{ErrDelimiters, "102", "Data type error", true},
	{ErrMessageType, "200", "Unsupported message type", true},
	{ErrEvent, "201", "Unsupported event code", true},
	{ErrProcessing, "202", "Unsupported processing id", true},
	{ErrVersion, "203", "Unsupported version id", true},
	{ErrSize, "207", "Application internal error", true},
	{ErrFrame, "207", "Application internal error", true},
	{ErrDuplicate, "205", "Duplicate key identifier", false},
	{ErrInternal, "207", "Application internal error", true},
}

// Error is one problem of a message. Its text names segments, fields and
// rules and never a value, which may be a patient's.
type Error struct {
	Kind error
	Path Path   // the zero Path for the whole message
	Rule string // "PID-3 is required in ADT_A01"
}

func (e *Error) Error() string {
	text := e.Kind.Error()
	if e.Rule != "" {
		text += ": " + e.Rule
	}
	if where := e.Path.String(); where != "" && !strings.Contains(e.Rule, where) {
		text += " (" + where + ")"
	}
	return text
}

// Unwrap gives the error's identity.
func (e *Error) Unwrap() error { return e.Kind }

// Condition is the code and the text of table 0357 for the error.
func (e *Error) Condition() (code, text string) {
	for _, c := range conditions {
		if errors.Is(e.Kind, c.kind) {
			return c.code, c.text
		}
	}
	return "207", "Application internal error"
}

// Reject tells whether the error is answered with AR rather than AE.
func (e *Error) Reject() bool {
	for _, c := range conditions {
		if errors.Is(e.Kind, c.kind) {
			return c.reject
		}
	}
	return true
}

// Errors are all the problems of one message.
type Errors []*Error

func (e Errors) Error() string {
	texts := make([]string, len(e))
	for i, one := range e {
		texts[i] = one.Error()
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

// Or is nil where there are no problems; a nil Errors in an error would not
// be.
func (e Errors) Or() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

func problem(kind error, path Path, rule string) *Error {
	return &Error{Kind: kind, Path: path, Rule: rule}
}
