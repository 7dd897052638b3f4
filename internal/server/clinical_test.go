package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
)

// ottilie is the patient of the shipped messages, as a query names her.
const ottilie = `{"Identifiers":[{"ID":"LV-0048213","IDType":"MR"}]}`

// clinicalCases follow the data models of clinical messages from /endpoint to
// the store, to what FHIR searches find and to the answers of queries.
var clinicalCases = []struct {
	name string
	// send are messages by model and event, in order.
	send []string
	// found are FHIR searches and how many resources each finds afterwards.
	found map[string]int
	// query is a message to /query, and texts its answer must have.
	query  string
	answer []string
}{
	{
		name: "Results", send: []string{"Results.New"},
		found: map[string]int{
			"DiagnosticReport?identifier=LV-ORD-8801&status=final&category=LAB":                     1,
			"DiagnosticReport?result.code=http://loinc.org|2345-7&issued=ge2026-03-09":              1,
			"Observation?code=http://loinc.org|2345-7&value-quantity=gt100&category=laboratory":     1,
			"Observation?code=2160-0&value-quantity=lt0.3&date=2026-03-09":                          1,
			"Observation?patient.identifier=LV-0048213":                                             4,
			"Observation?specimen.type:text=Serum":                                                  1,
			"ServiceRequest?identifier=LV-ORD-8801&priority=stat&requester.family=Achterberg":       1,
			"Encounter?identifier=LV-ENC-55107":                                                     1,
			"DiagnosticReport?encounter.identifier=LV-ENC-55107&based-on.authored=2026-03-09":       1,
			"DiagnosticReport?results-interpreter.family=Yao&performer:missing=true":                1,
			"Observation?performer:Practitioner.family=Okonjo&performer:Organization.name=Larkspur": 4,
		},
		query: `{"Meta":{"DataModel":"Results","EventType":"Query"},"Patients":[` + ottilie + `],"OrderIDs":["LV-ORD-8801"],
			"ResultStatuses":["Final"],"Procedures":[{"Code":"24323-8","Codeset":"LOINC"}],"Completion":{"StartDateTime":"2026-03-09T00:00:00Z"},
			"Location":{"Department":"Orthopedics"}}`,
		answer: []string{`"EventType":"QueryResponse"`, `"ID":"LV-ORD-8801"`, `"Value":"118"`, `"ValueType":"Numeric"`, `"AbnormalFlag":"High"`,
			`"Value":"JVBERi0xLjQK"`, `"FileType":"PDF"`, `"VisitNumber":"LV-ENC-55107"`, `"LastName":"Quennell"`, `"Priority":"Stat"`},
	},
	{
		name: "Order", send: []string{"Order.New", "Order.GroupedOrders"},
		found: map[string]int{
			"ServiceRequest?identifier=LV-ORD-8802&status=active&intent=order":                                      1,
			"ServiceRequest?patient.identifier=LV-0048213":                                                          3,
			"ServiceRequest?code=http://loinc.org|57021-8&authored=2026-03-09":                                      1,
			"ServiceRequest?specimen.identifier=SP-21":                                                              1,
			"Specimen?collected=2026-03-10":                                                                         1,
			"Condition?code=M23.221":                                                                                1,
			"Coverage?patient.identifier=LV-0048213":                                                                1,
			"Observation?category=survey&value-string=Yes":                                                          1,
			"ServiceRequest?requester.identifier=http://hl7.org/fhir/sid/us-npi|1234567893&occurrence=le2026-12-31": 1,
		},
		query: `{"Meta":{"DataModel":"Order","EventType":"Query"},"Patients":[` + ottilie + `],"VisitNumbers":["LV-ENC-55107"],"OrderIDs":["LV-ORD-8802"]}`,
		answer: []string{`"EventType":"QueryResponse"`, `"ID":"LV-ORD-8802"`, `"Comments":"Call with critical values."`, `"Source":"Blood"`,
			`"Abbreviation":"FST"`, `"GroupNumber":"G-8810"`, `"OrderingFacility":{`},
	},
	{
		name: "ClinicalSummary", send: []string{"ClinicalSummary.PatientPush"},
		found: map[string]int{
			"AllergyIntolerance?code=http://www.nlm.nih.gov/research/umls/rxnorm|7980&clinical-status=active&criticality=high": 1,
			"Condition?category=problem-list-item&clinical-status=active&code=M23.221":                                         1,
			"Condition?category=problem-list-item&clinical-status=resolved&abatement-date=2019-12-01":                          1,
			"Condition?category=health-concern":                                                            1,
			"MedicationRequest?code=197805&status=active&intent=order":                                     1,
			"MedicationRequest?intent=plan":                                                                1,
			"Immunization?vaccine-code=http://hl7.org/fhir/sid/cvx|150&date=2025-10-14&lot-number=OV-2231": 1,
			"Procedure?code=174187004&date=2026-02-20":                                                     1,
			"Observation?category=vital-signs&code=29463-7&value-quantity=64.5":                            1,
			"Observation?category=social-history&code=72166-2":                                             1,
			"Observation?category=laboratory&value-quantity=gt100":                                         1,
			"DiagnosticReport?result.code=2345-7":                                                          1,
			"FamilyMemberHistory?relationship=MTH":                                                         1,
			"Goal?description=165245003&target-date=2026-06-01":                                            1,
			"CareTeam?participant:Practitioner.family=Achterberg":                                          1,
			"Consent?category=304251008":                                                                   1,
			"Device?manufacturer=Opal":                                                                     1,
			"ServiceRequest?patient.identifier=LV-0048213":                                                 3,
			"DocumentReference?type=11506-3&category=clinical-note":                                        1,
			"Composition?identifier=LV-DOC-2026-77&type=34133-9&date=2026-03-09":                           1,
			"Encounter?identifier=LV-ENC-55107":                                                            1,
			"Coverage?patient.identifier=LV-0048213":                                                       1,
			"Appointment?status=proposed":                                                                  1,
		},
		query: `{"Meta":{"DataModel":"ClinicalSummary","EventType":"PatientQuery"},"Patient":` + ottilie + `}`,
		answer: []string{`"EventType":"PatientQueryResponse"`, `"Name":"Penicillin G"`, `"Problems":[`, `"ResolvedProblems":[`, `"VitalSigns":[`,
			`"TobaccoUse":[`, `"Name":"Ibuprofen 400 MG Oral Tablet"`, `"Goals":[`, `"CareTeams":[`, `"AgeAtOnset":"52"`, `"Results":[`, `"Value":"118"`,
			`"LotNumber":"OV-2231"`, `"Insurances":[`, `"Encounters":[`, `"MedicalEquipment":[`, `"Instructions":[`, `"AdvanceDirectives":[`,
			`"HealthConcerns":[`, `"Supplies":[`, `"Orders":[`, `"Services":[`, `"LastName":"Quennell"`},
	},
	{
		name: "ClinicalSummary of a visit", send: []string{"ClinicalSummary.VisitPush"},
		found: map[string]int{
			"Composition?type=18842-5&encounter.identifier=LV-ENC-55107":                   1,
			"MedicationAdministration?code=161&status=completed&effective-time=2026-03-09": 1,
			"Condition?category=encounter-diagnosis":                                       4,
		},
		query: `{"Meta":{"DataModel":"ClinicalSummary","EventType":"VisitQuery"},"Patient":` + ottilie + `,"Visit":{"VisitNumber":"LV-ENC-55107"}}`,
		answer: []string{`"EventType":"VisitQueryResponse"`, `"ChiefComplaintText":"Knee pain."`, `"DischargeMedications":[`, `"AdmissionDiagnosis":[`,
			`"ID":"LV-DOC-2026-78"`, `"Discharged to home"`},
	},
	{
		name: "documents of summaries", send: []string{"ClinicalSummary.PatientPush"},
		found: map[string]int{"DocumentReference?patient.identifier=LV-0048213&date=ge2026-03-09": 1},
		query: `{"Meta":{"DataModel":"ClinicalSummary","EventType":"DocumentQuery"},"Patient":` + ottilie + `,
			"Document":{"StartDate":"2026-03-01T00:00:00Z","Types":[{"Code":"11506-3","CodeSystem":"2.16.840.1.113883.6.1"}]}}`,
		answer: []string{`"EventType":"DocumentQueryResponse"`, `"Documents":[`, `"FileType":"text/plain"`},
	},
	{
		name: "Media", send: []string{"Media.New", "Media.Replace"},
		found: map[string]int{
			"DocumentReference?identifier=LV-MEDIA-31&status=superseded":                                 1,
			"DocumentReference?identifier=LV-MEDIA-32&status=current&relation=replaces":                  1,
			"DocumentReference?contenttype=application/pdf&author.family=Achterberg&period=ge2026-03-09": 2,
			"DocumentReference?relatesto.identifier=LV-MEDIA-31&encounter.identifier=LV-ENC-55107":       1,
			"ServiceRequest?identifier=LV-ORD-8802":                                                      1,
			"DocumentReference?related:ServiceRequest.identifier=LV-ORD-8802&type:text=Consent":          1,
		},
		query:  `{"Meta":{"DataModel":"Media","EventType":"Query"},"Patients":[` + ottilie + `],"DocumentTypes":["Consent form"],"VisitNumbers":["LV-ENC-55107"],"DocumentIDs":["LV-MEDIA-32"]}`,
		answer: []string{`"EventType":"QueryResponse"`, `"DocumentID":"LV-MEDIA-32"`, `"OriginalDocumentID":"LV-MEDIA-31"`, `"FileContents":"JVBERi0xLjQK"`, `"FileType":"PDF"`, `"Authenticated":"True"`},
	},
	{
		name: "Notes", send: []string{"Notes.New", "Notes.Replace"},
		found: map[string]int{
			"DocumentReference?identifier=LV-NOTE-41&status=superseded&category=clinical-note": 1,
			"DocumentReference?identifier=LV-NOTE-42&status=current&date=2026-03-09":           1,
			"DocumentReference?contenttype=text/plain&authenticator.family=Achterberg":         2,
		},
		query:  `{"Meta":{"DataModel":"Notes","EventType":"Query"},"Patients":[` + ottilie + `],"DocumentIDs":["LV-NOTE-41"]}`,
		answer: []string{`"EventType":"QueryResponse"`, `"DocumentID":"LV-NOTE-41"`, `"FileContents":"Range of motion 0-120 degrees. Healing well."`, `"ContentType":"Plain Text"`, `"Comments":"twice a week"`},
	},
	{
		name: "Flowsheet", send: []string{"Flowsheet.New"},
		found: map[string]int{
			"Observation?category=vital-signs&code=http://loinc.org|8867-4&value-quantity=72":       1,
			"Observation?category=vital-signs&date=2026-03-09&performer:Practitioner.family=Okonjo": 2,
			"Observation?category=exam&code=72514-3":                                                1,
			"Observation?encounter.identifier=LV-ENC-55107&patient.identifier=LV-0048213":           3,
		},
	},
	{
		name: "Device", send: []string{"Device.New"},
		found: map[string]int{
			"Observation?device.identifier=BPM-0077&category=vital-signs&patient.identifier=LV-0048213": 2,
			"Observation?code=8480-6&value-quantity=131":                                                1,
		},
	},
	{
		name: "Vaccination", send: []string{"Vaccination.New"},
		found: map[string]int{
			"Immunization?vaccine-code=http://hl7.org/fhir/sid/cvx|115&status=completed&date=2026-03-09&lot-number=T-9981": 1,
			"Immunization?performer.family=Okonjo&location.name=Orthopedics&identifier=LV-ORD-8810":                        1,
		},
		query:  `{"Meta":{"DataModel":"Vaccination","EventType":"PatientQuery"},"Patient":` + ottilie + `}`,
		answer: []string{`"EventType":"PatientQueryResponse"`, `"Vaccinations":[`, `"Code":"115"`, `"Codeset":"CVX"`, `"Name":"GlaxoSmithKline"`, `"LastName":"Quennell"`},
	},
	{
		name: "Medications", send: []string{"Medications.New", "Medications.Administration"},
		found: map[string]int{
			"MedicationRequest?identifier=LV-RX-9001&status=active&intent=order&code=197805":      1,
			"MedicationRequest?requester.family=Achterberg&intended-dispenser.name=Vale":          1,
			"MedicationAdministration?code=197805&status=completed&request.identifier=LV-RX-9001": 1,
			"MedicationAdministration?effective-time=2026-03-09&context.identifier=LV-ENC-55107":  1,
			"AllergyIntolerance?code=7980": 1,
		},
	},
	{
		name: "PatientSearch", send: []string{"PatientAdmin.Arrival"},
		found:  map[string]int{"Patient?identifier=LV-0048213": 1},
		query:  `{"Meta":{"DataModel":"PatientSearch","EventType":"Query"},"Patient":{"Demographics":{"LastName":"Quennell","DOB":"1987-11-23","Sex":"Female"}}}`,
		answer: []string{`"EventType":"Response"`, `"Patient":{`, `"LastName":"Quennell"`, `"ID":"LV-0048213"`, `"LastName":"Holloway-Diaz"`, `"GroupNumber":"G-8810"`},
	},
}

