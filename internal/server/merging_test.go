package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

// admission is a PatientAdmin message in short.
func admission(event, at, identifiers, more string) string {
	return fmt.Sprintf(`{"Meta":{"DataModel":"PatientAdmin","EventType":%q,"EventDateTime":%q},"Patient":{"Identifiers":[%s]%s}}`,
		event, at, identifiers, more)
}

func mr(ids ...string) string {
	var list []string
	for _, id := range ids {
		list = append(list, `{"ID":"`+id+`","IDType":"MR"}`)
	}
	return strings.Join(list, ",")
}

func person(family, birth string) string {
	more := `,"Demographics":{"LastName":"` + family + `","FirstName":"Ann"`
	if birth != "" {
		more += `,"DOB":"` + birth + `"`
	}
	return more + "}"
}

func (r *running) push(message string, texts ...string) any {
	r.t.Helper()
	return decoded(r.t, r.want(r.send("POST", "/endpoint", message), http.StatusOK, texts...))
}

// record is the message of the log that an answer of /endpoint names.
func (r *running) record(answer any) any {
	r.t.Helper()
	id := text(at(answer, "Meta", "Logs", 0, "ID"))
	return decoded(r.t, r.want(r.send("GET", admin+"/messages/"+id, ""), http.StatusOK))
}

// What happened earlier and comes later overwrites nothing, whether the later
// one changed something or said the same again.
func TestAnOlderMessageDoesNotOverwriteANewerOne(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		r.push(admission("NewPatient", "2026-03-01T10:00:00Z", mr("A"), person("First", "")))
		r.push(admission("PatientUpdate", "2026-03-03T10:00:00Z", mr("A"), person("Third", "")))
		late := r.push(admission("PatientUpdate", "2026-03-02T10:00:00Z", mr("A"), person("Second", "1980-02-03")))
		p := r.one("Patient")
		if text(at(p, "name", 0, "family")) != "Third" {
			t.Errorf("the older message put its name over the newer one's: %v", p["name"])
		}
		if text(p["birthDate"]) != "1980-02-03" {
			t.Error("what nobody had said was not added")
		}
		if w := text(at(r.record(late), "warnings")); !strings.Contains(w, "something later") {
			t.Errorf("the log does not say so: %s", w)
		}
		// Said again on the 5th, it is true on the 4th.
		r.push(admission("PatientUpdate", "2026-03-05T10:00:00Z", mr("A"), person("Third", "")))
		r.push(admission("PatientUpdate", "2026-03-04T10:00:00Z", mr("A"), person("Fourth", "")))
		if p := r.one("Patient"); text(at(p, "name", 0, "family")) != "Third" {
			t.Errorf("an older message put its name over one that was said again later: %v", p["name"])
		}
		// Another source has its own time.
		other := decoded(t, r.want(r.send("POST", admin+"/sources", `{"name":"other"}`), http.StatusCreated))
		message := admission("PatientUpdate", "2026-03-01T10:00:00Z", mr("A"), person("Other", ""))
		r.want(r.send("POST", "/endpoint", message, "Redox-Source-Id", text(at(other, "id"))), http.StatusOK)
		if p := r.one("Patient"); text(at(p, "name", 0, "family")) != "Other" {
			t.Errorf("another source was measured by the time of the first: %v", p["name"])
		}
	})
}

