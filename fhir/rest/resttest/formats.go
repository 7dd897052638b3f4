package resttest

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
)

// https://hl7.org/fhir/R4/http.html#mime-type
func formats(t *testing.T, open Open) {
	for name, test := range map[string]func(s *Server){
		"negotiation": negotiation, "bodies": bodyFormats, "pretty": pretty, "XML": inXML, "bundles in XML": bundlesInXML,
		"batches in XML": batchesInXML, "what XML cannot say": notInXML, "bad XML": badXML,
	} {
		t.Run(name, func(t *testing.T) { test(Serve(t, open)) })
	}
}

// inXML is a resource in XML.
func (s *Server) inXML(resource string) string {
	s.Helper()
	doc, err := rawjson.Parse([]byte(resource), nil)
	if err != nil {
		s.Fatal(err)
	}
	out, err := fhirxml.Append(nil, doc.Root(), fhirxml.Options{})
	if err != nil {
		s.Fatal(err)
	}
	return string(out)
}

// JSON is an answer in XML as if it had come in JSON.
func (a *Answer) JSON() *Answer {
	a.t.Helper()
	if ct := a.Header.Get("Content-Type"); !strings.Contains(ct, "xml") {
		a.t.Errorf("%s: Content-Type %s", a.what, ct)
	}
	body, err := fhirxml.AppendJSON(nil, a.Body)
	if err != nil {
		a.t.Fatalf("%s: %v in %.1000s", a.what, err, a.Body)
	}
	other := *a
	other.Body = body
	return &other
}

const (
	fhirJSON = "application/fhir+json; charset=utf-8"
	fhirXML  = "application/fhir+xml; charset=utf-8"
)

