// Package crashtest kills the real program at random moments and checks that
// nothing is lost. It has tests only.
//
// The program runs on the embedded store, and as two instances on one MongoDB.
// Writers load it over HTTP with FHIR creates, updates, deletes, Redox messages
// and transactions; after a random time it is killed with SIGKILL, started
// again, and asked for everything:
//
//   - What was acknowledged is there, in its version and with its body; what
//     was refused is not; what got no answer is there as a whole or not at all,
//     and never twice.
//   - The versions of each resource count from 1 without gaps, and so does the
//     log, whose entries hold what the history says.
//   - Reads return the latest version, searches find exactly what is stored.
//
// Where to start reading: crash_test.go plays the rounds, book_test.go keeps
// what was asked and answered, writer_test.go asks, check_test.go compares.
//
// Environment:
//
//	FHIRFACADE_CRASH       kills of each engine, instead of a few
//	FHIRFACADE_CRASH_SEED  repeats the choices of a run: what is written, and
//	                       when the program is killed
package crashtest
