package notifications

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/fhir/go/fhirversion"
	"github.com/google/fhir/go/jsonformat"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// people are invented resources, each in two versions.
var people = map[store.Ref][2]string{
	{Type: "Patient", ID: "p1"}: {
		`{"resourceType":"Patient","id":"p1","meta":{"versionId":"1"},"identifier":[{"system":"urn:oid:1.2.3","value":"MR-77"}],"name":[{"family":"Ostrander","given":["Wilhelmina"]}],"birthDate":"1951-04-09"}`,
		`{"resourceType":"Patient","id":"p1","meta":{"versionId":"2"},"identifier":[{"system":"urn:oid:1.2.3","value":"MR-77"}],"name":[{"family":"Ostrander-Bley","given":["Wilhelmina"]}],"birthDate":"1951-04-09"}`,
	},
	{Type: "Appointment", ID: "a1"}: {
		`{"resourceType":"Appointment","id":"a1","meta":{"versionId":"1"},"identifier":[{"value":"V-1"}],"status":"booked","start":"2026-04-01T09:00:00.000-05:00","participant":[{"actor":{"reference":"Patient/p1"},"status":"accepted"}],"description":"knee \u0022check\u0022"}`,
		`{"resourceType":"Appointment","id":"a1","meta":{"versionId":"2"},"identifier":[{"value":"V-1"}],"status":"cancelled","participant":[{"actor":{"reference":"Patient/p1"},"status":"declined"}]}`,
	},
}

// writeAll commits version 1 or 2 of everyone in one entry.
func (w *world) writeAll(version int, e Event) store.Entry {
	w.t.Helper()
	c := store.Commit{Source: "ehr", Info: e.Encode()}
	for _, ref := range []store.Ref{{Type: "Appointment", ID: "a1"}, {Type: "Patient", ID: "p1"}} {
		body := []byte(people[ref][version-1])
		c.Changes = append(c.Changes, store.Change{Ref: ref, Render: func(store.Stamp) store.Content { return store.Content{Body: body} }})
	}
	entry, err := w.store.Commit(w.ctx, production, c)
	w.must(err)
	return entry
}

var booked = Event{
	DataModel: "Scheduling", EventType: "New", Name: "appointment-booked", Message: "3f1f2a6e-0000-4000-8000-00000000000a",
	Focus: []string{"Appointment/a1"}, Patients: []string{"Patient/p1"}, Resources: []string{"Appointment/a1", "Patient/p1"},
	SourceID: "7b1c9d2e-0000-4000-8000-00000000000b", SourceName: "Clinic EHR", Test: true,
}

func TestRender_golden(t *testing.T) {
	w := newTestWorld(t)
	w.messages[booked.Message] = []byte(`{"Meta":{"DataModel":"Scheduling","EventType":"New","Source":{"ID":"x"},"Extra":1.50},"Patient":{"Demographics":{"LastName":"Ostrander"}}}`)
	entry := w.writeAll(1, booked)
	w.clock.advance(time.Hour)
	later := w.writeAll(2, Event{
		DataModel: "Scheduling", EventType: "Cancel", Name: "appointment-cancelled", Focus: booked.Focus, Patients: booked.Patients,
		Resources: booked.Resources, SourceID: "front desk/1",
	})
	var changes []store.Change
	for ref := range people {
		changes = append(changes, store.Change{Ref: ref})
	}
	_, err := w.store.Commit(w.ctx, production, store.Commit{Changes: changes})
	w.must(err)

	d := Destination{ID: "5d0c6f7a-0000-4000-8000-00000000000c", Name: "Booking App"}
	id := "9e9e9e9e-0000-5000-8000-00000000000d"
	for _, c := range []struct {
		name    string
		content Content
		entry   store.Entry
	}{
		{"booked.lightweight", Lightweight, entry}, {"booked.detailed", Detailed, entry}, {"booked.redox", Redox, entry},
		{"cancelled.lightweight", Lightweight, later}, {"cancelled.detailed", Detailed, later},
	} {
		event, ok := EventOf(c.entry)
		if !ok {
			t.Fatal("the entry has no event")
		}
		p, err := w.o.Renderer.Render(w.ctx, production, Subscription{Content: c.content}, d, id, c.entry, event)
		if err != nil {
			t.Fatal(err)
		}
		again, err := w.o.Renderer.Render(w.ctx, production, Subscription{Content: c.content}, d, id, c.entry, event)
		if err != nil || !bytes.Equal(p.Body, again.Body) {
			t.Errorf("%s: not the same twice (%v)", c.name, err)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, p.Body, "", "  "); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		pretty.WriteByte('\n')
		golden(t, c.name+".json", pretty.Bytes())
		if c.content == Redox {
			if p.ContentType != "application/json" {
				t.Errorf("%s: %s", c.name, p.ContentType)
			}
			continue
		}
		if p.ContentType != "application/fhir+json" {
			t.Errorf("%s: %s", c.name, p.ContentType)
		}
		validBundle(t, c.name, p.Body)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is now:\n%s", name, got)
	}
}

