// Package fhirpatch changes resources by FHIRPath Patch
// (https://hl7.org/fhir/R4/fhirpatch.html): a Parameters resource whose
// parameters are operations: add, insert, delete, replace, move.
//
// Operations are applied one after the other to the JSON text. Each finds its
// element by FHIRPath and writes anew only the object that holds it, so that
// all other bytes stay as they are. The result is not validated here.
//
// Where the page leaves a choice:
//   - delete of an element that is not there changes nothing; every other
//     operation needs what its path names.
//   - insert and move take the whole list: a path that selects some of its
//     elements, or those of two lists, is refused.
//   - move takes the element out before it counts the destination.
//   - a value of one primitive type is taken for another that is the same in
//     JSON (a string for a code); other types must be those of the element.
//   - an element that has nothing left is removed, for FHIR has no empty ones.
package fhirpatch
