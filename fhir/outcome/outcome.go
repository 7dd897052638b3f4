// Package outcome is how anything that goes wrong becomes a FHIR
// OperationOutcome (https://hl7.org/fhir/R4/operationoutcome.html).
//
// Code that finds a fault returns an *Error; the REST layer turns whatever
// error reaches it into a status and an OperationOutcome in one place, From.
// Texts name elements, parameters and rules. They never hold a value from a
// resource or a query: values may identify a patient.
package outcome

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fhirfacade/fhirfacade/fhir/terminology"
	"github.com/fhirfacade/fhirfacade/store"
)

// Severity of an issue (http://hl7.org/fhir/issue-severity).
type Severity string

// Severities.
const (
	SeverityError       Severity = "error"
	SeverityWarning     Severity = "warning"
	SeverityInformation Severity = "information"
)

// Code is an issue type (http://hl7.org/fhir/issue-type).
type Code string

// The issue types in use.
const (
	CodeInvalid      Code = "invalid"
	CodeStructure    Code = "structure"
	CodeRequired     Code = "required"
	CodeValue        Code = "value"
	CodeInvariant    Code = "invariant"
	CodeLogin        Code = "login"
	CodeForbidden    Code = "forbidden"
	CodeSecurity     Code = "security"
	CodeNotSupported Code = "not-supported"
	CodeNotFound     Code = "not-found"
	CodeDeleted      Code = "deleted"
	CodeTooLong      Code = "too-long"
	CodeTooCostly    Code = "too-costly"
	CodeConflict     Code = "conflict"
	CodeMultiple     Code = "multiple-matches"
	CodeDuplicate    Code = "duplicate"
	CodeTransient    Code = "transient"
	CodeTimeout      Code = "timeout"
	CodeThrottled    Code = "throttled"
	CodeException    Code = "exception"
	CodeBusinessRule Code = "business-rule"
	CodeIncomplete   Code = "incomplete"
	CodeInformation  Code = "informational"
)

// Issue is one OperationOutcome.issue.
type Issue struct {
	Severity    Severity
	Code        Code
	Diagnostics string
	// Expression is the FHIRPath of the element at fault, if there is one.
	Expression string
	// Line and Column, from 1, are where it stands in the body sent; 0 if unknown.
	Line, Column int
}

// Error is a fault with a status and issues.
type Error struct {
	Status int
	Issues []Issue
	// Cause is for the log and errors.Is, not for the client.
	Cause error
}

func (e *Error) Error() string {
	texts := make([]string, 0, len(e.Issues))
	for _, i := range e.Issues {
		t := i.Diagnostics
		if i.Expression != "" {
			t = i.Expression + ": " + t
		}
		texts = append(texts, t)
	}
	return strings.Join(texts, "; ")
}

func (e *Error) Unwrap() error { return e.Cause }

// New makes an error of one issue.
func New(status int, code Code, format string, args ...any) *Error {
	return &Error{Status: status, Issues: []Issue{{
		Severity: SeverityError, Code: code, Diagnostics: fmt.Sprintf(format, args...),
	}}}
}

// At says which element an error of one issue is about.
func (e *Error) At(expression string) *Error {
	e.Issues[0].Expression = expression
	return e
}

// BadRequest is a 400.
func BadRequest(code Code, format string, args ...any) *Error {
	return New(http.StatusBadRequest, code, format, args...)
}

// From finds the status and issues of any error. What is not known here is
// an internal error whose text stays in the log.
func From(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, terminology.ErrNotHeld):
		return terminologyError(err, http.StatusNotFound, CodeNotFound)
	case errors.Is(err, terminology.ErrTooCostly):
		return terminologyError(err, http.StatusUnprocessableEntity, CodeTooCostly)
	case errors.Is(err, terminology.ErrInvalid):
		return terminologyError(err, http.StatusUnprocessableEntity, CodeInvalid)
	case errors.Is(err, terminology.ErrServer):
		return terminologyError(err, http.StatusBadGateway, CodeTransient)
	case errors.Is(err, terminology.ErrUnavailable):
		return terminologyError(err, http.StatusServiceUnavailable, CodeTransient)
	case errors.Is(err, store.ErrNotFound):
		return with(err, New(http.StatusNotFound, CodeNotFound, "There is no such resource."))
	case errors.Is(err, store.ErrConflict):
		return with(err, New(http.StatusConflict, CodeConflict, "The resource was changed by someone else meanwhile. Read it again and repeat."))
	case errors.Is(err, store.ErrGuard):
		return with(err, New(http.StatusPreconditionFailed, CodeConflict, "What the criteria match was changed by someone else meanwhile. Repeat the request."))
	case errors.Is(err, store.ErrTooLarge):
		return with(err, New(http.StatusRequestEntityTooLarge, CodeTooLong, "The resource is larger than this server stores."))
	case errors.Is(err, store.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		return with(err, New(http.StatusServiceUnavailable, CodeTimeout, "The request took longer than the server allows. Narrow it down or try later."))
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed), errors.Is(err, context.Canceled):
		return with(err, New(http.StatusServiceUnavailable, CodeTransient, "The server cannot reach its storage now. Try again later."))
	}
	return with(err, New(http.StatusInternalServerError, CodeException, "The server failed to answer. Its log has the reason."))
}

// terminologyError takes over the text, which names canonical URLs and rules.
func terminologyError(err error, status int, code Code) *Error {
	var t *terminology.Error
	if !errors.As(err, &t) {
		return with(err, New(status, code, "The terminology that this needs cannot be used."))
	}
	return with(err, New(status, code, "%s", t.Text))
}

func with(cause error, e *Error) *Error {
	e.Cause = cause
	return e
}

type jsonIssue struct {
	Severity    Severity  `json:"severity"`
	Code        Code      `json:"code"`
	Details     *jsonText `json:"details,omitempty"`
	Diagnostics string    `json:"diagnostics,omitempty"`
	Location    []string  `json:"location,omitempty"`
	Expression  []string  `json:"expression,omitempty"`
}

type jsonText struct {
	Text string `json:"text"`
}

// JSON is the OperationOutcome resource of issues.
func JSON(issues []Issue) []byte {
	out := struct {
		ResourceType string      `json:"resourceType"`
		Issue        []jsonIssue `json:"issue"`
	}{ResourceType: "OperationOutcome"}
	for _, i := range issues {
		j := jsonIssue{Severity: i.Severity, Code: i.Code, Details: &jsonText{i.Diagnostics}, Diagnostics: i.Diagnostics}
		if i.Expression != "" {
			j.Expression = []string{i.Expression}
		}
		if i.Line > 0 {
			j.Location = []string{fmt.Sprintf("line %d column %d", i.Line, i.Column)}
		}
		out.Issue = append(out.Issue, j)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(out) // strings and numbers only: cannot fail
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
