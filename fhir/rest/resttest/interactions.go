package resttest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// https://hl7.org/fhir/R4/http.html
func interactions(t *testing.T, open Open) {
	for name, test := range map[string]func(s *Server){
		"create": create, "read": read, "update": update, "delete": remove,
		"versions": versions, "prefer": prefer, "bodies": bodies, "urls": urls, "tenants": tenants,
	} {
		t.Run(name, func(t *testing.T) { test(Serve(t, open)) })
	}
}

func create(s *Server) {
	a := s.Do("POST", "Patient", `{"resourceType":"Patient","id":"mine","active":true}`).Want(http.StatusCreated)
	var p struct {
		ID     string
		Active bool
		Meta   struct{ VersionID, LastUpdated string }
	}
	a.Decode(&p)
	if p.ID == "mine" || p.ID == "" || !p.Active {
		s.Errorf("the server assigns the id and keeps the rest: %s", a.Body)
	}
	a.WantHeader("Location", s.Base+"/Patient/"+p.ID+"/_history/1")
	a.WantHeader("ETag", `W/"1"`)
	a.WantHeader("Last-Modified", "Sun, 01 Mar 2026 12:00:00 GMT")
	a.WantHeader("Content-Type", "application/fhir+json; charset=utf-8")
	if p.Meta.VersionID != "1" || p.Meta.LastUpdated != "2026-03-01T12:00:00.000Z" {
		s.Errorf("meta: %+v", p.Meta)
	}
	s.Get(a.Header.Get("Location")).Want(http.StatusOK)
	s.Do("POST", "Patient", `{"resourceType":"Patient","meta":{"versionId":"9","lastUpdated":"1999-01-01T00:00:00Z","tag":[{"code":"x"}]}}`).
		Want(http.StatusCreated).Decode(&p)
	if p.Meta.VersionID != "1" || p.Meta.LastUpdated != "2026-03-01T12:00:00.000Z" {
		s.Errorf("the server's versionId and lastUpdated replace the client's: %+v", p.Meta)
	}
	s.Do("POST", "Patient", `{"resourceType":"Observation","status":"final","code":{"text":"x"}}`).
		WantOutcome(http.StatusBadRequest, "invalid", "Patient", "Observation")
}

