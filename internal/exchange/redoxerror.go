package exchange

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/store"
)

// RedoxError is one of Meta.Errors (Redox: errors). Texts name fields and
// rules, never values.
type RedoxError struct {
	ID     int64  `json:"ID"`
	Text   string `json:"Text"`
	Type   string `json:"Type"`
	Module string `json:"Module"`
	// DestinationStatusCode and Details are what the system that was asked
	// answered.
	DestinationStatusCode int    `json:"DestinationStatusCode,omitempty"`
	Details               string `json:"Details,omitempty"`
}

// Failure is why a message was refused: the HTTP status and Meta.Errors.
type Failure struct {
	Status int
	Errors []RedoxError
	// cause is for the log.
	cause error
}

func (f *Failure) Error() string {
	if len(f.Errors) == 0 {
		return http.StatusText(f.Status)
	}
	return f.Errors[0].Text
}

func (f *Failure) Unwrap() error { return f.cause }

// Permanent reports whether the same message will fail again, so that
// whoever holds it need not repeat it.
func (f *Failure) Permanent() bool { return f.Status < http.StatusInternalServerError }

// Modules that errors name.
const (
	moduleDataModels    = "DataModels"
	moduleSubscriptions = "Subscriptions"
	moduleIdentity      = "Identity"
	moduleServer        = "Server"
)

func failure(status int, module, text string) *Failure {
	return &Failure{Status: status, Errors: []RedoxError{{Text: text, Type: "message", Module: module}}}
}

// withIDs gives errors numbers, by which people speak of them: those of the
// log are those of the answer.
func withIDs(errs []RedoxError, at time.Time) []RedoxError {
	for i := range errs {
		if errs[i].ID == 0 {
			errs[i].ID = at.UnixMilli()*100 + int64(i)
		}
	}
	return errs
}

// failureOf gives any error of the way from text to commit its status and
// Redox's form.
func failureOf(err error) *Failure {
	var f *Failure
	var several redox.Errors
	var one *redox.Error
	var o *outcome.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &several):
		f = &Failure{Status: http.StatusBadRequest, cause: err}
		for _, e := range several {
			f.Errors = append(f.Errors, RedoxError{Text: e.Text, Type: e.Type, Module: e.Module})
		}
		return f
	case errors.As(err, &one):
		return &Failure{Status: http.StatusBadRequest, cause: err, Errors: []RedoxError{{Text: one.Text, Type: one.Type, Module: one.Module}}}
	case errors.As(err, &o) && o.Status < http.StatusInternalServerError:
		// The FHIR that the message became is not valid: the message holds
		// what R4 does not allow.
		f = &Failure{Status: http.StatusBadRequest, cause: err}
		for _, i := range o.Issues {
			text := i.Diagnostics
			if i.Expression != "" {
				text = i.Expression + ": " + text
			}
			f.Errors = append(f.Errors, RedoxError{Text: text, Type: "message", Module: moduleDataModels})
		}
		return f
	case errors.Is(err, store.ErrTooLarge):
		f = failure(http.StatusRequestEntityTooLarge, moduleServer, "The message is larger than this server takes.")
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrTimeout),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrGuard):
		f = failure(http.StatusServiceUnavailable, moduleServer, "The message cannot be stored now. Send it again later.")
	default:
		f = failure(http.StatusInternalServerError, moduleServer, "The message could not be processed. The server's log has the reason.")
	}
	f.cause = err
	return f
}
