// Package validate checks resources against all of R4 that the structure does
// not say: the invariants, contained resources, ids, and where extensions may
// stand (https://hl7.org/fhir/R4/validation.html). The structure is checked by
// package conformance; [Resource] does both and puts the issues in
// one order.
//
// Invariants are FHIRPath. Those of R4's tables are compiled once, with the
// corrections of errata.go, and evaluated on the raw JSON for the elements that
// a resource has. Five of them are code instead, because as expressions they
// would look at the whole resource again and again or at every element: ele-1,
// ext-1 and dom-2 (package conformance), ref-1 and dom-3 (contained.go). txt-1
// and txt-2 are one expression, which is evaluated once.
//
// An invariant is met by true alone. False, empty, several values and an error
// of the evaluation are violations, each worded as what it is: so does HL7's
// own validator, and so the later corrections of R4's expressions assume. Where
// R4's text yields empty for content that its rule allows, errata.go has the
// corrected text.
//
// The severity is the specification's. The steps of all evaluations on one
// resource are bounded in proportion to its size; what is left over when they
// are used up is an issue of code too-costly.
//
// Speed: see docs/performance.md, "Validation".
package validate
