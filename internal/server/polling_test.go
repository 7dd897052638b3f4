package server_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/polling/vendors/fhirr4/simulator"
)

// What changes at a FHIR server is found here, under ids of our own, and with
// the vendor's as identifiers.
func TestAFHIRServerIsPolled(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		sim, err := simulator.New(simulator.Options{Appointments: 5})
		if err != nil {
			t.Fatal(err)
		}
		vendor := httptest.NewServer(sim)
		t.Cleanup(vendor.Close)
		r := start(t, c)
		r.want(r.send("POST", admin+"/connections", `{"id":"ehr","vendor":"fhir","baseUrl":"`+vendor.URL+`/r4","timeZone":"UTC",
			"auth":{"method":"clientCredentials","clientId":"client","clientSecret":"secret"},
			"actions":[{"name":"Appointment","schedule":"@every 1h"},{"name":"Patient","schedule":"@every 1h"}]}`), http.StatusCreated, `"clientSecret":"********"`)
		poll := func() { r.want(r.send("POST", admin+"/connections/ehr/actions/Appointment/run", ""), http.StatusOK) }
		poll()
		if n := len(r.search("Appointment")); n != 0 {
			t.Errorf("%d appointments of before", n)
		}
		booked := sim.Book()
		poll()
		id := text(booked["id"])
		a := r.one("Appointment?identifier=" + vendor.URL + "/r4/Appointment|" + id)
		if a["start"] != booked["start"] || text(at(a, "meta", "source")) != vendor.URL+"/r4/Appointment/"+id {
			t.Errorf("stored: %v", a)
		}
		if len(r.search("Patient")) != 1 || len(r.search("Practitioner")) != 1 || len(r.search("Location")) != 1 {
			t.Error("what the appointment refers to is not there")
		}
		patient := text(r.search("Patient")[0]["id"])
		r.one("Appointment?patient=" + patient)
		if _, err := sim.Edit("Appointment", id, simulator.Resource{"status": "cancelled"}); err != nil {
			t.Fatal(err)
		}
		poll()
		poll()
		a = r.one("Appointment?status=cancelled")
		if text(at(a, "meta", "versionId")) != "2" {
			t.Errorf("version %v", at(a, "meta", "versionId"))
		}
	})
}
