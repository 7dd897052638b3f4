package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/exchange/mllp"
	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// ehr is a system that takes HL7 v2 over MLLP, and what it got.
type ehr struct {
	address string
	mu      sync.Mutex
	got     []string
	answer  func(hl7v2.Header) error // nil for AA
}

func newEHR(t *testing.T) *ehr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &ehr{address: l.Addr().String()}
	n := 0
	s := mllp.NewServer(mllp.ServerOptions{
		Now: time.Now, NewID: func() string { n++; return fmt.Sprint("ACK", n) },
		Handler: func(_ context.Context, r mllp.Received) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.answer != nil {
				if err := e.answer(r.Header); err != nil {
					return err
				}
			}
			e.got = append(e.got, string(r.Raw))
			return nil
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return e
}

func (e *ehr) messages() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.got...)
}

// settings are those of the tests' destination.
const settings = `"hl7v2":{"sendingApplication":"FACADE","receivingApplication":"EHR","receivingFacility":"GOOD",
	"timeZone":"America/Chicago","systems":{"MRN":"urn:redox:larkspur:MR"},"omit":["PID-13","PV2"],"set":{"ZFH-1":"fhirfacade","PID-18":"ACC-1"}}`

// carrying makes the destination and the subscription for writebacks to it.
func (r *running) carrying(e *ehr) {
	r.t.Helper()
	r.want(r.send("POST", admin+"/destinations", `{"id":"ehr","name":"EHR","url":"mllp://`+e.address+`",`+settings+`}`), http.StatusCreated, `"verified":true`)
	r.want(r.send("POST", admin+"/subscriptions", `{"id":"wb","destination":"ehr","dataModel":"*","content":"hl7v2","writebacks":true}`), http.StatusCreated)
}

// message is a FHIR message of an operation: what it is about, and the
// patient and the practitioner.
func message(focus string) string {
	return `{"resourceType":"Bundle","type":"message","timestamp":"2026-03-01T10:00:00Z","entry":[
		{"fullUrl":"urn:uuid:11111111-1111-4111-8111-111111111111","resource":{"resourceType":"MessageHeader","eventUri":"https://fhir.redoxengine.com/EventDefinition/Any",
			"source":{"name":"App","endpoint":"urn:uuid:0a0a0a0a-0000-4000-8000-00000000000a"},"focus":[{"reference":"urn:uuid:22222222-2222-4222-8222-222222222222"}]}},
		{"fullUrl":"urn:uuid:22222222-2222-4222-8222-222222222222","resource":` + focus + `},
		{"fullUrl":"urn:uuid:33333333-3333-4333-8333-333333333333","resource":{"resourceType":"Patient","identifier":[{"system":"urn:redox:larkspur:MR","value":"LV-1"}],
			"name":[{"family":"Quennell","given":["Ottilie"]}],"gender":"female","birthDate":"1987-11-23"}},
		{"fullUrl":"urn:uuid:44444444-4444-4444-8444-444444444444","resource":{"resourceType":"Practitioner","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"1234567893"}],
			"name":[{"family":"Achterberg","given":["Tobias"]}]}}]}`
}

const (
	ofPatient   = `"subject":{"reference":"urn:uuid:33333333-3333-4333-8333-333333333333"}`
	haemoglobin = `"code":{"coding":[{"system":"http://loinc.org","code":"718-7","display":"Hemoglobin"}]}`
	number      = `"identifier":[{"system":"urn:app:orders","value":"A-17"}]`
)