func read(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"p"}`)
	a := s.Get("Patient/p").Want(http.StatusOK).WantHeader("ETag", `W/"1"`).
		WantHeader("Last-Modified", "Sun, 01 Mar 2026 12:00:00 GMT")
	head := s.Do("HEAD", "Patient/p", "").Want(http.StatusOK).WantHeader("ETag", `W/"1"`)
	if len(head.Body) != 0 || head.Header.Get("Content-Length") != itoa(len(a.Body)) {
		s.Errorf("HEAD: %d bytes, Content-Length %s; GET has %d", len(head.Body), head.Header.Get("Content-Length"), len(a.Body))
	}
	for _, c := range []struct {
		rule, header, value string
		status              int
	}{
		{"If-None-Match of the version", "If-None-Match", `W/"1"`, http.StatusNotModified},
		{"If-None-Match, strong", "If-None-Match", `"1"`, http.StatusNotModified},
		{"If-None-Match, one of a list", "If-None-Match", `W/"7", W/"1"`, http.StatusNotModified},
		{"If-None-Match of any", "If-None-Match", `*`, http.StatusNotModified},
		{"If-None-Match of another version", "If-None-Match", `W/"11"`, http.StatusOK},
		{"If-Modified-Since then", "If-Modified-Since", "Sun, 01 Mar 2026 12:00:00 GMT", http.StatusNotModified},
		{"If-Modified-Since before", "If-Modified-Since", "Sun, 01 Mar 2026 11:59:59 GMT", http.StatusOK},
	} {
		a := s.Get("Patient/p", c.header, c.value)
		if a.Status != c.status {
			s.Errorf("%s: %d, want %d", c.rule, a.Status, c.status)
		}
		a.WantHeader("ETag", `W/"1"`)
	}
	s.Get("Patient/nobody").WantOutcome(http.StatusNotFound, "not-found")
	s.Get("Patient/p?gender=male").WantOutcome(http.StatusBadRequest, "not-supported", "gender")
}

func update(s *Server) {
	v1 := s.Do("PUT", "Patient/p", `{"resourceType":"Patient","id":"p","active":true}`).Want(http.StatusCreated)
	v1.WantHeader("Location", s.Base+"/Patient/p/_history/1").WantHeader("ETag", `W/"1"`)
	s.Clock.Advance(time.Second)
	s.Do("PUT", "Patient/p", `{"resourceType":"Patient","id":"p","active":false}`).Want(http.StatusOK).
		WantHeader("ETag", `W/"2"`).WantHeader("Last-Modified", "Sun, 01 Mar 2026 12:00:01 GMT").WantHeader("Location", "")
	if got := s.Search("Patient?active=false"); got != "p" {
		s.Errorf("the new version is not found: %q", got)
	}
	if got := s.Search("Patient?active=true"); got != "" {
		s.Errorf("the old version is still found: %q", got)
	}
	s.Do("PUT", "Patient/p", `{"resourceType":"Patient"}`).WantOutcome(http.StatusBadRequest, "required", "Patient.id")
	s.Do("PUT", "Patient/p", `{"resourceType":"Patient","id":"q"}`).WantOutcome(http.StatusBadRequest, "value", "Patient.id")
	s.Do("PUT", "Patient/p", `{"resourceType":"Group","id":"p","type":"person","actual":true}`).WantOutcome(http.StatusBadRequest, "invalid")

	const third = `{"resourceType":"Patient","id":"p"}`
	s.Do("PUT", "Patient/p", third, "If-Match", `W/"1"`).WantOutcome(http.StatusPreconditionFailed, "conflict", "If-Match")
	s.Do("PUT", "Patient/p", third, "If-Match", `W/"x"`).WantOutcome(http.StatusBadRequest, "value", "If-Match")
	s.Do("PUT", "Patient/p", third, "If-Match", `W/"2"`).Want(http.StatusOK).WantHeader("ETag", `W/"3"`)
	s.Do("PUT", "Patient/absent", `{"resourceType":"Patient","id":"absent"}`, "If-Match", `W/"1"`).
		WantOutcome(http.StatusPreconditionFailed, "conflict")
	s.Get("Patient/absent").Want(http.StatusNotFound)
	s.Do("PUT", "Patient/p", third, "If-None-Match", "*").WantOutcome(http.StatusPreconditionFailed, "conflict", "If-None-Match")
	s.Do("PUT", "Patient/p", third, "If-None-Match", `W/"1"`).WantOutcome(http.StatusBadRequest, "not-supported", "If-None-Match")
	s.Do("PUT", "Patient/fresh", `{"resourceType":"Patient","id":"fresh"}`, "If-None-Match", "*").Want(http.StatusCreated)
}

func remove(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"p","active":true}`)
	s.Do("DELETE", "Patient/p", "", "If-Match", `W/"2"`).WantOutcome(http.StatusPreconditionFailed, "conflict")
	s.Do("DELETE", "Patient/p", "").Want(http.StatusNoContent).WantHeader("ETag", `W/"2"`)
	s.Get("Patient/p").WantOutcome(http.StatusGone, "deleted")
	s.Get("Patient/p/_history/2").WantOutcome(http.StatusGone, "deleted")
	s.Get("Patient/p/_history/1").Want(http.StatusOK)
	if got := s.Search("Patient"); got != "" {
		s.Errorf("a deleted resource is found: %q", got)
	}
	s.Do("DELETE", "Patient/p", "").Want(http.StatusNoContent)
	s.Do("DELETE", "Patient/never", "").Want(http.StatusNoContent)
	s.Do("PUT", "Patient/p", `{"resourceType":"Patient","id":"p"}`).Want(http.StatusCreated).WantHeader("ETag", `W/"3"`)
	s.Get("Patient/p").Want(http.StatusOK)
}