func TestPatientMerge(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		visit := func(n string) string {
			return `,"Demographics":{"LastName":"Bo"}},"Visit":{"VisitNumber":"` + n + `","PatientClass":"Inpatient","VisitDateTime":"2026-03-01T09:00:00Z"`
		}
		r.push(admission("Arrival", "2026-03-01T10:00:00Z", mr("OLD"), visit("V1")))
		r.push(admission("NewPatient", "2026-03-01T10:00:00Z", mr("NEW"), person("Bo", "")))
		old := text(r.one("Patient?identifier=OLD")["id"])
		kept := text(r.one("Patient?identifier=NEW")["id"])
		for range 3 { // an Observation of a client beside what messages said
			r.want(r.send("POST", fhirBase+"/Observation", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/`+old+`"}}`,
				"Content-Type", "application/fhir+json"), http.StatusCreated)
		}
		merge := func(at string) string {
			return admission("PatientMerge", at, mr("NEW"), `,"PreviousIdentifiers":[`+mr("OLD")+`]`+person("Bo", ""))
		}
		first := r.record(r.push(merge("2026-03-02T10:00:00Z")))
		retired := r.one("Patient?_id=" + old)
		if text(at(retired, "link", 0, "type")) != "replaced-by" || text(at(retired, "link", 0, "other", "reference")) != "Patient/"+kept || retired["active"] != false {
			t.Errorf("the retired patient: %v", retired)
		}
		if n := len(r.search("Observation?patient=" + kept)); n != 3 {
			t.Errorf("%d observations of the one who remains, want 3", n)
		}
		if r.one("Encounter?patient=" + kept)["resourceType"] != "Encounter" {
			t.Error("the visit was not given to the one who remains")
		}
		if n := len(r.search("Observation?patient="+old)) + len(r.search("Encounter?patient="+old)); n != 0 {
			t.Errorf("%d resources still refer to the retired patient", n)
		}
		p := r.one("Provenance?target=Observation/" + text(r.search("Observation")[0]["id"]))
		if text(at(p, "entity", 0, "what", "identifier", "value")) != text(at(first, "id")) {
			t.Errorf("the provenance of what was re-pointed: %v", p)
		}

		// Who is spoken of by the old identifier is the one who remains, and
		// the merge said again merges nothing more.
		r.push(admission("Arrival", "2026-03-03T10:00:00Z", mr("OLD"), visit("V2")))
		if n := len(r.search("Encounter?patient=" + kept)); n != 2 {
			t.Errorf("%d visits of the one who remains, want 2", n)
		}
		r.push(merge("2026-03-04T10:00:00Z"))
		if n := len(r.search("Patient")); n != 2 {
			t.Errorf("%d patients, want 2", n)
		}
		// Both identifiers are one patient's now, and no contradiction.
		r.push(admission("PatientUpdate", "2026-03-05T10:00:00Z", mr("OLD", "NEW"), person("Bo-Li", "")))
		if got := r.one("Patient?_id=" + kept); text(at(got, "name", 0, "family")) != "Bo-Li" {
			t.Errorf("the one who remains: %v", got["name"])
		}
		r.push(merge("2026-03-06T10:00:00Z"))
		if got := r.one("Patient?_id=" + old); text(at(got, "link", 0, "other", "reference")) != "Patient/"+kept {
			t.Errorf("the retired patient leads to %v", got["link"])
		}
	})
}