// writebacks are the operations: what is sent, the message that it becomes,
// and values of it.
var writebacks = []struct {
	operation, focus, event string
	values                  map[string]string
}{
	{"Appointment/$appointment-create", appointment("booked"), "SIU^S12", map[string]string{"SCH-1.1": "A-17", "SCH-11.4": "20260316100000-0500", "PID-3.1": "LV-1", "PID-3.4": "MRN", "AIP-3.1": "1234567893"}},
	{"Appointment/$appointment-update", appointment("booked"), "SIU^S14", map[string]string{"SCH-1.1": "A-17", "SCH-9": "45"}},
	{"Appointment/$appointment-cancel", appointment("cancelled"), "SIU^S15", map[string]string{"SCH-1.1": "A-17", "SCH-25.1": "Cancelled"}},
	{"Appointment/$referral-schedule-update", appointment("booked"), "SIU^S12", map[string]string{"SCH-1.1": "A-17"}},
	{"Patient/$patient-create", `{"resourceType":"Patient","identifier":[{"system":"urn:redox:larkspur:MR","value":"LV-2"}],"name":[{"family":"Neu","given":["Nora"]}],"gender":"female"}`, "ADT^A28", map[string]string{"PID-3.1": "LV-2", "PID-5.1": "Neu", "PID-8": "F"}},
	{"Patient/$patient-update", `{"resourceType":"Patient","identifier":[{"system":"urn:redox:larkspur:MR","value":"LV-2"}],"name":[{"family":"Alt"}],"birthDate":"1980-02-03"}`, "ADT^A31", map[string]string{"PID-5.1": "Alt", "PID-7": "19800203"}},
	{"Observation/$observation-create", `{"resourceType":"Observation",` + number + `,"status":"final",` + haemoglobin + `,` + ofPatient + `,"effectiveDateTime":"2026-03-01T09:00:00Z","valueQuantity":{"value":13.2,"unit":"g/dL","system":"http://unitsofmeasure.org","code":"g/dL"}}`, "ORU^R01", map[string]string{"OBR-4.1": "718-7", "OBX-2": "NM", "OBX-5": "13.2", "OBX-6.1": "g/dL", "OBX-11": "F"}},
	{"DiagnosticReport/$diagnosticreport-create", report("final"), "ORU^R01", map[string]string{"OBR-3.1": "A-17", "OBR-25": "F"}},
	{"DiagnosticReport/$diagnosticreport-amend", report("corrected"), "ORU^R01", map[string]string{"OBR-3.1": "A-17", "OBR-25": "C"}},
	{"DocumentReference/$documentreference-create", document(""), "MDM^T02", map[string]string{"TXA-12.1": "A-17", "OBX-2": "ED", "OBX-5.5": "JVBERi0="}},
	{"DocumentReference/$documentreference-replace", document(`"relatesTo":[{"code":"replaces","target":{"identifier":{"system":"urn:app:orders","value":"A-16"}}}],`), "MDM^T10", map[string]string{"TXA-12.1": "A-17", "TXA-13.1": "A-16"}},
	{"ServiceRequest/$servicerequest-create", request("active"), "ORM^O01", map[string]string{"ORC-2.1": "A-17", "OBR-4.1": "718-7", "ORC-1": "NW"}},
	{"ServiceRequest/$servicerequest-update", request("active"), "ORM^O01", map[string]string{"ORC-2.1": "A-17"}},
	{"ServiceRequest/$servicerequest-cancel", request("revoked"), "ORM^O01", map[string]string{"ORC-2.1": "A-17", "ORC-1": "CA"}},
	{"ChargeItem/$charge-item-create", `{"resourceType":"ChargeItem","identifier":[{"system":"urn:app:orders","value":"A-17"}],"status":"billable","code":{"coding":[{"system":"http://www.ama-assn.org/go/cpt","code":"99213"}]},` + ofPatient + `,"occurrenceDateTime":"2026-03-01T09:00:00Z"}`, "DFT^P03", map[string]string{"FT1-7.1": "99213", "FT1-4": "20260301030000-0600"}},
	{"Immunization/$immunization-create", `{"resourceType":"Immunization",` + number + `,"status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"208"}]},"patient":{"reference":"urn:uuid:33333333-3333-4333-8333-333333333333"},"occurrenceDateTime":"2026-03-01T09:00:00Z"}`, "VXU^V04", map[string]string{"RXA-5.1": "208", "ORC-3.1": "A-17"}},
}

func appointment(status string) string {
	return `{"resourceType":"Appointment",` + number + `,"status":"` + status + `","start":"2026-03-16T15:00:00Z","end":"2026-03-16T15:45:00Z",
		"participant":[{"actor":{"reference":"urn:uuid:33333333-3333-4333-8333-333333333333"},"status":"accepted"},{"actor":{"reference":"urn:uuid:44444444-4444-4444-8444-444444444444"},"status":"accepted"}]}`
}

func report(status string) string {
	return `{"resourceType":"DiagnosticReport",` + number + `,"status":"` + status + `",` + haemoglobin + `,` + ofPatient + `,"effectiveDateTime":"2026-03-01T09:00:00Z"}`
}

func request(status string) string {
	return `{"resourceType":"ServiceRequest",` + number + `,"status":"` + status + `","intent":"order",` + haemoglobin + `,` + ofPatient + `}`
}

func document(more string) string {
	return `{"resourceType":"DocumentReference","masterIdentifier":{"system":"urn:app:orders","value":"A-17"},"status":"current","docStatus":"final",` + more + `"type":{"coding":[{"system":"http://loinc.org","code":"34133-9"}]},` + ofPatient + `,
		"content":[{"attachment":{"contentType":"application/pdf","data":"JVBERi0=","title":"letter.pdf"}}]}`
}

