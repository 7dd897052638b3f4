// Package redox is the typed model of Redox's data models and their
// translation to FHIR R4 and back.
//
// [Parse] reads a message into a [Message], whose body is one of the generated
// types: [Scheduling], [PatientAdmin] and so on, each the union of its events'
// fields. The types serve as builders as well:
//
//	m, err := redox.NewMessage(&redox.Scheduling{
//		Meta:    &redox.Meta{DataModel: "Scheduling", EventType: "New"},
//		Patient: &redox.Patient{Identifiers: []redox.Identifier{{ID: "4711", IDType: "MR"}}},
//		Visit: &redox.Visit{
//			VisitNumber: "V1", VisitDateTime: "2026-03-02T09:00:00Z", Duration: redox.Int(30),
//			Location: &redox.Location{Department: "Cardiology"},
//		},
//	})
//	data, err := redox.Marshal(m)
//
// [Message.ToFHIR] says a message in FHIR and [FromFHIR] says it in the data
// model again; [FromWriteback] reads what an app sends back. What FHIR has no
// element for goes into extensions (see rest.go), so that a message comes back
// as it was, but for:
//
//   - null, "", [] and {}, which are absent;
//   - times, which come back as the same instant in ISO 8601 with an offset;
//   - IsDeceased, which is true where there is a DeathDateTime.
//
// The clinical data models are translated by tables: see table.go.
//
// One record can have several entries in a message: a place named with its
// type and without, for example. Their identity says that they are one.
//
// Everything is pure: no I/O, no clock, no state.
package redox
