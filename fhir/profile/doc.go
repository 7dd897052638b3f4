// Package profile checks resources against profiles: StructureDefinitions that
// constrain R4's types (https://hl7.org/fhir/R4/profiling.html). What R4 itself
// says is checked by packages conformance and validate; this package adds what
// a profile says beyond it.
//
//	structure.go  reads a StructureDefinition
//	snapshot.go   makes the elements of one that has a differential only
//	prune.go      takes off what R4 says already
//	tree.go       the elements as a tree with slices and their criteria
//	library.go    definitions and value sets that are held, by canonical URL
//	valueset.go   which codes a value set has, as far as it is known
//	resource.go   checks a resource: by meta.profile, by URL, its extensions
//	check.go      one value against one element
//	slices.go     which slice an item belongs to
//	reference.go  what a reference may lead to
//	coded.go      bindings
//
// # What is checked
//
// Cardinality, types, fixed and pattern values, minimum and maximum values,
// lengths, bindings, the profile's own invariants, slices by value, pattern,
// type, profile and exists discriminators (R4 profiling § 5.1.0.9 to 5.1.0.11)
// with re-slicing and the default slice, profiles on types, targets of
// references. An extension is checked against its definition wherever it
// stands, if the definition is held. It stands on the snapshot; of a
// definition without one it is made from the differential and the profiles
// that it is derived from.
//
// As in HL7's validator, a code that is not in a required value set is an
// error, in an extensible one a warning, in a preferred one information. A
// value set may be known in part: a code of a system that is not held is
// neither in it nor not, which is said as information when that is asked for
// ([Options.Thorough]). A profile that is referred to and not held is a
// warning that names it.
//
// A value is checked against a structure once; where profiles refer to each
// other in a circle, one that is under way is taken to be met, so the work is
// bounded by the number of values times that of the structures, and above that
// by a budget of steps in proportion to the resource's size.
package profile
