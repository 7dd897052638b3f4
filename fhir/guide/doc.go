// Package guide holds implementation guides: US Core 6.1.0 and R4's own
// profiles, which are part of the program, and those that come as packages
// (https://confluence.hl7.org/display/FHIR/NPM+Package+Specification).
//
//	guide.go    what is part of the program
//	package.go  reads a package
//	archive.go  the files of a package, within limits
//
// Of a package the StructureDefinitions, ValueSets, CodeSystems and
// SearchParameters in its folder package/ are taken over; examples and other
// folders are left. A package is taken over whole or not at all: a file that
// cannot be used, a profile that cannot be compiled, is an error that names the
// file and the rule.
//
// definitions.json is written by internal/gen: facts, no prose. It is 0.4 MB,
// read in 4 ms; compiling all 102 profiles takes about 22 ms more, each
// when it is first needed (go test ./fhir/guide -run '^$' -bench Builtin).
package guide
