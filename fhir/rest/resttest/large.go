package resttest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// large: a transaction of as many entries as are taken happens as a whole or
// leaves no trace, and one of more is refused.
func large(t *testing.T, open Open) {
	const (
		entries = 10_000
		good    = `{"resource":{"resourceType":"Observation","status":"final","code":{"text":"the last"},` +
			`"subject":{"reference":"urn:uuid:0f2b1f0e-0000-4000-8000-000000000000"}},"request":{"method":"POST","url":"Observation"}}`
	)
	s := Serve(t, open)
	nothing := func(t *testing.T) {
		t.Helper()
		s := s.In(t)
		for _, path := range []string{"Patient?_summary=count", "Observation?_summary=count"} {
			if b := s.Get(path).Bundle("searchset"); b.Total == nil || *b.Total != 0 {
				t.Errorf("%s: %v", path, b.Total)
			}
		}
		if b := s.Get("_history").Bundle("history"); len(b.Entry) != 0 {
			t.Errorf("the history has %d entries", len(b.Entry))
		}
	}
	t.Run("one more is refused", func(t *testing.T) {
		s.In(t).Do(http.MethodPost, "", family(entries+1, good)).WantOutcome(http.StatusRequestEntityTooLarge, "too-costly", "10000")
		nothing(t)
	})
	t.Run("with a fault in the last entry", func(t *testing.T) {
		s.In(t).Do(http.MethodPost, "", family(entries, strings.Replace(good, "final", "no such status", 1))).WantOutcome(http.StatusBadRequest, "code-invalid", "status")
		nothing(t)
	})
	t.Run("with a precondition that does not hold in the last entry", func(t *testing.T) {
		s.In(t).Do(http.MethodPost, "", family(entries,
			`{"request":{"method":"DELETE","url":"Observation/x","ifMatch":"W/\"7\""}}`)).Want(http.StatusPreconditionFailed)
		nothing(t)
	})
	t.Run("whole", func(t *testing.T) {
		s := s.In(t)
		a := s.Do(http.MethodPost, "", family(entries, good)).Want(http.StatusOK).Bundle("transaction-response")
		if len(a.Entry) != entries {
			t.Fatalf("%d entries", len(a.Entry))
		}
		patient := s.Get("Patient").Bundle("searchset").Entry[0].Ref()
		if b := s.Get("Observation?_summary=count&subject=" + patient).Bundle("searchset"); b.Total == nil || *b.Total != entries-1 {
			t.Errorf("%v refer to the patient", b.Total)
		}
	})
}

// family is a transaction with a patient and observations of it, n entries
// together, of which last is the last.
func family(n int, last string) string {
	var b strings.Builder
	b.WriteString(`{"resourceType":"Bundle","type":"transaction","entry":[` +
		`{"fullUrl":"urn:uuid:0f2b1f0e-0000-4000-8000-000000000000","resource":{"resourceType":"Patient","gender":"female"},"request":{"method":"POST","url":"Patient"}}`)
	for i := 1; i < n-1; i++ {
		fmt.Fprintf(&b, `,{"fullUrl":"urn:uuid:0f2b1f0e-0000-4000-8000-%012d","resource":{"resourceType":"Observation","status":"final","code":{"text":"number %d"},`+
			`"subject":{"reference":"urn:uuid:0f2b1f0e-0000-4000-8000-000000000000"}},"request":{"method":"POST","url":"Observation"}}`, i, i)
	}
	b.WriteString(`,` + last + `]}`)
	return b.String()
}
