package server_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/exchange/mllp"
	"github.com/fhirfacade/fhirfacade/internal/receiver"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// v2Sample is a sample of the tables between HL7 v2 and FHIR.
func v2Sample(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../mapping/hl7v2/v2fhir/testdata", name+".hl7"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\n", "\r")
}

// listening makes a connection that listens, and a client for it.
func (r *running) listening(settings string) *mllp.Client {
	r.t.Helper()
	r.want(r.send("POST", admin+"/connections", `{"id":"adt","kind":"hl7v2-mllp","hl7v2":{"listen":"127.0.0.1:0"`+settings+`}}`), http.StatusCreated)
	return r.client()
}

func (r *running) client() *mllp.Client {
	r.t.Helper()
	var address string
	eventually(r.t, "the listener", func() bool {
		v := decoded(r.t, r.want(r.send("GET", admin+"/listeners", ""), http.StatusOK))
		address, _ = at(v, 0, "address").(string)
		return address != ""
	})
	c := mllp.NewClient(mllp.ClientOptions{Address: address, Now: time.Now})
	r.t.Cleanup(c.Close)
	return c
}

// tell sends a message and wants an answer.
func (r *running) tell(c *mllp.Client, message, code string) mllp.Answer {
	r.t.Helper()
	m, err := hl7v2.Parse([]byte(message), hl7v2.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := c.Send(r.t.Context(), m.Header().ControlID, []byte(message))
	if err != nil {
		r.t.Fatal(err)
	}
	if a.Code != code {
		r.t.Fatalf("%s, want %s: %s", a.Code, code, a.Message.Text())
	}
	return a
}

// What comes over MLLP is found by FHIR searches, in the message log as it
// was received, and told to subscribers.
func TestHL7v2IsFoundAndTold(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		app, err := receiver.New(receiver.Options{Name: "app", Token: "hello", Out: t.Output(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		seen := &collector{Handler: app}
		hook := httptest.NewServer(seen)
		defer hook.Close()
		r.want(r.send("POST", admin+"/destinations", `{"id":"app","name":"App","url":"`+hook.URL+`","verificationToken":"hello"}`), http.StatusCreated, `"verified":true`)
		for _, content := range []string{"detailed", "redox"} {
			r.want(r.send("POST", admin+"/subscriptions", `{"destination":"app","dataModel":"Scheduling","content":"`+content+`"}`), http.StatusCreated)
		}
		client := r.listening("")
		for _, name := range []string{"ADT_A01", "ADT_A08", "SIU_S12", "ORU_R01", "ORM_O01", "OML_O21", "MDM_T02", "VXU_V04", "DFT_P03", "REF_I12"} {
			r.tell(client, v2Sample(t, name), "AA")
		}
		patient := text(r.one("Patient?identifier=urn:oid:1.2.3|4711&family=Muster&birthdate=1975-01-02")["id"])
		for _, query := range []string{
			"Encounter?identifier=V4711&status=finished", "Appointment?date=2026-03-10&status=booked", "DiagnosticReport?code=http://loinc.org|24323-8",
			"Observation?code=http://loinc.org|2345-7&value-quantity=182.5", "ServiceRequest?identifier=P300", "DocumentReference?identifier=D400",
			"Immunization?vaccine-code=208", "ChargeItem?code=99213", "ServiceRequest?identifier=R700",
		} {
			name := "patient"
			if strings.HasPrefix(query, "ChargeItem") {
				name = "subject"
			}
			r.one(query + "&" + name + "=" + patient)
		}
		eventually(t, "both deliveries", func() bool { return len(seen.got()) == 2 })
		v := decoded(t, r.want(r.send("GET", admin+"/messages?limit=1", ""), http.StatusOK, `"format":"hl7v2"`, `"status":"SUCCEEDED"`))
		body := r.want(r.send("GET", admin+"/messages/"+text(at(v, "items", 0, "id"))+"/body", ""), http.StatusOK)
		if string(body.body) != v2Sample(t, "REF_I12") {
			t.Error("the log does not have the message as it was received")
		}
	})
}

// A message that comes again changes nothing, whether its answer was lost or
// the server was started anew meanwhile; an unknown segment is kept.
func TestHL7v2ThatComesAgainChangesNothing(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r, stop := startStoppable(t, c)
		message := v2Sample(t, "SIU_S12") + "ZAP|1|kept^as it is\r"
		client := r.listening("")
		r.tell(client, message, "AA")
		changed := strings.Replace(message, "|MS12|", "|MS13|", 1)
		changed = strings.Replace(changed, "Please be fasting.", "Come as you are.", 1)
		r.tell(client, changed, "AA")
		stop()
		r = start(t, c)
		r.tell(r.client(), message, "AA") // after a later one: it must not undo that
		appointment := r.one("Appointment")
		if got := text(appointment["comment"]); !strings.Contains(got, "Come as you are.") || text(at(appointment, "meta", "versionId")) != "2" {
			t.Errorf("version %s says %q", at(appointment, "meta", "versionId"), got)
		}
		v := decoded(t, r.want(r.send("GET", admin+"/messages", ""), http.StatusOK))
		if list, _ := at(v, "items").([]any); len(list) != 2 {
			t.Errorf("%d messages in the log, want 2", len(list))
		}
		body := r.want(r.send("GET", admin+"/messages/"+text(at(v, "items", 0, "id"))+"/body", ""), http.StatusOK)
		if !bytes.Contains(body.body, []byte("ZAP|1|kept^as it is")) {
			t.Error("the unknown segment is gone")
		}
	})
}

