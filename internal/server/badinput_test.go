package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

// Whatever is wrong with a message, the answer is Meta.Errors that names the
// field, nothing is stored, and the log has the message with its error.
func TestBadMessages(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		good := shipped(t, "Scheduling", "New")
		for rule, bad := range map[string]struct{ body, text string }{
			"broken JSON":          {string(good[:len(good)/2]), "JSON"},
			"no body":              {"", "JSON"},
			"not an object":        {"[]", "Meta"},
			"no Meta":              {"{}", "Meta"},
			"unknown data model":   {edited(t, good, "Astrology", "Meta", "DataModel"), "Astrology"},
			"unknown event":        {edited(t, good, "Rumour", "Meta", "EventType"), "Rumour"},
			"a response":           {`{"Meta":{"DataModel":"Scheduling","EventType":"BookedResponse"}}`, "BookedResponse"},
			"missing visit number": {edited(t, good, nil, "Visit", "VisitNumber"), "Required field missing - Visit.VisitNumber in Scheduling:New"},
			"missing identifiers":  {edited(t, shipped(t, "PatientAdmin", "Arrival"), nil, "Patient", "Identifiers"), "Required field missing - Patient.Identifiers in PatientAdmin:Arrival"},
			"wrong type":           {edited(t, good, "soon", "Visit", "Duration"), "Visit.Duration"},
		} {
			t.Run(rule, func(t *testing.T) {
				r := &running{t: t, url: r.url}
				a := r.want(r.send("POST", "/endpoint", bad.body), http.StatusBadRequest, bad.text)
				v := decoded(t, a)
				if at(v, "Meta", "Errors", 0, "Text") == nil || at(v, "Meta", "Errors", 0, "Module") == nil {
					t.Errorf("no Meta.Errors: %s", a.body)
				}
				id := text(at(v, "Meta", "Logs", 0, "ID"))
				r.want(r.send("GET", admin+"/messages/"+id, ""), http.StatusOK, `"status":"FAILED"`, `"Text"`)
			})
		}
		for _, typ := range []string{"Patient", "Appointment", "Location", "Practitioner"} {
			if n := len(r.search(typ)); n != 0 {
				t.Errorf("%d %s stored", n, typ)
			}
		}
	})
}

func TestTooLarge(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		c.MaxBody = 1 << 20
		r := start(t, c)
		r.want(r.send("POST", "/endpoint", strings.Repeat(" ", 10<<20+1)), http.StatusRequestEntityTooLarge, "10 MB")
		big := `{"resourceType":"Basic","code":{"text":"` + strings.Repeat("x", 1<<20) + `"}}`
		r.want(r.send("POST", fhirBase+"/Basic", big), http.StatusRequestEntityTooLarge, "OperationOutcome", "too-long")
	})
}

// The FHIR side answers with an OperationOutcome that names the element.
func TestBadFHIR(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		for rule, bad := range map[string]struct {
			method, path, body string
			status             int
			text               string
		}{
			"broken JSON":              {"POST", "/Patient", `{"resourceType":"Patient",`, 400, "line"},
			"missing required element": {"POST", "/Appointment", `{"resourceType":"Appointment","participant":[{"status":"accepted"}]}`, 400, "Appointment.status"},
			"another type in the body": {"POST", "/Patient", `{"resourceType":"Observation"}`, 400, "Observation"},
			"unknown type in the URL":  {"GET", "/Patients/1", "", 404, "Patients"},
			"unknown parameter":        {"GET", "/Patient?shoesize=9", "", 400, "shoesize"},
			"unknown modifier":         {"GET", "/Patient?family:upside=x", "", 400, "upside"},
			"bad date":                 {"GET", "/Appointment?date=yesterday", "", 400, "date"},
			"unknown organization":     {"GET", "/../../elsewhere/Development/Patient", "", 404, "organization"},
			"nothing there":            {"GET", "/Patient/none", "", 404, "not-found"},
			"no such operation":        {"POST", "/Patient/$levitate", "{}", 404, "$levitate"},
		} {
			t.Run(rule, func(t *testing.T) {
				r := &running{t: t, url: r.url}
				path := fhirBase + bad.path
				if strings.HasPrefix(bad.path, "/..") {
					path = "/fhir/R4/elsewhere/Development/Patient"
				}
				r.want(r.send(bad.method, path, bad.body, "Content-Type", "application/fhir+json"), bad.status, `"resourceType":"OperationOutcome"`, bad.text)
			})
		}
	})
}

