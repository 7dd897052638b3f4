package resttest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance"
)

// badInput: what is wrong is refused with the rule, in JSON and in XML, and
// the server goes on.
func badInput(t *testing.T, open Open) {
	s := Serve(t, open)
	s.Put(`{"resourceType":"Patient","id":"p"}`)
	const xml = `<Patient xmlns="http://hl7.org/fhir">`
	nested := func(depth int) string {
		return `{"resourceType":"Questionnaire","status":"draft"` + strings.Repeat(`,"item":[{"linkId":"x","type":"group"`, depth) + strings.Repeat(`}]`, depth) + `}`
	}
	for _, c := range []struct {
		rule, contentType, body string
		status                  int
		says                    string
	}{
		{"100 levels", "", nested(49), http.StatusCreated, ""},
		{"over 100 levels", "", nested(50), http.StatusBadRequest, "deep"},
		{"over 100 levels in XML", "application/fhir+xml", `<Questionnaire xmlns="http://hl7.org/fhir">` + strings.Repeat(`<item><linkId value="x"/>`, 51) + strings.Repeat(`</item>`, 51) + `</Questionnaire>`, http.StatusBadRequest, "deep"},
		{"100,000 open brackets", "", strings.Repeat("[", 100_000), http.StatusBadRequest, "deep"},
		{"invalid UTF-8", "", "{\"resourceType\":\"Patient\",\"language\":\"\xff\"}", http.StatusBadRequest, "UTF-8"},
		{"invalid UTF-8 in XML", "application/fhir+xml", xml + "<language value=\"\xff\"/></Patient>", http.StatusBadRequest, "UTF-8"},
		{"half a surrogate pair", "", `{"resourceType":"Patient","language":"\ud800"}`, http.StatusBadRequest, "UTF-8"},
		{"a byte order mark", "", "\ufeff" + `{"resourceType":"Patient"}`, http.StatusBadRequest, "byte order mark"},
		{"a byte order mark in XML, which XML allows", "application/fhir+xml", "\ufeff" + xml + `</Patient>`, http.StatusCreated, ""},
		{"UTF-16", "", "{\x00\"\x00}\x00", http.StatusBadRequest, ""},
		{"a NUL", "", "{\"resourceType\":\"Patient\",\"language\":\"\x00\"}", http.StatusBadRequest, ""},
		{"duplicate members", "", `{"resourceType":"Patient","active":true,"active":false}`, http.StatusBadRequest, "duplicate"},
		{"duplicate members, one with escapes", "", `{"resourceType":"Patient","active":true,"\u0061ctive":false}`, http.StatusBadRequest, "duplicate"},
		{"duplicate attributes", "application/fhir+xml", xml + `<active value="true" value="false"/></Patient>`, http.StatusBadRequest, "twice"},
		{"a number that no float holds, for a string", "", `{"resourceType":"Patient","language":1e999}`, http.StatusBadRequest, "string"},
		{"a number that no float holds, for an integer", "", `{"resourceType":"Patient","multipleBirthInteger":1e999}`, http.StatusBadRequest, "Patient.multipleBirth"},
		{"a whole number with too many digits", "", `{"resourceType":"Patient","multipleBirthInteger":99999999999999999999}`, http.StatusBadRequest, "Patient.multipleBirth"},
		{"numbers that JSON does not have", "", `{"resourceType":"Patient","multipleBirthInteger":NaN}`, http.StatusBadRequest, ""},
		{"a number with a leading zero", "", `{"resourceType":"Patient","multipleBirthInteger":01}`, http.StatusBadRequest, ""},
		{"a name of 1 MB", "", `{"resourceType":"Patient","` + strings.Repeat("x", 1<<20) + `":1}`, http.StatusBadRequest, "unknown"},
		{"an element of 1 MB", "application/fhir+xml", xml + `<` + strings.Repeat("x", 1<<20) + `/></Patient>`, http.StatusBadRequest, "unknown"},
		{"100,000 members", "", `{"resourceType":"Patient"` + strings.Repeat(`,"x":1`, 100_000) + `}`, http.StatusBadRequest, "duplicate"},
		{"entities that grow", "application/fhir+xml", `<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>` + xml + `<language value="&c;"/></Patient>`, http.StatusBadRequest, "document types"},
		{"a file of the server's", "application/fhir+xml", `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>` + xml + `<language value="&b;"/></Patient>`, http.StatusBadRequest, "document types"},
		{"100,000 attributes", "application/fhir+xml", xml + `<active` + strings.Repeat(` x="y"`, 100_000) + `/></Patient>`, http.StatusBadRequest, "unknown attribute"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			typ := "Patient"
			if strings.Contains(c.body, "Questionnaire") {
				typ = "Questionnaire"
			}
			headers := []string{"Accept", "application/fhir+json"}
			if c.contentType != "" {
				headers = append(headers, "Content-Type", c.contentType)
			}
			a := s.In(t).Do("POST", typ, c.body, headers...).Want(c.status)
			if c.status == http.StatusBadRequest && len(conformance.ValidateStructure(a.Body)) > 0 || !strings.Contains(string(a.Body), c.says) {
				t.Errorf("%.500s", a.Body)
			}
		})
	}
	t.Run("a decimal that no float holds is one of FHIR's", func(t *testing.T) {
		s := s.In(t)
		s.Put(`{"resourceType":"Observation","id":"big","status":"final","code":{"text":"x"},"valueQuantity":{"value":1e999}}`)
		for _, accept := range []string{"application/fhir+json", "application/fhir+xml"} {
			if a := s.Get("Observation/big", "Accept", accept).Want(http.StatusOK); !strings.Contains(string(a.Body), "1e999") {
				t.Errorf("%s", a.Body)
			}
		}
		s.Get("Observation?value-quantity=1e999999999").WantOutcome(http.StatusBadRequest, "value", "value-quantity")
		s.Get("Observation?value-quantity=gt1e308").Bundle("searchset")
	})
	t.Run("values like regular expressions that take long", func(t *testing.T) {
		s := s.In(t)
		for _, value := range []string{strings.Repeat("a", 50_000) + "!", strings.Repeat("(a+)+", 1000), strings.Repeat("%25x", 10_000)} {
			s.Get("Patient?name=" + strings.ReplaceAll(value, "+", "%2B")).Bundle("searchset")
			s.Get("Patient?name:contains=" + strings.ReplaceAll(value, "+", "%2B"))
		}
		s.Do("PATCH", "Patient/p", operation("delete", `Patient.where(id.matches('`+strings.Repeat("(a+)+", 200)+`$')).photo`, "")).Want(http.StatusOK)
	})
	t.Run("URLs", func(t *testing.T) {
		s := s.In(t)
		for _, path := range []string{"Patient?name=%zz", "Patient?%00=x", "Patient?name=%ff%fe", "Patient/%2e%2e", "Patient/p%00", "?_type=%00", "Patient?name=\u2028"} {
			if a := s.Get(path); a.Status >= 500 || a.Status >= 400 && !strings.Contains(string(a.Body), "OperationOutcome") && a.Status != http.StatusBadRequest {
				t.Errorf("%s: %d %.300s", path, a.Status, a.Body)
			}
		}
	})
	t.Run("and the server goes on", func(t *testing.T) { s.In(t).Get("Patient/p").Want(http.StatusOK) })
}