func negotiation(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"p"}`)
	for _, c := range []struct{ accept, contentType string }{
		{"", fhirJSON}, {"*/*", fhirJSON}, {"application/*", fhirJSON}, {"application/fhir+json", fhirJSON},
		{"application/json", "application/json; charset=utf-8"}, {"text/json", "text/json; charset=utf-8"},
		{"application/json, text/plain, */*", "application/json; charset=utf-8"},
		{"application/fhir+json; fhirVersion=4.0", fhirJSON}, {`Application/FHIR+JSON;fhirVersion="4.0";q=1`, fhirJSON},
		{"application/fhir+xml", fhirXML}, {"application/fhir+xml;fhirVersion=4.0", fhirXML},
		{"application/xml", "application/xml; charset=utf-8"}, {"text/xml", "text/xml; charset=utf-8"}, {"application/xml+fhir", fhirXML},
		{"application/fhir+xml, application/fhir+json", fhirJSON}, {"application/fhir+xml, application/fhir+json;q=0.5", fhirXML},
		{"application/fhir+xml;q=0.2, application/fhir+json;q=0.5", fhirJSON}, {"application/fhir+json;q=0, */*", fhirXML},
		{"application/fhir+json;fhirVersion=5.0, application/fhir+xml;fhirVersion=4.0;q=0.1", fhirXML},
		{"text/html,application/xhtml+xml,*/*;q=0.8", fhirJSON},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xml; charset=utf-8"},
	} {
		s.Get("Patient/p", "Accept", c.accept).Want(http.StatusOK).WantHeader("Content-Type", c.contentType)
		s.Get("Patient?_id=p", "Accept", c.accept).Want(http.StatusOK).WantHeader("Content-Type", c.contentType)
		s.Get("Patient/none", "Accept", c.accept).Want(http.StatusNotFound).WantHeader("Content-Type", c.contentType)
	}
	for _, accept := range []string{
		"text/plain", "application/fhir+turtle", "application/fhir+json;q=0", "application/fhir+json;q=x", "application/fhir+json;q=NaN",
		"application/fhir+json;fhirVersion=3.0", "*/*;q=0", "application/x-ndjson",
	} {
		s.Get("Patient/p", "Accept", accept).WantOutcome(http.StatusNotAcceptable, "not-supported", "_format")
	}
	for _, c := range []struct{ format, contentType string }{
		{"json", fhirJSON}, {"application/json", "application/json; charset=utf-8"}, {"application/fhir%2Bjson", fhirJSON}, {"application/fhir+json", fhirJSON},
		{"text/json", "text/json; charset=utf-8"}, {"xml", fhirXML}, {"application/xml", "application/xml; charset=utf-8"}, {"text/xml", "text/xml; charset=utf-8"},
		{"application/fhir%2Bxml", fhirXML}, {"application/fhir+xml", fhirXML}, {"application/fhir%2Bxml;fhirVersion%3D4.0", fhirXML},
	} {
		s.Get("Patient/p?_format="+c.format, "Accept", "text/plain").Want(http.StatusOK).WantHeader("Content-Type", c.contentType)
		s.Get("Patient?_format="+c.format, "Accept", "text/plain").Want(http.StatusOK).WantHeader("Content-Type", c.contentType)
	}
	for _, format := range []string{"ttl", "html", "yaml", "application/fhir%2Bturtle"} {
		s.Get("Patient/p?_format="+format, "Accept", "application/json").WantOutcome(http.StatusNotAcceptable, "not-supported")
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	s.Do("POST", "Patient/_search", "_id=p&_format=xml", form...).Want(http.StatusOK).WantHeader("Content-Type", fhirXML)
	s.Do("POST", "Patient/_search", "_id=p&_format=ttl", form...).Want(http.StatusNotAcceptable)
}

func bodyFormats(s *Server) {
	const p = `{"resourceType":"Patient"}`
	for _, ct := range []string{"application/fhir+json", "application/json", "application/json; charset=utf-8", "application/json; charset=UTF-8", "application/fhir+json; fhirVersion=4.0", ""} {
		s.Do("POST", "Patient", p, "Content-Type", ct).Want(http.StatusCreated).WantHeader("Content-Type", fhirJSON)
	}
	for _, ct := range []string{"application/fhir+xml", "application/xml", "text/xml; charset=utf-8", "application/fhir+xml; fhirVersion=4.0"} {
		a := s.Do("POST", "Patient", s.inXML(p), "Content-Type", ct).Want(http.StatusCreated)
		a.WantHeader("Content-Type", fhirXML) // without an Accept, in the format of the request
		s.Do("POST", "Patient", s.inXML(p), "Content-Type", ct, "Accept", "application/fhir+json").Want(http.StatusCreated).WantHeader("Content-Type", fhirJSON)
	}
	for _, ct := range []string{
		"text/plain", "application/x-www-form-urlencoded", "nonsense;;", "application/fhir+turtle",
		"application/fhir+json; charset=iso-8859-1", "application/fhir+xml; charset=utf-16", "application/fhir+json; fhirVersion=5.0",
	} {
		s.Do("POST", "Patient", p, "Content-Type", ct, "Accept", "application/fhir+json").WantOutcome(http.StatusUnsupportedMediaType, "not-supported", "Content-Type")
	}
	s.Do("POST", "Patient/_search", `{}`).WantOutcome(http.StatusUnsupportedMediaType, "not-supported", "x-www-form-urlencoded")
	s.Do("POST", "Patient", p, "Content-Type", "application/fhir+xml").JSON().WantOutcome(http.StatusBadRequest, "structure")
	s.Do("POST", "Patient", s.inXML(p)).WantOutcome(http.StatusBadRequest, "structure")
}

func pretty(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"p","active":true}`)
	s.Get("Patient/p?_pretty=maybe").WantOutcome(http.StatusBadRequest, "value", "_pretty")
	if a := s.Get("Patient/p?_pretty=true").Want(http.StatusOK); !bytes.Contains(a.Body, []byte("\n  \"id\": \"p\"")) {
		s.Errorf("_pretty: %s", a.Body)
	}
	s.Get("Patient?_pretty=true").Bundle("searchset")
	if a := s.Get("Patient/p?_pretty=true&_format=xml").Want(http.StatusOK); !bytes.Contains(a.Body, []byte("\n  <id value=\"p\"/>\n")) {
		s.Errorf("_pretty: %s", a.Body)
	}
	if a := s.Get("Patient?_format=xml&_pretty=true"); a.JSON().Bundle("searchset").IDs("match") != "p" || !bytes.Contains(a.Body, []byte("\n        <id value=\"p\"/>\n")) {
		s.Errorf("_pretty: %s", a.Body)
	}
	if a := s.Get("Patient/p?_pretty=false&_format=xml"); bytes.Contains(a.Body, []byte("\n")) {
		s.Errorf("not pretty: %s", a.Body)
	}
}

const observation = `{"resourceType":"Observation","id":"o","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a &amp; <b>b</b></div>"},` +
	`"status":"final","code":{"text":"<x> & \"y\""},"valueQuantity":{"value":1.500,"unit":"mg"}}`