func TestClinicalMessages(t *testing.T) {
	for _, one := range clinicalCases {
		t.Run(one.name, func(t *testing.T) {
			engines(t, func(t *testing.T, c server.Config) {
				r := start(t, c)
				for _, name := range one.send {
					model, event, _ := strings.Cut(name, ".")
					r.want(r.send("POST", "/endpoint", string(shipped(t, model, event))), http.StatusOK)
				}
				for query, want := range one.found {
					if n := len(r.search(encoded(query))); n != want {
						t.Errorf("%s finds %d, want %d", query, n, want)
					}
				}
				if one.query != "" {
					a := r.want(r.send("POST", "/query", one.query), http.StatusOK)
					for _, text := range one.answer {
						if !strings.Contains(string(a.body), text) {
							t.Errorf("the answer lacks %s:\n%s", text, a.body)
						}
					}
				}
				// Sent again, the messages change nothing.
				last := one.send[len(one.send)-1]
				model, event, _ := strings.Cut(last, ".")
				again := r.want(r.send("POST", "/endpoint", string(shipped(t, model, event))), http.StatusOK)
				id := text(at(decoded(t, again), "Meta", "Logs", 0, "ID"))
				r.want(r.send("GET", admin+"/messages/"+id, ""), http.StatusOK, "nothing was changed")
			})
		})
	}
}

