// Package fhirr4 polls FHIR R4 servers: Epic, Oracle Health (Cerner), Canvas,
// Nextech, eClinicalWorks and any other.
//
// An action is a resource type: "Appointment", "Patient". What changed is
// found in one of two ways:
//
//   - _lastUpdated, where the server searches by it: all that is not older
//     than the cursor, less an overlap. Sorted by _lastUpdated, each further
//     page asks from the last one's end, so that nothing is skipped when
//     resources move while pages are read. Where a server cannot sort, the
//     next links are followed, and several pages are read again until two
//     readings are the same.
//   - a window of days around now, where it does not: every resource in it is
//     compared with what it was, by its content. The first reading is the
//     baseline and is not told; a backfill makes it told.
//
// Records that a resource refers to are read as well, each once a run. The
// message is a FHIR message (mapping/fhirmessage): resources are stored as the
// vendor has them, with the vendor's ids as identifiers.
//
//	preset.go   what is peculiar to vendors
//	search.go   requests and pages
//	changed.go  which resources changed
//	fill.go     follow-up reads, and content
//	message.go  events, decided from before and after
package fhirr4