// A merge of more than one commit can hold moves everything.
func TestAMergeOfManyResources(t *testing.T) {
	r := start(t, server.Config{Data: t.TempDir(), Sandbox: true})
	r.push(admission("NewPatient", "2026-03-01T10:00:00Z", mr("OLD"), person("Bo", "")))
	r.push(admission("NewPatient", "2026-03-01T10:00:00Z", mr("NEW"), person("Bo", "")))
	old, kept := text(r.one("Patient?identifier=OLD")["id"]), text(r.one("Patient?identifier=NEW")["id"])
	var entries []string
	for range 600 {
		entries = append(entries, `{"resource":{"resourceType":"Basic","code":{"text":"x"},"subject":{"reference":"Patient/`+old+`"}},"request":{"method":"POST","url":"Basic"}}`)
	}
	for _, part := range [][]string{entries[:300], entries[300:]} {
		r.want(r.send("POST", fhirBase, `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(part, ",")+`]}`,
			"Content-Type", "application/fhir+json"), http.StatusOK)
	}
	r.push(admission("PatientMerge", "2026-03-02T10:00:00Z", mr("NEW"), `,"PreviousIdentifiers":[`+mr("OLD")+`]`+person("Bo", "")))
	total := func(id string) string {
		return text(at(decoded(t, r.want(r.send("GET", fhirBase+"/Basic?_summary=count&patient=Patient/"+id, ""), http.StatusOK)), "total"))
	}
	if total(kept) != "600" || total(old) != "0" {
		t.Errorf("%s moved, %s left", total(kept), total(old))
	}
}

func TestContradictionsNameTheRecords(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		r.push(admission("NewPatient", "2026-03-01T10:00:00Z", mr("A"), person("A", "")))
		r.push(admission("NewPatient", "2026-03-01T10:00:00Z", mr("B"), person("B", "")))
		a, b := text(r.one("Patient?identifier=A")["id"]), text(r.one("Patient?identifier=B")["id"])
		r.want(r.send("POST", "/endpoint", admission("PatientUpdate", "2026-03-02T10:00:00Z", mr("A", "B"), "")),
			http.StatusConflict, "Patient/"+a, "Patient/"+b, `"Module":"Identity"`)
	})
}

// A message that was sent before changes nothing, also when something else has
// been said since.
func TestARedeliveredMessageChangesNothing(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		// No EventDateTime: the id of the message alone tells it apart.
		message := func(id, family string) string {
			return `{"Meta":{"DataModel":"PatientAdmin","EventType":"PatientUpdate","Message":{"ID":` + id + `}},"Patient":{"Identifiers":[` + mr("A") + `]` + person(family, "") + `}}`
		}
		first := r.push(message("1", "One"))
		r.push(message("2", "Two"))
		again := r.record(r.push(message("1", "One")))
		if p := r.one("Patient"); text(at(p, "name", 0, "family")) != "Two" || text(at(p, "meta", "versionId")) != "2" {
			t.Errorf("the message that was sent again changed the patient: %v", p["name"])
		}
		if text(at(again, "repeats")) != text(at(first, "Meta", "Logs", 0, "ID")) || text(at(again, "status")) != "SUCCEEDED" {
			t.Errorf("the log has %v", again)
		}
		// The same id with another content is another message.
		r.push(message("1", "One-b"))
		if p := r.one("Patient"); text(at(p, "name", 0, "family")) != "One-b" {
			t.Errorf("a correction was passed over: %v", p["name"])
		}
	})
}

// A message about somebody without an identifier speaks of the same person
// each time it is sent, and another message of another one.
func TestAPatientWithoutIdentifierIsMadeOnce(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		for _, at := range []string{"01", "02", "03"} {
			r.push(admission("NewPatient", "2026-03-"+at+"T10:00:00Z", "", person("Nobody", "")))
		}
		if n := len(r.search("Patient")); n != 1 {
			t.Errorf("%d patients of one message sent three times", n)
		}
		r.push(admission("NewPatient", "2026-03-04T10:00:00Z", "", person("Nobody", "1990-01-01")))
		if n := len(r.search("Patient")); n != 2 {
			t.Errorf("%d patients, want another one for another message", n)
		}
	})
}

func TestProvenanceOfAMessage(t *testing.T) {
	engines(t, func(t *testing.T, c server.Config) {
		r := start(t, c)
		m := r.record(r.push(admission("NewPatient", "2026-03-01T10:00:00Z", mr("A"), person("A", ""))))
		u := r.record(r.push(admission("PatientUpdate", "2026-03-02T10:00:00Z", mr("A"), person("B", ""))))
		id := text(r.one("Patient")["id"])
		for i, message := range []any{m, u} {
			p := r.one("Provenance?_id=" + text(at(message, "id")))
			if target := text(at(p, "target", 0, "reference")); target != fmt.Sprintf("Patient/%s/_history/%d", id, i+1) {
				t.Errorf("message %d gave %s", i+1, target)
			}
			if text(at(p, "entity", 0, "what", "identifier", "value")) != text(at(message, "id")) || text(at(p, "occurredDateTime")) == "" {
				t.Errorf("the provenance: %v", p)
			}
			if strings.Contains(text(at(message, "resources")), "Provenance") {
				t.Error("the provenance is one of what the message speaks of")
			}
		}
		if n := len(r.search("Provenance?target=Patient/" + id)); n != 2 {
			t.Errorf("%d provenances of the patient", n)
		}
	})
}