func versions(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"p","active":true}`, `{"resourceType":"Patient","id":"p","active":false}`)
	a := s.Get("Patient/p/_history/1").Want(http.StatusOK).WantHeader("ETag", `W/"1"`)
	if !bytes.Contains(a.Body, []byte(`"active":true`)) {
		s.Errorf("version 1: %s", a.Body)
	}
	for _, version := range []string{"3", "0", "-1", "x", "1.0", "99999999999999999999"} {
		s.Get("Patient/p/_history/"+version).WantOutcome(http.StatusNotFound, "not-found")
	}
}

func prefer(s *Server) {
	const p = `{"resourceType":"Patient"}`
	if a := s.Do("POST", "Patient", p, "Prefer", "return=minimal").Want(http.StatusCreated); len(a.Body) != 0 || a.Header.Get("Location") == "" {
		s.Errorf("minimal: %s", a.Body)
	}
	if a := s.Do("POST", "Patient", p, "Prefer", "return=representation").Want(http.StatusCreated); !bytes.Contains(a.Body, []byte(`"Patient"`)) {
		s.Errorf("representation: %s", a.Body)
	}
	s.Do("POST", "Patient", p, "Prefer", "return=OperationOutcome").WantOutcome(http.StatusCreated, "informational")
	s.Do("POST", "Patient", p, "Prefer", "respond-async, return=OperationOutcome; handling=lenient").WantOutcome(http.StatusCreated, "informational")
}

func bodies(s *Server) {
	for _, c := range []struct{ rule, body, code, says string }{
		{"no body", "", "required", "body"},
		{"not JSON", "{\n  \"resourceType\": \"Patient\",\n  oops\n}", "structure", "line 3 column 3"},
		{"cut off", `{"resourceType":"Patient"`, "structure", "line 1 column"},
		{"not an object", `["Patient"]`, "structure", ""},
		{"no resourceType", `{"id":"x"}`, "", "resourceType"},
		{"an unknown resourceType", `{"resourceType":"Nonsense"}`, "", "resourceType"},
		{"an unknown element", `{"resourceType":"Patient","gendre":"male"}`, "structure", "Patient"},
		{"a wrong type", `{"resourceType":"Patient","active":"yes"}`, "", "Patient.active"},
		{"a wrong code", `{"resourceType":"Patient","gender":"m"}`, "code-invalid", "Patient.gender"},
		{"a missing element", `{"resourceType":"Observation","status":"final"}`, "required", "code"},
		{"a member twice", `{"resourceType":"Patient","active":true,"active":false}`, "structure", ""},
		{"two values", `{"resourceType":"Patient"} {}`, "structure", ""},
		{"a byte order mark", "\ufeff" + `{"resourceType":"Patient"}`, "structure", ""},
		{"an id that is none", `{"resourceType":"Patient","id":"a b"}`, "value", "Patient.id"},
	} {
		a := s.Do("POST", "Patient", c.body).Want(http.StatusBadRequest)
		var o Outcome
		a.Decode(&o)
		if len(o.Issue) == 0 || c.code != "" && o.Issue[0].Code != c.code || !strings.Contains(string(a.Body), c.says) {
			s.Errorf("%s: want code %q and %q in %s", c.rule, c.code, c.says, a.Body)
		}
	}
	secret := "very-private-value"
	a := s.Do("POST", "Patient", `{"resourceType":"Patient","gender":"`+secret+`","birthDate":"`+secret+`","`+secret+`":1}`).Want(http.StatusBadRequest)
	if bytes.Contains(a.Body, []byte(secret)) {
		s.Errorf("the outcome quotes a value: %s", a.Body)
	}
	large := `{"resourceType":"Binary","contentType":"text/plain","data":"` + strings.Repeat("AAAA", MaxBody/4) + `"}`
	s.Do("POST", "Binary", large).WantOutcome(http.StatusRequestEntityTooLarge, "too-long", itoa(MaxBody))
}

func urls(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"p"}`)
	s.Get("Patients").WantOutcome(http.StatusNotFound, "not-supported", "Patients")
	s.Get("patient/p").WantOutcome(http.StatusNotFound, "not-supported", "patient")
	s.Get("Resource").WantOutcome(http.StatusNotFound, "not-supported")
	s.Get("Patient/a_b").WantOutcome(http.StatusNotFound, "not-found")
	s.Get("Patient/"+strings.Repeat("x", 65)).WantOutcome(http.StatusNotFound, "not-found")
	s.Do("PUT", "Patient/a_b", `{"resourceType":"Patient","id":"a_b"}`).WantOutcome(http.StatusNotFound, "not-found")
	s.Put(`{"resourceType":"Patient","id":"` + strings.Repeat("x", 64) + `"}`)
	s.Get("Patient/p/$nothing").WantOutcome(http.StatusNotFound, "not-supported", "$nothing")
	s.Do("POST", "Patient/$nothing", "{}").WantOutcome(http.StatusNotFound, "not-supported", "$nothing")
	s.Get("Patient/_search").WantOutcome(http.StatusMethodNotAllowed, "not-supported")
	s.Do("PUT", "Patient/p/_history/1", "{}").Want(http.StatusNotFound)

	var c struct{ ResourceType, FhirVersion string }
	s.Get("metadata").Want(http.StatusOK).Decode(&c)
	if c.ResourceType != "CapabilityStatement" || c.FhirVersion != "4.0.1" {
		s.Errorf("metadata: %+v", c)
	}
	// A base may be written with a slash at its end.
	empty := `{"resourceType":"Bundle","type":"batch"}`
	s.Do("POST", "", empty).Bundle("batch-response")
	s.Do("POST", s.Base+"/", empty).Bundle("batch-response")
	s.Get(s.Base + "/?_type=Patient").Bundle("searchset")
	s.Do("POST", "Patient/_search", "_id=p", "Content-Type", "application/x-www-form-urlencoded").Bundle("searchset")
}

func tenants(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"p","active":true}`)
	other := s.On("tenants/other")
	other.Get("Patient/p").Want(http.StatusNotFound)
	other.Get("Patient/p/_history/1").Want(http.StatusNotFound)
	other.Get("Patient/p/_history").Want(http.StatusNotFound)
	if got := other.Search("Patient?active=true"); got != "" {
		s.Errorf("another tenant finds %q", got)
	}
	other.Put(`{"resourceType":"Patient","id":"p","active":false}`)
	if got := s.Search("Patient?active=true"); got != "p" {
		s.Errorf("another tenant's write changed this one's: %q", got)
	}
	s.On("unknown/test").Get("Patient").WantOutcome(http.StatusNotFound, "not-found")
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }
