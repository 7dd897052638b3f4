package fhirmessage_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/fhirmessage"
)

const base = "https://ehr.example/r4"

func written(t testing.TB) []byte {
	t.Helper()
	m, err := fhirmessage.Write(fhirmessage.Outgoing{
		ID: "m1", DataModel: "Scheduling", EventType: "New", Base: base,
		Focus: fhirmessage.Resource{Name: "Appointment/7", Body: json.RawMessage(
			`{"resourceType":"Appointment","id":"7","meta":{"versionId":"3","tag":[{"code":"x"}]},"status":"booked","comment":"a<b",
			"basedOn":[{"reference":"` + base + `/ServiceRequest/9/_history/2"}],"reasonReference":[{"reference":"#c"}],
			"participant":[{"actor":{"reference":"Patient/p1"},"status":"accepted"},{"actor":{"reference":"https://other.example/Location/1"},"status":"accepted"}]}`)},
		Related: []fhirmessage.Resource{{Name: "Patient/p1", Body: json.RawMessage(
			`{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:mrn","value":"1"},{"use":"old","system":"urn:mrn","value":"0"}],"photo":[{"url":"Binary/5"}]}`)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReadFollowsReferences(t *testing.T) {
	m, err := fhirmessage.Read(written(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Entries) != 2 || len(m.Focus) != 1 || m.Focus[0] != 0 || m.Event.Name != "appointment-booked" {
		t.Fatalf("%d entries, focus %v, event %s", len(m.Entries), m.Focus, m.Event.Name)
	}
	a, p := m.Entries[0], m.Entries[1]
	if a.Type() != "Appointment" || !a.Whole || p.Whole {
		t.Error("an appointment is its server's, a patient is shared")
	}
	if got := a.Identifiers; len(got) != 1 || got[0] != (mapping.Identifier{System: base + "/Appointment", Value: "7"}) {
		t.Errorf("the appointment is known by %v", got)
	}
	if got := p.Identifiers; len(got) != 2 || got[1] != (mapping.Identifier{System: "urn:mrn", Value: "1"}) {
		t.Errorf("the patient is known by %v", got)
	}
	text := string(a.Raw)
	for _, want := range []string{`"reference":"` + p.FullURL + `"`, `"reference":"#c"`, `"reference":"https://other.example/Location/1"`,
		`"source":"` + base + `/Appointment/7"`, `"comment":"a<b"`, `"tag":`, `{"system":"` + base + `/Appointment","value":"7"}`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if strings.Contains(text, "versionId") || strings.Contains(text, `"id":`) {
		t.Error("the vendor's id or version stays in the resource")
	}
	if len(m.Mentioned) != 1 || m.Mentioned[0].URL != base+"/ServiceRequest/9" || !strings.Contains(text, m.Mentioned[0].FullURL) {
		t.Errorf("mentioned: %+v", m.Mentioned)
	}
	if !strings.Contains(string(p.Raw), `"url":"`+base+`/Binary/5"`) {
		t.Error("a relative address leads nowhere here")
	}
}

func TestWhatIsNoMessage(t *testing.T) {
	good := string(written(t))
	for rule, text := range map[string]string{
		"in JSON":              `{`,
		"type must be message": strings.Replace(good, `"type":"message"`, `"type":"batch"`, 1),
		"MessageHeader":        strings.Replace(good, `"resourceType":"MessageHeader"`, `"resourceType":"Basic"`, 1),
		"eventCoding":          strings.Replace(good, "Scheduling:New", "Scheduling", 1),
		"endpoint":             strings.Replace(good, `"endpoint":"`+base, `"endpoint":"nowhere`, 1),
		"focus must name":      strings.Replace(good, `"focus":[{"reference":"`+base+`/Appointment/7"`, `"focus":[{"reference":"`+base+`/Appointment/8"`, 1),
		"resourceType must":    strings.Replace(good, `"resourceType":"Patient"`, `"resourceType":"Person"`, 1),
		"fullUrl must":         strings.Replace(good, `"fullUrl":"`+base+`/Patient/p1"`, `"fullUrl":"`+base+`/Nonsense/p1"`, 1),
		"and a resource":       `{"resourceType":"Bundle","type":"message"}`,
	} {
		if text == good {
			t.Fatalf("%s: nothing was replaced", rule)
		}
		if _, err := fhirmessage.Read([]byte(text)); !errors.Is(err, fhirmessage.ErrInvalid) || !strings.Contains(err.Error(), rule) {
			t.Errorf("got %v, want the rule %q", err, rule)
		}
	}
	if fhirmessage.Is([]byte(`{"Meta":{"DataModel":"Scheduling"}}`)) || !fhirmessage.Is([]byte(good)) {
		t.Error("Redox and FHIR are not told apart")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f))
	f.Add([]byte(`{"resourceType":"Bundle","type":"message","entry":[{},{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := fhirmessage.Read(text)
		if err != nil {
			if !errors.Is(err, fhirmessage.ErrInvalid) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		for _, e := range m.Entries {
			if e.Type() == "" || e.Key == "" && len(e.Identifiers) == 0 || !json.Valid(e.Raw) {
				t.Errorf("an entry that nobody can find again: %s", e.Raw)
			}
		}
	})
}