// What cannot be taken is answered with its reason, is in the log, and stores
// nothing.
func TestHL7v2ThatIsRefused(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	client := r.listening(`,"events":["SIU^*"]`)
	siu := v2Sample(t, "SIU_S12")
	for _, c := range []struct{ name, message, code, condition string }{
		{"an event that the connection does not take", v2Sample(t, "ADT_A01"), "AR", "201"},
		{"a date that is none", strings.Replace(siu, "|19750102|", "|19751302|", 1), "AE", "102"},
		{"no patient identifier", strings.Replace(siu, "4711^^^GOOD&1.2.3&ISO^MR~000-12-9999^^^SSA^SS", "", 1), "AE", "101"},
	} {
		a := r.tell(client, c.message, c.code)
		if got := a.Conditions(); len(got) == 0 || got[0] != c.condition {
			t.Errorf("%s: %v", c.name, got)
		}
		v := decoded(t, r.want(r.send("GET", admin+"/messages?limit=1", ""), http.StatusOK))
		if text(at(v, "items", 0, "status")) != "FAILED" || text(at(v, "items", 0, "errors", 0, "Module")) != "HL7v2" {
			t.Errorf("%s: the log has %v", c.name, at(v, "items", 0))
		}
	}
	if n := len(r.search("Patient")) + len(r.search("Appointment")); n != 0 {
		t.Errorf("%d resources were stored", n)
	}
	// Corrected, it is taken. Then two known patients in one are not.
	r.tell(client, siu, "AA")
	other := strings.NewReplacer("|MS12|", "|MS20|", "4711^^^GOOD&1.2.3&ISO^MR~000-12-9999^^^SSA^SS", "4799^^^GOOD&1.2.3&ISO^MR", "P100^EHR|F100^SCHED", "P101^EHR|F101^SCHED").Replace(siu)
	r.tell(client, other, "AA")
	both := strings.NewReplacer("|MS12|", "|MS21|", "000-12-9999^^^SSA^SS", "4799^^^GOOD&1.2.3&ISO^MR").Replace(siu)
	if got := r.tell(client, both, "AE").Conditions(); got[0] != "205" {
		t.Error(got)
	}
}

// Over HTTP the answer is the acknowledgement.
func TestHL7v2OverHTTP(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	siu := v2Sample(t, "SIU_S12")
	r.want(r.send("POST", "/hl7v2", siu, "Content-Type", "text/plain"), http.StatusUnsupportedMediaType)
	a := r.want(r.send("POST", "/hl7v2", siu, "Content-Type", "application/hl7-v2; charset=utf-8"), http.StatusOK, "MSA|AA|MS12")
	if a.header.Get("Content-Type") != "application/hl7-v2" {
		t.Error(a.header)
	}
	r.one("Appointment?status=booked")
	r.want(r.send("POST", "/hl7v2", strings.Replace(siu, "|19750102|", "|19751302|", 1), "Content-Type", "application/hl7-v2"), http.StatusBadRequest, "MSA|AE|MS12", "PID^1^7")
	r.want(r.send("POST", "/hl7v2", "no message", "Content-Type", "application/hl7-v2"), http.StatusBadRequest, "MSA|AR")
}

// Settings of a connection that are wrong are named.
func TestHL7v2ConnectionsAreChecked(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	for _, c := range []struct{ body, field string }{
		{`{"kind":"mllp","hl7v2":{}}`, "kind"},
		{`{"kind":"hl7v2-mllp"}`, "hl7v2"},
		{`{"kind":"hl7v2-mllp","vendor":"athenahealth","hl7v2":{}}`, "vendor"},
		{`{"kind":"hl7v2-mllp","hl7v2":{"listen":"2575"}}`, "hl7v2.listen"},
		{`{"kind":"hl7v2-mllp","hl7v2":{"charset":"EBCDIC"}}`, "hl7v2.charset"},
		{`{"kind":"hl7v2-mllp","hl7v2":{"timeZone":"Mars/Olympus"}}`, "hl7v2.timeZone"},
		{`{"kind":"hl7v2-mllp","hl7v2":{"events":["ADT^A99"]}}`, "hl7v2.events"},
		{`{"kind":"hl7v2-mllp","hl7v2":{"allow":["ten"]}}`, "hl7v2.allow"},
		{`{"kind":"hl7v2-mllp","hl7v2":{"tls":{"certificate":"x","privateKey":"y"}}}`, "hl7v2.tls"},
	} {
		v := decoded(t, r.want(r.send("POST", admin+"/connections", c.body), http.StatusBadRequest))
		if got := text(at(v, "error", "field")); got != c.field {
			t.Errorf("%s: %s", c.body, got)
		}
	}
}