// Every operation becomes its HL7 v2 message, in the order of the operations,
// and its Task is completed by AA.
func TestWritebacksBecomeHL7v2(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r, e := start(t, c), newEHR(t)
		r.carrying(e)
		var tasks []string
		for _, w := range writebacks {
			a := decoded(t, r.want(r.send("POST", fhirBase+"/"+w.operation, message(w.focus), "Content-Type", "application/fhir+json"), http.StatusOK, "201 Created"))
			location := text(at(a, "entry", 0, "response", "location"))
			tasks = append(tasks, strings.Split(location[strings.Index(location, "/Task/")+6:], "/")[0])
		}
		eventually(t, "all messages", func() bool { return len(e.messages()) == len(writebacks) })
		for i, got := range e.messages() {
			w := writebacks[i]
			m, err := hl7v2.Parse([]byte(got), hl7v2.Options{})
			if err != nil {
				t.Fatal(err)
			}
			h := m.Header()
			if h.Type+"^"+h.Event != w.event {
				t.Errorf("%s became %s^%s, want %s", w.operation, h.Type, h.Event, w.event)
				continue
			}
			for path, want := range w.values {
				if v := m.Get(path).String(); v != want {
					t.Errorf("%s: %s is %q, want %q", w.operation, path, v, want)
				}
			}
			if m.Get("ZFH-1").String() != "fhirfacade" || m.Get("PID-18").String() != "ACC-1" || h.ReceivingFacility != "GOOD" {
				t.Errorf("%s: the settings are not kept: %s", w.operation, got)
			}
			if problems := m.Group(hl7v2.StructureOf(h.Type, h.Event)).Check(); len(problems) > 0 {
				t.Errorf("%s: not of its structure: %v", w.operation, problems)
			}
		}
		for i, id := range tasks {
			eventually(t, "the end of "+writebacks[i].operation, func() bool {
				return text(decoded(t, r.want(r.send("GET", fhirBase+"/Task/"+id, ""), http.StatusOK)).(map[string]any)["status"]) == "completed"
			})
		}
	})
}

// What was written and comes back from the EHR is joined, not doubled.
func TestTheWrittenThingComesBack(t *testing.T) {
	r, e := start(t, server.Config{Data: t.TempDir(), Sandbox: true}), newEHR(t)
	r.carrying(e)
	client := r.listening(`,"systems":{"MRN":"urn:redox:larkspur:MR"}`)
	r.want(r.send("POST", fhirBase+"/Appointment", `{"resourceType":"Appointment",`+number+`,"status":"proposed","comment":"as the app keeps it","participant":[{"actor":{"display":"someone"},"status":"accepted"}]}`), http.StatusCreated)
	r.want(r.send("POST", fhirBase+"/Appointment/$appointment-create", message(appointment("booked"))), http.StatusOK)
	eventually(t, "the message", func() bool { return len(e.messages()) == 1 })
	// The EHR gives it a number of its own and tells it in its feed, twice.
	sent := e.messages()[0]
	m, err := hl7v2.Parse([]byte(sent), hl7v2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, control := range []string{"E1", "E2"} {
		d := m.Draft()
		for _, s := range d.Segments {
			switch s.Name {
			case "MSH":
				s.Set(hl7v2.Path{Field: 10}, control)
			case "SCH":
				s.Set(hl7v2.Path{Field: 2, Component: 1}, "EHR-99")
				s.Set(hl7v2.Path{Field: 2, Component: 2}, "SCHED")
				s.Set(hl7v2.Path{Field: 25, Component: 1}, "Booked")
			}
		}
		back, err := d.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		r.tell(client, string(back), "AA")
	}
	found := r.one("Appointment?identifier=EHR-99")
	if r.one("Appointment")["id"] != found["id"] || text(found["status"]) != "booked" || text(found["comment"]) != "as the app keeps it" {
		t.Errorf("the appointment is %v", found)
	}
	r.one("Appointment?identifier=urn:app:orders|A-17")
	r.one("Patient?identifier=urn:redox:larkspur:MR|LV-1")
}

// AE and AR set a message aside with the reason, and the queue goes on; the
// Task has failed.
func TestAnEHRThatRefuses(t *testing.T) {
	r, e := start(t, server.Config{Data: t.TempDir(), Sandbox: true}), newEHR(t)
	r.carrying(e)
	first := true
	e.answer = func(hl7v2.Header) error {
		if !first {
			return nil
		}
		first = false
		return &hl7v2.Error{Kind: hl7v2.ErrTable, Path: hl7v2.Path{Segment: "PID", Field: 8}, Rule: "of its table"}
	}
	for range 2 {
		r.want(r.send("POST", fhirBase+"/Patient/$patient-update", message(writebacks[5].focus)), http.StatusOK)
	}
	eventually(t, "the second one", func() bool { return len(e.messages()) == 1 })
	eventually(t, "the Tasks", func() bool { return len(r.search("Task?status=failed"))+len(r.search("Task?status=completed")) == 2 })
	if got := text(at(r.one("Task?status=failed"), "statusReason", "text")); !strings.Contains(got, "AE with 103") {
		t.Error(got)
	}
	r.want(r.send("GET", admin+"/transmissions?subscription=wb", ""), http.StatusOK, `"status":"FAILED"`, `AE with 103 of table 0357`)
}

// Over HTTP the answer's body is the acknowledgement; events that are no
// writebacks are carried too.
func TestHL7v2IsCarriedOverHTTP(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	var mu sync.Mutex
	var got []string
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		b := new(strings.Builder)
		_, _ = fmt.Fprint(b, q.Header.Get("Content-Type"), " ")
		s := mllp.NewServer(mllp.ServerOptions{Now: time.Now, NewID: func() string { return "X" }, Handler: func(_ context.Context, m mllp.Received) error {
			got = append(got, b.String()+m.Header.Type+"^"+m.Header.Event+" "+m.Message.Get("PID-5.1").String())
			return nil
		}})
		body := make([]byte, 1<<20)
		n, _ := q.Body.Read(body)
		ack, err := s.Answer(q.Context(), body[:n])
		if err != nil && !errors.Is(err, mllp.ErrNotStored) {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write(ack)
	}))
	defer hook.Close()
	r.want(r.send("POST", admin+"/destinations", `{"id":"h","name":"H","url":"`+hook.URL+`","hl7v2":{}}`), http.StatusCreated, `"verified":true`)
	r.want(r.send("POST", admin+"/subscriptions", `{"id":"s","destination":"h","dataModel":"*","content":"hl7v2"}`), http.StatusCreated)
	r.want(r.send("POST", "/endpoint", string(shipped(t, "PatientAdmin", "Arrival"))), http.StatusOK)
	eventually(t, "the delivery", func() bool {
		v := decoded(t, r.want(r.send("GET", admin+"/transmissions?subscription=s", ""), http.StatusOK))
		return text(at(v, "items", 0, "status")) == "SUCCEEDED"
	})
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 1 || !strings.HasPrefix(got[0], "application/hl7-v2 ADT^A01 ") {
		t.Error(got)
	}
}

