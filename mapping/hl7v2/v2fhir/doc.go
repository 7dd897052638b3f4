// Package v2fhir translates HL7 v2 messages to FHIR R4 and back by tables.
//
// A table line is one field and one element with the data type between them,
// read in both directions:
//
//	field("PID-7", "birthDate", date),
//
// The tables are in the files named after chapters (patient.go, visit.go …),
// which messages and events there are in messages.go, the data types in
// datatypes.go, coded values in codes.go. [ToFHIR] makes a Bundle of type
// message, [FromFHIR] a message; both tell which line made what, and what no
// line was for.
//
// The mappings follow HL7's V2-to-FHIR Implementation Guide where it says
// something, and docs/hl7v2.md where it does not. FHIR is built and read as
// JSON, since every element here is named by its path.
//
// Everything is pure: no I/O, no clock, no state.
package v2fhir
