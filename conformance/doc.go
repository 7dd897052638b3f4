// Package conformance knows what FHIR R4 (4.0.1) is: its resource types,
// datatypes and elements, its search parameters and those that US Core 6.1.0
// adds, compartments and operations, the codes of its required value sets; and
// it checks resources against them.
//
// [R4] is the entry point. The definitions come compiled into the program: the
// generator in internal/gen reduces HL7's definition files to r4.tables, a file
// of facts that is embedded and decoded at the first call. Nothing in a
// [Definitions] changes after that, so everything may be shared and used from
// any goroutine, and nothing that its methods return may be modified.
//
// [ValidateStructure] checks the JSON bytes of a resource against the
// definitions: https://hl7.org/fhir/R4/json.html for the representation,
// https://hl7.org/fhir/R4/datatypes.html for the formats of primitives,
// https://hl7.org/fhir/R4/validation.html for what "structure", "cardinality",
// "value domains" and "coding bindings" mean. It does not evaluate FHIRPath
// constraints; their expressions are in the tables ([Element.Constraints],
// [Type.Constraints]) for a FHIRPath engine to evaluate. It is on the path of
// every write, so the types are compiled once into lookup tables and the text
// is read in place: Synthea bundles, indented as they come, pass at 260 MB/s
// (other work on the machine) to 420 MB/s (none) on one core of a two-core
// cloud machine, reading the JSON included, and at 590 to 730 MB/s when they
// have been parsed already:
//
//	go test ./conformance -run '^$' -bench ValidateStructure
//
// The tables are plain text rather than compressed, 0.7 MB, because a diff then
// shows what a change of the generator or of the definitions does; they are
// decoded in 15 ms and compiled for the validator in 7 ms, each at the first
// use; both hold 5.4 MiB (go test ./conformance -run LoadingFigures -v).
//
// numbers.txt assigns the numbers by which stored index keys name resource
// types and search parameters. It only ever grows.
package conformance

//go:generate go run ./internal/gen -r4 ../../shared/data/r4 -uscore ../../shared/data/uscore/package -out r4.tables -numbers numbers.txt