// encoded escapes the bars and colons of a search that is written plainly.
func encoded(query string) string {
	path, rest, _ := strings.Cut(query, "?")
	var pairs []string
	for _, p := range strings.Split(rest, "&") {
		name, value, _ := strings.Cut(p, "=")
		pairs = append(pairs, name+"="+url.QueryEscape(value))
	}
	return path + "?" + strings.Join(pairs, "&")
}

// An order that is cancelled is revoked, whatever came before.
func TestOrderIsUpdatedAndCancelled(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		for _, step := range []struct{ event, status, priority string }{
			{"New", "active", "routine"}, {"Update", "on-hold", "stat"}, {"Cancel", "revoked", "stat"},
		} {
			r.want(r.send("POST", "/endpoint", string(shipped(t, "Order", step.event))), http.StatusOK)
			o := r.one("ServiceRequest?identifier=LV-ORD-8802")
			if text(o["status"]) != step.status || text(o["priority"]) != step.priority {
				t.Errorf("after %s the order is %v, %v", step.event, o["status"], o["priority"])
			}
			if text(at(o, "code", "coding", 0, "code")) != "57021-8" {
				t.Errorf("after %s the order lost what was ordered", step.event)
			}
		}
	})
}

// A query with a status that nobody knows, or a time that is none, is refused.
func TestBadClinicalQueries(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	for query, want := range map[string]string{
		`{"Meta":{"DataModel":"Results","EventType":"Query"},"ResultStatuses":["Blue"]}`:             "ResultStatuses must be a known status in Results:Query",
		`{"Meta":{"DataModel":"Results","EventType":"Query"},"Completion":{"StartDateTime":"soon"}}`: "Completion.StartDateTime must be a date and time in Results:Query",
		`{"Meta":{"DataModel":"Results","EventType":"QueryResponse"}}`:                               "Event type is a response and cannot be sent - Results:QueryResponse",
	} {
		r.want(r.send("POST", "/query", query), http.StatusBadRequest, want)
	}
}

