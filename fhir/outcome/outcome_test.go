package outcome

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

func TestFrom(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   Code
	}{
		{store.ErrNotFound, http.StatusNotFound, CodeNotFound},
		{&store.ConflictError{Current: 3}, http.StatusConflict, CodeConflict},
		{&store.GuardError{}, http.StatusPreconditionFailed, CodeConflict},
		{store.ErrTooLarge, http.StatusRequestEntityTooLarge, CodeTooLong},
		{store.ErrTimeout, http.StatusServiceUnavailable, CodeTimeout},
		{context.DeadlineExceeded, http.StatusServiceUnavailable, CodeTimeout},
		{store.ErrUnavailable, http.StatusServiceUnavailable, CodeTransient},
		{store.ErrClosed, http.StatusServiceUnavailable, CodeTransient},
		{errors.New("driver says: patient Chalmers"), http.StatusInternalServerError, CodeException},
		{BadRequest(CodeValue, "wrong"), http.StatusBadRequest, CodeValue},
	} {
		for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err)} {
			e := From(err)
			if e.Status != c.status || e.Issues[0].Code != c.code {
				t.Errorf("%v: %d %s, want %d %s", err, e.Status, e.Issues[0].Code, c.status, c.code)
			}
			if strings.Contains(string(JSON(e.Issues)), "Chalmers") {
				t.Errorf("the outcome of %v shows its text", err)
			}
			if !errors.Is(e, c.err) {
				t.Errorf("%v is lost", err)
			}
		}
	}
}

func TestJSONIsAnOperationOutcome(t *testing.T) {
	b := JSON([]Issue{
		{Severity: SeverityError, Code: CodeValue, Diagnostics: `a "quoted" <text>`, Expression: "Patient.name[0]", Line: 3, Column: 7},
		{Severity: SeverityWarning, Code: CodeIncomplete, Diagnostics: "b"},
		{Severity: SeverityInformation, Code: CodeInformation, Diagnostics: "c"},
	})
	for _, issue := range conformance.ValidateStructure(b) {
		t.Errorf("%s: %s", issue.Expression, issue.Diagnostics)
	}
	for _, want := range []string{`"line 3 column 7"`, `"Patient.name[0]"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	for _, code := range []Code{
		CodeInvalid, CodeStructure, CodeRequired, CodeValue, CodeInvariant, CodeLogin, CodeForbidden, CodeNotSupported, CodeNotFound, CodeDeleted,
		CodeTooLong, CodeTooCostly, CodeConflict, CodeMultiple, CodeDuplicate, CodeTransient, CodeTimeout, CodeThrottled, CodeException,
		CodeBusinessRule, CodeIncomplete, CodeInformation,
	} {
		if issues := conformance.ValidateStructure(JSON([]Issue{{Severity: SeverityError, Code: code, Diagnostics: "x"}})); len(issues) > 0 {
			t.Errorf("%s is no issue type: %s", code, issues[0].Diagnostics)
		}
	}
}
