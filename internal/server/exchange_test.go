package server_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/internal/sharedtest"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
)

func shipped(t *testing.T, model, event string) []byte {
	t.Helper()
	b, ok := redox.Sample(model, event)
	if !ok {
		t.Fatalf("no sample of %s.%s", model, event)
	}
	return b
}

// The main job, first half: pushed, stored, found.
func TestPushedMessagesAreFound(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		a := r.want(r.send("POST", "/endpoint", string(shipped(t, "Scheduling", "New"))), http.StatusOK)
		id := text(at(decoded(t, a), "Meta", "Logs", 0, "ID"))
		r.want(r.send("POST", "/endpoint", string(shipped(t, "PatientAdmin", "Arrival"))), http.StatusOK)

		patient := r.one("Patient?identifier=" + url.QueryEscape("urn:redox:sandbox:MR|LV-0048213"))
		pid := text(patient["id"])
		appointment := r.one("Appointment?patient=" + pid + "&date=2026-03-09")
		if r.one("Appointment?date=ge2026-03-09&date=lt2026-03-10")["id"] != appointment["id"] {
			t.Error("the date range finds another appointment")
		}
		if got := r.one("Encounter?patient=" + pid); got["resourceType"] != "Encounter" {
			t.Error("no encounter")
		}
		if len(r.search("Practitioner")) == 0 || len(r.search("Location")) == 0 {
			t.Error("no practitioner or no location")
		}
		if n := len(r.search("Patient")); n != 1 {
			t.Errorf("%d patients, want the two messages to speak of one", n)
		}
		r.want(r.send("GET", admin+"/messages/"+id, ""), http.StatusOK, `"status":"SUCCEEDED"`, "Appointment/"+text(appointment["id"]))
		body := r.want(r.send("GET", admin+"/messages/"+id+"/body", ""), http.StatusOK)
		if string(body.body) != string(shipped(t, "Scheduling", "New")) {
			t.Error("the log does not keep the message as it was received")
		}
	})
}

// Real messages of the documentation go the same way.
func TestDocumentationSamples(t *testing.T) {
	dir := sharedtest.Dir(t, "data", "redox", "samples")
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		for _, name := range []string{"Scheduling.New", "PatientAdmin.Arrival", "Scheduling.Reschedule", "PatientAdmin.Discharge"} {
			b, err := os.ReadFile(dir + "/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			r.want(r.send("POST", "/endpoint", string(b)), http.StatusOK)
		}
		if n := len(r.search("Patient?family=Bixby&birthdate=2008-01-06")); n != 1 {
			t.Errorf("%d patients, want 1", n)
		}
	})
}

// A message that was sent before changes nothing and makes no version.
func TestRedeliveryChangesNothing(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		m := string(shipped(t, "Scheduling", "New"))
		r.want(r.send("POST", "/endpoint", m), http.StatusOK)
		a := r.want(r.send("POST", "/endpoint", m), http.StatusOK)
		id := text(at(decoded(t, a), "Meta", "Logs", 0, "ID"))
		r.want(r.send("GET", admin+"/messages/"+id, ""), http.StatusOK, "nothing was changed")
		for _, typ := range []string{"Patient", "Appointment", "Practitioner", "Location"} {
			for _, found := range r.search(typ) {
				if v := text(at(found, "meta", "versionId")); v != "1" {
					t.Errorf("%s has version %s", typ, v)
				}
			}
		}
	})
}

// What a message leaves out, another message has said.
func TestMergeKeepsWhatIsLeftOut(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		m := shipped(t, "Scheduling", "New")
		r.want(r.send("POST", "/endpoint", string(m)), http.StatusOK)
		before := r.one("Patient")
		less := edited(t, m, nil, "Patient", "Demographics", "Address")
		less = edited(t, []byte(less), "Married-Name", "Patient", "Demographics", "LastName")
		r.want(r.send("POST", "/endpoint", less), http.StatusOK)
		after := r.one("Patient")
		if after["id"] != before["id"] || text(at(after, "address", 0, "city")) != text(at(before, "address", 0, "city")) {
			t.Error("the address was lost")
		}
		if text(at(after, "name", 0, "family")) != "Married-Name" {
			t.Error("the new name did not come through")
		}
	})
}

// Identifiers that belong to two patients join nothing.
func TestContradictingIdentifiersAreRefused(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		m := shipped(t, "Scheduling", "New")
		first := edited(t, m, []any{map[string]any{"ID": "A-1", "IDType": "MR"}}, "Patient", "Identifiers")
		second := edited(t, []byte(edited(t, m, "V-2", "Visit", "VisitNumber")),
			[]any{map[string]any{"ID": "B-2", "IDType": "EHRID"}}, "Patient", "Identifiers")
		both := edited(t, []byte(edited(t, m, "V-3", "Visit", "VisitNumber")),
			[]any{map[string]any{"ID": "A-1", "IDType": "MR"}, map[string]any{"ID": "B-2", "IDType": "EHRID"}}, "Patient", "Identifiers")
		r.want(r.send("POST", "/endpoint", first), http.StatusOK)
		r.want(r.send("POST", "/endpoint", second), http.StatusOK)
		a := r.want(r.send("POST", "/endpoint", both), http.StatusConflict, "different records", "urn:redox:sandbox:MR")
		if strings.Contains(string(a.body), "A-1") {
			t.Error("the answer names an identifier's value")
		}
		if n := len(r.search("Appointment")); n != 2 {
			t.Errorf("%d appointments: the refused message stored something", n)
		}
	})
}

// Data on demand through the data model.
func TestSchedulingBookedQuery(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		r.want(r.send("POST", "/endpoint", string(shipped(t, "Scheduling", "New"))), http.StatusOK)
		ask := `{"Meta":{"DataModel":"Scheduling","EventType":"Booked"},"StartDateTime":"2026-03-01T00:00:00Z","EndDateTime":"2026-03-31T00:00:00Z",
			"Visit":{"Patients":[{"Identifiers":[{"ID":"LV-0048213","IDType":"MR"}]}]}}`
		v := decoded(t, r.want(r.send("POST", "/query", ask), http.StatusOK))
		if text(at(v, "Meta", "EventType")) != "BookedResponse" || text(at(v, "Visits", 0, "VisitNumber")) != "LV-APT-90021" {
			t.Errorf("answer: %v", v)
		}
		none := strings.Replace(ask, "LV-0048213", "nobody", 1)
		v = decoded(t, r.want(r.send("POST", "/query", none), http.StatusOK))
		if l, ok := at(v, "Visits").([]any); !ok || len(l) != 0 {
			t.Errorf("visits of nobody: %v", at(v, "Visits"))
		}
		r.want(r.send("POST", "/query", `{"Meta":{"DataModel":"Enrichment","EventType":"NaturalLanguageProcessingQuery"}}`), http.StatusBadRequest, "Query not answered here - Enrichment:NaturalLanguageProcessingQuery")
	})
}