// A document that a query lists is had by the ID that the answer says.
func TestListedDocumentIsHad(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	r.want(r.send("POST", "/endpoint", string(shipped(t, "ClinicalSummary", "PatientPush"))), http.StatusOK)
	list := decoded(t, r.want(r.send("POST", "/query", `{"Meta":{"DataModel":"ClinicalSummary","EventType":"DocumentQuery"},"Patient":`+ottilie+`}`), http.StatusOK))
	id := text(at(list, "Documents", 0, "ID"))
	get := `{"Meta":{"DataModel":"Clinical Summary","EventType":"DocumentGet"},"Document":{"ID":"` + id + `"}}`
	r.want(r.send("POST", "/query", get), http.StatusOK, `"FileType":"text/plain"`, `"Data":"SGVhbGluZyB3ZWxsLiBST00gMC0xMjDCsC4="`, id)
	none := strings.Replace(get, id, "nothing", 1)
	r.want(r.send("POST", "/query", none), http.StatusBadRequest, "Document.ID names 0 documents.")
}

// What is deleted is not found any more, and is not in answers.
func TestDocumentsAndMedicationsAreTakenBack(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		for _, step := range []struct{ message, search, status string }{
			{"Media.New", "DocumentReference?identifier=LV-MEDIA-31", "current"},
			{"Media.Replace", "DocumentReference?identifier=LV-MEDIA-31", "superseded"},
			{"Media.Delete", "DocumentReference?identifier=LV-MEDIA-32", "entered-in-error"},
			{"Notes.New", "DocumentReference?identifier=LV-NOTE-41", "current"},
			{"Notes.Replace", "DocumentReference?identifier=LV-NOTE-41", "superseded"},
			{"Notes.Delete", "DocumentReference?identifier=LV-NOTE-42", "entered-in-error"},
			{"Medications.New", "MedicationRequest?identifier=LV-RX-9001", "active"},
			{"Medications.Update", "MedicationRequest?identifier=LV-RX-9001", "active"},
			{"Medications.Cancel", "MedicationRequest?identifier=LV-RX-9001", "cancelled"},
			{"Vaccination.New", "Immunization?vaccine-code=115", "completed"},
			{"Vaccination.Administration", "Immunization?vaccine-code=115", "entered-in-error"},
			{"Vaccination.Administration", "Immunization?vaccine-code=141", "not-done"},
		} {
			model, event, _ := strings.Cut(step.message, ".")
			r.want(r.send("POST", "/endpoint", string(shipped(t, model, event))), http.StatusOK)
			if got := r.one(step.search); text(got["status"]) != step.status {
				t.Errorf("after %s %s is %v, want %s", step.message, step.search, got["status"], step.status)
			}
		}
		if m := r.one("MedicationRequest?identifier=LV-RX-9001"); text(at(m, "dosageInstruction", 0, "doseAndRate", 0, "doseQuantity", "value")) != "600" {
			t.Errorf("the changed dose is %v", at(m, "dosageInstruction", 0))
		}
		if d := r.one("DocumentReference?identifier=LV-MEDIA-32"); at(d, "content", 0, "attachment", "data") == nil {
			t.Error("the deletion took the contents, which it does not say")
		}
		r.want(r.send("POST", "/query", `{"Meta":{"DataModel":"Media","EventType":"Query"},"DocumentIDs":["LV-MEDIA-32"]}`), http.StatusOK, `"Media":[]`)
	})
}

// The messages cause the notifications that Redox sends for them.
func TestClinicalEvents(t *testing.T) {
	for message, want := range map[string]string{
		"Results.New": "result-created", "Order.New": "service-request-created", "Order.Update": "service-request-updated",
		"Order.Cancel": "service-request-cancelled", "Media.New": "documentreference-created", "Media.Replace": "documentreference-replaced",
		"Notes.Delete": "documentreference-deleted", "Medications.New": "medication-request-created", "Medications.Cancel": "medication-request-cancelled",
	} {
		model, event, _ := strings.Cut(message, ".")
		m, err := redox.Parse(shipped(t, model, event))
		if err != nil {
			t.Fatal(err)
		}
		f, err := m.ToFHIR(redox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if f.Event.Name != want || len(f.Focus) == 0 {
			t.Errorf("%s causes %q about %v, want %q", message, f.Event.Name, f.Focus, want)
		}
	}
}
