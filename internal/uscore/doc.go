// Package uscore holds the test of US Core's searches: all that the capability
// statement of US Core 6.1.0 asks of a server, as Inferno's metadata list them,
// are run over HTTP on loaded data, and each answer is compared with what a
// plain walk over the same JSON finds. The walk knows nothing of the server's
// tables, expressions or keys: paths and types are the metadata's own.
//
//	metadata_test.go  the metadata
//	data_test.go      what is loaded: Synthea's patients
//	invented_test.go  and resources for what Synthea does not have
//	values_test.go    the values at a path
//	match_test.go     when a value matches (R4 search)
//	plan_test.go      the searches that are tried for one of the metadata
//	uscore_test.go    runs them
//	capability_test.go  what is claimed
package uscore