// What a message Bundle lacks is named, and nothing is stored.
func TestWritebacksAreChecked(t *testing.T) {
	r, e := start(t, server.Config{Data: t.TempDir(), Sandbox: true}), newEHR(t)
	r.carrying(e)
	good := message(report("final"))
	for _, c := range []struct{ name, body, text string }{
		{"no Bundle", report("final"), "Bundle"},
		{"no message", strings.Replace(good, `"type":"message"`, `"type":"collection"`, 1), "Bundle.type"},
		{"no focus", strings.Replace(good, `"focus":[{"reference":"urn:uuid:22`, `"focus":[{"reference":"urn:uuid:99`, 1), "MessageHeader.focus"},
		{"no event", strings.Replace(good, `"eventUri":"https://fhir.redoxengine.com/EventDefinition/Any",`, "", 1), "MessageHeader.event"},
		{"no report", message(request("active")), "DiagnosticReport"},
		{"no identifier of the patient", strings.Replace(good, `"identifier":[{"system":"urn:redox:larkspur:MR","value":"LV-1"}],`, "", 1), "Patient.identifier"},
	} {
		a := r.send("POST", fhirBase+"/DiagnosticReport/$diagnosticreport-create", c.body)
		if a.status < 400 || a.status >= 500 || !strings.Contains(string(a.body), c.text) || strings.Contains(string(a.body), "Quennell") {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	if n := len(r.search("Task")); n != 0 || len(e.messages()) != 0 {
		t.Errorf("%d Tasks", n)
	}
}

// A dry run shows the message, with the stored settings or edited ones.
func TestHL7v2DryRun(t *testing.T) {
	r, e := start(t, server.Config{Data: t.TempDir(), Sandbox: true}), newEHR(t)
	r.carrying(e)
	ask := `{"event":"Scheduling.New","bundle":` + message(appointment("booked"))
	r.want(r.send("POST", admin+"/destinations/ehr/dry-run", ask+`}`), http.StatusOK, "SIU^S12^SIU_S12", "ZFH|fhirfacade", `"steps"`, `"left"`)
	a := r.want(r.send("POST", admin+"/destinations/ehr/dry-run", ask+`,"hl7v2":{"set":{"ZNE-2":"new"}}}`), http.StatusOK, "ZNE||new")
	if strings.Contains(string(a.body), "ZFH|") {
		t.Error("the stored settings were taken")
	}
	r.want(r.send("POST", admin+"/destinations/ehr/dry-run", ask+`,"hl7v2":{"omit":["PID-3.1"]}}`), http.StatusBadRequest, "hl7v2.omit")
	if len(e.messages()) != 0 {
		t.Error("it was sent")
	}
}