// validBundle holds a Bundle against two validators.
func validBundle(t *testing.T, name string, body []byte) {
	t.Helper()
	for _, issue := range conformance.ValidateStructure(body) {
		t.Errorf("%s: %+v", name, issue)
	}
	u, err := jsonformat.NewUnmarshaller("UTC", fhirversion.R4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Unmarshal(body); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// The payload is that of the versions that the entry names, for what it
// changed, and of the time of the entry, for what it did not.
func TestRender_isOfItsTime(t *testing.T) {
	w := newTestWorld(t)
	put := func(text string, e Event) store.Entry {
		entry, err := w.store.Commit(w.ctx, production, store.Commit{Info: e.Encode(), Changes: []store.Change{{
			Ref: store.Ref{Type: "Patient", ID: "p1"}, Render: func(store.Stamp) store.Content {
				return store.Content{Body: fmt.Appendf(nil, `{"resourceType":"Patient","id":"p1","name":[{"text":%q}]}`, text)}
			},
		}}})
		w.must(err)
		return entry
	}
	put("before", Event{})
	e := Event{DataModel: "Scheduling", EventType: "New", Name: "appointment-booked", Focus: []string{"Appointment/a1"}, Patients: []string{"Patient/p1"}, Resources: []string{"Patient/p1", "Patient/later"}}
	unchanged := w.commit(production, e)
	e.Focus = []string{"Patient/p1"}
	changed := put("then", e)
	for i := range 20 {
		put(fmt.Sprint("now ", i), Event{})
	}
	for want, entry := range map[string]store.Entry{"before": unchanged, "then": changed} {
		event, _ := EventOf(entry)
		p, err := w.o.Renderer.Render(w.ctx, production, Subscription{Content: Detailed}, Destination{ID: "d"}, "x", entry, event)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(p.Body), `"text":"`+want+`"`) || strings.Contains(string(p.Body), "now") || strings.Contains(string(p.Body), "later") {
			t.Errorf("want %q: %s", want, p.Body)
		}
		validBundle(t, want, p.Body)
	}
}

// A plain FHIR write is an event too; one that deletes names its focus alone.
func TestRender_plainWrites(t *testing.T) {
	w := newTestWorld(t)
	ref := store.Ref{Type: "Appointment", ID: "a1"}
	for _, c := range []struct {
		name   string
		render func(store.Stamp) store.Content
	}{
		{"appointment-booked", func(store.Stamp) store.Content { return store.Content{Body: []byte(people[ref][0])} }},
		{"appointment-updated", func(store.Stamp) store.Content { return store.Content{Body: []byte(people[ref][1])} }},
		{"appointment-cancelled", nil},
	} {
		entry, err := w.store.Commit(w.ctx, production, store.Commit{Source: "rest", Changes: []store.Change{{Ref: ref, Render: c.render}}})
		w.must(err)
		event, ok := EventOf(entry)
		if !ok || event.Name != c.name {
			t.Fatalf("%s: %+v", c.name, event)
		}
		if !(Subscription{DataModel: "Scheduling", Content: Lightweight, Destination: "d"}).Matches("rest", event) {
			t.Errorf("%s: does not match", c.name)
		}
		if (Subscription{DataModel: "Scheduling", Content: Redox, Destination: "d"}).Matches("rest", event) {
			t.Errorf("%s: a plain write has no Redox message", c.name)
		}
		p, err := w.o.Renderer.Render(w.ctx, production, Subscription{Content: Lightweight}, Destination{ID: "d"}, "x", entry, event)
		if err != nil {
			t.Fatal(err)
		}
		validBundle(t, c.name, p.Body)
		if want := `"reference":"https://fhir.example.org/r4/Appointment/a1"`; !strings.Contains(string(p.Body), want) {
			t.Errorf("%s: no focus in %s", c.name, p.Body)
		}
		if strings.Contains(string(p.Body), "knee") {
			t.Errorf("%s: more than an outline: %s", c.name, p.Body)
		}
	}
}
