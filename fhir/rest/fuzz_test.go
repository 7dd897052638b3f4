package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
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
		case w.Code >= 400 && strings.HasPrefix(w.Header().Get("Content-Type"), "application/fhir+json"):
			if issues := conformance.ValidateStructure(w.Body.Bytes()); len(issues) > 0 || !strings.Contains(w.Body.String(), `"OperationOutcome"`) {
				t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	})
}
