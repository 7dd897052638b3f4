package redox_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
)

func ExampleNewMessage() {
	m, err := redox.NewMessage(&redox.Scheduling{
		Meta:    &redox.Meta{DataModel: "Scheduling", EventType: "New"},
		Patient: &redox.Patient{Identifiers: []redox.Identifier{{ID: "4711", IDType: "MR"}}},
		Visit: &redox.Visit{
			VisitNumber:   "V1",
			VisitDateTime: "2026-03-02T09:00:00Z",
			Duration:      redox.Int(30),
			Location:      &redox.Location{Department: "Cardiology"},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	data, err := redox.Marshal(m)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(data))
	// Output:
	// {"Meta":{"DataModel":"Scheduling","EventType":"New"},"Patient":{"Identifiers":[{"ID":"4711","IDType":"MR"}]},"Visit":{"VisitNumber":"V1","VisitDateTime":"2026-03-02T09:00:00Z","Duration":30,"Location":{"Department":"Cardiology"}}}
}

func ExampleParse() {
	_, err := redox.Parse([]byte(`{"Meta": {"DataModel": "Scheduling", "EventType": "New"}, "Visit": {"Duration": "30", "Location": {"Department": "A"}}}`))
	var problems redox.Errors
	if errors.As(err, &problems) {
		for _, problem := range problems {
			fmt.Println(problem.Text)
		}
	}
	// Output:
	// Visit.Duration must be a number in Scheduling:New
	// Required field missing - Visit.VisitDateTime in Scheduling:New
	// Required field missing - Visit.VisitNumber in Scheduling:New
}

func ExampleMessage_ToFHIR() {
	data, _ := redox.Sample("Scheduling", "New")
	m, err := redox.Parse(data)
	if err != nil {
		log.Fatal(err)
	}
	f, err := m.ToFHIR(redox.Options{Slug: "larkspur"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Event.Name)
	for _, e := range f.Entries {
		fmt.Println(mapping.TypeName(e.Resource), len(e.Identifiers), e.Parent, e.Key != "")
	}
	// Output:
	// appointment-booked
	// Patient 2 -1 false
	// Appointment 1 -1 false
	// Location 1 -1 false
	// Location 1 -1 false
	// Location 0 3 true
	// Practitioner 1 -1 false
	// Condition 0 0 true
}