// inXML does every interaction with one resource in XML.
func inXML(s *Server) {
	xml := []string{"Content-Type", "application/fhir+xml", "Accept", "application/fhir+xml"}
	a := s.Do("PUT", "Observation/o", s.inXML(observation), xml...).Want(http.StatusCreated).WantHeader("ETag", `W/"1"`)
	for _, kept := range []string{`<value value="1.500"/>`, `<div xmlns="http://www.w3.org/1999/xhtml">a &amp; <b>b</b></div>`, `"&lt;x> &amp; &quot;y&quot;"`, `<lastUpdated value="2026-03-01T12:00:00.000Z"/>`} {
		if !bytes.Contains(a.Body, []byte(kept)) {
			s.Errorf("%s is not in %s", kept, a.Body)
		}
	}
	read := s.Get("Observation/o", xml...).Want(http.StatusOK)
	if !bytes.Equal(read.Body, a.Body) {
		s.Errorf("read: %s, written: %s", read.Body, a.Body)
	}
	head := s.Do("HEAD", "Observation/o", "", xml...).Want(http.StatusOK)
	if head.Header.Get("Content-Length") != itoa(len(read.Body)) || head.Header.Get("Content-Type") != fhirXML {
		s.Errorf("HEAD: %v", head.Header)
	}
	s.Get("Observation/o/_history/1", xml...).JSON().Want(http.StatusOK)
	s.Get("Observation/o", append(xml, "If-None-Match", `W/"1"`)...).Want(http.StatusNotModified)
	s.Get("Observation/o?_elements=status", xml...).JSON().Want(http.StatusOK)
	json := s.Get("Observation/o").Want(http.StatusOK)
	if !bytes.Contains(json.Body, []byte(`"value":1.500`)) {
		s.Errorf("in JSON: %s", json.Body)
	}
	if got := s.Search("Observation?value-quantity=1.500||mg"); got != "o" {
		s.Errorf("found %q", got)
	}
	s.Do("POST", "Observation", s.inXML(observation), append(xml, "If-None-Exist", "_id=o")...).JSON().Want(http.StatusOK)
	s.Do("PUT", "Observation?_id=o", s.inXML(observation), xml...).JSON().Want(http.StatusOK)
	s.Do("PUT", "Observation/o", s.inXML(observation), append(xml, "Prefer", "return=OperationOutcome")...).JSON().WantOutcome(http.StatusOK, "informational")
	s.Do("POST", "Observation/$validate", s.inXML(observation), xml...).JSON().WantOutcome(http.StatusOK, "informational")
	s.Do("POST", "Observation/$validate", strings.Replace(s.inXML(observation), "final", "finished", 1), xml...).JSON().WantOutcome(http.StatusOK, "code-invalid", "Observation.status")
	s.Get("Observation/none", xml...).JSON().WantOutcome(http.StatusNotFound, "not-found")
	s.Get("Observation?shoesize=1", xml...).JSON().WantOutcome(http.StatusBadRequest, "not-supported", "shoesize")
	s.Get("metadata", xml...).JSON().Want(http.StatusOK)
	s.Do("DELETE", "Observation/o", "", xml...).Want(http.StatusNoContent)
	s.Get("Observation/o", xml...).JSON().WantOutcome(http.StatusGone, "deleted")
	s.On("unknown/test").Get("Patient", xml...).JSON().WantOutcome(http.StatusNotFound, "not-found")
}

func bundlesInXML(s *Server) {
	s.Put(observation, `{"resourceType":"Patient","id":"p"}`)
	xml := []string{"Accept", "application/fhir+xml"}
	b := s.Get("Observation?_total=accurate", xml...).JSON().Bundle("searchset")
	if b.IDs("match") != "o" || *b.Total != 1 || b.LinkTo("self") == "" {
		s.Errorf("%+v", b)
	}
	s.Get("Patient?name=none", xml...).JSON().Bundle("searchset")
	if b := s.Get("Patient?_count=1&shoesize=1", append(xml, "Prefer", "handling=lenient")...).JSON().Bundle("searchset"); b.IDs("outcome") == "" && len(b.Entry) != 2 {
		s.Errorf("%+v", b)
	}
	s.Do("DELETE", "Patient/p", "").Want(http.StatusNoContent)
	if b := s.Get("_history", xml...).JSON().Bundle("history"); len(b.Entry) != 3 || b.Entry[0].Request.Method != http.MethodDelete {
		s.Errorf("%+v", b)
	}
}

