// Package terminology knows which codes a value set has and how the codes of a
// code system lie below each other, from the CodeSystem, ValueSet and
// ConceptMap resources that a tenant holds and the value sets of R4's required
// bindings (https://hl7.org/fhir/R4/terminology-service.html).
//
//	service.go     Service: what is asked
//	codesystem.go  a CodeSystem with its hierarchy
//	expand.go      ValueSet.compose to codes
//	filter.go      ValueSet.compose.include.filter
//	validate.go    whether a code is one of a value set or code system
//	translate.go   ConceptMap
//	server.go      what a terminology server elsewhere is asked
//
// A code system is held when its CodeSystem is there and lists its concepts
// (content complete, fragment or example: then what is listed is what there
// is). Concepts lie below others by nesting and by the properties parent,
// child and subsumedBy. Of R4's own code systems without a CodeSystem the codes
// are known and nothing of a hierarchy.
//
// # What is refused
//
// A value set or code system that is not held is ErrNotHeld, which names it.
// A value set with more codes than Options.MaxCodes is ErrTooCostly. A value
// set that imports itself, a filter with an operator or a property that the
// code system does not have, and a stored resource that is not what R4 says is
// ErrInvalid. Nothing is left out of an expansion in silence.
package terminology
