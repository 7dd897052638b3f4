// Package mapping holds what all translations to and from FHIR R4 share: a
// message as FHIR says it, and FHIR JSON for the typed resources of
// github.com/google/fhir/go.
//
// A translation is pure: it reads no clock, does no I/O and keeps no state.
// The packages below translate one format each: redox, hl7v2, csv.
package mapping