func batchesInXML(s *Server) {
	xml := []string{"Content-Type", "application/fhir+xml"}
	b := s.Do("POST", "", s.inXML(bundleOf("transaction",
		named("urn:uuid:1", does("POST", "Patient", `{"resourceType":"Patient"}`)),
		does("PUT", "Observation/o", strings.Replace(observation, `"code":`, `"subject":{"reference":"urn:uuid:1"},"code":`, 1)),
		does("GET", "Observation/o", ""),
	)), xml...).JSON().Bundle("transaction-response")
	if got := b.statuses(); got != "201 201 200" || b.Entry[2].Ref() != "Observation/o" {
		s.Errorf("%s", got)
	}
	if got := s.Get("Observation?_include=Observation:subject").Bundle("searchset").IDs("include"); got == "" {
		s.Error("the reference is not rewritten")
	}
	b = s.Do("POST", "", s.inXML(bundleOf("batch",
		does("GET", "Observation/o?_format=json", ""), does("GET", "Observation/none", ""), does("POST", "Patient", `{"resourceType":"Patient","gender":"x"}`),
		does("GET", "Observation?_count=1", ""),
	)), xml...).JSON().Bundle("batch-response")
	if got := b.statuses(); got != "200 404 400 200" || b.Entry[1].Response.Outcome.Issue[0].Code != "not-found" {
		s.Errorf("%s", got)
	}
	s.Do("POST", "", s.inXML(bundleOf("transaction", does("GET", "Observation/o?shoesize=1", ""))), xml...).JSON().WantOutcome(http.StatusBadRequest, "not-supported")
}

// A narrative that is not well-formed can be stored in JSON, and not be
// written as XML.
func notInXML(s *Server) {
	s.Put(`{"resourceType":"Patient","id":"bad","text":{"status":"generated","div":"<div>a<br>b</div>"}}`, `{"resourceType":"Patient","id":"good"}`)
	xml := []string{"Accept", "application/fhir+xml"}
	s.Get("Patient/bad", xml...).JSON().WantOutcome(http.StatusNotAcceptable, "not-supported", "XHTML", "Patient.text.div")
	s.Get("Patient/bad").Want(http.StatusOK)
	b := s.Get("Patient?_sort=_id", xml...).JSON().Bundle("searchset")
	if b.IDs("match") != "good" || len(b.Entry) != 2 || b.Entry[0].Search.Mode != "outcome" {
		s.Errorf("%+v", b)
	}
	h := s.Get("Patient/_history", xml...).JSON().Bundle("history")
	if len(h.Entry) != 2 || !strings.Contains(string(h.Entry[1].Resource), "OperationOutcome") || h.Entry[1].Request.URL != "Patient" {
		s.Errorf("%+v", h)
	}
	// A write is done whatever its answer can hold.
	s.Do("PUT", "Patient/bad", `{"resourceType":"Patient","id":"bad","text":{"status":"generated","div":"<div>a<br>c</div>"}}`, xml...).
		JSON().WantOutcome(http.StatusOK, "not-supported", "XHTML")
	s.Get("Patient/bad").Want(http.StatusOK).WantHeader("ETag", `W/"2"`)
}

func badXML(s *Server) {
	const start = `<Patient xmlns="http://hl7.org/fhir">`
	for _, c := range []struct {
		rule, body, code string
		says             []string
	}{
		{"cut off", start, "structure", []string{"too early"}},
		{"an unknown element", start + "\n  <gendre value=\"male\"/></Patient>", "structure", []string{"Patient.gendre", "line 2 column 3"}},
		{"an unknown attribute", start + "\n  <gender vlaue=\"male\"/></Patient>", "structure", []string{"Patient.gender.vlaue", "line 2"}},
		{"the wrong order", start + `<birthDate value="2000"/><gender value="male"/></Patient>`, "structure", []string{"Patient.gender", "order"}},
		{"a document type", `<!DOCTYPE Patient [<!ENTITY a "b">]>` + start + `</Patient>`, "structure", []string{"document types"}},
		{"a document type that refers", `<!DOCTYPE Patient SYSTEM "file:///etc/passwd">` + start + `</Patient>`, "structure", []string{"document types"}},
		{"another namespace", `<Patient xmlns="urn:hl7-org:v3"/>`, "structure", []string{"namespace"}},
		{"another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?>` + start + `</Patient>`, "structure", []string{"UTF-8"}},
		{"invalid UTF-8", start + "<gender value=\"\xff\"/></Patient>", "structure", []string{"UTF-8"}},
		{"deep nesting", strings.Repeat(`<Bundle xmlns="http://hl7.org/fhir"><entry><resource>`, 50_000), "structure", []string{"deep"}},
	} {
		a := s.Do("POST", "Patient", c.body, "Content-Type", "application/fhir+xml").JSON()
		a.WantOutcome(http.StatusBadRequest, c.code, c.says...)
	}
	// What the structure says is about elements; lines would be those of JSON.
	a := s.Do("POST", "Patient", start+`<gender value="m"/></Patient>`, "Content-Type", "application/fhir+xml").JSON().
		WantOutcome(http.StatusBadRequest, "code-invalid", "Patient.gender")
	if bytes.Contains(a.Body, []byte("line")) {
		s.Errorf("%s", a.Body)
	}
}
