package resttest

import (
	"net/http"
	"strings"
)

// validatesModes checks what $validate is asked for besides a resource.
func validatesModes(s *Server) {
	const patient = `{"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">P</div>"}`
	const definition = "http://hl7.org/fhir/StructureDefinition/"
	do := func(path, body string) *Answer { return s.Do("POST", path, body) }
	params := func(resource string, others ...string) string {
		all := others
		if resource != "" {
			all = append(all, `{"name":"resource","resource":`+resource+`}`)
		}
		return `{"resourceType":"Parameters","parameter":[` + strings.Join(all, ",") + `]}`
	}
	mode := func(mode string) string { return `{"name":"mode","valueCode":"` + mode + `"}` }

	// In full, with the place of the fault.
	do("Patient/$validate", patient+`,`+"\n"+`"telecom":[{"value":"1"}]}`).
		WantOutcome(http.StatusOK, "invariant", "cpt-2", "Patient.telecom[0]", "line 2 column 12")
	do("Patient/$validate", `{"resourceType":"Patient"}`).WantOutcome(http.StatusOK, "informational", "dom-6", `"warning"`)

	do("Patient/$validate", params(patient+`}`, mode("create"))).WantOutcome(http.StatusOK, "informational")
	do("Patient/$validate?mode=create", patient+`}`).WantOutcome(http.StatusOK, "informational")
	do("SearchParameter/$validate?mode=create", `{"resourceType":"SearchParameter","url":"http://example.org/x","name":"X","status":"active","description":"x","code":"x","base":["Patient"],"type":"string","expression":"((("}`).
		WantOutcome(http.StatusOK, "business-rule", "expression")
	do("Patient/m1/$validate?mode=create", patient+`}`).WantOutcome(http.StatusBadRequest, "invalid", "mode")
	do("Patient/$validate", params("", mode("create"))).WantOutcome(http.StatusBadRequest, "required", "resource")

	do("Patient/m1/$validate?mode=update", patient+`,"id":"m1"}`).WantOutcome(http.StatusOK, "informational")
	do("Patient/m1/$validate?mode=update", patient+`,"id":"m2"}`).WantOutcome(http.StatusOK, "value", "Patient.id")
	do("Patient/$validate?mode=update", patient+`,"id":"m1"}`).WantOutcome(http.StatusBadRequest, "invalid", "mode")
	do("Patient/m1/$validate?mode=update", "").WantOutcome(http.StatusBadRequest, "required", "resource")

	do("Patient/m1/$validate?mode=delete", "").WantOutcome(http.StatusNotFound, "not-found")
	s.Put(`{"resourceType":"Patient","id":"m1"}`)
	do("Patient/m1/$validate?mode=delete", "").WantOutcome(http.StatusOK, "informational")
	do("Patient/m1/$validate", params("", mode("delete"))).WantOutcome(http.StatusOK, "informational")
	do("Patient/m1/$validate?mode=delete", patient+`}`).WantOutcome(http.StatusBadRequest, "invalid", "resource")
	do("Patient/$validate?mode=delete", "").WantOutcome(http.StatusBadRequest, "invalid", "mode")

	// What is stored.
	s.Get("Patient/m1/$validate").WantOutcome(http.StatusOK, "informational", "dom-6")
	s.Get("Patient/m1/$validate?mode=profile&profile="+definition+"Patient").WantOutcome(http.StatusOK, "informational")
	s.Get("Patient/nobody/$validate").WantOutcome(http.StatusNotFound, "not-found")
	s.Get("Patient/$validate").WantOutcome(http.StatusBadRequest, "required", "resource")

	// Profiles: R4's own, and none that is not held.
	for _, profile := range []string{"Patient", "DomainResource", "Resource", "Patient|4.0.1"} {
		do("Patient/$validate?profile="+definition+profile, patient+`}`).WantOutcome(http.StatusOK, "informational")
	}
	do("Patient/$validate?profile="+definition+"Group", patient+`}`).WantOutcome(http.StatusOK, "invalid", "profile")
	for _, profile := range []string{"http://x", definition + "vitals", definition + "HumanName", definition + "Patient|5.0.0"} {
		do("Patient/$validate?mode=profile&profile="+profile, patient+`}`).WantOutcome(http.StatusBadRequest, "not-supported", "profile")
	}
	do("Patient/$validate?mode=profile", patient+`}`).WantOutcome(http.StatusBadRequest, "required", "profile")
	do("Patient/$validate", patient+`,"meta":{"profile":["http://x"]}}`).WantOutcome(http.StatusOK, "informational", "not held", "Patient.meta.profile")

	do("Patient/$validate?mode=other", patient+`}`).WantOutcome(http.StatusBadRequest, "value", "mode")
	do("Patient/$validate?strict=true", patient+`}`).WantOutcome(http.StatusBadRequest, "not-supported", "strict")
}

