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
		s.Do("PATCH", "Observation/o", `{"resourceType":"Observation"}`).WantOutcome(http.StatusUnsupportedMediaType, "not-supported", "json-patch")
		s.Do("PATCH", "Observation/o", `[]`).WantOutcome(http.StatusUnsupportedMediaType, "not-supported", "json-patch")
		s.Do("PATCH", "Observation/o", `[]`, "Content-Type", "text/plain").WantOutcome(http.StatusUnsupportedMediaType, "not-supported", "json-patch")
		s.Do("PATCH", "Observation/o", `{`).WantOutcome(http.StatusBadRequest, "structure")
		s.Do("PATCH", "Observation/none", `[]`, "Content-Type", "application/json-patch+json").WantOutcome(http.StatusNotFound, "not-found")
		s.Do("DELETE", "Observation/o", "").Want(http.StatusNoContent)
		s.Do("PATCH", "Observation/o", `[]`, "Content-Type", "application/json-patch+json").WantOutcome(http.StatusGone, "deleted")
	})
}

// operation is a FHIRPath Patch of one operation.
func operation(typ, path, parts string) string {
	return `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"` + typ +
		`"},{"name":"path","valueString":"` + path + `"}` + parts + `]}]}`
}

const valueFinal = `,{"name":"value","valueCode":"final"}`

// https://hl7.org/fhir/R4/fhirpatch.html
func fhirPathPatches(t *testing.T, open Open) {
	s := Serve(t, open)
	const was = `{"resourceType":"Observation","id":"o","status":"preliminary","code":{"text":"x"},"valueQuantity":{"value":1.500,"unit":"mg"}}`
	t.Run("in JSON", func(t *testing.T) {
		s := s.In(t)
		s.Put(was)
		a := s.Do("PATCH", "Observation/o", operation("replace", "Observation.status", valueFinal)).Want(http.StatusOK).WantHeader("ETag", `W/"2"`)
		if !bytes.Contains(a.Body, []byte(`"status":"final"`)) || !bytes.Contains(a.Body, []byte(`"value":1.500`)) {
			t.Errorf("%s", a.Body)
		}
		if got := s.Search("Observation?status=final"); got != "o" {
			t.Errorf("found %q", got)
		}
	})
	t.Run("in XML", func(t *testing.T) {
		a := s.In(t).Do("PATCH", "Observation/o", s.inXML(operation("replace", "Observation.status", `,{"name":"value","valueCode":"amended"}`)),
			"Content-Type", "application/fhir+xml").Want(http.StatusOK).WantHeader("ETag", `W/"3"`)
		if !bytes.Contains(a.Body, []byte(`<status value="amended"/>`)) {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("If-Match", func(t *testing.T) {
		s := s.In(t)
		p := operation("replace", "Observation.status", valueFinal)
		s.Do("PATCH", "Observation/o", p, "If-Match", `W/"2"`).WantOutcome(http.StatusPreconditionFailed, "conflict")
		s.Do("PATCH", "Observation/o", p, "If-Match", `W/"3"`).Want(http.StatusOK).WantHeader("ETag", `W/"4"`)
	})
	t.Run("conditional", func(t *testing.T) {
		s := s.In(t)
		s.Do("PATCH", "Observation?status=final", operation("add", "Observation", `,{"name":"name","valueString":"note"},{"name":"value","valueAnnotation":{"text":"n"}}`)).
			Want(http.StatusOK).WantHeader("ETag", `W/"5"`)
		s.Do("PATCH", "Observation?status=amended", operation("delete", "Observation.note", "")).WantOutcome(http.StatusNotFound, "not-found")
	})
	for _, c := range []struct {
		rule, patch string
		status      int
		code        string
	}{
		{"nothing at the path", operation("replace", "Observation.subject", valueFinal), http.StatusUnprocessableEntity, "invalid"},
		{"no operation", operation("remove", "Observation.note", ""), http.StatusBadRequest, "invalid"},
		{"no valid Parameters", `{"resourceType":"Parameters","parameters":[]}`, http.StatusBadRequest, "structure"},
		{"a result that is not valid", operation("delete", "Observation.code", ""), http.StatusBadRequest, "required"},
		{"a result of another id", operation("replace", "Observation.id", `,{"name":"value","valueId":"p"}`), http.StatusBadRequest, "value"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s.In(t).Do("PATCH", "Observation/o", c.patch).WantOutcome(c.status, c.code)
			s.In(t).Get("Observation/o").WantHeader("ETag", `W/"5"`)
		})
	}
	t.Run("within a batch and a transaction", func(t *testing.T) {
		s := s.In(t)
		for i, typ := range []string{"batch", "transaction"} {
			b := s.Do("POST", "", bundleOf(typ, does("PATCH", "Observation/o", operation("replace", "Observation.note[0].text", `,{"name":"value","valueMarkdown":"`+typ+`"}`)))).Bundle(typ + "-response")
			if got := b.statuses(); got != "200" || b.Entry[0].Response.Etag != []string{`W/"6"`, `W/"7"`}[i] {
				t.Errorf("%s: %s %s", typ, got, b.Entry[0].Response.Etag)
			}
		}
		s.Do("POST", "", bundleOf("transaction",
			named("urn:uuid:1", does("POST", "Patient", `{"resourceType":"Patient"}`)),
			does("PATCH", "Observation/o", operation("add", "Observation", `,{"name":"name","valueString":"subject"},{"name":"value","valueReference":{"reference":"urn:uuid:1"}}`)),
		)).Bundle("transaction-response")
		if b := s.Get("Observation?_id=o&_include=Observation:subject").Bundle("searchset"); b.IDs("include") == "" {
			t.Errorf("the reference of a patch is not rewritten: %s", b.Entry[0].Resource)
		}
		a := s.Do("POST", "", bundleOf("transaction", does("PATCH", "Observation/o", operation("delete", "Observation.code", ""))))
		a.WantOutcome(http.StatusBadRequest, "required", "Bundle.entry[0]")
	})
}
