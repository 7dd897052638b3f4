package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
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
				a := r.want(r.send("POST", "/query", one.query), http.StatusOK)
				body := strings.NewReplacer("\n", "", `": `, `":`).Replace(string(a.body))
				for _, text := range one.answer {
					if !strings.Contains(body, text) {
						t.Errorf("the answer lacks %s:\n%s", text, body)
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