// levels checks writes in organizations that want another check than the
// structure's.
func levels(s *Server) {
	const unmet = `{"resourceType":"Patient","id":"a","telecom":[{"value":"1"}]}`
	const misshapen = `{"resourceType":"Patient","id":"a","gender":"x","name":{"family":7},"favourite":[]}`
	off, full := s.On("clinic/unchecked"), s.On("clinic/strict")
	transaction := func(resource string) string {
		return `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + resource + `,"request":{"method":"PUT","url":"Patient/a"}}]}`
	}
	batch := func(resource string) string { return strings.Replace(transaction(resource), "transaction", "batch", 1) }

	s.Put(unmet)
	s.Do("PUT", "Patient/a", misshapen).WantOutcome(http.StatusBadRequest, "code-invalid", "Patient.gender")

	off.Do("PUT", "Patient/a", misshapen).Want(http.StatusCreated)
	off.Do("POST", "", transaction(misshapen)).Want(http.StatusOK)
	if a := off.Do("POST", "", batch(misshapen)).Want(http.StatusOK); !strings.Contains(string(a.Body), `"status":"200`) {
		s.Errorf("off, batch: %s", a.Body)
	}
	off.Do("POST", "Patient", misshapen).Want(http.StatusCreated)
	off.Get("Patient/a").Want(http.StatusOK)
	off.Get("Patient?name=x").Bundle("searchset")
	off.Do("PUT", "Patient/a", `{"resourceType":"Patient","id":"a","meta":[]}`).WantOutcome(http.StatusBadRequest, "structure", "Patient.meta")
	off.Do("PUT", "Patient/a", `{"resourceType":"Thing","id":"a"}`).WantOutcome(http.StatusBadRequest, "structure", "resourceType")
	off.Do("PUT", "Patient/a", `{"resourceType":"Patient","id":7}`).WantOutcome(http.StatusBadRequest, "structure", "Patient.id")
	off.Do("PUT", "Patient/a", `{"resourceType":"Patient","id":"a"`).WantOutcome(http.StatusBadRequest, "structure")

	for _, resource := range []string{unmet, misshapen} {
		full.Do("PUT", "Patient/a", resource).WantOutcome(http.StatusBadRequest, map[string]string{unmet: "invariant", misshapen: "code-invalid"}[resource])
		full.Do("POST", "Patient", resource).Want(http.StatusBadRequest)
		full.Do("POST", "", transaction(resource)).Want(http.StatusBadRequest)
		if b := full.Do("POST", "", batch(resource)).Bundle("batch-response"); !strings.HasPrefix(b.Entry[0].Response.Status, "400") {
			s.Errorf("full, batch: %s", b.Entry[0].Response.Status)
		}
		full.Do("PUT", "Patient?_id=a", resource).Want(http.StatusBadRequest)
		full.Do("POST", "Patient", resource, "If-None-Exist", "_id=a").Want(http.StatusBadRequest)
	}
	full.Put(`{"resourceType":"Patient","id":"a"}`)
	full.Do("PATCH", "Patient/a", `[{"op":"add","path":"/telecom","value":[{"value":"1"}]}]`, "Content-Type", "application/json-patch+json").
		WantOutcome(http.StatusBadRequest, "invariant", "cpt-2")

	// Extensions: a modifier that nobody knows, then where it may stand.
	const modified = `{"resourceType":"Patient","id":"b","modifierExtension":[{"url":"http://example.org/x","valueBoolean":true}]}`
	full.Do("PUT", "Patient/b", modified).WantOutcome(http.StatusBadRequest, "extension", "Patient.modifierExtension[0]")
	s.Do("PUT", "Patient/b", modified).Want(http.StatusCreated)
	definition := func(id, version, status, on string) string {
		return `{"resourceType":"StructureDefinition","id":"` + id + `","url":"http://example.org/x","version":"` + version + `","name":"X","status":"` + status + `","kind":"complex-type","abstract":false,
			"type":"Extension","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Extension","derivation":"constraint","context":[{"type":"element","expression":"` + on + `"}],
			"differential":{"element":[{"id":"Extension","path":"Extension","isModifier":true,"isModifierReason":"x"}]}}`
	}
	full.Put(definition("x", "1", "active", "Group"))
	full.Do("PUT", "Patient/b", modified).WantOutcome(http.StatusBadRequest, "extension", "does not allow")
	full.Put(definition("x2", "2", "active", "Patient"), definition("x3", "3", "retired", "Group"))
	full.Put(modified)
	full.Do("PUT", "Patient/c", strings.Replace(strings.Replace(modified, "modifierExtension", "extension", 1), `"b"`, `"c"`, 1)).
		WantOutcome(http.StatusBadRequest, "extension", "modifierExtension")
}
