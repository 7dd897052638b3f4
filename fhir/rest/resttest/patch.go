package resttest

import (
	"bytes"
	"net/http"
	"testing"
)

// https://hl7.org/fhir/R4/http.html#patch
func patches(t *testing.T, open Open) {
	s := Serve(t, open)
	const was = `{"resourceType":"Observation","id":"o","status":"preliminary","code":{"text":"x"},"valueQuantity":{"value":1.500,"unit":"mg"},"extension":[{"url":"http://e.org/a","valueDecimal":0.10}]}`
	patch := func(t *testing.T, body string, headers ...string) *Answer {
		return s.In(t).Do("PATCH", "Observation/o", body, append([]string{"Content-Type", "application/json-patch+json"}, headers...)...)
	}
	t.Run("applied", func(t *testing.T) {
		s.In(t).Put(was)
		a := patch(t, `[{"op":"test","path":"/status","value":"preliminary"},{"op":"replace","path":"/status","value":"final"},{"op":"add","path":"/note","value":[{"text":"<ok> & done"}]}]`).
			Want(http.StatusOK).WantHeader("ETag", `W/"2"`)
		for _, kept := range []string{`"value":1.500`, `"valueDecimal":0.10`, `<ok> & done`, `"versionId":"2"`} {
			if !bytes.Contains(a.Body, []byte(kept)) {
				t.Errorf("%s is not in %s", kept, a.Body)
			}
		}
		if got := s.In(t).Search("Observation?status=final"); got != "o" {
			t.Errorf("found %q", got)
		}
	})
	for _, c := range []struct {
		rule, patch string
		status      int
		code        string
	}{
		{"a failed test", `[{"op":"test","path":"/status","value":"amended"},{"op":"remove","path":"/note"}]`, http.StatusUnprocessableEntity, "conflict"},
		{"a path that is not there", `[{"op":"remove","path":"/subject"}]`, http.StatusUnprocessableEntity, "invalid"},
		{"an operation that is none", `[{"op":"append","path":"/status","value":"x"}]`, http.StatusBadRequest, "invalid"},
		{"an operation without a path", `[{"op":"remove"}]`, http.StatusBadRequest, "invalid"},
		{"no operations", `{"op":"remove","path":"/status"}`, http.StatusBadRequest, "invalid"},
		{"no JSON", `[`, http.StatusBadRequest, "invalid"},
		{"a result that is not valid", `[{"op":"remove","path":"/code"}]`, http.StatusBadRequest, "required"},
		{"a result of another id", `[{"op":"replace","path":"/id","value":"p"}]`, http.StatusBadRequest, "value"},
		{"a result of another type", `[{"op":"replace","path":"/resourceType","value":"Patient"}]`, http.StatusBadRequest, "structure"},
	} {
		t.Run(c.rule, func(t *testing.T) { patch(t, c.patch).WantOutcome(c.status, c.code) })
	}
	t.Run("nothing of a refused patch is kept", func(t *testing.T) {
		s.In(t).Get("Observation/o").WantHeader("ETag", `W/"2"`)
	})
	t.Run("If-Match", func(t *testing.T) {
		const p = `[{"op":"replace","path":"/status","value":"amended"}]`
		patch(t, p, "If-Match", `W/"1"`).WantOutcome(http.StatusPreconditionFailed, "conflict")
		patch(t, p, "If-Match", `W/"2"`).Want(http.StatusOK).WantHeader("ETag", `W/"3"`)
	})
	t.Run("formats", func(t *testing.T) {
		s := s.In(t)
		s.Do("PATCH", "Observation/o", `{"resourceType":"Parameters"}`).WantOutcome(http.StatusUnsupportedMediaType, "not-supported", "json-patch")
		s.Do("PATCH", "Observation/none", `[]`, "Content-Type", "application/json-patch+json").WantOutcome(http.StatusNotFound, "not-found")
		s.Do("DELETE", "Observation/o", "").Want(http.StatusNoContent)
		s.Do("PATCH", "Observation/o", `[]`, "Content-Type", "application/json-patch+json").WantOutcome(http.StatusGone, "deleted")
	})
}
