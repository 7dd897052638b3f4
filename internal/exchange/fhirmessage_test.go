package exchange

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/mapping/fhirmessage"
	"github.com/fhirfacade/fhirfacade/store"
)

const vendorBase = "https://ehr.example/r4"

func fhirMessage(t *testing.T, event, focus, body string, related ...string) []byte {
	t.Helper()
	model, event, _ := strings.Cut(event, ":")
	m := fhirmessage.Outgoing{ID: "m", DataModel: model, EventType: event, Base: vendorBase, Focus: fhirmessage.Resource{Name: focus, Body: json.RawMessage(body)}}
	for i := 0; i < len(related); i += 2 {
		m.Related = append(m.Related, fhirmessage.Resource{Name: related[i], Body: json.RawMessage(related[i+1])})
	}
	text, err := fhirmessage.Write(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// only is the one stored resource of the vendor's under a name.
func only(t *testing.T, x *Exchange, typ, id string) store.Document {
	t.Helper()
	found, err := x.having(t.Context(), testTenant, typ, []search.Identifier{{System: vendorBase + "/" + typ, Value: id}})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d of %s (%v)", len(found), typ, err)
	}
	return found[0]
}

func TestFHIRMessages(t *testing.T) {
	x := open(t, nil)
	src := Source{ID: "s", Name: "EHR"}
	patient := `{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"1"}],"name":[{"family":"Marsh"}]}`
	appointment := `{"resourceType":"Appointment","id":"7","status":"booked","comment":"fasting","participant":[{"actor":{"reference":"Patient/p1"},"status":"accepted"}]}`
	send := func(text []byte) Receipt {
		t.Helper()
		rc, err := x.IngestFHIR(t.Context(), testTenant, src, text)
		if err != nil {
			t.Fatal(err)
		}
		return rc
	}
	rc := send(fhirMessage(t, "Scheduling:New", "Appointment/7", appointment, "Patient/p1", patient))
	p, a := only(t, x, "Patient", "p1"), only(t, x, "Appointment", "7")
	if len(rc.Message.Resources) != 2 || rc.Message.Seq == 0 || !strings.Contains(string(a.Body), `"reference":"`+p.Ref.String()+`"`) {
		t.Errorf("stored: %s", a.Body)
	}
	if rc := send(fhirMessage(t, "Scheduling:New", "Appointment/7", appointment, "Patient/p1", patient)); rc.Message.Seq != 0 {
		t.Error("the same message was committed again")
	}
	// What the vendor took away of its appointment is gone; of a patient, that
	// others may speak of, it stays.
	less := strings.Replace(appointment, `"comment":"fasting",`, "", 1)
	send(fhirMessage(t, "Scheduling:Modification", "Appointment/7", less, "Patient/p1", strings.Replace(patient, `,"name":[{"family":"Marsh"}]`, "", 1)))
	if b := string(only(t, x, "Appointment", "7").Body); strings.Contains(b, "fasting") {
		t.Errorf("the comment stayed: %s", b)
	}
	if b := string(only(t, x, "Patient", "p1").Body); !strings.Contains(b, "Marsh") {
		t.Errorf("the name is gone: %s", b)
	}
	// A reference to what is known follows it; one to what is not leads to the
	// vendor.
	observation := `{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"Weight"},"subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"}}`
	send(fhirMessage(t, "Results:New", "Observation/o1", observation))
	b := string(only(t, x, "Observation", "o1").Body)
	if !strings.Contains(b, p.Ref.String()) || !strings.Contains(b, `"`+vendorBase+`/Encounter/e1"`) {
		t.Errorf("references: %s", b)
	}
	// A type without identifiers is found again by its address.
	for range 2 {
		send(fhirMessage(t, "ClinicalSummary:PatientPush", "Provenance/v1", `{"resourceType":"Provenance","id":"v1","target":[{"reference":"Observation/o1"}],"recorded":"2026-03-02T10:00:00Z","agent":[{"who":{"display":"x"}}]}`))
	}
	page, err := x.o.Repository.Matching(t.Context(), testTenant, x.o.Repository.IdentifierClause("Patient", []search.Identifier{{System: "urn:mrn", Value: "1"}}), 5)
	if err != nil || len(page) != 1 {
		t.Errorf("%d patients (%v)", len(page), err)
	}
	doc, err := rawjson.Parse(p.Body, nil)
	if err != nil {
		t.Fatal(err)
	}
	meta, _ := doc.Root().Member("meta")
	if source, _ := meta.Member("source"); source.String() != vendorBase+"/Patient/p1" {
		t.Errorf("meta.source is %q", source.String())
	}
}

func TestAFHIRMessageThatIsNotValidIsRefusedForGood(t *testing.T) {
	x := open(t, nil)
	for _, text := range [][]byte{
		fhirMessage(t, "Scheduling:New", "Appointment/7", `{"resourceType":"Appointment","id":"7","status":"maybe"}`),
		[]byte(`{"resourceType":"Bundle","type":"batch"}`),
	} {
		_, err := x.IngestFHIR(t.Context(), testTenant, Source{ID: "s"}, text)
		var f *Failure
		if !errors.As(err, &f) || !f.Permanent() {
			t.Errorf("got %v", err)
		}
	}
}
