package rest_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/fhirxml"
	"github.com/fhirfacade/fhirfacade/fhir/rest/resttest"
)

// FuzzRequest: whatever is sent, the answer is no 5xx, and one that refuses is
// an OperationOutcome.
func FuzzRequest(f *testing.F) {
	for _, c := range [][3]string{
		{"GET", "Patient/p", ""}, {"GET", "Patient?name=a&_include=*", ""}, {"GET", "Patient/p/_history/1", ""},
		{"GET", "Patient/p/$everything?_count=1", ""}, {"GET", "Patient/p/*?_type=Observation", ""}, {"GET", "?_type=Patient", ""},
		{"GET", "_history?_since=2020-01-01T00:00:00Z", ""}, {"DELETE", "Patient?_id=x", ""}, {"PUT", "Patient?_id=x", `{"resourceType":"Patient"}`},
		{"POST", "Patient", `{"resourceType":"Patient","name":[{"family":"a"}]}`}, {"PUT", "Patient/q", `{"resourceType":"Patient","id":"q"}`},
		{"POST", "Patient/$validate", `{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{}}]}`},
		{"PATCH", "Patient/p", `[{"op":"replace","path":"/active","value":true}]`}, {"POST", "Patient/_search", "name=a"},
		{"POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/p"}}]}`},
		{"POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","link":[{"other":{"reference":"urn:uuid:1"},"type":"seealso"}]},"request":{"method":"POST","url":"Patient","ifNoneExist":"_id=z"}}]}`},
		{"POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"PATCH","url":"Patient/p"},"resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"W10="}}]}`},
	} {
		f.Add(c[0], c[1], c[2], "", "")
	}
	f.Add("GET", "Patient/p", "", "If-None-Match", `W/"1", *`)
	f.Add("PUT", "Patient/p", `{"resourceType":"Patient","id":"p"}`, "If-Match", `W/"1"`)
	f.Add("POST", "Patient", `{"resourceType":"Patient"}`, "If-None-Exist", "name=a")
	f.Add("GET", "Patient?x=y", "", "Prefer", "handling=lenient;return=minimal")
	f.Add("GET", "metadata", "", "Accept", "a/b;q=0,*/*")
	f.Add("GET", "Patient/p", "", "Accept", "application/fhir+xml;q=0.5, text/xml")
	f.Add("GET", "Patient?_format=xml&_pretty=true", "", "", "")
	f.Add("GET", "_history?_at=2026-03&_count=1", "", "", "")
	f.Add("GET", "Patient/p/_history/1/$meta", "", "", "")
	f.Add("POST", "Patient/p/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`, "", "")
	f.Add("POST", "Patient", `<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>`, "Content-Type", "application/fhir+xml")
	f.Add("POST", "", `<Bundle xmlns="http://hl7.org/fhir"><type value="batch"/><entry><request><method value="GET"/><url value="Patient/p"/></request></entry></Bundle>`, "Content-Type", "text/xml")
	f.Add("PATCH", "Patient/p", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.name[0]"}]}]}`, "Content-Type", "application/fhir+json")
	s := resttest.Serve(f, open)
	s.Put(`{"resourceType":"Patient","id":"p","name":[{"family":"a"}]}`)
	f.Fuzz(func(t *testing.T, method, path, body, header, value string) {
		r, err := http.NewRequest(method, "/fhir/R4/clinic/test/"+strings.TrimLeft(path, "/"), strings.NewReader(body))
		if err != nil || r.URL.Host != "" {
			return
		}
		r.Host = "fhir.example.org"
		switch {
		case method == http.MethodPatch:
			r.Header.Set("Content-Type", "application/json-patch+json")
		case strings.Contains(path, "_search"):
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if header != "" {
			r.Header.Set(header, value)
		}
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, r)
		switch {
		case w.Code >= 500:
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		case w.Code >= 400:
			if strings.Contains(w.Header().Get("Content-Type"), "xml") {
				json, err := fhirxml.AppendJSON(nil, w.Body.Bytes())
				if err != nil {
					t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
				}
				w.Body = bytes.NewBuffer(json)
			} else if !strings.Contains(w.Header().Get("Content-Type"), "json") {
				return // the router's own
			}
			if issues := conformance.ValidateStructure(w.Body.Bytes()); len(issues) > 0 || !strings.Contains(w.Body.String(), `"OperationOutcome"`) {
				t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	})
}