// A writeback that nobody takes, or that lacks what the EHR needs.
func TestBadWritebacks(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		path := fhirBase + "/Appointment/$appointment-create"
		r.want(r.send("POST", path, `{"resourceType":"Bundle","type":"message"}`), http.StatusBadRequest, "OperationOutcome", "MessageHeader")
		r.want(r.send("POST", path, `{`), http.StatusBadRequest, "OperationOutcome")
		r.want(r.send("GET", admin+"/messages", ""), http.StatusOK, `"direction":"writeback"`, `"status":"FAILED"`)
	})
}

func TestSandboxListensOnLoopbackOnly(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nonsense"} {
		if _, err := server.Open(t.Context(), server.Config{Listen: listen, Data: t.TempDir(), Sandbox: true}); err == nil {
			t.Errorf("a sandbox listens on %s", listen)
		}
	}
}

func TestAdminTokenIsRequired(t *testing.T) {
	if _, err := server.Open(t.Context(), server.Config{Listen: "127.0.0.1:0", Data: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "--admin-token") {
		t.Errorf("error: %v", err)
	}
}

// Without --sandbox nothing but the health pages and the capability statement
// is open.
func TestAuthentication(t *testing.T) {
	const token = "an-administrators-long-token"
	r := start(t, server.Config{Data: t.TempDir(), AdminToken: token})
	for _, path := range []string{fhirBase + "/Patient", fhirBase + "/metadata/1", admin + "/messages", "/metrics", "/organizations"} {
		r.want(r.send("GET", path, ""), http.StatusUnauthorized)
	}
	r.want(r.send("POST", "/endpoint", "{}"), http.StatusUnauthorized)
	r.want(r.send("GET", "/health/ready", ""), http.StatusOK, "ready")

	r.auth = token
	r.want(r.send("POST", "/organizations", `{"id":"larkspur","name":"Larkspur Valley"}`), http.StatusCreated)
	r.want(r.send("GET", "/fhir/R4/larkspur/Staging/Patient", ""), http.StatusOK)
	r.auth = ""
	r.want(r.send("GET", "/fhir/R4/larkspur/Staging/metadata", ""), http.StatusOK, "CapabilityStatement")
	r.auth = token
	sources := decoded(t, r.want(r.send("GET", "/exchange/larkspur/Staging/sources", ""), http.StatusOK))
	source := text(at(sources, 0, "id"))
	other := text(at(decoded(t, r.want(r.send("GET", "/exchange/larkspur/Production/sources", ""), http.StatusOK)), 0, "id"))
	key := decoded(t, r.want(r.send("POST", "/exchange/larkspur/Staging/sources/"+source+"/keys", ""), http.StatusOK))

	r.auth = ""
	login := `{"apiKey":"` + text(at(key, "apiKey")) + `","secret":"`
	r.want(r.send("POST", "/auth/authenticate", login+`wrong"}`), http.StatusUnauthorized)
	tokens := decoded(t, r.want(r.send("POST", "/auth/authenticate", login+text(at(key, "secret"))+`"}`), http.StatusOK, "expires"))
	r.auth = text(at(tokens, "accessToken"))
	m := edited(t, shipped(t, "Scheduling", "New"), nil, "Meta", "Destinations")
	r.want(r.send("POST", "/endpoint", m, "Redox-Source-Id", source), http.StatusOK)
	r.want(r.send("POST", "/endpoint", m, "Redox-Source-Id", other), http.StatusForbidden)
	r.want(r.send("GET", "/fhir/R4/larkspur/Staging/Patient", ""), http.StatusUnauthorized)

	refresh := `{"apiKey":"` + text(at(key, "apiKey")) + `","refreshToken":"` + text(at(tokens, "refreshToken")) + `"}`
	r.auth = ""
	r.want(r.send("POST", "/auth/refreshToken", refresh), http.StatusOK, "accessToken")
}

// Nothing of a patient gets into the log or the metrics, whatever happens.
func TestNoPatientInLogs(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		good := shipped(t, "Scheduling", "New")
		r.want(r.send("POST", "/endpoint", string(good)), http.StatusOK)
		r.send("POST", "/endpoint", edited(t, good, nil, "Visit", "VisitNumber"))
		r.send("GET", fhirBase+"/Patient?family=Quennell&nonsense=LV-0048213", "")
		r.send("POST", fhirBase+"/Patient", `{"resourceType":"Patient","birthDate":"Quennell"}`)
		metrics := string(r.want(r.send("GET", "/metrics", ""), http.StatusOK, "fhirfacade_messages_total").body)
		for _, secret := range []string{"Quennell", "LV-0048213", "Ottilie"} {
			if strings.Contains(r.logs.String(), secret) || strings.Contains(metrics, secret) {
				t.Errorf("%q is in the log or the metrics", secret)
			}
		}
	})
}
