package resttest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// https://hl7.org/fhir/R4/http.html#ccreate, #cond-update, #3.1.0.7.1
func conditionals(t *testing.T, open Open) {
	s := Serve(t, open)
	for name, test := range map[string]func(s *Server){
		"create": createIfNone, "update": updateWhere, "delete": deleteWhere, "patch": patchWhere, "race": race,
	} {
		t.Run(name, func(t *testing.T) {
			s := s.In(t).On(name + "/test")
			s.Put(
				`{"resourceType":"Patient","id":"one","identifier":[{"system":"urn:mrn","value":"1"}],"gender":"male"}`,
				`{"resourceType":"Patient","id":"two","identifier":[{"system":"urn:mrn","value":"2"}],"gender":"male"}`,
			)
			test(s)
		})
	}
}

func mrn(n int) string {
	return fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"%d"}]}`, n)
}

func createIfNone(s *Server) {
	s.Do("POST", "Patient", mrn(1), "If-None-Exist", "identifier=urn:mrn|1").Want(http.StatusOK).
		WantHeader("ETag", `W/"1"`).WantHeader("Location", s.Base+"/Patient/one/_history/1")
	s.Do("POST", "Patient", mrn(3), "If-None-Exist", "identifier=urn:mrn%7C3").Want(http.StatusCreated)
	s.Do("POST", "Patient", mrn(3), "If-None-Exist", "identifier=urn:mrn%7C3").Want(http.StatusOK)
	s.Do("POST", "Patient", mrn(3), "If-None-Exist", "gender=male").WantOutcome(http.StatusPreconditionFailed, "multiple-matches")
	s.Do("POST", "Patient", mrn(3), "If-None-Exist", "shoesize=44").WantOutcome(http.StatusBadRequest, "not-supported", "shoesize")
	s.Do("POST", "Patient", mrn(3), "If-None-Exist", "shoesize=44", "Prefer", "handling=lenient").Want(http.StatusBadRequest)
	s.Do("POST", "Patient", mrn(3), "If-None-Exist", "_count=1").WantOutcome(http.StatusBadRequest, "value", "Criteria")
	s.Do("POST", "Patient", mrn(3), "If-None-Exist", "&").WantOutcome(http.StatusBadRequest, "required", "criteria")
	if got := s.Search("Patient"); strings.Count(got, " ") != 2 {
		s.Errorf("patients: %s", got)
	}
}

func updateWhere(s *Server) {
	a := s.Do("PUT", "Patient?identifier=urn:mrn|1", mrn(1)).Want(http.StatusOK).WantHeader("ETag", `W/"2"`)
	if !strings.Contains(string(a.Body), `"id":"one"`) {
		s.Errorf("the match is updated: %s", a.Body)
	}
	s.Do("PUT", "Patient?identifier=urn:mrn|9", mrn(9)).Want(http.StatusCreated)
	s.Do("PUT", "Patient?identifier=urn:mrn|8", `{"resourceType":"Patient","id":"eight","identifier":[{"system":"urn:mrn","value":"8"}]}`).
		Want(http.StatusCreated).WantHeader("Location", s.Base+"/Patient/eight/_history/1")
	s.Do("PUT", "Patient?identifier=urn:mrn|2", `{"resourceType":"Patient","id":"two"}`).Want(http.StatusOK)
	s.Do("PUT", "Patient?identifier=urn:mrn|8", `{"resourceType":"Patient","id":"other"}`).WantOutcome(http.StatusBadRequest, "value", "Patient.id")
	s.Do("PUT", "Patient?identifier=urn:mrn|8", mrn(8), "If-Match", `W/"7"`).WantOutcome(http.StatusPreconditionFailed, "conflict")
	s.Do("PUT", "Patient?identifier:missing=false", mrn(8)).WantOutcome(http.StatusPreconditionFailed, "multiple-matches")
	s.Do("PUT", "Patient", mrn(8)).WantOutcome(http.StatusPreconditionFailed, "required")
	s.Do("PUT", "Patient?_sort=name", mrn(8)).WantOutcome(http.StatusBadRequest, "value")
}

func deleteWhere(s *Server) {
	s.Do("DELETE", "Patient?identifier=urn:mrn|1", "").Want(http.StatusNoContent)
	s.Get("Patient/one").Want(http.StatusGone)
	s.Do("DELETE", "Patient?identifier=urn:mrn|1", "").Want(http.StatusNoContent)
	s.Put(`{"resourceType":"Patient","id":"three","gender":"male"}`)
	s.Do("DELETE", "Patient?gender=male", "").WantOutcome(http.StatusPreconditionFailed, "multiple-matches")
	s.Do("DELETE", "Patient", "").WantOutcome(http.StatusPreconditionFailed, "required")
	s.Do("DELETE", "Patient?_count=1", "").WantOutcome(http.StatusBadRequest, "value")
	s.Do("DELETE", "Patient?shoesize=1", "", "Prefer", "handling=lenient").WantOutcome(http.StatusBadRequest, "not-supported")
	if got := s.Search("Patient"); got != "two three" {
		s.Errorf("left: %s", got)
	}
}

func patchWhere(s *Server) {
	const patch = `[{"op":"replace","path":"/gender","value":"female"}]`
	ct := []string{"Content-Type", "application/json-patch+json"}
	s.Do("PATCH", "Patient?identifier=urn:mrn|1", patch, ct...).Want(http.StatusOK).WantHeader("ETag", `W/"2"`)
	s.Do("PATCH", "Patient?identifier=urn:mrn|7", patch, ct...).WantOutcome(http.StatusNotFound, "not-found")
	s.Do("PATCH", "Patient?identifier:missing=false", patch, ct...).WantOutcome(http.StatusPreconditionFailed, "multiple-matches")
}

// Whoever loses a race finds what the winner made.
func race(s *Server) {
	const writers = 16
	var all sync.WaitGroup
	created := make([]int, writers)
	for i := range writers {
		all.Go(func() {
			created[i] = s.Do("POST", "Patient", mrn(77), "If-None-Exist", "identifier=urn:mrn|77").Status
		})
	}
	all.Wait()
	n := 0
	for _, status := range created {
		switch status {
		case http.StatusCreated:
			n++
		case http.StatusOK:
		default:
			s.Errorf("status %d", status)
		}
	}
	if got := s.Search("Patient?identifier=urn:mrn|77"); n != 1 || strings.Contains(got, " ") {
		s.Errorf("%d created, found %q", n, got)
	}
}
