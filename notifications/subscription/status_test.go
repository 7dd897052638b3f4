package subscription

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each shape that Subscribers get has a golden file, and is R4.
func TestShapes(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	spec := Spec{ID: "9", Criteria: "https://example.org/topic", Topic: true, Content: IDOnly}
	r := Report{ID: "0d0a5b0e-7b2e-4f6e-9d38-3d0b7c3a1a11", Base: "https://fhir.example.org/r4", Spec: spec, Status: Active, Kind: EventNotification, Time: at, Total: 3}
	events := []Event{{
		Number: 3, Time: at, Focus: "Encounter/1", Context: []string{"Patient/2"}, Method: "POST",
		Bodies: map[string][]byte{
			"Encounter/1": []byte(`{"resourceType":"Encounter","id":"1","status":"planned","class":{"code":"AMB"}}`),
			"Patient/2":   []byte(`{"resourceType":"Patient","id":"2"}`),
		},
	}}
	gone := []Event{{Number: 3, Time: at, Focus: "Encounter/1", Method: "DELETE"}}
	change := func(do func(r *Report)) Report {
		c := r
		do(&c)
		return c
	}
	const id = "4b1f0a52-6f1d-4b7e-8d64-1d6b1a1c2f33"
	for name, got := range map[string][]byte{
		"handshake": change(func(r *Report) { r.Kind, r.Status, r.Total, r.Content = Handshake, Requested, 0, IDOnly }).Bundle(id),
		"heartbeat": change(func(r *Report) { r.Kind, r.Content = Heartbeat, Empty }).Bundle(id),
		"heartbeat-error": change(func(r *Report) {
			r.Kind, r.Content, r.Status, r.Error = Heartbeat, IDOnly, Error, "the endpoint answered 500 Internal Server Error"
		}).Bundle(id),
		"event-empty":         change(func(r *Report) { r.Events, r.Content = events, Empty }).Bundle(id),
		"event-id-only":       change(func(r *Report) { r.Events, r.Content = events, IDOnly }).Bundle(id),
		"event-full-resource": change(func(r *Report) { r.Events, r.Content = events, FullResource }).Bundle(id),
		"event-deleted":       change(func(r *Report) { r.Events, r.Content = gone, FullResource }).Bundle(id),
		"query-event":         change(func(r *Report) { r.Kind, r.Events, r.Content = QueryEvent, events, IDOnly }).Bundle(id),
		"query-status":        Searchset(id, at, []Report{change(func(r *Report) { r.Kind, r.Content = QueryStatus, Empty })}),
		"query-status-none":   Searchset(id, at, nil),
	} {
		if issues := conformance.ValidateStructure(got); len(issues) > 0 {
			t.Errorf("%s: %v", name, issues)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, got, "", "  "); err != nil {
			t.Fatal(name, err)
		}
		pretty.WriteByte('\n')
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pretty.Bytes(), want) {
			t.Errorf("%s is\n%s\nwant\n%s", name, pretty.Bytes(), want)
		}
	}
}

// A hint for content never gives more than the Subscription has.
func TestContentHint(t *testing.T) {
	for _, c := range []struct{ own, hint, want Content }{
		{IDOnly, "", IDOnly}, {IDOnly, FullResource, IDOnly}, {FullResource, Empty, Empty}, {Empty, IDOnly, Empty},
	} {
		if got, err := c.own.AtMost(string(c.hint)); err != nil || got != c.want {
			t.Errorf("%s of %s is %s, %v", c.hint, c.own, got, err)
		}
	}
	if _, err := IDOnly.AtMost("all"); err == nil {
		t.Error("an unknown level was taken")
	}
}
