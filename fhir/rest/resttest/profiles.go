package resttest

import (
	"net/http"
	"net/url"
	"strings"
)

// profiled checks resources against profiles: those that are built in, and
// those that a tenant stores.
func profiled(s *Server) {
	const usCore = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
	validate := func(profile, resource string) *Answer {
		query := ""
		if profile != "" {
			query = "?profile=" + url.QueryEscape(profile)
		}
		return s.Do("POST", "Patient/$validate"+query, resource)
	}
	const nameless = `{"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},"gender":"male","identifier":[{"system":"http://example.org/mrn"}]`
	const named = `{"resourceType":"Patient","gender":"male","name":[{"family":"X"}],"identifier":[{"system":"http://example.org/mrn","value":"1"}]`

	// US Core, by $validate?profile= and by meta.profile.
	validate(usCore+"patient", nameless+`}`).WantOutcome(http.StatusOK, "required", `"error"`, "Patient.name", "Patient.identifier[0].value", usCore+"patient|6.1.0")
	validate(usCore+"patient|6.1.0", named+`}`).WantOutcome(http.StatusOK, "informational", "No errors were found")
	validate("", nameless+`}`).WantOutcome(http.StatusOK, "informational", "No errors were found")
	validate("", nameless+`,"meta":{"profile":["`+usCore+`patient"]}}`).WantOutcome(http.StatusOK, "required", `"error"`, "Patient.name")
	validate(usCore+"patient|7.0.0", named+`}`).WantOutcome(http.StatusBadRequest, "not-supported", "us-core-patient|7.0.0")
	validate(usCore+"goal", named+`}`).WantOutcome(http.StatusOK, "invalid", "us-core-goal is for Goal")
	params := `{"resourceType":"Parameters","parameter":[{"name":"profile","valueUri":"` + usCore + `patient"},{"name":"resource","resource":` + nameless + `}}]}`
	s.Do("POST", "Patient/$validate", params).WantOutcome(http.StatusOK, "required", "Patient.name")
	validate("", named+`,"extension":[{"url":"`+usCore+`race","extension":[{"url":"ombCategory","valueCoding":{"system":"urn:oid:2.16.840.1.113883.6.238","code":"2106-3"}}]}]}`).
		WantOutcome(http.StatusOK, "required", "Slice 'Extension.extension:text'", "Patient.extension[0].extension")

	// Writes that are checked in full meet what they claim.
	full := s.On("clinic/strict")
	claim := `,"id":"profiled","meta":{"profile":["` + usCore + `patient"]}}`
	full.Do("PUT", "Patient/profiled", nameless+claim).WantOutcome(http.StatusBadRequest, "required", "Patient.name")
	s.Do("PUT", "Patient/profiled", nameless+claim).Want(http.StatusCreated)
	full.Do("PUT", "Patient/profiled", named+claim).Want(http.StatusCreated)
	full.Do("PUT", "Patient/profiled2", named+`,"id":"profiled2","meta":{"profile":["http://example.org/unknown"]}}`).Want(http.StatusCreated)

	// What a tenant stores counts from then on, and for that tenant only.
	const own, derived, codes = "http://example.org/StructureDefinition/own", "http://example.org/StructureDefinition/derived", "http://example.org/ValueSet/codes"
	definition := func(id, url, base, elements string) string {
		return `{"resourceType":"StructureDefinition","id":"` + id + `","url":"` + url + `","name":"X","status":"active","kind":"resource","abstract":false,
			"type":"Patient","baseDefinition":"` + base + `","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"}` + elements + `]}}`
	}
	validate(own, named+`}`).WantOutcome(http.StatusBadRequest, "not-supported", own)
	s.Put(definition("own", own, "http://hl7.org/fhir/StructureDefinition/Patient",
		`,{"id":"Patient.birthDate","path":"Patient.birthDate","min":1},{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"`+codes+`"}}`))
	s.Put(definition("derived", derived, own, `,{"id":"Patient.birthDate","path":"Patient.birthDate","maxLength":7}`))
	validate(own, named+`}`).WantOutcome(http.StatusOK, "required", "Patient.birthDate", own)
	validate(derived, named+`}`).WantOutcome(http.StatusOK, "required", "Patient.birthDate", derived)
	validate(derived, named+`,"birthDate":"2000-01-01"}`).WantOutcome(http.StatusOK, "too-long", "Patient.birthDate")
	validate(derived, named+`,"birthDate":"2000-01"}`).WantOutcome(http.StatusOK, "informational", "No errors were found")
	full.Do("POST", "Patient/$validate?profile="+own, named+`}`).WantOutcome(http.StatusBadRequest, "not-supported")

	// Its value sets, too.
	married := func(code string) string {
		return named + `,"birthDate":"2000","maritalStatus":{"coding":[{"system":"http://example.org/codes","code":"` + code + `"}]}}`
	}
	validate(own, married("a")).WantOutcome(http.StatusOK, "informational", "No errors were found", "was not checked", codes)
	s.Put(`{"resourceType":"CodeSystem","id":"codes","url":"http://example.org/codes","status":"active","content":"complete","concept":[{"code":"a"},{"code":"b"}]}`,
		`{"resourceType":"ValueSet","id":"codes","url":"`+codes+`","status":"active","compose":{"include":[{"system":"http://example.org/codes"}]}}`)
	validate(own, married("a")).WantOutcome(http.StatusOK, "informational", "No errors were found")
	validate(own, married("c")).WantOutcome(http.StatusOK, "code-invalid", "Patient.maritalStatus", codes)

	// A definition that cannot be used is a clear answer, and none that is
	// derived from itself, or from what is not held, keeps anyone waiting.
	s.Put(definition("own", own, derived, ""))
	validate(derived, named+`}`).WantOutcome(http.StatusBadRequest, "not-supported", "derived from each other")
	s.Put(definition("own", own, "http://example.org/StructureDefinition/nowhere", ""))
	validate(own, named+`}`).WantOutcome(http.StatusBadRequest, "not-supported", "http://example.org/StructureDefinition/nowhere is not held")
	validate("", named+`,"meta":{"profile":["`+own+`"]}}`).WantOutcome(http.StatusOK, "processing", "Patient.meta.profile[0]", "nowhere is not held")
	s.Put(definition("own", own, "http://hl7.org/fhir/StructureDefinition/Patient", `,{"id":"Patient.shoeSize","path":"Patient.shoeSize"}`))
	validate(own, named+`}`).WantOutcome(http.StatusBadRequest, "not-supported", "Patient.shoeSize", "R4 has no such element")
	s.Do("DELETE", "StructureDefinition/own", "").Want(http.StatusNoContent)
	validate(own, named+`}`).WantOutcome(http.StatusBadRequest, "not-supported", own)

	// Code systems and value sets of guides are terminology, too.
	if b := s.Get("ValueSet/$expand?url=http://hl7.org/fhir/us/core/ValueSet/us-core-clinical-note-type"); !strings.Contains(string(b.Body), "18842-5") {
		s.Errorf("expansion of a value set of US Core: %s", b.Body)
	}
}
